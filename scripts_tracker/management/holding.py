"""What ``pause_script``, ``resume_script`` and ``cancel_script`` share: names, a reason, what was done, what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.core.management.base import CommandError

from scripts_tracker.core import stops
from scripts_tracker.core.progress import progress_of
from scripts_tracker.management.base import NAMES, TrackerCommand, named, not_started
from scripts_tracker.project.status import load_status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.core.management.base import CommandParser

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.project.marks import MarkResult
    from scripts_tracker.project.status import ProjectStatus


class DecisionCommand(TrackerCommand):
    """Decide about batched scripts that have begun.

    Attributes:
        example: a reason, for the message where it is missing; empty if none is needed.
    """

    example: ClassVar[str] = ""

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the names and the reason."""
        parser.add_argument("names", nargs="+", metavar="NAME", help=f"batched scripts: {NAMES}")
        needed = "" if self.example else "; optional"
        parser.add_argument(
            "--reason", default="", help=f"the reason for the decision, kept in the ledger{needed}"
        )

    def why_not(self, options: dict[str, Any]) -> Callable[[ScriptStatus], str]:
        """What knows why a script cannot be decided about: of a group, those are left out."""
        raise NotImplementedError

    def decide(
        self, overview: ProjectStatus, statuses: Sequence[ScriptStatus], options: dict[str, Any]
    ) -> MarkResult:
        """Make the decision."""
        raise NotImplementedError

    def told(self, status: ScriptStatus, options: dict[str, Any]) -> Sequence[str]:
        """What was decided about one script, and what to type next."""
        raise NotImplementedError

    def perform(self, options: dict[str, Any]) -> int:
        """Decide, and say what to type next; a refusal makes the command fail after the rest is done."""
        if self.example and not options["reason"].strip():
            name = type(self).__module__.rpartition(".")[2]
            raise not_started(f'{name} needs a reason, which the ledger keeps: --reason "{self.example}"')
        overview = load_status()
        by_id = overview.by_id
        chosen = named(overview, options["names"]).fit(self.why_not(options))
        if not chosen:
            self.say("Nothing was changed: no batched script among these can be changed so.")
        result = self.decide(overview, chosen, options)
        for script_id in result.done:
            self.say("\n".join(self.told(by_id[script_id], options)))
        if result.refused:
            raise CommandError(
                "\n".join(f"{script_id} was not changed: {why}." for script_id, why in result.refused)
            )
        return 0


def sentence(text: str) -> str:
    """Half a sentence as the beginning of one."""
    return f"{text[:1].upper()}{text[1:]}"


def so_far(status: ScriptStatus) -> str:
    """How far a script has come: ``at 43 %``; empty if it has not begun."""
    walk = status.record.walk if status.record else None
    return stops.at(progress_of(walk)) if walk else ""


def still_at_work(status: ScriptStatus) -> str:
    """That workers stop soon, as a sentence; empty without any."""
    count = len(status.walk.live) if status.walk else 0
    if not count:
        return ""
    verb = "stops after its batch" if count == 1 else "stop after their batches"
    return f" {stops.counted(count, 'worker')} {verb}."
