"""Marks: scripts that count as applied, or not any more, without a run."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Q

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import database
from scripts_tracker.ledger.database import alias, needs_tables
from scripts_tracker.ledger.statements import identity_of
from scripts_tracker.ledger.writing import batches, columns_of, improve_version, new_run
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.writing import RunFacts, VersionFacts

    Row = TypeVar("Row", Script, ScriptVersion)

# Sources may be large, and MariaDB accepts 16 MB per statement.
_ROWS = 20


class Mark(NamedTuple):
    """A version that counts as applied from now on, with the watched modules as they are.

    ``path`` is where its file is, ``at`` when it was applied, if before now, ``reason`` why, if not for the reason of
    all marks.
    """

    script_id: ScriptId
    path: str
    version: VersionFacts
    watched: str = ""
    at: datetime | None = None
    reason: str = ""


@needs_tables
def mark_applied(marks: Sequence[Mark], facts: RunFacts) -> None:
    """Record that these versions count as applied without a run; clear leases that are over."""
    now = database.now()
    with transaction.atomic(using=alias()):
        for batch in batches(marks):
            scripts = _script_pks(batch)
            versions = _version_pks({scripts[mark.script_id]: mark.version for mark in batch})
            runs = []
            for mark in batch:
                pk = scripts[mark.script_id]
                run = facts._replace(reason=mark.reason or facts.reason, watched=mark.watched)
                runs.append(new_run(pk, versions[pk], run, "succeeded", applies=True, at=mark.at or now))
            _settle(runs)


@needs_tables
def unmark(script_ids: Sequence[ScriptId], facts: RunFacts) -> None:
    """Record that nothing of these scripts counts as applied any more; the history keeps every run."""
    now = database.now()
    with transaction.atomic(using=alias()):
        for batch in batches(script_ids):
            pks = [pk for pk, _ in _known_scripts(batch).values()]
            database.runs().filter(script__in=pks, applies=True).update(applies=False)
            _settle([new_run(pk, None, facts, "succeeded", at=now) for pk in pks])


def _known_scripts(script_ids: Iterable[ScriptId]) -> dict[ScriptId, tuple[int, str]]:
    """Key and path of the scripts that have a row."""
    by_identity = {identity_of(script_id): script_id for script_id in script_ids}
    rows = database.scripts().filter(identity__in=by_identity).values_list("identity", "pk", "path")
    return {by_identity[identity]: (pk, path) for identity, pk, path in rows}


def _script_pks(marks: Sequence[Mark]) -> dict[ScriptId, int]:
    """The keys of the scripts' rows, which are added or get their current path."""
    paths = {mark.script_id: mark.path for mark in marks}
    known = _known_scripts(paths)
    missing = [
        Script(identity=identity_of(one), path=path, **one._asdict())
        for one, path in paths.items()
        if one not in known
    ]
    if missing:
        _add(missing)
        known = _known_scripts(paths)
    moved = [Script(pk=pk, path=paths[one]) for one, (pk, path) in known.items() if path != paths[one]]
    if moved:
        database.scripts().bulk_update(moved, ["path"])
    return {one: pk for one, (pk, _) in known.items()}


def _add(rows: Sequence[Row]) -> None:
    """Add rows of one table together, or one by one if another process adds one of them at the same time."""
    try:
        with transaction.atomic(using=alias()):
            type(rows[0]).objects.using(alias()).bulk_create(rows, batch_size=_ROWS)
    except IntegrityError:
        for row in rows:
            with contextlib.suppress(IntegrityError), transaction.atomic(using=alias()):
                row.save(using=alias(), force_insert=True)


def _known_versions(versions: Mapping[int, VersionFacts]) -> dict[int, tuple[int, str, bool]]:
    """By the key of a script, its version's key and algorithm, and whether it lacks its source."""
    digests = {version.content_digest for version in versions.values()}
    rows = database.versions().filter(script__in=versions, content_digest__in=digests)
    rows = rows.annotate(lacks_source=Q(source__isnull=True))
    known = rows.values_list("script", "content_digest", "pk", "algorithm", "lacks_source")
    return {
        script_pk: (pk, algorithm, lacks_source)
        for script_pk, digest, pk, algorithm, lacks_source in known
        if versions[script_pk].content_digest == digest
    }


def _version_pks(versions: Mapping[int, VersionFacts]) -> dict[int, int]:
    """By the key of a script, the key of its version's row, which is added or brought up to date."""
    known = _known_versions(versions)
    for script_pk, (pk, algorithm, lacks_source) in known.items():
        improve_version(pk, versions[script_pk], algorithm=algorithm, lacks_source=lacks_source)
    missing = [
        ScriptVersion(script_id=script_pk, **columns_of(version))
        for script_pk, version in versions.items()
        if script_pk not in known
    ]
    if missing:
        _add(missing)
        known = _known_versions(versions)
    return {script_pk: pk for script_pk, (pk, _, _) in known.items()}


def _settle(runs: Sequence[ScriptRun]) -> None:
    """Add these as the scripts' last runs; earlier ones apply no more, and are lost if they still run."""
    if database.connection().features.can_return_rows_from_bulk_insert:
        database.runs().bulk_create(runs)
    else:  # MySQL does not return the keys of rows that are added together
        for run in runs:
            run.save(using=alias(), force_insert=True)
    scripts = {run.script_id: run.pk for run in runs}
    database.runs().filter(script__in=scripts, kind="run", outcome="running").update(outcome="lost")
    rows = [Script(pk=script_pk, last_run_id=run_pk) for script_pk, run_pk in scripts.items()]
    database.scripts().bulk_update(rows, ["last_run", "applied_run", "lease_expires"])
