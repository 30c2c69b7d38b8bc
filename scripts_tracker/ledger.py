"""The only code that queries the tables: rows in, values out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from scripts_tracker.clock import DatabaseEpoch
from scripts_tracker.database import alias, needs_tables
from scripts_tracker.datatypes import Fingerprint, LedgerSnapshot, RunRecord, ScriptId, ScriptRecord
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Kind = Literal["run", "rehearsal", "mark", "unmark"]

_RECORD_FIELDS = (
    "pk",
    "app_label",
    "name",
    "path",
    "lease_live",
    "applied_run__started_at",
    "applied_run__ended_at",
    "applied_run__version__algorithm",
    "applied_run__version__digest",
    "applied_run__version__content_digest",
    "last_run",
    "last_run__kind",
    "last_run__outcome",
    "last_run__version__algorithm",
    "last_run__version__digest",
    "last_run__version__content_digest",
    "last_run__started_at",
    "last_run__ended_at",
    "last_run__host",
    "last_run__pid",
    "last_run__user",
    "last_run__reason",
)


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """One file content, as it is recorded: ``facts`` as JSON text, ``source`` None where it is not to be kept."""

    fingerprint: Fingerprint
    content_digest: str
    facts: str
    source: bytes | None


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


def _identity(script_id: ScriptId) -> str:
    return hashlib.sha256(str(script_id).encode("utf-8", "surrogatepass")).hexdigest()


def _fingerprint(row: Mapping[str, Any], prefix: str) -> Fingerprint | None:
    algorithm = row[f"{prefix}__version__algorithm"]
    return Fingerprint(algorithm, row[f"{prefix}__version__digest"]) if algorithm else None


def _last_run(row: Mapping[str, Any]) -> RunRecord | None:
    if row["last_run"] is None:
        return None
    return RunRecord(
        pk=row["last_run"],
        kind=row["last_run__kind"],
        outcome=row["last_run__outcome"],
        version=_fingerprint(row, "last_run"),
        content_digest=row["last_run__version__content_digest"],
        started_at=row["last_run__started_at"],
        ended_at=row["last_run__ended_at"],
        host=row["last_run__host"],
        pid=row["last_run__pid"],
        user=row["last_run__user"],
        reason=row["last_run__reason"],
    )


def _record(row: Mapping[str, Any], applied_before: frozenset[Fingerprint]) -> ScriptRecord:
    return ScriptRecord(
        id=ScriptId(row["app_label"], row["name"]),
        path=row["path"],
        applied=_fingerprint(row, "applied_run"),
        applied_content=row["applied_run__version__content_digest"],
        applied_at=row["applied_run__ended_at"] or row["applied_run__started_at"],
        applied_before=applied_before,
        last_run=_last_run(row),
        lease_live=bool(row["lease_live"]),
    )


@needs_tables
def snapshot() -> LedgerSnapshot:
    """All that a check needs to know, in two queries, whatever the number of scripts and runs."""
    versions = ScriptVersion.objects.using(alias()).values_list(
        "script_id", "algorithm", "digest", "content_digest", "applied_at", "facts"
    )
    applied_before: dict[int, set[Fingerprint]] = {}
    facts = {}
    for script_pk, algorithm, digest, content_digest, applied_at, known in versions:
        if applied_at is not None:
            applied_before.setdefault(script_pk, set()).add(Fingerprint(algorithm, digest))
        if known:
            facts[content_digest] = known
    live = Q(lease_expires__gt=DatabaseEpoch()) & ~Q(lease_token="")
    rows = Script.objects.using(alias()).annotate(lease_live=live).values(*_RECORD_FIELDS)
    records = [_record(row, frozenset(applied_before.get(row["pk"], ()))) for row in rows]
    return LedgerSnapshot({record.id: record for record in records}, facts)


@needs_tables
def script_row(script_id: ScriptId, path: str) -> Script:
    """The script's row, made where there is none; its path is kept up to date."""
    scripts = Script.objects.using(alias()).select_related("last_run")
    row, _ = scripts.get_or_create(
        identity=_identity(script_id),
        defaults={"app_label": script_id.app_label, "name": script_id.name, "path": path},
    )
    if row.path != path:
        Script.objects.using(alias()).filter(pk=row.pk).update(path=path)
    return row


@needs_tables
def known_version(script_id: ScriptId, content_digest: str) -> tuple[Fingerprint, str] | None:
    """Fingerprint and facts of a file content that this script had before; None where it is new."""
    rows = ScriptVersion.objects.using(alias()).filter(
        script__identity=_identity(script_id), content_digest=content_digest
    )
    row = rows.values_list("algorithm", "digest", "facts").first()
    return (Fingerprint(row[0], row[1]), row[2]) if row else None


def _version_pk(script_pk: int, version: VersionFacts) -> int:
    row, _ = ScriptVersion.objects.using(alias()).get_or_create(
        script_id=script_pk,
        content_digest=version.content_digest,
        defaults={
            "algorithm": version.fingerprint.algorithm,
            "digest": version.fingerprint.digest,
            "facts": version.facts,
            "source": version.source,
        },
    )
    return row.pk


def _add_run(script_pk: int, version_pk: int | None, facts: RunFacts, outcome: str) -> ScriptRun:
    now = timezone.now()
    return ScriptRun.objects.using(alias()).create(
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
    run = _add_run(script_pk, version_pk, facts, "running")
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


@needs_tables
def mark_applied(script_id: ScriptId, path: str, version: VersionFacts, facts: RunFacts) -> None:
    """Record that this version counts as applied, without a run; a lease that ran out is cleared."""
    with transaction.atomic(using=alias()):
        script = script_row(script_id, path)
        version_pk = _version_pk(script.pk, version)
        run = _add_run(script.pk, version_pk, facts, "succeeded")
        _settle(script.pk, applied_run=run.pk, last_run=run.pk)
        ScriptVersion.objects.using(alias()).filter(pk=version_pk).update(applied_at=run.ended_at)


@needs_tables
def unmark(script_ids: Iterable[ScriptId], facts: RunFacts) -> None:
    """Forget that these scripts were ever applied; the history keeps every run and this decision."""
    with transaction.atomic(using=alias()):
        for script_id in script_ids:
            script = Script.objects.using(alias()).get(identity=_identity(script_id))
            run = _add_run(script.pk, None, facts, "succeeded")
            _settle(script.pk, applied_run=None, last_run=run.pk)
            ScriptVersion.objects.using(alias()).filter(script=script.pk).update(applied_at=None)


def _settle(script_pk: int, **values: int | None) -> None:
    Script.objects.using(alias()).filter(pk=script_pk).update(lease_token="", lease_expires=0, **values)
