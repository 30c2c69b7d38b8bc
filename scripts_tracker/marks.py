"""Decisions without a run: this counts as applied, that is to be forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts_tracker import decisions, scan, versions, watches
from scripts_tracker.decisions import Mark
from scripts_tracker.provenance import who_and_where
from scripts_tracker.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts_tracker.analysis.facts import FactStore
    from scripts_tracker.datatypes import ScriptDefinition, ScriptId
    from scripts_tracker.states import ScriptStatus


@dataclass(frozen=True, slots=True)
class Outcome:
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


def _refusal(status: ScriptStatus) -> str:
    """Why a script is not to be marked; empty where nothing stands in the way."""
    words = watches.unreadable_words(status.definition.watches) if status.definition else ""
    is_module = status.state is State.UNREADABLE and words
    return f"{words}; mend it first" if is_module else _NOT_TO_MARK.get(status.state, "")


def _mark_of(definition: ScriptDefinition, store: FactStore) -> Mark | None:
    """The file as it stands; None where it changed since it was scanned."""
    path = definition.location.path
    source, content_digest = versions.read_source(scan.absolute_path(path))
    if content_digest != definition.content_digest:
        return None
    facts = store.get(content_digest) or scan.facts_of(source)
    version = versions.version_of(source, content_digest, facts)
    return Mark(definition.id, path, version, watches.to_text(definition.watches))


def mark_applied(statuses: Iterable[ScriptStatus], reason: str, store: FactStore) -> Outcome:
    """Record that these scripts count as applied at the version their files hold now.

    Args:
        statuses: which scripts, as a check found them.
        reason: what somebody gave for it.
        store: the facts that the check read.
    """
    marks, refused = [], []
    for status in statuses:
        why = _refusal(status)
        mark = _mark_of(status.definition, store) if status.definition is not None and not why else None
        if mark is not None:
            marks.append(mark)
        else:
            refused.append((status.id, why or "the file changed while it was being marked; try again"))
    decisions.mark_applied(marks, who_and_where("mark", reason=reason))
    return Outcome(tuple(mark.script_id for mark in marks), tuple(refused))


def unmark(statuses: Iterable[ScriptStatus], reason: str) -> Outcome:
    """Forget that these scripts were applied: what still has a file is new again."""
    done, refused = [], []
    for status in statuses:
        if status.state is State.RUNNING:
            refused.append((status.id, _NOT_TO_MARK[State.RUNNING]))
        elif status.record is None or (status.record.applied is None and status.state is State.NEW):
            refused.append((status.id, "it is not applied, there is nothing to forget"))
        else:
            done.append(status.id)
    decisions.unmark(done, who_and_where("unmark", reason=reason))
    return Outcome(tuple(done), tuple(refused))
