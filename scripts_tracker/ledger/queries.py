"""What checks and reports read of the ledger: a constant number of queries, however many scripts and runs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from django.db.models import Case, Count, Exists, F, Max, Min, OuterRef, Q, When

from scripts_tracker.core import watches
from scripts_tracker.core.history import Past, PastRun, PastVersion, RunNow, RunText
from scripts_tracker.core.states import ScriptRecord
from scripts_tracker.core.values import (
    ALGORITHM,
    Fingerprint,
    RunRecord,
    StoredVersion,
)
from scripts_tracker.ledger import database, processes, statements
from scripts_tracker.ledger.database import needs_tables
from scripts_tracker.ledger.reading import fetch
from scripts_tracker.ledger.statements import (
    HERE,
    LEASE,
    RUN,
    SCRIPTS,
    columns,
    identity_of,
    lease_of,
    moment,
    run_record,
)
from scripts_tracker.models import Script, ScriptRun

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import tzinfo

    from django.db.models import Model, QuerySet

    from scripts_tracker.core.environments import Places
    from scripts_tracker.core.values import ModuleVersion, ScriptId

    M = TypeVar("M", bound=Model)

MOST_RUNS: Final = 10_000
"""As many runs as a command prints of a history."""
MOST_VERSIONS: Final = 100

# Databases limit the number of parameters; above this, all rows are read instead of the wanted ones.
_MOST_PARAMETERS = 500

# The last run that applies is mostly the last run; "o" is an older one.
_SCRIPTS: Final = f"""{SCRIPTS}
LEFT JOIN "scripts_tracker_scriptrun" o
ON o."id" = s."applied_run_id" AND (s."last_run_id" IS NULL OR o."id" <> s."last_run_id")
LEFT JOIN "scripts_tracker_scriptversion" ov ON ov."id" = o."version_id"
"""
_VERSION: Final = RUN[3:6]
_RECORDS: Final = f"""SELECT {HERE}, {columns("s", "id", "app_label", "name", "path", "walk_id")}, {LEASE},
{columns("l", *RUN)}, {columns("o", *_VERSION, "started_at", "ended_at", "watched", "environment_id")} {_SCRIPTS}"""
# The facts of one version come over the wire once.
_FACTS: Final = f"""SELECT {columns("lv", "algorithm", "content_digest", "facts")},
{columns("ov", "algorithm", "content_digest")}, CASE WHEN ov."id" = lv."id" THEN '' ELSE ov."facts" END {_SCRIPTS}"""
# Where a row of ``_RECORDS`` has the environment of the last run, its key, and the version of an older one.
_LAST_RUN: Final = 9
_LAST_ENVIRONMENT: Final = _LAST_RUN + RUN.index("environment_id")
_OLDER_RUN: Final = _LAST_RUN + len(RUN) + len(_VERSION)
_PAST_RUN: Final = (*RUN, "arguments", "git_revision")
_RUN_NOW: Final = f"""SELECT {LEASE}, s."last_run_id", l."walk_id", l."lease_expires" - {{now}}, {columns("l", "output", *RUN)}
FROM "scripts_tracker_scriptrun" l JOIN "scripts_tracker_script" s ON s."id" = l."script_id"
LEFT JOIN "scripts_tracker_scriptversion" lv ON lv."id" = l."version_id" WHERE l."id" = %s"""  # noqa: S608 - our own names


@needs_tables
def records() -> Mapping[ScriptId, ScriptRecord]:
    """Every script with its applied and its last run (one query; one more for all walks that are open)."""
    return _records(_RECORDS)


@needs_tables
def record_of(script_id: ScriptId) -> ScriptRecord | None:
    """One script with its applied and its last run, None if the ledger does not know it (queries as for ``records``)."""
    return _records(f'{_RECORDS} WHERE s."identity" = %s', identity_of(script_id)).get(script_id)


def _records(statement: str, *params: str) -> Mapping[ScriptId, ScriptRecord]:
    zone = database.connection().timezone
    rows = statements.select_here(statement, *params)
    places = _places(rows)
    records = [_record(row, zone, places) for row in rows]
    open_walks = [record.walk_pk for record in records if record.walk_pk]
    if open_walks:
        from scripts_tracker.ledger.walk_queries import walks  # only for batched scripts that have begun

        found = walks(open_walks, places)
        records = [one._replace(walk=found.get(one.walk_pk)) if one.walk_pk else one for one in records]
    return {record.id: record for record in records}


def _places(rows: Sequence[tuple[Any, ...]]) -> Places | None:
    """The places that these runs are of; None if that is this one alone (one query, if there are others)."""
    if not rows:
        return None
    here, first = rows[0][:2]
    last_runs = {row[_LAST_ENVIRONMENT] for row in rows if row[_LAST_RUN] is not None}
    older_runs = {row[-1] for row in rows if row[_OLDER_RUN] is not None}
    if first is None or all((first if pk is None else pk) == here for pk in last_runs | older_runs):
        return None
    from scripts_tracker.ledger import environments  # few ledgers have runs of several places

    return environments.places()


def _record(row: tuple[Any, ...], zone: tzinfo | None, places: Places | None) -> ScriptRecord:
    _, _, pk, app_label, name, path, walk_pk, ago, left, *columns = row
    run = run_record(columns[: len(RUN)], zone)
    if run is not None and places is not None:
        run = places.as_seen(run)
    if run is not None and run.applies:
        applied, content_digest, watched, environment = (
            run.version,
            run.content_digest,
            run.watched,
            run.environment,
        )
        started_at, ended_at = run.started_at, run.ended_at
    else:
        algorithm, digest, content_digest, started_at, ended_at, text, environment = columns[len(RUN) :]
        applied = Fingerprint(algorithm, digest) if algorithm else None
        watched = watches.from_text(text) if text else ()
    record = ScriptRecord(
        id=statements.script_id_of(app_label, name),
        path=path,
        applied=applied,
        applied_content=content_digest,
        applied_at=moment(ended_at or started_at, zone),
        last_run=run,
        lease=lease_of(run, ago, left),
        pk=pk,
        applied_watched=watched,
        walk_pk=walk_pk or 0,
    )
    return record if places is None else _from_elsewhere(record, environment, places)


def _from_elsewhere(record: ScriptRecord, applied_in: int | None, places: Places) -> ScriptRecord:
    """A record that may be about another place."""
    origins = [places.origin(applied_in)] if record.applied else []
    origins += [places.origin(record.last_run.environment)] if record.last_run else []
    is_undecided = not all(origin.is_decided for origin in origins)
    label = origins[0].label if origins and origins[0].is_decided else ""
    return record._replace(inherited_from=label, is_undecided=is_undecided)


@needs_tables
def known_facts() -> Mapping[str, str]:
    """The facts of applied and last versions by content digest, if made by the current algorithm (one query)."""
    versions = (version for row in statements.select(_FACTS) for version in (row[:3], row[3:]))
    return {digest: facts for algorithm, digest, facts in versions if facts and algorithm == ALGORITHM}


def watched_fingerprints(records: Iterable[ScriptRecord]) -> Mapping[str, str]:
    """The fingerprints of watched modules in records, by content digest, if made by the current algorithm."""
    return {
        one.content_digest: str(one.fingerprint)
        for record in records
        for watched in (
            record.applied_watched,
            record.last_run.watched if record.last_run else (),
            record.walk.watched if record.walk else (),
        )
        for one in watched
        if one.content_digest and one.fingerprint and one.fingerprint.algorithm == ALGORITHM
    }


@needs_tables
def current_versions(script_pks: Collection[int]) -> list[StoredVersion]:
    """The applied and the last version of at least these scripts, and that of a walk, as they are now (one query)."""
    scripts = Script.objects.filter(pk=OuterRef("script"))
    version = OuterRef("pk")
    is_current = Q(applied_run__version=version) | Q(last_run__version=version) | Q(walk__version=version)
    return _stored_versions(Exists(scripts.filter(is_current)), script_pks)


@needs_tables
def formerly_applied(script_pks: Collection[int]) -> list[StoredVersion]:
    """Every version that was ever applied of at least these scripts (one query)."""
    return _stored_versions(
        Exists(ScriptRun.objects.filter(version=OuterRef("pk"), applies=True)), script_pks
    )


def _stored_versions(condition: Exists, script_pks: Collection[int]) -> list[StoredVersion]:
    """Versions; with their source only if another algorithm made their fingerprint."""
    source = Case(When(algorithm=ALGORITHM, then=None), default=F("source"))
    versions = _of_scripts(database.versions().filter(condition).annotate(outdated=source), script_pks)
    rows = versions.values_list("pk", "script", "algorithm", "digest", "content_digest", "outdated")
    return [
        StoredVersion(pk, script, Fingerprint(algorithm, digest), content_digest, _bytes(source))
        for pk, script, algorithm, digest, content_digest, source in fetch(rows)
    ]


@needs_tables
def formerly_watched(script_pks: Collection[int]) -> list[tuple[int, tuple[ModuleVersion, ...]]]:
    """Every version ever applied of at least these scripts, by key, with its watched modules then (one query)."""
    runs = database.runs().filter(applies=True, version__isnull=False).exclude(watched="")
    rows = _of_scripts(runs, script_pks).values_list("version", "watched").distinct()
    return [(version, watches.from_text(watched)) for version, watched in fetch(rows)]


@needs_tables
def tried_versions(script_pks: Collection[int]) -> Mapping[int, set[str]]:
    """The fingerprints of every version that was ever run of at least these scripts, by script (one query)."""
    runs = database.runs().filter(version__isnull=False, kind="run")
    rows = (
        _of_scripts(runs, script_pks)
        .values_list("script", "version__algorithm", "version__digest")
        .distinct()
    )
    found: dict[int, set[str]] = {pk: set() for pk in script_pks}
    for pk, algorithm, digest in fetch(rows):
        found.setdefault(pk, set()).add(str(Fingerprint(algorithm, digest)))
    return found


@needs_tables
def applied_revisions(script_pks: Collection[int]) -> Mapping[int, str]:
    """The commit that was checked out when each of at least these scripts was applied last (one query)."""
    applied = Case(
        When(last_run__applies=True, then=F("last_run__git_revision")), default=F("applied_run__git_revision")
    )
    scripts = Script.objects.using(database.alias())
    if len(script_pks) <= _MOST_PARAMETERS:
        scripts = scripts.filter(pk__in=script_pks)
    return {
        pk: revision or ""
        for pk, revision in fetch(scripts.annotate(revision=applied).values_list("pk", "revision"))
    }


@needs_tables
def ever_marked(script_pks: Collection[int]) -> set[int]:
    """Which of at least these scripts were ever marked as applied or unmarked (one query)."""
    runs = database.runs().filter(kind__in=("mark", "baseline", "unmark"))
    return {script for (script,) in fetch(_of_scripts(runs, script_pks).values_list("script").distinct())}


def _of_scripts(rows: QuerySet[M], script_pks: Collection[int]) -> QuerySet[M]:
    return rows.filter(script__in=script_pks) if len(script_pks) <= _MOST_PARAMETERS else rows


def _bytes(source: Any) -> bytes | None:
    return None if source is None else bytes(source)  # PostgreSQL's driver returns a memoryview


@needs_tables
def history_of(record: ScriptRecord, limit: int) -> Past:
    """The history of a script.

    Args:
        record: what the ledger holds of it now.
        limit: how many runs to read.
    """
    from scripts_tracker.ledger import rehearsals  # a check shows none

    runs, older = runs_before(record, most=limit)
    rows = database.runs().filter(script=record.pk)
    attempts = rows.filter(kind__in=("run", "rehearsal")).order_by("-pk")
    ((output, traceback),) = fetch(attempts.values_list("output", "traceback")[:1]) or [("", "")]
    total = fetch(rows.values_list("script").annotate(Count("pk")))[0][1] if older else len(runs)
    return Past(runs, total, versions_of(record.pk), output, traceback, rehearsals.last_rehearsal(record.pk))


@needs_tables
def runs_before(
    record: ScriptRecord, before: int | None = None, *, most: int
) -> tuple[tuple[PastRun, ...], int | None]:
    """A page of a script's runs, newest first (one query, which stays fast however long the history is).

    One query more, if they come from several places.

    Args:
        record: what the ledger holds of the script now.
        before: only runs older than the one with this key.
        most: how many.

    Returns:
        The runs, and the ``before`` of the next page; None if there is none.
    """
    rows = database.runs().filter(script=record.pk).order_by("-pk")
    rows = rows if before is None else rows.filter(pk__lt=before)
    columns = rows.annotate(is_rehearsal=Q(report__gt="")).values_list(*_PAST_RUN, "is_rehearsal")
    read = fetch(columns[: most + 1])
    places = _places_of_history(read, record)
    found = tuple(_past_run(row, record, places) for row in read)
    return found[:most], found[most - 1].record.pk if len(found) > most else None


def _places_of_history(rows: Sequence[tuple[Any, ...]], record: ScriptRecord) -> Places | None:
    """The places of the runs; None if they are all of one, and that is this one or a person has to say which."""
    found = {row[RUN.index("environment_id")] for row in rows}
    is_inherited = record.inherited_from or (record.last_run is not None and record.last_run.place)
    if len(found) <= 1 and not is_inherited:
        return None
    from scripts_tracker.ledger import environments  # as above

    return environments.places()


@needs_tables
def run_text(record: ScriptRecord, which: int) -> RunText | None:
    """A row of a script's history with its output, None if there is no such row (one query).

    Args:
        record: what the ledger holds of the script now.
        which: the key of the row; -1 for the last attempt, -2 for the one before, and so on.
    """
    rows = database.runs().filter(script=record.pk).order_by("-pk")
    rows = rows.filter(pk=which) if which > 0 else rows.filter(kind__in=("run", "rehearsal"))
    start = max(-which - 1, 0)
    columns = rows.annotate(is_rehearsal=Q(report__gt=""))
    wanted = columns.values_list(*_PAST_RUN, "is_rehearsal", "output", "traceback")
    for *columns_of_run, output, traceback in fetch(wanted[start : start + 1]):
        row = tuple(columns_of_run)
        return RunText(_past_run(row, record, _places_of_history([row], record)), output, traceback)
    return None


def _past_run(row: tuple[Any, ...], record: ScriptRecord, places: Places | None) -> PastRun:
    *values, arguments, git_revision, is_rehearsal = row
    run = cast("RunRecord", run_record(values, None))
    run = run if places is None else places.as_seen(run)
    return PastRun(run, _past_outcome(run, record), arguments, git_revision, bool(is_rehearsal))


def _past_outcome(run: RunRecord, record: ScriptRecord) -> str:
    """The outcome of a script's run as of now."""
    holders = {one.run.pk for one in record.walk.live} if record.walk else set()
    if record.lease is not None and record.lease.is_live and record.last_run is not None:
        holders.add(record.last_run.pk)
    return outcome_of(run, holds=run.pk in holders)


