"""Files and ledger joined: the state of every script of the project.

Fingerprints in the ledger may be of an older algorithm. They are computed anew from the stored sources, as far as
something is compared with them, and written back.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING

from scripts_tracker import conf
from scripts_tracker.core import states, watches
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ALGORITHM, Fingerprint
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.ledger import database, queries
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.analysis.store.index_cache import ComparableVersions
    from scripts_tracker.core.states import ScriptRecord, ScriptStatus
    from scripts_tracker.core.values import (
        Finding,
        ModuleVersion,
        ProjectIndex,
        ScriptDefinition,
        ScriptId,
        StoredVersion,
    )

    Definitions = Mapping[ScriptId, ScriptDefinition]
    Records = Mapping[ScriptId, ScriptRecord]
    Differing = list[tuple[ScriptDefinition, ScriptRecord]]
    Versions = Mapping[tuple[int, str | None], StoredVersion]


class ProjectStatus(NamedTuple):
    """Every script with its state, the problems in the files, and the cache with the facts that were read."""

    statuses: tuple[ScriptStatus, ...]
    findings: tuple[Finding, ...]
    cache: Cache

    @property
    def by_id(self) -> Mapping[ScriptId, ScriptStatus]:
        """The statuses by script."""
        return {status.id: status for status in self.statuses}

    @property
    def paths(self) -> Mapping[ScriptId, str]:
        """The file of each script, or where it was, for those who name scripts."""
        return {status.id: status.path for status in self.statuses}

    @property
    def unapplied(self) -> tuple[ScriptStatus, ...]:
        """The scripts with a file that were never applied here, nor under an earlier name."""
        return tuple(
            one
            for one in self.statuses
            if one.definition and one.state is not states.State.MOVED and not one.is_applied
        )


def load_status(*, use_cache: bool = True, with_fingerprints: bool = False) -> ProjectStatus:
    """Scan the project and read the ledger.

    Args:
        use_cache: whether to read and write the cache in the project root.
        with_fingerprints: whether the fingerprint of every script is needed. Without it, that of a script may be PENDING
            if the ledger has nothing to compare it with.

    Raises:
        LedgerMissing: the database does not have the tables.
    """
    load = partial(_load_status, use_cache=use_cache, with_fingerprints=with_fingerprints)
    return database.retry(load, database.patience())


def _load_status(*, use_cache: bool, with_fingerprints: bool) -> ProjectStatus:
    records = queries.records()
    cache = scan.cache(None if use_cache else "", partial(_texts_in_ledger, records.values()))
    index = scan.scan(cache, _comparable_versions(records, wants_all=with_fingerprints))
    definitions = {definition.id: definition for definition in index.definitions}
    records, earlier = _under_new_labels(records, definitions)
    records = comparable(records, definitions, cache, earlier)
    records, renamed = _under_new_names(records, definitions)
    earlier = {**earlier, **renamed}
    return ProjectStatus(_statuses(index, records, earlier), index.findings, cache)


def _comparable_versions(records: Records, *, wants_all: bool) -> ComparableVersions:
    """What scripts are compared with; asked only about those whose fingerprints are not known."""
    made: list[ComparableVersions] = []

    def versions(script: ScriptId) -> Mapping[str, Fingerprint] | None:
        if not made:
            from scripts_tracker.project.fingerprints import LedgerVersions  # as nothing may be new

            made.append(LedgerVersions(records, wants_all=wants_all))
        return made[0](script)

    return versions


def _under_new_labels(
    records: Records, definitions: Definitions
) -> tuple[Records, Mapping[ScriptId, ScriptId]]:
    if not conf.tracker_settings().renamed_apps:
        return records, {}
    from scripts_tracker.core import renames  # few projects have renamed an app
    from scripts_tracker.project import lineage

    return renames.carried_over(records, lineage.earlier_ids(definitions))


def _under_new_names(
    records: Records, definitions: Definitions
) -> tuple[Records, Mapping[ScriptId, ScriptId]]:
    """The same for batched scripts whose file was renamed after they have begun."""
    if all(one.walk is None or one.id in definitions for one in records.values()):
        return records, {}
    from scripts_tracker.core import renames  # as above

    pairs = renames.renamed_walks(records, definitions, lambda record: scan.absence(record.path) is None)
    return renames.carried_over(records, pairs)


def _statuses(
    index: ProjectIndex, records: Records, earlier: Mapping[ScriptId, ScriptId]
) -> tuple[ScriptStatus, ...]:
    problems = {one.location.path for one in index.findings}

    def absence(record: ScriptRecord) -> str | None:
        reason = scan.absence(record.path)
        return f"{reason}, see the problems below" if reason and record.path in problems else reason

    found = states.statuses(index.definitions, records, absence)
    if earlier:
        found = tuple(one._replace(renamed_from=earlier.get(one.id)) for one in found)
    if all(one.state not in _DOUBTFUL for one in found):
        return found
    from scripts_tracker.project import lineage  # for what git may know better

    return lineage.verified(found, records)


_DOUBTFUL = frozenset({states.State.MOVED, states.State.MODIFIED})


def _texts_in_ledger(records: Iterable[ScriptRecord]) -> dict[str, str]:
    """What the ledger knows about files and watched modules, by the keys of the cache."""
    from scripts_tracker.analysis.store.cache import FACTS, FINGERPRINT, key_of

    fingerprints = queries.watched_fingerprints(records)
    return {
        **{key_of(FACTS, digest): facts for digest, facts in queries.known_facts().items()},
        **{key_of(FINGERPRINT, digest): one for digest, one in fingerprints.items()},
    }


def comparable(
    records: Records,
    definitions: Definitions,
    cache: Cache,
    earlier: Mapping[ScriptId, ScriptId] = MappingProxyType({}),
) -> Records:
    """The records with fingerprints of the current algorithm, and with the earlier versions where they matter.

    Args:
        records: what the ledger knows.
        definitions: what the files hold.
        cache: has the facts of the files, and takes those of stored sources.
        earlier: the ids that scripts had before their apps were renamed.
    """
    fingerprinter = _Refingerprinter(cache)
    records = _with_current_fingerprints(records, definitions, fingerprinter)
    if differing := _differing(records, definitions.values()):
        records = _with_equivalents(records, differing, cache, earlier)
        records = _with_history(records, _differing(records, (one for one, _ in differing)), fingerprinter)
    modules = _refingerprinted_modules(records, definitions)
    if fingerprinter.found or modules:
        from scripts_tracker.ledger import writing  # seldom needed

        writing.refingerprint(fingerprinter.found, modules)
    return records


def _differing(records: Records, definitions: Iterable[ScriptDefinition]) -> Differing:
    """The scripts that differ from what was applied last."""
    return [
        (one, record)
        for one in definitions
        if (record := records.get(one.id)) is not None and states.differs(one, record)
    ]


def _with_equivalents(
    records: Records, differing: Differing, cache: Cache, earlier: Mapping[ScriptId, ScriptId]
) -> Records:
    """Note which files differ from what was applied in nothing that runs."""
    from scripts_tracker.project.equivalence import is_equivalent  # only if something was edited

    same = [record for one, record in differing if is_equivalent(one, record, cache, earlier.get(one.id))]
    cache.save()
    return {**records, **{record.id: record._replace(is_equivalent=True) for record in same}}


class _Refingerprinter:
    """Computes fingerprints of stored versions by the current algorithm; ``found`` is what the ledger should store."""

    def __init__(self, cache: Cache) -> None:
        self.found: dict[int, tuple[Fingerprint, str]] = {}
        self._cache = cache
        self._known: dict[int, tuple[Fingerprint, str]] = {}

    def fingerprint(self, version: StoredVersion) -> tuple[Fingerprint, str]:
        """The version's fingerprint, by the current algorithm if possible, and what prevented it."""
        if version.fingerprint.algorithm == ALGORITHM:
            return version.fingerprint, ""
        if version.pk not in self._known:
            self._known[version.pk] = self._compute(version)
        return self._known[version.pk]

    def _compute(self, version: StoredVersion) -> tuple[Fingerprint, str]:
        # If the file still has the bytes of the version, its facts stand in for a source that is not stored.
        facts, problem = self._cache.full_facts(version.content_digest), ""
        try:
            source = _source_of(version)
            facts = facts or self._facts(version, source)
        except UnreadableSource as error:
            problem = error.reason
        if facts is None or facts.fingerprint is None:
            return version.fingerprint, problem or "its stored source has no Command"

        fingerprint = Fingerprint.parse(facts.fingerprint)
        if fingerprint == version.fingerprint:  # by the bytes, then as now
            return fingerprint, "not all of it can be parsed"
        self.found[version.pk] = fingerprint, facts.to_text()
        return fingerprint, problem

    def _facts(self, version: StoredVersion, source: bytes) -> FileFacts:
        try:
            facts = scan.facts_of(source)
        except UnreadableSource as error:
            raise UnreadableSource(f"its stored source cannot be parsed: {error.reason}") from error
        self._cache.put_facts(version.content_digest, facts)
        return facts


