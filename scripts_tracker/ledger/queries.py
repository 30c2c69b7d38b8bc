"""What a check reads of the ledger: a constant number of queries, whatever the number of scripts, versions and runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from django.db.models import (
    BinaryField,
    Case,
    Exists,
    F,
    FilteredRelation,
    OuterRef,
    Q,
    TextField,
    Value,
    When,
)

from scripts_tracker import watches
from scripts_tracker.database import alias, needs_tables
from scripts_tracker.datatypes import (
    Fingerprint,
    RunRecord,
    ScriptId,
    ScriptRecord,
    StoredVersion,
)
from scripts_tracker.leases import live
from scripts_tracker.ledger import identity_of
from scripts_tracker.models import Script, ScriptRun, ScriptVersion
from scripts_tracker.vocabulary import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.db.models import Model, QuerySet

    from scripts_tracker.datatypes import ModuleVersion

    M = TypeVar("M", bound=Model)

# Databases bound the number of parameters; above this, all rows are read instead of the wanted ones.
_MOST_PARAMETERS = 500

_SCRIPT = ("pk", "app_label", "name", "path", "lease_live", "last_run")
_RUN = ("kind", "outcome", "host", "pid", "user", "reason", "applies", "process")
_VERSION = (
    *("started_at", "ended_at", "watched"),
    *("version__algorithm", "version__digest", "version__content_digest"),
)
_FIELDS = (
    *_SCRIPT,
    *(f"last_run__{name}" for name in (*_RUN, *_VERSION)),
    *(f"other__{name}" for name in _VERSION),
)
_RUN_AT = len(_SCRIPT)
_LAST_AT = _RUN_AT + len(_RUN)
_OTHER_AT = _LAST_AT + len(_VERSION)
_STORED = ("pk", "script", "algorithm", "digest", "content_digest")
# Mostly the last run is the applied one: what is the same comes once. A last run that applies is newer than the other.
_OTHER = FilteredRelation("applied_run", condition=~Q(applied_run=F("last_run")))


@needs_tables
def records() -> Mapping[ScriptId, ScriptRecord]:
    """Every script with what was applied and tried last, in one query."""
    return _records(Script.objects.using(alias()))


@needs_tables
def record_of(script_id: ScriptId) -> ScriptRecord | None:
    """One script with what was applied and tried last, None where the ledger does not know it (one query)."""
    return _records(Script.objects.using(alias()).filter(identity=identity_of(script_id))).get(script_id)


def _records(scripts: QuerySet[Script]) -> Mapping[ScriptId, ScriptRecord]:
    scripts = scripts.annotate(lease_live=live(), other=_OTHER)
    records = (_record(row) for row in scripts.values_list(*_FIELDS))
    return {record.id: record for record in records}


@needs_tables
def known_facts() -> Mapping[str, str]:
    """The facts of what was applied and tried last, by content digest, where they are by our algorithm (one query)."""
    last, other = "last_run__version", "other__version"
    is_same = When(**{other: F(last)}, then=Value(""))
    text = Case(is_same, default=F(f"{other}__facts"), output_field=TextField())
    scripts = Script.objects.using(alias()).annotate(other=_OTHER, other_facts=text)
    columns = [f"{one}__{name}" for one in (last, other) for name in ("algorithm", "content_digest")]
    rows = scripts.values_list(*columns, f"{last}__facts", "other_facts")
    versions = (version for row in rows for version in (row[0:2] + row[4:5], row[2:4] + row[5:6]))
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


def _record(row: tuple[Any, ...]) -> ScriptRecord:
    pk, app_label, name, path, live, last_run = row[:_RUN_AT]
    version_at = _LAST_AT if row[_RUN_AT + _RUN.index("applies")] else _OTHER_AT
    started_at, ended_at, watched, algorithm, digest, content_digest = row[
        version_at : version_at + len(_VERSION)
    ]
    applied = Fingerprint(algorithm, digest) if algorithm else None
    return ScriptRecord(
        id=ScriptId(app_label, name),
        path=path,
        applied=applied,
        applied_content=content_digest,
        applied_at=ended_at or started_at,
        last_run=None if last_run is None else _last_run(last_run, row[_RUN_AT:_OTHER_AT]),
        lease_live=bool(live),
        pk=pk,
        applied_watched=watches.from_text(watched) if watched else (),
    )


def _last_run(pk: int, row: tuple[Any, ...]) -> RunRecord:
    started_at, ended_at, watched, algorithm, digest, content_digest = row[len(_RUN) :]
    return RunRecord(
        pk=pk,
        version=Fingerprint(algorithm, digest) if algorithm else None,
        content_digest=content_digest,
        started_at=started_at,
        ended_at=ended_at,
        watched=watches.from_text(watched) if watched else (),
        **dict(zip(_RUN, row, strict=False)),
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
def decided(script_pks: Collection[int]) -> set[int]:
    """Which of at least these scripts somebody ever marked as applied or forgot (one query)."""
    runs = ScriptRun.objects.using(alias()).filter(kind__in=("mark", "unmark"))
    return set(_of_scripts(runs, "script", script_pks).values_list("script", flat=True).distinct())


def _of_scripts(rows: QuerySet[M], field: str, script_pks: Collection[int]) -> QuerySet[M]:
    return rows.filter(**{f"{field}__in": script_pks}) if len(script_pks) <= _MOST_PARAMETERS else rows


def _stored(row: tuple[Any, ...]) -> StoredVersion:
    pk, script_pk, algorithm, digest, content_digest, source = row
    kept = None if source is None else bytes(source)  # PostgreSQL's driver gives a memoryview
    return StoredVersion(pk, script_pk, Fingerprint(algorithm, digest), content_digest, kept)
