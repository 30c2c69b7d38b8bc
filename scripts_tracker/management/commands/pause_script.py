"""``manage.py pause_script``: stop the workers of a batched script until it is resumed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts_tracker.core import stops
from scripts_tracker.ledger.database import typed
from scripts_tracker.management.holding import DecisionCommand, sentence, so_far, still_at_work
from scripts_tracker.project import holds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.project.marks import MarkResult
    from scripts_tracker.project.status import ProjectStatus


class Command(DecisionCommand):
    """Pause batched scripts."""

    help = "Pause a batched script: its workers stop after their batches, and nothing runs it until it is resumed."
    example = "the replica is behind"

    def why_not(self, options: dict[str, Any]) -> Callable[[ScriptStatus], str]:
        """What knows why a script cannot be paused."""
        return holds.why_not_to_pause

    def decide(
        self, overview: ProjectStatus, statuses: Sequence[ScriptStatus], options: dict[str, Any]
    ) -> MarkResult:
        """Pause them."""
        return holds.pause(statuses, options["reason"])

    def told(self, status: ScriptStatus, options: dict[str, Any]) -> Sequence[str]:
        """Where it stands."""
        return (
            f"{status.id} is paused {so_far(status)}.{still_at_work(status)}",
            sentence(stops.how_to_go_on(status, typed)),
        )
