"""Decisions without a run: this counts as applied, that is to be forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.core import watches
from scripts_tracker.core.states import State
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import writing
from scripts_tracker.ledger.writing import Mark
from scripts_tracker.project import scan, versions
from scripts_tracker.project.versions import run_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts_tracker.analysis.store.cache import FactStore
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition, ScriptId


class MarkResult(NamedTuple):
    """What a decision changed, and what it could not change, with the reason as half a sentence."""

    done: tuple[ScriptId, ...]
    refused: tuple[tuple[ScriptId, str], ...]


_NOT_TO_MARK = {
    State.UNREADABLE: "the file cannot be analysed; mend it first",
    State.RUNNING: "it is being run; wait until that ends",
    State.MISSING: "there is no tracked file of it; to forget it, use --unmark",
    State.APPLIED: "it is applied already",
    State.RECURRING: "it is applied already",
}


def _mark_of(definition: ScriptDefinition, store: FactStore) -> Mark | None:
    """The file as it stands; None where it changed since it was scanned."""
    path = definition.location.path
    source, content_digest = versions.read_source(scan.absolute_path(path))
    if content_digest != definition.content_digest:
        return None
    facts = store.get(content_digest) or scan.facts_of(source)
    version = versions.version_of(source, content_digest, facts)
    return Mark(definition.id, path, version, watches.to_text(definition.watches))


def why_not_to_mark(status: ScriptStatus) -> str:
    """Why a script cannot be marked as applied, as half a sentence; empty where it can."""
    words = watches.unreadable_words(status.definition.watches) if status.definition else ""
    is_module = status.state is State.UNREADABLE and words
    return f"{words}; mend it first" if is_module else _NOT_TO_MARK.get(status.state, "")


def why_not_to_unmark(status: ScriptStatus) -> str:
    """Why there is nothing to forget of a script, or not now, as half a sentence; empty where there is."""
    if status.state is State.RUNNING:
        return _NOT_TO_MARK[State.RUNNING]
    if status.record is None or (status.record.applied is None and status.state is State.NEW):
        return "it is not applied, there is nothing to forget"
    return ""


def mark_applied(
    statuses: Iterable[ScriptStatus], reason: str, store: FactStore, *, user: str = ""
) -> MarkResult:
    """Record that these scripts count as applied at the version their files hold now.

    Args:
        statuses: which scripts, as a check found them.
        reason: what somebody gave for it.
        store: the facts that the check read.
        user: who decides; empty for the user of this process.
    """
    marks, refused = [], []
    for status in statuses:
        why = why_not_to_mark(status)
        mark = _mark_of(status.definition, store) if status.definition is not None and not why else None
        if mark is not None:
            marks.append(mark)
        else:
            refused.append((status.id, why or "the file changed while it was being marked; try again"))
    writing.mark_applied(marks, run_metadata("mark", reason=reason, user=user))
    return MarkResult(tuple(mark.script_id for mark in marks), tuple(refused))


def unmark(statuses: Iterable[ScriptStatus], reason: str, *, user: str = "") -> MarkResult:
    """Forget that these scripts were applied: what still has a file is new again."""
    done, refused = [], []
    for status in statuses:
        why = why_not_to_unmark(status)
        if why:
            refused.append((status.id, why))
        else:
            done.append(status.id)
    writing.unmark(done, run_metadata("unmark", reason=reason, user=user))
    return MarkResult(tuple(done), tuple(refused))
