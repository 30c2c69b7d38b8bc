"""Decisions without a run, written in bulk: all of one command in one transaction, a few statements a hundred scripts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from django.db import IntegrityError, connections, transaction
from django.db.models import Q

from scripts_tracker import ledger
from scripts_tracker.database import alias, needs_tables
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.datatypes import ScriptId
    from scripts_tracker.ledger import RunFacts, VersionFacts

    T = TypeVar("T")
    Row = TypeVar("Row", Script, ScriptVersion)

_BATCH = 100
# Sources may be large, and MariaDB takes 16 MB a statement.
_ROWS = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """A script whose version, found at this path, counts as applied from now on, with the watched modules as they are."""

    script_id: ScriptId
    path: str
    version: VersionFacts
    watched: str = ""


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


@needs_tables
def mark_applied(marks: Sequence[Mark], facts: RunFacts) -> None:
    """Record that these versions count as applied, without a run; leases that ran out are cleared."""
    with transaction.atomic(using=alias()):
        for batch in _batches(marks):
            scripts = _script_pks(batch)
            versions = _version_pks({scripts[mark.script_id]: mark.version for mark in batch})
            watched = {scripts[mark.script_id]: mark.watched for mark in batch}
            targets = [(pk, versions[pk], watched[pk]) for pk in scripts.values()]
            _settle(_add_runs(targets, facts, applies=True))


@needs_tables
def unmark(script_ids: Sequence[ScriptId], facts: RunFacts) -> None:
    """Forget that these scripts were ever applied; the history keeps every run and this decision."""
    with transaction.atomic(using=alias()):
        for batch in _batches(script_ids):
            pks = [pk for pk, _ in _known_scripts(batch).values()]
            ScriptRun.objects.using(alias()).filter(script__in=pks, applies=True).update(applies=False)
            _settle(_add_runs([(pk, None, "") for pk in pks], facts, applies=False))


def _known_scripts(script_ids: Iterable[ScriptId]) -> dict[ScriptId, tuple[int, str]]:
    """Key and path of the scripts that have a row."""
    by_identity = {ledger.identity_of(script_id): script_id for script_id in script_ids}
    rows = Script.objects.using(alias()).filter(identity__in=by_identity)
    return {
        by_identity[identity]: (pk, path) for identity, pk, path in rows.values_list("identity", "pk", "path")
    }


def _script_pks(marks: Sequence[Mark]) -> dict[ScriptId, int]:
    """The keys of the scripts' rows, made where there are none; their paths are kept up to date."""
    paths = {mark.script_id: mark.path for mark in marks}
    known = _known_scripts(paths)
    missing = [
        Script(identity=ledger.identity_of(one), app_label=one.app_label, name=one.name, path=path)
        for one, path in paths.items()
        if one not in known
    ]
    if missing:
        _add(missing)
        known = _known_scripts(paths)
    moved = [Script(pk=pk, path=paths[one]) for one, (pk, path) in known.items() if path != paths[one]]
    if moved:
        Script.objects.using(alias()).bulk_update(moved, ["path"])
    return {one: pk for one, (pk, _) in known.items()}


def _add(rows: Sequence[Row]) -> None:
    """Add rows of one table together; where another process adds one of them meanwhile, one by one."""
    try:
        with transaction.atomic(using=alias()):
            type(rows[0]).objects.using(alias()).bulk_create(rows, batch_size=_ROWS)
    except IntegrityError:
        for row in rows:
            with contextlib.suppress(IntegrityError), transaction.atomic(using=alias()):
                row.save(using=alias(), force_insert=True)


def _known_versions(versions: Mapping[int, VersionFacts]) -> dict[int, tuple[int, str, bool]]:
    """Of each script's version: its key, its algorithm, and whether it lacks its source."""
    digests = {version.content_digest for version in versions.values()}
    rows = ScriptVersion.objects.using(alias()).filter(script__in=versions, content_digest__in=digests)
    columns = ("script", "content_digest", "pk", "algorithm", "lacks_source")
    found = rows.annotate(lacks_source=Q(source__isnull=True)).values_list(*columns)
    return {
        script_pk: (pk, algorithm, lacks_source)
        for script_pk, digest, pk, algorithm, lacks_source in found
        if versions[script_pk].content_digest == digest
    }


def _version_pks(versions: Mapping[int, VersionFacts]) -> dict[int, int]:
    """The key of each script's version, made where there is none, brought up to date where there is one."""
    known = _known_versions(versions)
    for script_pk, (pk, algorithm, lacks_source) in known.items():
        ledger.improve_version(pk, versions[script_pk], algorithm=algorithm, lacks_source=lacks_source)
    missing = [
        ScriptVersion(script_id=script_pk, **ledger.columns_of(version))
        for script_pk, version in versions.items()
        if script_pk not in known
    ]
    if missing:
        _add(missing)
        known = _known_versions(versions)
    return {script_pk: pk for script_pk, (pk, _, _) in known.items()}


def _add_runs(
    targets: Sequence[tuple[int, int | None, str]], facts: RunFacts, *, applies: bool
) -> list[ScriptRun]:
    """A row of the history for each script, version and watched modules, all of the same moment."""
    runs = [
        ledger.new_run(script_pk, version_pk, facts._replace(watched=watched), "succeeded", applies=applies)
        for script_pk, version_pk, watched in targets
    ]
    for run in runs:
        run.started_at, run.ended_at = runs[0].started_at, runs[0].ended_at
    if connections[alias()].features.can_return_rows_from_bulk_insert:
        return ScriptRun.objects.using(alias()).bulk_create(runs)
    for run in runs:  # MySQL does not tell the keys of rows that were added together
        run.save(using=alias(), force_insert=True)
    return runs


def _settle(runs: Sequence[ScriptRun]) -> None:
    """Make these the scripts' last runs; what was applied before is history, and what never ended is lost."""
    scripts = {run.script_id: run.pk for run in runs}
    of_them = ScriptRun.objects.using(alias()).filter(script__in=scripts)
    of_them.filter(kind="run", outcome="running").update(outcome="lost")
    rows = [Script(pk=script_pk, last_run_id=run_pk) for script_pk, run_pk in scripts.items()]
    Script.objects.using(alias()).bulk_update(rows, ["last_run", "applied_run", "lease_expires"])