@needs_tables
def run_now(pk: int) -> RunNow | None:
    """A run as of now with the tail of its output, None if the ledger no longer has it (one query)."""
    for ago, left, last_run, walk, own_left, output, *row in statements.select(_RUN_NOW, pk):
        run = cast("RunRecord", run_record(row, database.connection().timezone))
        lease = lease_of(run, ago, left) if last_run == pk else None
        if walk is not None:  # a worker has a lease of its own
            lease = lease_of(run, None, own_left)
        outcome = outcome_of(run, holds=lease is not None and lease.is_live)
        return RunNow(PastRun(run, outcome), lease, output)
    return None


def outcome_of(run: RunRecord | ScriptRun, *, holds: bool) -> str:
    """The outcome of a run as of now: ``lost`` if it says "running" and cannot be.

    Args:
        run: the run; a rehearsal holds no lease, so its process is looked for.
        holds: whether it holds its script.
    """
    if run.outcome != "running":
        return run.outcome
    if run.kind == "rehearsal":
        holds = processes.is_running(run.pid, run.process, run.host, run.started_at)
    return "running" if holds else "lost"


def last_outcome(record: ScriptRecord) -> str:
    """The outcome of a script's last run as of now; empty without one."""
    return _past_outcome(record.last_run, record) if record.last_run else ""


