"""Rows as they are written: versions, runs, marks; what is read, statements.py and queries.py return."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from django.db import Error, IntegrityError, transaction
from django.db.models import Q

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ALGORITHM
from scripts_tracker.ledger import database
from scripts_tracker.ledger.database import alias, error_summary, is_in_transaction, needs_tables
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from scripts_tracker.core.values import Fingerprint, ScriptId

    T = TypeVar("T")
    Row = TypeVar("Row", Script, ScriptVersion)

logger = logging.getLogger("scripts_tracker")

_BATCH = 100
# Sources may be large, and MariaDB accepts 16 MB per statement.
_ROWS = 20

Kind = Literal["run", "rehearsal", "mark", "unmark"]


class VersionFacts(NamedTuple):
    """One file content to record: ``facts`` is JSON text, ``source`` None if it is not to be stored."""

    fingerprint: Fingerprint
    content_digest: str
    facts: str
    source: bytes | None


class RunFacts(NamedTuple):
    """Who does something to a script, and how: one row of the history, before its outcome.

    ``arguments`` is JSON text, ``watched`` what ``watches.to_text`` made of the watched modules.
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


def identity_of(script_id: ScriptId) -> str:
    """What the database knows a script by: MySQL and MariaDB would take its name in another case for the same."""
    return hashlib.sha256(str(script_id).encode("utf-8", "surrogatepass")).hexdigest()


def columns_of(version: VersionFacts) -> dict[str, Any]:
    """The columns of a version's row, except for its script."""
    columns = {**version._asdict(), **version.fingerprint._asdict()}
    del columns["fingerprint"]
    return columns


def improve_version(pk: int, version: VersionFacts, *, algorithm: str, lacks_source: bool) -> None:
    """Add to the row of a known version the current algorithm's fingerprint and the source, if they are known now."""
    better: dict[str, Any] = {}
    if algorithm != ALGORITHM and version.fingerprint.algorithm == ALGORITHM:
        better.update(algorithm=ALGORITHM, digest=version.fingerprint.digest, facts=version.facts)
    if lacks_source and version.source is not None:
        better.update(source=version.source)
    if better:
        database.versions().filter(pk=pk).update(**better)


def new_run(
    script_pk: int,
    version_pk: int | None,
    facts: RunFacts,
    outcome: str,
    *,
    applies: bool = False,
    at: datetime | None = None,
) -> ScriptRun:
    """A row of the history, not yet saved; it began now, if not ``at`` another time."""
    now = at or database.now()
    return ScriptRun(
        script_id=script_pk,
        version_id=version_pk,
        outcome=outcome,
        applies=applies,
        started_at=now,
        ended_at=None if outcome == "running" else now,
        **facts._asdict(),
    )


def refingerprint(fingerprints: Mapping[int, tuple[Fingerprint, str]]) -> None:
    """Save the current algorithm's fingerprints and facts of versions, by key, to spare the next check the work.

    This waits for nothing, and nothing depends on it. Rows that another process has locked are left to it. Inside a
    transaction of the caller nothing is written: its locks would last as long, and MySQL rolls all of it back after a
    deadlock.
    """
    if not fingerprints or is_in_transaction():
        return
    try:
        for batch in _batches(sorted(fingerprints)):
            _refingerprint({pk: fingerprints[pk] for pk in batch})
    except Error as error:
        logger.info("fingerprints could not be updated: %s", error_summary(error))


def _refingerprint(fingerprints: Mapping[int, tuple[Fingerprint, str]]) -> None:
    skips = database.connection().features.has_select_for_update_skip_locked
    with transaction.atomic(using=alias()):
        versions = database.versions().select_for_update(skip_locked=skips)
        rows = list(versions.filter(pk__in=fingerprints).exclude(algorithm=ALGORITHM).only("pk"))
        for row in rows:
            (row.algorithm, row.digest), row.facts = fingerprints[row.pk]
        database.versions().bulk_update(rows, ["algorithm", "digest", "facts"])


def refingerprint_watched(texts: Sequence[tuple[int, str, str]]) -> None:
    """Save the same of watched modules: by script, the text of its runs until now, and the one to replace it."""
    if not texts or is_in_transaction():
        return
    try:
        for script_pk, before, after in texts:
            database.runs().filter(script=script_pk, watched=before).update(watched=after)
    except Error as error:
        logger.info("fingerprints of watched modules could not be updated: %s", error_summary(error))


@needs_tables
def mark_applied(marks: Sequence[Mark], facts: RunFacts) -> None:
    """Record that these versions count as applied without a run; clear leases that are over."""
    now = database.now()
    with transaction.atomic(using=alias()):
        for batch in _batches(marks):
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
        for batch in _batches(script_ids):
            pks = [pk for pk, _ in _known_scripts(batch).values()]
            database.runs().filter(script__in=pks, applies=True).update(applies=False)
            _settle([new_run(pk, None, facts, "succeeded", at=now) for pk in pks])


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _BATCH] for start in range(0, len(items), _BATCH))


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
