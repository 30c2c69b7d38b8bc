"""Files and ledger joined: where every script of the project stands now."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING

from scripts_tracker.core import states, watches
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ALGORITHM, Fingerprint
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.ledger import leases, queries
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.analysis.store.cache import FactStore
    from scripts_tracker.core.values import (
        ModuleVersion,
        ScriptDefinition,
        ScriptId,
        ScriptRecord,
        StoredVersion,
    )

    Definitions = Mapping[ScriptId, ScriptDefinition]
    Records = Mapping[ScriptId, ScriptRecord]
    Versions = Mapping[tuple[int, str | None], StoredVersion]
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import Finding, ScriptId, ScriptRecord
    from scripts_tracker.project.scan import KnownFacts


def comparable(records: Records, definitions: Definitions, store: FactStore) -> Records:
    """The records with fingerprints that today's can be compared with, and with the history that matters.

    Args:
        records: what the ledger holds.
        definitions: what the files hold.
        store: knows the facts of the files, and is told those of stored sources.
    """
    stamper = _Stamper(store)
    records = _up_to_date(records, definitions, stamper)
    records = _with_history(records, definitions, stamper)
    stamped = _stamped_modules(records, definitions)
    if stamper.stamps or stamped:
        from scripts_tracker.ledger import writing  # what writes is seldom needed

        writing.refingerprint(stamper.stamps)
        writing.refingerprint_watched(stamped)
    return records


class _Stamper:
    """Works fingerprints out, and remembers what is to be written."""

    def __init__(self, store: FactStore) -> None:
        self.stamps: dict[int, tuple[Fingerprint, str]] = {}
        self._store = store
        self._seen: dict[int, tuple[Fingerprint, str]] = {}

    def look_up(self, version: StoredVersion) -> tuple[Fingerprint, str]:
        """The version's fingerprint, by today's algorithm if that is possible, and what stood in the way."""
        if version.fingerprint.algorithm == ALGORITHM:
            return version.fingerprint, ""
        if version.pk not in self._seen:
            self._seen[version.pk] = self._work_out(version)
        return self._seen[version.pk]

    def _work_out(self, version: StoredVersion) -> tuple[Fingerprint, str]:
        # The file itself, where it has the very bytes of the version, answers for a source that is not there.
        facts, trouble = self._store.get(version.content_digest), ""
        try:
            source = _source_of(version)
            facts = facts or self._analyse(version, source)
        except UnreadableSource as error:
            trouble = error.reason
        if facts is None or facts.fingerprint is None:
            return version.fingerprint, trouble or "its stored source has no Command"

        fingerprint = Fingerprint.parse(facts.fingerprint)
        self.stamps[version.pk] = fingerprint, facts.to_text()
        return fingerprint, trouble

    def _analyse(self, version: StoredVersion, source: bytes) -> FileFacts:
        try:
            facts = scan.facts_of(source)
        except UnreadableSource as error:
            raise UnreadableSource(f"its stored source cannot be analysed: {error.reason}") from error
        self._store.put(version.content_digest, facts)
        return facts


def _source_of(version: StoredVersion) -> bytes:
    if version.source is None:
        raise UnreadableSource("its source was not kept")
    if hashlib.sha256(version.source).hexdigest() != version.content_digest:
        raise UnreadableSource("its stored source is damaged")
    return version.source


def _is_outdated(fingerprint: Fingerprint | None) -> bool:
    return fingerprint is not None and fingerprint.algorithm != ALGORITHM


def _failed_version(record: ScriptRecord) -> Fingerprint | None:
    """The version whose last attempt failed: the one case in which the last run's matters."""
    run = record.last_run
    return run.version if run is not None and run.outcome == "failed" else None


def _up_to_date(records: Records, definitions: Definitions, stamper: _Stamper) -> Records:
    outdated = [
        record
        for record in records.values()
        if _is_outdated(record.applied) or _is_outdated(_failed_version(record))
    ]
    if not outdated:
        return records
    is_something_new = any(one not in records or records[one].applied is None for one in definitions)
    wanted = []
    for record in outdated:
        definition = definitions.get(record.id)
        # A gone file's fingerprint is only for finding out where a new file came from.
        if is_something_new if definition is None else definition.fingerprint is not None:
            wanted.append((record, definition))
    if not wanted:
        return records
    stored = queries.current_versions([record.pk for record, _ in wanted])
    versions: Versions = {(version.script_pk, version.content_digest): version for version in stored}
    return {**records, **{one.id: _translated(one, found, versions, stamper) for one, found in wanted}}


