"""Files and ledger joined: where every script of the project stands now."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.db import connections

from scripts_tracker import database, ledger, scan, states
from scripts_tracker.leases import Holder

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


def _with_living_holder(record: ScriptRecord) -> ScriptRecord:
    """On SQLite nobody renews a lease; a process that is there to be seen holds it all the same."""
    run = record.last_run
    if record.lease_live or run is None or run.outcome != "running":
        return record
    return replace(record, lease_live=Holder(run.host, run.pid, run.started_at).is_alive_here())


def take_stock() -> Overview:
    """Scan the project and read the ledger; raises LedgerMissing where there are no tables."""
    snapshot = ledger.snapshot()
    records = snapshot.records
    if connections[database.alias()].vendor == "sqlite":
        records = {script_id: _with_living_holder(record) for script_id, record in records.items()}
    facts = scan.KnownFacts(snapshot.facts)
    index = scan.scan(facts)
    return Overview(states.statuses(index.definitions, records, scan.file_exists), index.findings, facts)
