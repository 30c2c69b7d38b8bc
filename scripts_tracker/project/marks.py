"""Decisions without a run: mark scripts as applied, and unmark them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker import conf
from scripts_tracker.core import watches
from scripts_tracker.core.states import State
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import marking
from scripts_tracker.ledger.marking import Mark
from scripts_tracker.project import lineage, scan, versions
from scripts_tracker.project.versions import run_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import RunRecord, ScriptId
    from scripts_tracker.ledger.marking import Also, Refusal
    from scripts_tracker.ledger.writing import Kind
    from scripts_tracker.project.status import ProjectStatus


class MarkResult(NamedTuple):
    """The scripts that were marked or unmarked, and those that could not be, with the reason as half a sentence."""

    done: tuple[ScriptId, ...]
    refused: tuple[tuple[ScriptId, str], ...]


OVERTAKEN: Final = "another process ran or marked it in the meantime"
"""Why nothing was decided about a script that is not as it was when the decision was made."""

UNPARSED: Final = "the file cannot be parsed; fix it first"
WITHOUT_SOURCE: Final = "there is no source code to read; put the .py file in its place"

_WHY_NOT_TO_MARK = {
    State.UNREADABLE: UNPARSED,
    State.RUNNING: "it is running; wait until it ends",
    State.MISSING: "it has no tracked file; to unmark it, use --unmark",
    State.APPLIED: "already applied",
    State.RECURRING: "already applied",
}
_WHY_REFUSED: Mapping[Refusal, str] = {
    "changed": OVERTAKEN,
    "held": _WHY_NOT_TO_MARK[State.RUNNING],
    "locked": "it is locked by another transaction; wait until that ends",
}


def why_not_to_mark(status: ScriptStatus) -> str:
    """Why a script cannot be marked as applied, as half a sentence; empty if it can."""
    modules = watches.unreadable_words(status.watches) if status.state is State.UNREADABLE else ""
    if status.walk and status.walk.live:
        return _WHY_NOT_TO_MARK[State.RUNNING]
    if status.state is State.UNREADABLE and not status.has_source:
        return WITHOUT_SOURCE
    return f"{modules}; fix it first" if modules else _WHY_NOT_TO_MARK.get(status.state, "")


def why_not_to_unmark(status: ScriptStatus) -> str:
    """Why a script cannot be unmarked, as half a sentence; empty if it can."""
    if status.state is State.RUNNING or (status.walk and status.walk.live):
        return _WHY_NOT_TO_MARK[State.RUNNING]
    if status.record is None or (not status.is_applied and status.state is State.NEW):
        return "it is not applied, so there is nothing to unmark"
    return ""


def mark_applied(
    statuses: Iterable[ScriptStatus],
    reason: str,
    cache: Cache,
    *,
    user: str = "",
    also: Also = marking.nothing_else,
    kind: Kind = "mark",
) -> MarkResult:
    """Mark scripts as applied, in the version that their files hold now.

    Args:
        statuses: the scripts, as a check found them.
        reason: for the history.
        cache: has the facts that the check read.
        user: who decides; empty for the user of this process.
        also: as for ``marking.mark_applied``.
        kind: of the decision, for the history.
    """
    marks, refused = [], []
    statuses = tuple(statuses)
    lineage.carry_over(statuses)
    for status in statuses:
        why = why_not_to_mark(status)
        mark = _mark_of(status, cache) if not why else None
        if mark is not None:
            marks.append(mark)
        else:
            refused.append((status.id, why or "the file changed while it was being marked; try again"))
    left_out = marking.mark_applied(marks, run_metadata(kind, reason=reason, user=user), also)
    return _result((mark.script_id for mark in marks), refused, left_out)


EMPTY: Final = "the database was empty when migrate began"
"""The reason of a baseline."""


def mark_baseline(overview: ProjectStatus) -> MarkResult:
    """Mark the new scripts that have nothing to do in a database that was empty, as they or the settings say."""
    by_default = conf.tracker_settings().fresh_database
    wanted = [
        one
        for one in overview.statuses
        if one.state is State.NEW
        and one.definition
        and (one.definition.options.fresh or by_default) == "mark"
    ]
    if not wanted:
        return MarkResult((), ())
    return mark_applied(wanted, EMPTY, overview.cache, kind="baseline")


def _result(
    wanted: Iterable[ScriptId], refused: list[tuple[ScriptId, str]], left_out: Mapping[ScriptId, Refusal]
) -> MarkResult:
    done = tuple(script_id for script_id in wanted if script_id not in left_out)
    return MarkResult(done, (*refused, *((one, _WHY_REFUSED[why]) for one, why in left_out.items())))


def _mark_of(status: ScriptStatus, cache: Cache) -> Mark | None:
    """The version in the file; None if it has changed since the scan."""
    definition = status.definition
    if definition is None:
        return None
    path = definition.location.path
    source, content_digest = versions.read_source(scan.absolute_path(path))
    if content_digest != definition.content_digest:
        return None
    facts = scan.full_facts(source, content_digest, cache)
    version = versions.version_of(source, content_digest, facts)
    return Mark(status.id, path, version, watches.to_text(definition.watches), status.last_run)


def unmark(
    statuses: Iterable[ScriptStatus], reason: str, *, user: str = "", also: Also = marking.nothing_else
) -> MarkResult:
    """Unmark scripts: those that still have a file are new again.

    Args:
        statuses: the scripts, as a check found them.
        reason: for the history.
        user: who decides; empty for the user of this process.
        also: as for ``marking.mark_applied``.
    """
    seen: dict[ScriptId, RunRecord | None] = {}
    refused = []
    statuses = tuple(statuses)
    lineage.carry_over(statuses)
    for status in statuses:
        why = why_not_to_unmark(status)
        if why:
            refused.append((status.id, why))
        else:
            seen[status.id] = status.last_run
    left_out = marking.unmark(seen, run_metadata("unmark", reason=reason, user=user), also)
    return _result(seen, refused, left_out)
