"""What a person knows of this database that it cannot know itself: whether it was moved or copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.stops import counted
from scripts_tracker.ledger import environments
from scripts_tracker.project import versions

if TYPE_CHECKING:
    from scripts_tracker.ledger.environments import Decision

NOTHING_TO_DECIDE: Final = "Nothing to decide: it is known where each script was run."
"""Why a decision is refused."""


def decide(*, is_copy: bool, reason: str) -> Decision | None:
    """Record that this database is the one that its scripts were run in, moved or renamed, or a copy of it.

    Args:
        is_copy: whether it is a copy.
        reason: why, for the ledger.

    Returns:
        What was decided; None where there is nothing to decide.
    """
    return environments.decide(is_copy=is_copy, user=versions.process_user(), reason=reason)


def words(decision: Decision, *, is_copy: bool) -> str:
    """What follows from a decision, in a line or two."""
    label = escaped(decision.label)
    if not is_copy:
        return f"This environment continues {label}: what was run there was run here."
    lines = [f"This environment is a copy of {label}: what was run there is inherited."]
    if decision.lost:
        lines.append(f"Recorded as lost here: {counted(decision.lost, 'run')} that had not ended there.")
    return "\n".join(lines)
