"""The rows of the ledger as what writes them has them; what a check reads, snapshots.py gives.

Named tuples on the way of a run: what it costs that a command is tracked is mostly what it takes to define classes.
"""

from __future__ import annotations

import hashlib
import logging
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from django.db import Error, connections, transaction

from scripts_tracker import clock
from scripts_tracker.database import alias, is_in_transaction, words
from scripts_tracker.models import ScriptRun, ScriptVersion
from scripts_tracker.vocabulary import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from scripts_tracker.datatypes import Fingerprint, ScriptId

logger = logging.getLogger("scripts_tracker")

_BATCH = 100

Kind = Literal["run", "rehearsal", "mark", "unmark"]


class VersionFacts(NamedTuple):
    """One file content, as it is recorded: ``facts`` as JSON text, ``source`` None where it is not to be kept."""

    fingerprint: Fingerprint
    content_digest: str
    facts: str
    source: bytes | None


class Stamp(NamedTuple):
    """What today's algorithm says of a version that another one fingerprinted; ``facts`` as JSON text."""

    fingerprint: Fingerprint
    facts: str


class RunFacts(NamedTuple):
    """Who does something to a script, and how: one row of the history, before its outcome.

    ``watched`` is what the modules that the script watches are, as ``watches.to_text`` has it.
    """

    kind: Kind
    host: str = ""
    pid: int | None = None
    process: str = ""
    user: str = ""
    arguments: str = "{}"
    git_revision: str = ""
    reason: str = ""
    watched: str = ""


def identity_of(script_id: ScriptId) -> str:
    """What makes the script one, in the database's eyes."""
    return hashlib.sha256(str(script_id).encode("utf-8", "surrogatepass")).hexdigest()


def columns_of(version: VersionFacts) -> dict[str, Any]:
    """A version as its row has it, but for whose it is."""
    return {
        "content_digest": version.content_digest,
        "algorithm": version.fingerprint.algorithm,
        "digest": version.fingerprint.digest,
        "facts": version.facts,
        "source": version.source,
    }


def improve_version(pk: int, version: VersionFacts, *, algorithm: str, lacks_source: bool) -> None:
    """Give the row of a known version today's fingerprint, and the source that it lacks, where they are at hand."""
    better: dict[str, Any] = {}
    if algorithm != ALGORITHM and version.fingerprint.algorithm == ALGORITHM:
        better.update(algorithm=ALGORITHM, digest=version.fingerprint.digest, facts=version.facts)
    if lacks_source and version.source is not None:
        better.update(source=version.source)
    if better:
        ScriptVersion.objects.using(alias()).filter(pk=pk).update(**better)


def new_run(
    script_pk: int,
    version_pk: int | None,
    facts: RunFacts,
    outcome: str,
    *,
    applies: bool = False,
    at: datetime | None = None,
) -> ScriptRun:
    """A row of the history that is yet to be saved; of this moment, where no other is given."""
    now = at or clock.now()
    return ScriptRun(
        script_id=script_pk,
        version_id=version_pk,
        kind=facts.kind,
        outcome=outcome,
        applies=applies,
        started_at=now,
        ended_at=None if outcome == "running" else now,
        host=facts.host,
        pid=facts.pid,
        process=facts.process,
        user=facts.user,
        arguments=facts.arguments,
        git_revision=facts.git_revision,
        reason=facts.reason,
        watched=facts.watched,
    )


def stamp(stamps: Mapping[int, Stamp]) -> None:
    """Write today's fingerprints of versions, by key, if that is possible now: it spares the next check work.

    Nothing waits for it and nothing depends on it: rows that somebody else has locked are left to them, and
    inside somebody's transaction nothing is written, as its locks would last as long, and MySQL ends
    the whole of it at a deadlock.
    """
    if not stamps or is_in_transaction():
        return
    pks = sorted(stamps)
    try:
        for start in range(0, len(pks), _BATCH):
            _stamp_batch({pk: stamps[pk] for pk in pks[start : start + _BATCH]})
    except Error as error:
        logger.info("fingerprints could not be brought up to date: %s", words(error))


def stamp_watched(stamped: Sequence[tuple[int, str, str]]) -> None:
    """Write today's fingerprints of watched modules, for each script where the text is as it was; as ``stamp`` does."""
    if not stamped or is_in_transaction():
        return
    try:
        for script_pk, before, after in stamped:
            runs = ScriptRun.objects.using(alias()).filter(script=script_pk, watched=before)
            runs.update(watched=after)
    except Error as error:
        logger.info("watched modules could not be brought up to date: %s", words(error))


def _stamp_batch(stamps: Mapping[int, Stamp]) -> None:
    skips = connections[alias()].features.has_select_for_update_skip_locked
    with transaction.atomic(using=alias()):
        versions = ScriptVersion.objects.using(alias()).select_for_update(skip_locked=skips)
        rows = list(versions.filter(pk__in=stamps).exclude(algorithm=ALGORITHM).only("pk"))
        for row in rows:
            stamped = stamps[row.pk]
            row.algorithm, row.digest = stamped.fingerprint.algorithm, stamped.fingerprint.digest
            row.facts = stamped.facts
        ScriptVersion.objects.using(alias()).bulk_update(rows, ["algorithm", "digest", "facts"])