def _translated(
    record: ScriptRecord, definition: ScriptDefinition | None, versions: Versions, stamper: _Stamper
) -> ScriptRecord:
    version = versions.get((record.pk, record.applied_content))
    if version is not None and _is_outdated(record.applied):
        applied, trouble = stamper.look_up(version)
        has_same_bytes = definition is not None and definition.content_digest == record.applied_content
        # Facts that were kept elsewhere may tell the fingerprint although the source is not there.
        words = f"{_origin_of(version.fingerprint)}, and {trouble}" if trouble else ""
        words = words if has_same_bytes or _is_outdated(applied) else ""
        record = record._replace(applied=applied, bytes_only=words)
    run = record.last_run
    failed = versions.get((record.pk, run.content_digest)) if run is not None else None
    if run is not None and failed is not None and _is_outdated(_failed_version(record)):
        record = record._replace(last_run=run._replace(version=stamper.look_up(failed)[0]))
    return record


def _origin_of(fingerprint: Fingerprint) -> str:
    if fingerprint == Fingerprint.of_bytes(fingerprint.digest):
        return "it could not be analysed when it was applied"
    return f"its fingerprint is by algorithm {fingerprint.algorithm}, not {ALGORITHM}"


def _stamped_modules(records: Records, definitions: Definitions) -> list[tuple[int, str, str]]:
    """What the ledger says of watched modules by another algorithm, and by today's where their bytes are still there.

    Their sources are not kept, so that they can be told apart by their code only from here on.
    """
    found = []
    for script_id, definition in definitions.items():
        record = records.get(script_id) if definition.watches else None
        if record is None:
            continue
        for then in {record.applied_watched, record.last_run.watched if record.last_run else ()}:
            now = watches.stamped(then, definition.watches)
            if now != then:
                found.append((record.pk, watches.to_text(then), watches.to_text(now)))
    return found


def _with_history(records: Records, definitions: Definitions, stamper: _Stamper) -> Records:
    """Fill in what was ever applied, where file or watched modules are not what was applied last."""
    differing = [
        (definition, records[one])
        for one, definition in definitions.items()
        if one in records and states.differs(definition, records[one])
    ]
    if not differing:
        return records
    versions = defaultdict(list)
    for version in queries.formerly_applied([record.pk for _, record in differing]):
        versions[version.script_pk].append(version)
    watched = _formerly_watched(differing)
    completed = {}
    for definition, record in differing:
        fitting = [one for one in versions[record.pk] if _fits(definition, watched[one.pk])]
        before = _fingerprints(definition, fitting, stamper)
        completed[record.id] = record._replace(applied_before=before)
    return {**records, **completed}


def _formerly_watched(
    differing: list[tuple[ScriptDefinition, ScriptRecord]],
) -> Mapping[int, list[tuple[ModuleVersion, ...]]]:
    """By the key of each version what the watched modules were whenever it was applied."""
    watched = defaultdict(list)
    pks = [record.pk for definition, record in differing if definition.watches]
    for version, modules in queries.formerly_watched(pks) if pks else ():
        watched[version].append(modules)
    return watched


def _fits(definition: ScriptDefinition, watched: list[tuple[ModuleVersion, ...]]) -> bool:
    """Whether a version was ever applied with the watched modules as they are now."""
    return not definition.watches or any(not watches.changed(definition.watches, one) for one in watched)


def _fingerprints(
    definition: ScriptDefinition, versions: list[StoredVersion], stamper: _Stamper
) -> frozenset[Fingerprint]:
    by_bytes = frozenset(Fingerprint.of_bytes(version.content_digest) for version in versions)
    if Fingerprint.of_bytes(definition.content_digest) in by_bytes:
        return by_bytes
    return by_bytes.union(stamper.look_up(version)[0] for version in versions)


class ProjectStatus(NamedTuple):
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


def load_status(*, use_cache: bool = True) -> ProjectStatus:
    """Scan the project and read the ledger; raises LedgerMissing where there are no tables.

    Args:
        use_cache: whether to read and write the cache in the project root.
    """
    held = queries.records()
    cache = scan.cache() if use_cache else None
    facts = scan.KnownFacts(queries.known_facts, cache, queries.watched_fingerprints(held.values()))
    index = scan.scan(facts, cache)
    definitions = {definition.id: definition for definition in index.definitions}
    records = comparable(_with_holders(held), definitions, facts)
    return ProjectStatus(states.statuses(index.definitions, records, scan.file_exists), index.findings, facts)


def _with_holders(records: Mapping[ScriptId, ScriptRecord]) -> Mapping[ScriptId, ScriptRecord]:
    """The records, with the leases that a living process holds without renewing them."""
    return {
        script_id: record._replace(lease_live=True) if leases.is_held_unrenewed(record.last_run) else record
        for script_id, record in records.items()
    }
