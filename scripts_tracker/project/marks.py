"""Decisions without a run: mark scripts as applied, and unmark them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.core import watches
from scripts_tracker.core.states import State
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import marking
from scripts_tracker.ledger.marking import Mark
from scripts_tracker.project import scan, versions
from scripts_tracker.project.versions import run_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition, ScriptId


class MarkResult(NamedTuple):
    """The scripts that were marked or unmarked, and those that could not be, with the reason as half a sentence."""

    done: tuple[ScriptId, ...]
    refused: tuple[tuple[ScriptId, str], ...]


_WHY_NOT_TO_MARK = {
    State.UNREADABLE: "the file cannot be parsed; fix it first",
    State.RUNNING: "it is running; wait until it ends",
    State.MISSING: "it has no tracked file; to unmark it, use --unmark",
    State.APPLIED: "already applied",
    State.RECURRING: "already applied",
}


def why_not_to_mark(status: ScriptStatus) -> str:
    """Why a script cannot be marked as applied, as half a sentence; empty if it can."""
    modules = watches.unreadable_words(status.watches) if status.state is State.UNREADABLE else ""
    return f"{modules}; fix it first" if modules else _WHY_NOT_TO_MARK.get(status.state, "")


def why_not_to_unmark(status: ScriptStatus) -> str:
    """Why a script cannot be unmarked, as half a sentence; empty if it can."""
    if status.state is State.RUNNING:
        return _WHY_NOT_TO_MARK[State.RUNNING]
    if status.record is None or (not status.is_applied and status.state is State.NEW):
        return "it is not applied, so there is nothing to unmark"
    return ""


def mark_applied(
    statuses: Iterable[ScriptStatus], reason: str, cache: Cache, *, user: str = ""
) -> MarkResult:
    """Mark scripts as applied, in the version that their files hold now.

    Args:
        statuses: the scripts, as a check found them.
        reason: for the history.
        cache: has the facts that the check read.
        user: who decides; empty for the user of this process.
    """
    marks, refused = [], []
    for status in statuses:
        why = why_not_to_mark(status)
        mark = _mark_of(status.definition, cache) if status.definition is not None and not why else None
        if mark is not None:
            marks.append(mark)
        else:
            refused.append((status.id, why or "the file changed while it was being marked; try again"))
    marking.mark_applied(marks, run_metadata("mark", reason=reason, user=user))
    return MarkResult(tuple(mark.script_id for mark in marks), tuple(refused))


def _mark_of(definition: ScriptDefinition, cache: Cache) -> Mark | None:
    """The version in the file; None if it has changed since the scan."""
    path = definition.location.path
    source, content_digest = versions.read_source(scan.absolute_path(path))
    if content_digest != definition.content_digest:
        return None
    facts = cache.facts(content_digest) or scan.facts_of(source)
    version = versions.version_of(source, content_digest, facts)
    return Mark(definition.id, path, version, watches.to_text(definition.watches))


def unmark(statuses: Iterable[ScriptStatus], reason: str, *, user: str = "") -> MarkResult:
    """Unmark scripts: those that still have a file are new again.

    Args:
        statuses: the scripts, as a check found them.
        reason: for the history.
        user: who decides; empty for the user of this process.
    """
    checked = [(status.id, why_not_to_unmark(status)) for status in statuses]
    done = [script_id for script_id, why in checked if not why]
    marking.unmark(done, run_metadata("unmark", reason=reason, user=user))
    return MarkResult(tuple(done), tuple((script_id, why) for script_id, why in checked if why))
