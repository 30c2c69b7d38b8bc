"""What happened to one script: its runs, newest first and bounded, its versions, its last output (three queries)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import BooleanField, Count, Exists, ExpressionWrapper, F, Max, Min, OuterRef, Q

from scripts_tracker import processes
from scripts_tracker.clock import DatabaseEpoch
from scripts_tracker.database import alias, needs_tables
from scripts_tracker.datatypes import Fingerprint, RunRecord
from scripts_tracker.dossier import Past, PastRun, PastVersion
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from scripts_tracker.datatypes import ScriptRecord

MOST_RUNS: Final = 10_000
"""More of them nobody reads, and a command does not print."""
MOST_VERSIONS: Final = 100

_RECORD = ("kind", "outcome", "started_at", "ended_at", "host", "pid", "user", "reason", "applies", "process")
_VERSION = ("version__algorithm", "version__digest", "version__content_digest")
_RUN = ("pk", *_RECORD, "arguments", "git_revision", *_VERSION)


@needs_tables
def past_of(record: ScriptRecord, limit: int) -> Past:
    """What the ledger knows of a script's past.

    Args:
        record: what it holds of the script now.
        limit: how many runs are wanted.
    """
    rows = ScriptRun.objects.using(alias()).filter(script=record.pk)
    runs = tuple(_run(row, record) for row in rows.order_by("-pk").values_list(*_RUN)[:limit])
    printed = rows.filter(kind__in=("run", "rehearsal")).order_by("-pk")
    output, traceback = printed.values_list("output", "traceback").first() or ("", "")
    versions = versions_of(record.pk)
    total = len(runs) if len(runs) < limit else rows.count()
    return Past(runs, total, versions, output, traceback)


def _run(row: tuple[Any, ...], record: ScriptRecord) -> PastRun:
    pk, *rest = row
    arguments, git_revision, algorithm, digest, content_digest = rest[len(_RECORD) :]
    facts = dict(zip(_RECORD, rest, strict=False))
    version = Fingerprint(algorithm, digest) if algorithm else None
    run = RunRecord(pk=pk, version=version, content_digest=content_digest, **facts)
    holds = record.lease_live and record.last_run is not None and record.last_run.pk == pk
    return PastRun(run, outcome_of(run, holds=holds), arguments, git_revision)


def holding() -> Exists:
    """Of a run: whether it holds its script by a lease. No join, so that to count runs stays as cheap."""
    return Exists(Script.objects.filter(last_run=OuterRef("pk"), lease_expires__gt=DatabaseEpoch()))


def outcome_of(run: RunRecord | ScriptRun, *, holds: bool) -> str:
    """How a run ended: ``running`` of what cannot be running any more is ``lost``.

    Args:
        run: which; of a rehearsal, which holds no lease, its process tells.
        holds: whether its script is held by it.
    """
    if run.outcome != "running":
        return run.outcome
    if run.kind == "rehearsal":
        holds = processes.is_running(run.pid, run.process, run.host, run.started_at)
    return "running" if holds else "lost"


def last_outcome(record: ScriptRecord) -> str:
    """How a script's last run ended; empty without one."""
    return outcome_of(record.last_run, holds=record.lease_live) if record.last_run else ""


@needs_tables
def runs_before(
    record: ScriptRecord, before: int | None = None, *, most: int
) -> tuple[tuple[PastRun, ...], int | None]:
    """A page of a script's runs, newest first (one query, which no length of the history makes slow).

    Args:
        record: what the ledger holds of the script now.
        before: only runs older than the one with this key.
        most: how many.

    Returns:
        The runs, and what to ask the next page with; None where there is none.
    """
    rows = ScriptRun.objects.using(alias()).filter(script=record.pk).order_by("-pk")
    rows = rows if before is None else rows.filter(pk__lt=before)
    found = tuple(_run(row, record) for row in rows.values_list(*_RUN)[: most + 1])
    return found[:most], found[most - 1].record.pk if len(found) > most else None


@needs_tables
def versions_of(script_pk: int) -> tuple[PastVersion, ...]:
    """What was run or marked of a script, what was run last first (one query)."""
    runs = ScriptRun.objects.using(alias()).filter(script=script_pk, version__isnull=False)
    kept = ExpressionWrapper(Q(version__source__isnull=False), output_field=BooleanField())
    rows = runs.annotate(kept=kept).values_list(*_VERSION, "kept").order_by()
    counted = rows.annotate(
        all_runs=Count("pk"),
        applied=Count("pk", filter=Q(applies=True)),
        first_at=Min("started_at"),
        last_at=Max("started_at"),
    )
    return tuple(_version(row) for row in counted.order_by(F("last_at").desc())[:MOST_VERSIONS])


def _version(row: tuple[Any, ...]) -> PastVersion:
    algorithm, digest, content_digest, kept, runs, applied, first_at, last_at = row
    fingerprint = Fingerprint(algorithm, digest)
    return PastVersion(fingerprint, content_digest, runs, applied, first_at, last_at, bool(kept))


@needs_tables
def source_of(script_pk: int, content_digest: str) -> bytes | None:
    """The source of a version, None where it is not kept (one query)."""
    versions = ScriptVersion.objects.using(alias()).filter(script=script_pk, content_digest=content_digest)
    source = versions.values_list("source", flat=True).first()
    return None if source is None else bytes(source)  # PostgreSQL's driver gives a memoryview
