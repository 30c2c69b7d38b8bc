"""What a check reads of the ledger: a constant number of queries, whatever the number of scripts, versions and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from django.db import connections
from django.db.models import (
    BinaryField,
    BooleanField,
    Case,
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    When,
)

from scripts_tracker.core import watches
from scripts_tracker.core.history import Past, PastRun, PastVersion
from scripts_tracker.core.values import (
    ALGORITHM,
    Fingerprint,
    RunRecord,
    ScriptId,
    ScriptRecord,
    StoredVersion,
)
from scripts_tracker.ledger import processes, statements
from scripts_tracker.ledger.database import alias, needs_tables
from scripts_tracker.ledger.statements import IS_HELD, RUN, SCRIPTS, columns, moment, run_record
from scripts_tracker.ledger.writing import identity_of
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import tzinfo

    from django.db.models import Model, QuerySet

    from scripts_tracker.core.values import ModuleVersion

    M = TypeVar("M", bound=Model)

# Databases bound the number of parameters; above this, all rows are read instead of the wanted ones.
_MOST_PARAMETERS = 500

# With the run that applied it, where that is not the last one: mostly it is. A last run that applies is newer.
_SCRIPTS: Final = f"""{SCRIPTS}
LEFT JOIN "scripts_tracker_scriptrun" o
ON o."id" = s."applied_run_id" AND (s."last_run_id" IS NULL OR o."id" <> s."last_run_id")
LEFT JOIN "scripts_tracker_scriptversion" ov ON ov."id" = o."version_id"
"""
_OTHER: Final = (*RUN[3:6], "started_at", "ended_at", "watched")
_RECORDS: Final = f"""SELECT {columns("s", "id", "app_label", "name", "path")}, {IS_HELD},
{columns("l", *RUN)}, {columns("o", *_OTHER)} {_SCRIPTS}"""
_STORED = ("pk", "script", "algorithm", "digest", "content_digest")


@needs_tables
def records() -> Mapping[ScriptId, ScriptRecord]:
    """Every script with what was applied and tried last, in one query."""
    return _records(_RECORDS)


@needs_tables
def record_of(script_id: ScriptId) -> ScriptRecord | None:
    """One script with what was applied and tried last, None where the ledger does not know it (one query)."""
    return _records(f'{_RECORDS} WHERE s."identity" = %s', identity_of(script_id)).get(script_id)


def _records(statement: str, *params: str) -> Mapping[ScriptId, ScriptRecord]:
    zone = connections[alias()].timezone
    records = (_record(row, zone) for row in statements.select(statement, *params))
    return {record.id: record for record in records}


@needs_tables
def known_facts() -> Mapping[str, str]:
    """The facts of what was applied and tried last, by content digest, where they are by our algorithm (one query)."""
    columns_of_other = columns("ov", "algorithm", "content_digest")
    # The facts of one version come once.
    facts = """CASE WHEN ov."id" = lv."id" THEN '' ELSE ov."facts" END"""
    rows = statements.select(
        f"SELECT {columns('lv', 'algorithm', 'content_digest', 'facts')}, {columns_of_other}, {facts} {_SCRIPTS}"
    )
    versions = (version for row in rows for version in (row[:3], row[3:]))
    return {digest: known for algorithm, digest, known in versions if known and algorithm == ALGORITHM}


def watched_fingerprints(records: Iterable[ScriptRecord]) -> Mapping[str, str]:
    """The fingerprints of watched modules in some records, by content digest, where they are by our algorithm."""
    return {
        one.content_digest: str(one.fingerprint)
        for record in records
        for watched in (record.applied_watched, record.last_run.watched if record.last_run else ())
        for one in watched
        if one.content_digest and one.fingerprint and one.fingerprint.algorithm == ALGORITHM
    }


def _record(row: tuple[Any, ...], zone: tzinfo | None) -> ScriptRecord:
    pk, app_label, name, path, is_held, *columns = row
    run = run_record(columns[: len(RUN)], zone)
    if run is not None and run.applies:
        applied, content_digest, watched = run.version, run.content_digest, run.watched
        started_at, ended_at = run.started_at, run.ended_at
    else:
        algorithm, digest, content_digest, started_at, ended_at, text = columns[len(RUN) :]
        applied = Fingerprint(algorithm, digest) if algorithm else None
        watched = watches.from_text(text) if text else ()
    return ScriptRecord(
        id=ScriptId(app_label, name),
        path=path,
        applied=applied,
        applied_content=content_digest,
        applied_at=moment(ended_at or started_at, zone),
        last_run=run,
        lease_live=bool(is_held),
        pk=pk,
        applied_watched=watched,
    )


def _if_outdated(version: str = "") -> Case:
    """The source of a version, only where another algorithm than ours made its fingerprint."""
    ours = Q(**{f"{version}algorithm": ALGORITHM})
    return Case(When(ours, then=None), default=F(f"{version}source"), output_field=BinaryField())


@needs_tables
def current_versions(script_pks: Collection[int]) -> list[StoredVersion]:
    """The versions applied and tried last of at least these scripts, as they are now (one query)."""
    applied, last = (_versions_of(run, script_pks) for run in ("applied_run", "last_run"))
    return [_stored(row) for row in applied.union(last, all=True)]


def _versions_of(run: str, script_pks: Collection[int]) -> QuerySet[Script, tuple[Any, ...]]:
    version = f"{run}__version"
    scripts = Script.objects.using(alias()).filter(**{f"{version}__isnull": False})
    rows = _of_scripts(scripts.annotate(outdated_source=_if_outdated(f"{version}__")), "pk", script_pks)
    return rows.values_list(version, *(f"{version}__{name}" for name in _STORED[1:]), "outdated_source")


@needs_tables
def formerly_applied(script_pks: Collection[int]) -> list[StoredVersion]:
    """Every version that was ever applied of at least these scripts (one query)."""
    applying = ScriptRun.objects.filter(version=OuterRef("pk"), applies=True)
    versions = ScriptVersion.objects.using(alias()).filter(Exists(applying))
    rows = _of_scripts(versions.annotate(outdated_source=_if_outdated()), "script", script_pks)
    return [_stored(row) for row in rows.values_list(*_STORED, "outdated_source")]


@needs_tables
def formerly_watched(script_pks: Collection[int]) -> list[tuple[int, tuple[ModuleVersion, ...]]]:
    """Every version ever applied of at least these scripts, by key, with what its modules were then (one query)."""
    runs = ScriptRun.objects.using(alias()).filter(applies=True, version__isnull=False).exclude(watched="")
    rows = _of_scripts(runs, "script", script_pks).values_list("version", "watched").distinct()
    return [(version, watches.from_text(watched)) for version, watched in rows]


@needs_tables
def ever_marked(script_pks: Collection[int]) -> set[int]:
    """Which of at least these scripts somebody ever marked as applied or forgot (one query)."""
    runs = ScriptRun.objects.using(alias()).filter(kind__in=("mark", "unmark"))
    return set(_of_scripts(runs, "script", script_pks).values_list("script", flat=True).distinct())


def _of_scripts(rows: QuerySet[M], field: str, script_pks: Collection[int]) -> QuerySet[M]:
    return rows.filter(**{f"{field}__in": script_pks}) if len(script_pks) <= _MOST_PARAMETERS else rows


def _stored(row: tuple[Any, ...]) -> StoredVersion:
    pk, script_pk, algorithm, digest, content_digest, source = row
    kept = None if source is None else bytes(source)  # PostgreSQL's driver gives a memoryview
    return StoredVersion(pk, script_pk, Fingerprint(algorithm, digest), content_digest, kept)


MOST_RUNS: Final = 10_000
"""More of them nobody reads, and a command does not print."""
MOST_VERSIONS: Final = 100

_PAST_RUN: Final = (*RUN, "arguments", "git_revision")


@needs_tables
def past_of(record: ScriptRecord, limit: int) -> Past:
    """What the ledger knows of a script's past.

    Args:
        record: what it holds of the script now.
        limit: how many runs are wanted.
    """
    rows = ScriptRun.objects.using(alias()).filter(script=record.pk)
    runs = tuple(_run(row, record) for row in rows.order_by("-pk").values_list(*_PAST_RUN)[:limit])
    printed = rows.filter(kind__in=("run", "rehearsal")).order_by("-pk")
    output, traceback = printed.values_list("output", "traceback").first() or ("", "")
    versions = versions_of(record.pk)
    total = len(runs) if len(runs) < limit else rows.count()
    return Past(runs, total, versions, output, traceback)


def _run(row: tuple[Any, ...], record: ScriptRecord) -> PastRun:
    *columns, arguments, git_revision = row
    run = cast("RunRecord", run_record(columns, None))
    holds = record.lease_live and record.last_run is not None and record.last_run.pk == run.pk
    return PastRun(run, outcome_of(run, holds=holds), arguments, git_revision)


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
    found = tuple(_run(row, record) for row in rows.values_list(*_PAST_RUN)[: most + 1])
    return found[:most], found[most - 1].record.pk if len(found) > most else None


@needs_tables
def versions_of(script_pk: int) -> tuple[PastVersion, ...]:
    """What was run or marked of a script, what was run last first (one query)."""
    runs = ScriptRun.objects.using(alias()).filter(script=script_pk, version__isnull=False)
    kept = ExpressionWrapper(Q(version__source__isnull=False), output_field=BooleanField())
    rows = runs.annotate(kept=kept).values_list(*RUN[3:6], "kept").order_by()
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
