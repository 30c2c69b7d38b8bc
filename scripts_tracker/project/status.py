"""Files and ledger joined: where every script of the project stands now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from scripts_tracker import database, leases, restamping, scan, snapshots, states

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.datatypes import Finding, ScriptId, ScriptRecord
    from scripts_tracker.scan import KnownFacts
    from scripts_tracker.states import ScriptStatus


@dataclass(frozen=True, slots=True)
class Overview:
    """Every script with its state, what is wrong with the files, and the facts read on the way."""

    statuses: tuple[ScriptStatus, ...]
    findings: tuple[Finding, ...]
    facts: KnownFacts

    @property
    def by_id(self) -> Mapping[ScriptId, ScriptStatus]:
        """The statuses by script."""
        return {status.id: status for status in self.statuses}

    @property
    def unapplied(self) -> tuple[ScriptStatus, ...]:
        """The scripts with a file that were never applied here, nor under the name that they had before."""
        return tuple(
            one
            for one in self.statuses
            if one.definition and not one.moved_from and (one.record is None or one.record.applied is None)
        )


def take_stock(*, use_cache: bool = True) -> Overview:
    """Scan the project and read the ledger; raises LedgerMissing where there are no tables.

    Args:
        use_cache: whether to read and write the cache in the project root.
    """
    held = snapshots.records()
    cache = scan.cache() if use_cache else None
    facts = scan.KnownFacts(snapshots.known_facts, cache, snapshots.watched_fingerprints(held.values()))
    index = scan.scan(facts, cache)
    definitions = {definition.id: definition for definition in index.definitions}
    records = restamping.comparable(_with_holders(held), definitions, facts)
    return Overview(states.statuses(index.definitions, records, scan.file_exists), index.findings, facts)


def _with_holders(records: Mapping[ScriptId, ScriptRecord]) -> Mapping[ScriptId, ScriptRecord]:
    """The records, with the leases that a living process holds without renewing them."""
    using = database.alias()
    return {
        script_id: replace(record, lease_live=True)
        if leases.is_held_unrenewed(record.last_run, using)
        else record
        for script_id, record in records.items()
    }