def _source_of(version: StoredVersion) -> bytes:
    if version.source is None:
        raise UnreadableSource("its source was not stored")
    if hashlib.sha256(version.source).hexdigest() != version.content_digest:
        raise UnreadableSource("its stored source is damaged")
    return version.source


def _is_outdated(fingerprint: Fingerprint | None) -> bool:
    return fingerprint is not None and fingerprint.algorithm != ALGORITHM


def _failed_version(record: ScriptRecord) -> Fingerprint | None:
    """The version of a failed last attempt: of other attempts, the version does not matter."""
    run = record.last_run
    return run.version if run is not None and run.outcome == "failed" else None


def _begun_version(record: ScriptRecord) -> Fingerprint | None:
    """The version that a walk was begun with."""
    return record.walk.version if record.walk is not None else None


def _has_outdated(record: ScriptRecord) -> bool:
    run = record.last_run
    if run is not None and run.outcome == "succeeded" and record.walk is None:
        return _is_outdated(record.applied)
    return any(map(_is_outdated, (record.applied, _failed_version(record), _begun_version(record))))


def _with_current_fingerprints(
    records: Records, definitions: Definitions, fingerprinter: _Refingerprinter
) -> Records:
    outdated = list(filter(_has_outdated, records.values()))
    if not outdated:
        return records
    # The fingerprint of a gone file matters only for finding out where a new file came from.
    has_new_file = any(one not in records or records[one].applied is None for one in definitions)
    found = [(record, definitions.get(record.id)) for record in outdated]
    wanted = [(one, file) for one, file in found if (file.fingerprint if file else has_new_file)]
    stored = queries.current_versions([record.pk for record, _ in wanted]) if wanted else ()
    versions: Versions = {(version.script_pk, version.content_digest): version for version in stored}
    current = (_with_current_fingerprint(one, file, versions, fingerprinter) for one, file in wanted)
    return {**records, **{record.id: record for record in current}}


