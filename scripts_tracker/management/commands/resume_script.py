"""``manage.py resume_script``: let a batched script go on, from where it is or from the beginning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts_tracker.ledger.database import typed
from scripts_tracker.management.holding import DecisionCommand, so_far
from scripts_tracker.project import holds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.core.management.base import CommandParser

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.project.marks import MarkResult
    from scripts_tracker.project.status import ProjectStatus


class Command(DecisionCommand):
    """Resume batched scripts."""

    help = "Let a batched script that was paused, cancelled or changed go on; run_scripts then runs it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        super().add_arguments(parser)
        how = parser.add_mutually_exclusive_group().add_argument
        how("--restart", action="store_true", help="give up what is done so far: the next run begins anew")
        accept = "go on with the code that the file has now, although it was begun with other code"
        how("--accept-code", action="store_true", help=accept)

    def why_not(self, options: dict[str, Any]) -> Callable[[ScriptStatus], str]:
        """What knows why a script cannot be resumed."""
        if options["restart"]:
            return holds.why_not_to_restart
        return holds.why_not_to_accept if options["accept_code"] else holds.why_not_to_resume

    def decide(
        self, overview: ProjectStatus, statuses: Sequence[ScriptStatus], options: dict[str, Any]
    ) -> MarkResult:
        """Resume them."""
        if options["restart"]:
            return holds.restart(statuses, options["reason"])
        if options["accept_code"]:
            return holds.accept_code(statuses, options["reason"], overview.cache)
        return holds.resume(statuses, options["reason"])

    def told(self, status: ScriptStatus, options: dict[str, Any]) -> Sequence[str]:
        """Where it stands."""
        run = typed("run_scripts {}", status.id)
        if options["restart"]:
            done = f"{status.id} was stopped {so_far(status)} for good; what is done is not undone."
            return (done, f"To begin anew: {run}")
        code = " with the code of now" if options["accept_code"] else ""
        return (f"{status.id} can go on{code} {so_far(status)}.", f"To run it: {run}")
