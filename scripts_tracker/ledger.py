"""What is written to the ledger; what a check reads of it, snapshots.py gives."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from django.db import Error, connections, transaction
from django.db.models import Q
from django.utils import timezone

from scripts_tracker.database import alias, is_in_transaction, needs_tables
from scripts_tracker.datatypes import Fingerprint, ScriptId
from scripts_tracker.models import Script, ScriptRun, ScriptVersion
from scripts_tracker.vocabulary import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Mapping

logger = logging.getLogger("scripts_tracker")

_BATCH = 100

Kind = Literal["run", "rehearsal", "mark", "unmark"]


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """One file content, as it is recorded: ``facts`` as JSON text, ``source`` None where it is not to be kept."""

    fingerprint: Fingerprint
    content_digest: str
    facts: str
    source: bytes | None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What today's algorithm says of a version that another one fingerprinted; ``facts`` as JSON text."""

    fingerprint: Fingerprint
    facts: str


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Who does something to a script, and how: one row of the history, before its outcome."""

    kind: Kind
    host: str = ""
    pid: int | None = None
    user: str = ""
    arguments: str = "{}"
    git_revision: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A recorded attempt that has not ended; ``token`` proves the lease, empty where none was taken."""

    pk: int
    script_pk: int
    version_pk: int
    token: str


def identity_of(script_id: ScriptId) -> str:
    """What makes the script one, in the database's eyes."""
    return hashlib.sha256(str(script_id).encode("utf-8", "surrogatepass")).hexdigest()


@needs_tables
def script_row(script_id: ScriptId, path: str) -> Script:
    """The script's row, made where there is none; its path is kept up to date."""
    scripts = Script.objects.using(alias()).select_related("last_run")
    row, _ = scripts.get_or_create(
        identity=identity_of(script_id),
        defaults={"app_label": script_id.app_label, "name": script_id.name, "path": path},
    )
    if row.path != path:
        Script.objects.using(alias()).filter(pk=row.pk).update(path=path)
    return row


@needs_tables
def known_version(script_id: ScriptId, content_digest: str) -> tuple[Fingerprint, str] | None:
    """Fingerprint and facts of a file content that this script had before; None where it is new."""
    rows = ScriptVersion.objects.using(alias()).filter(
        script__identity=identity_of(script_id), content_digest=content_digest
    )
    row = rows.values_list("algorithm", "digest", "facts").first()
    return (Fingerprint(row[0], row[1]), row[2]) if row else None


def _version_pk(script_pk: int, version: VersionFacts) -> int:
    """The version's row, made where there is none, brought up to date where there is one."""
    versions = ScriptVersion.objects.using(alias())
    known = versions.filter(script=script_pk, content_digest=version.content_digest)
    columns = known.annotate(lacks_source=Q(source__isnull=True)).values_list(
        "pk", "algorithm", "lacks_source"
    )
    found = columns.first()
    if found is None:
        columns_of_it = columns_of(version)
        digest = columns_of_it.pop("content_digest")
        row, _ = versions.get_or_create(script_id=script_pk, content_digest=digest, defaults=columns_of_it)
        return row.pk
    pk, algorithm, lacks_source = found
    improve_version(pk, version, algorithm=algorithm, lacks_source=lacks_source)
    return pk


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


def new_run(script_pk: int, version_pk: int | None, facts: RunFacts, outcome: str) -> ScriptRun:
    """A row of the history that is yet to be saved."""
    now = timezone.now()
    return ScriptRun(
        script_id=script_pk,
        version_id=version_pk,
        kind=facts.kind,
        outcome=outcome,
        started_at=now,
        ended_at=None if outcome == "running" else now,
        host=facts.host,
        pid=facts.pid,
        user=facts.user,
        arguments=facts.arguments,
        git_revision=facts.git_revision,
        reason=facts.reason,
    )


@needs_tables
def start_run(script_pk: int, version: VersionFacts, facts: RunFacts, token: str) -> OpenRun:
    """Record that an attempt starts; the caller holds the lease with ``token`` (a rehearsal holds none)."""
    version_pk = _version_pk(script_pk, version)
    run = new_run(script_pk, version_pk, facts, "running")
    run.save(using=alias(), force_insert=True)
    if facts.kind == "run":
        Script.objects.using(alias()).filter(pk=script_pk, lease_token=token).update(last_run=run.pk)
    return OpenRun(run.pk, script_pk, version_pk, token)


def end_run(run: OpenRun, outcome: str, *, applies: bool, traceback: str = "", reason: str = "") -> bool:
    """Record how an attempt ended and give its lease back, all or nothing.

    Args:
        run: what ``start_run`` returned.
        outcome: succeeded or failed.
        applies: whether the version is applied from now on.
        traceback: what the script raised.
        reason: why a success does not apply, or what failed, in a line.

    Returns:
        False where another holder has taken the lease over meanwhile: then nothing is applied,
        and the attempt is recorded as failed.
    """
    now = timezone.now()
    with transaction.atomic(using=alias()):
        mine = True
        if run.token:
            released: dict[str, object] = {"lease_token": "", "lease_expires": 0}
            if applies:
                released["applied_run"] = run.pk
            held = Script.objects.using(alias()).filter(pk=run.script_pk, lease_token=run.token)
            mine = bool(held.update(**released))
        if not mine:
            outcome, reason = "failed", "another process took the script over before this one ended"
        ScriptRun.objects.using(alias()).filter(pk=run.pk).update(
            outcome=outcome, ended_at=now, traceback=traceback, reason=reason
        )
        if applies and mine:
            ScriptVersion.objects.using(alias()).filter(pk=run.version_pk).update(applied_at=now)
    return mine


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
        logger.info("fingerprints could not be brought up to date: %s", " ".join(str(error).split()))


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
