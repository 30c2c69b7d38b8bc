"""``manage.py cancel_script``: give up a batched script that has begun."""

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
    """Cancel batched scripts."""

    help = "Cancel a batched script that has begun: run_scripts leaves it alone. What is done is not undone."
    example = "the totals are wrong"

    def why_not(self, options: dict[str, Any]) -> Callable[[ScriptStatus], str]:
        """What knows why a script cannot be cancelled."""
        return holds.why_not_to_cancel

    def decide(
        self, overview: ProjectStatus, statuses: Sequence[ScriptStatus], options: dict[str, Any]
    ) -> MarkResult:
        """Cancel them."""
        return holds.cancel(statuses, options["reason"])

    def told(self, status: ScriptStatus, options: dict[str, Any]) -> Sequence[str]:
        """Where it stands."""
        anew = typed("resume_script {} --restart", status.id)
        return (
            f"{status.id} is cancelled {so_far(status)}; what is done is not undone.{still_at_work(status)}",
            f"{sentence(stops.how_to_go_on(status, typed))}; to begin anew: {anew}",
        )
