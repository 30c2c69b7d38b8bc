"""One script of an overview with everything that is known of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scripts_tracker import comparing, history
from scripts_tracker.dossier import Dossier, Past
from scripts_tracker.report import path_of

if TYPE_CHECKING:
    from scripts_tracker.datatypes import ScriptId
    from scripts_tracker.overview import Overview
    from scripts_tracker.states import ScriptStatus

LAST_RUNS = 5


def dossier(overview: Overview, script_id: ScriptId, *, limit: int = LAST_RUNS) -> Dossier:
    """Everything that is known of a script.

    Args:
        overview: where every script stands.
        script_id: one of them.
        limit: how many of its runs are wanted.
    """
    by_id = overview.by_id
    status = by_id[script_id]
    requires = status.definition.requires if status.definition else ()
    path = path_of(status)
    return Dossier(
        status,
        {str(one.target or one.text): by_id.get(one.target) if one.target else None for one in requires},
        tuple(other for other in overview.statuses if _requires(other, script_id)),
        tuple(finding for finding in overview.findings if finding.location.path == path),
        history.past_of(status.record, limit) if status.record else Past(),
    )


def with_comparison(found: Dossier, *, raw: bool = False) -> Dossier:
    """The same, with what changed in the file since it ran here."""
    return replace(found, comparison=comparing.compare(found.status, raw=raw))


def _requires(status: ScriptStatus, script_id: ScriptId) -> bool:
    return status.definition is not None and any(
        one.target == script_id for one in status.definition.requires
    )
