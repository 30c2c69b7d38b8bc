"""Which fingerprints a check needs, and those that somebody asks for later: most new scripts are compared with nothing."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from scripts_tracker import conf
from scripts_tracker.core.values import ALGORITHM, Fingerprint, ScriptId
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.states import ScriptRecord, ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition

    Version = tuple[str | None, Fingerprint | None]


class LedgerVersions:
    """The versions that scripts are compared with: ``comparable`` of ``scan.scan``.

    Args:
        records: what the ledger knows of each script.
        wants_all: whether the fingerprint of every script is needed.
    """

    def __init__(self, records: Mapping[ScriptId, ScriptRecord], *, wants_all: bool = False) -> None:
        self._records = records
        self._wants_all = wants_all

    def __call__(self, script: ScriptId) -> Mapping[str, Fingerprint] | None:
        """The fingerprints of the versions that a script is compared with, by content digest; None without a version."""
        record = self._record(script)
        own = [] if record is None else list(_versions(record))
        others = self._gone if record is None or record.applied is None else []
        if not (own or others or self._wants_all):
            return None
        return {
            digest: fingerprint
            for digest, fingerprint in (*others, *own)
            if digest and fingerprint and fingerprint.algorithm == ALGORITHM
        }

    def _record(self, script: ScriptId) -> ScriptRecord | None:
        record = self._records.get(script)
        if record is None and conf.tracker_settings().renamed_apps:
            from scripts_tracker.project import lineage  # few projects have renamed an app

            earlier = (self._records.get(old) for old, _ in lineage.earlier_ids([script]))
            return next(filter(None, earlier), None)
        return record

    @cached_property
    def _gone(self) -> list[Version]:
        """What was applied, or has begun, of scripts whose files are gone: a new file may be one of them that was moved."""
        gone = (
            one
            for one in self._records.values()
            if (one.applied is not None or one.walk is not None)
            and not (one.path and os.path.exists(scan.absolute_path(one.path)))
        )
        return [version for one in gone for version in _versions(one._replace(last_run=None))]


def _versions(record: ScriptRecord) -> Iterator[Version]:
    """The versions in the record of one script."""
    if record.applied is not None:
        yield record.applied_content, record.applied
    for one in (record.last_run, record.walk):
        if one is not None and (one.version is not None or one.content_digest):
            yield one.content_digest, one.version


def with_fingerprint(status: ScriptStatus, cache: Cache) -> ScriptStatus:
    """A status whose definition has a fingerprint, if the file can be parsed.

    Args:
        status: the script, as a check found it.
        cache: has the facts that the check read; takes new ones.
    """
    definition = status.definition
    if definition is None or definition.fingerprint is None or not definition.fingerprint.is_pending:
        return status
    return status._replace(definition=_completed(definition, cache))


def _completed(definition: ScriptDefinition, cache: Cache) -> ScriptDefinition:
    from scripts_tracker.analysis.source import reading  # a check has it; a tracked command does not need it

    try:
        source = reading.read_bytes(scan.absolute_path(definition.location.path))
        digest = reading.content_digest(source)
        facts = scan.full_facts(source, digest, cache)
        cache.save()
    except UnreadableSource:  # by now
        return definition._replace(fingerprint=None)
    fingerprint = Fingerprint.parse(facts.fingerprint) if facts.fingerprint else None
    return definition._replace(fingerprint=fingerprint, content_digest=digest)
