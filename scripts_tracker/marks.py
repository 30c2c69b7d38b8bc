"""Decisions without a run: this counts as applied, that is to be forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts_tracker import ledger, scan, versions
from scripts_tracker.provenance import who_and_where
from scripts_tracker.states import State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts_tracker.datatypes import ScriptDefinition, ScriptId
    from scripts_tracker.ledger import RunFacts
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


def _mark_one(definition: ScriptDefinition, facts: RunFacts) -> str:
    """Mark the file as it stands; returns why not, where it changed since it was scanned."""
    version = versions.read_version(definition.id, scan.absolute_path(definition.location.path))
    if version.content_digest != definition.content_digest:
        return "the file changed while it was being marked; try again"
    ledger.mark_applied(definition.id, definition.location.path, version, facts)
    return ""


def mark_applied(statuses: Iterable[ScriptStatus], reason: str) -> Outcome:
    """Record that these scripts count as applied at the version their files hold now."""
    facts = who_and_where("mark", reason=reason)
    done, refused = [], []
    for status in statuses:
        why = _NOT_TO_MARK.get(status.state, "")
        if not why and status.definition is not None:
            why = _mark_one(status.definition, facts)
        if why:
            refused.append((status.id, why))
        else:
            done.append(status.id)
    return Outcome(tuple(done), tuple(refused))


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
    ledger.unmark(done, who_and_where("unmark", reason=reason))
    return Outcome(tuple(done), tuple(refused))
