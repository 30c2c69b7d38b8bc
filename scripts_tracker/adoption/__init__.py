"""Everything about the table of django-scripts-tracker: its rows, the files they are about, what the ledger takes over.

Offers ``survey`` to the commands and the migrate hook. No other room knows django-scripts-tracker's table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scripts_tracker.project.status import ProjectStatus


def first_step(overview: ProjectStatus) -> str:
    """What to type before scripts are run that another tracker may have run; empty where there are none."""
    if not overview.unapplied:
        return ""
    from scripts_tracker.adoption import survey  # as late as its question

    return survey.adopt_first() if survey.is_pending(overview) else ""