@needs_tables
def versions_of(script_pk: int) -> tuple[PastVersion, ...]:
    """The versions of a script that were run or marked, the one that ran last first (one query)."""
    runs = database.runs().filter(script=script_pk, version__isnull=False)
    rows = (
        runs.annotate(has_source=Q(version__source__isnull=False))
        .values_list(*_VERSION, "has_source")
        .order_by()
    )
    counted = rows.annotate(
        all_runs=Count("pk"),
        applied=Count("pk", filter=Q(applies=True)),
        first_at=Min("started_at"),
        last_at=Max("started_at"),
    ).order_by(F("last_at").desc())
    return tuple(map(_past_version, fetch(counted[:MOST_VERSIONS])))


def _past_version(row: tuple[Any, ...]) -> PastVersion:
    algorithm, digest, content, has_source, all_runs, applied, first_at, last_at = row
    version = Fingerprint(algorithm, digest)
    return PastVersion(version, content, all_runs, applied, first_at, last_at, bool(has_source))


@needs_tables
def source_of(script_pk: int, content_digest: str) -> bytes | None:
    """The source of a version, None if it is not stored (one query)."""
    version = database.versions().filter(script=script_pk, content_digest=content_digest)
    return next((_bytes(source) for (source,) in fetch(version.values_list("source"))), None)