def _with_current_fingerprint(
    record: ScriptRecord,
    definition: ScriptDefinition | None,
    versions: Versions,
    fingerprinter: _Refingerprinter,
) -> ScriptRecord:
    version = versions.get((record.pk, record.applied_content))
    if version is not None and _is_outdated(record.applied):
        applied, problem = fingerprinter.fingerprint(version)
        has_same_bytes = definition is not None and definition.content_digest == record.applied_content
        # Facts from elsewhere may give the fingerprint although the source is not stored.
        is_by_bytes = problem and (has_same_bytes or _is_outdated(applied))
        reason = f"{_origin_of(version.fingerprint)}, and {problem}" if is_by_bytes else ""
        record = record._replace(applied=applied, bytes_only=reason)
    run = record.last_run
    failed = versions.get((record.pk, run.content_digest)) if run is not None else None
    if run is not None and failed is not None and _is_outdated(_failed_version(record)):
        record = record._replace(last_run=run._replace(version=fingerprinter.fingerprint(failed)[0]))
    walk = record.walk
    begun = versions.get((record.pk, walk.content_digest)) if walk is not None else None
    if walk is not None and begun is not None and _is_outdated(walk.version):
        record = record._replace(walk=walk._replace(version=fingerprinter.fingerprint(begun)[0]))
    return record


def _origin_of(fingerprint: Fingerprint) -> str:
    if fingerprint == Fingerprint.of_bytes(fingerprint.digest):
        return "it could not be parsed when it was applied"
    return f"its fingerprint uses algorithm {fingerprint.algorithm}, not {ALGORITHM}"


def _refingerprinted_modules(records: Records, definitions: Definitions) -> list[tuple[int, str, str]]:
    """Per record, what the ledger says of watched modules, and what it should say, if their bytes are unchanged.

    The sources of watched modules are not stored, so a later check could only compare their bytes.
    """
    found = []
    for script_id, definition in definitions.items():
        record = records.get(script_id) if definition.watches else None
        if record is None:
            continue
        last, walk = record.last_run, record.walk
        several = {record.applied_watched, last.watched if last else (), walk.watched if walk else ()}
        for then in several:
            now = watches.refingerprinted(then, definition.watches)
            if now != then:
                found.append((record.pk, watches.to_text(then), watches.to_text(now)))
    return found


def _with_history(records: Records, differing: Differing, fingerprinter: _Refingerprinter) -> Records:
    """Fill in what was ever applied, of scripts that differ from what was applied last."""
    if not differing:
        return records
    versions, watched = defaultdict(list), defaultdict(list)
    for version in queries.formerly_applied([record.pk for _, record in differing]):
        versions[version.script_pk].append(version)
    watching = [record.pk for definition, record in differing if definition.watches]
    for version_pk, modules in queries.formerly_watched(watching) if watching else ():
        watched[version_pk].append(modules)
    completed = {}
    for definition, record in differing:
        matching = [one for one in versions[record.pk] if _matches(definition, watched[one.pk])]
        before = _fingerprints(definition, matching, fingerprinter)
        completed[record.id] = record._replace(applied_before=before)
    return {**records, **completed}


def _matches(definition: ScriptDefinition, watched: Iterable[tuple[ModuleVersion, ...]]) -> bool:
    """Whether a version was ever applied with the watched modules as they are now."""
    return not definition.watches or any(not watches.changed(definition.watches, one) for one in watched)


def _fingerprints(
    definition: ScriptDefinition, versions: Collection[StoredVersion], fingerprinter: _Refingerprinter
) -> frozenset[Fingerprint]:
    by_bytes = frozenset(Fingerprint.of_bytes(version.content_digest) for version in versions)
    if Fingerprint.of_bytes(definition.content_digest) in by_bytes:
        return by_bytes
    return by_bytes.union(fingerprinter.fingerprint(version)[0] for version in versions)
