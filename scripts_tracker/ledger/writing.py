"""The rows of the ledger as what writes them has them; what a check reads, snapshots.py gives.

Named tuples on the way of a run: what it costs that a command is tracked is mostly what it takes to define classes.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from django.db import Error, IntegrityError, connections, transaction
from django.db.models import Q

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

Kind = Literal["run", "rehearsal", "mark", "unmark"]


class VersionFacts(NamedTuple):
    """One file content, as it is recorded: ``facts`` as JSON text, ``source`` None where it is not to be kept."""

    fingerprint: Fingerprint
    content_digest: str
    facts: str
    source: bytes | None


class Refingerprinted(NamedTuple):
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
    now = at or database.now()
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


def refingerprint(stamps: Mapping[int, Refingerprinted]) -> None:
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
            _refingerprint_batch({pk: stamps[pk] for pk in pks[start : start + _BATCH]})
    except Error as error:
        logger.info("fingerprints could not be brought up to date: %s", error_summary(error))


def refingerprint_watched(stamped: Sequence[tuple[int, str, str]]) -> None:
    """Write today's fingerprints of watched modules, for each script where the text is as it was; as ``refingerprint`` does."""
    if not stamped or is_in_transaction():
        return
    try:
        for script_pk, before, after in stamped:
            runs = ScriptRun.objects.using(alias()).filter(script=script_pk, watched=before)
            runs.update(watched=after)
    except Error as error:
        logger.info("watched modules could not be brought up to date: %s", error_summary(error))


def _refingerprint_batch(stamps: Mapping[int, Refingerprinted]) -> None:
    skips = connections[alias()].features.has_select_for_update_skip_locked
    with transaction.atomic(using=alias()):
        versions = ScriptVersion.objects.using(alias()).select_for_update(skip_locked=skips)
        rows = list(versions.filter(pk__in=stamps).exclude(algorithm=ALGORITHM).only("pk"))
        for row in rows:
            stamped = stamps[row.pk]
            row.algorithm, row.digest = stamped.fingerprint.algorithm, stamped.fingerprint.digest
            row.facts = stamped.facts
        ScriptVersion.objects.using(alias()).bulk_update(rows, ["algorithm", "digest", "facts"])


_MARK_BATCH = 100
# Sources may be large, and MariaDB takes 16 MB a statement.
_ROWS = 20


class Mark(NamedTuple):
    """A script whose version, found at this path, counts as applied from now on, with the watched modules as they are.

    ``at`` is when it was applied, where that was before the tracker came; ``reason`` stands in for that of the others.
    """

    script_id: ScriptId
    path: str
    version: VersionFacts
    watched: str = ""
    at: datetime | None = None
    reason: str = ""


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    return (items[start : start + _MARK_BATCH] for start in range(0, len(items), _MARK_BATCH))


@needs_tables
def mark_applied(marks: Sequence[Mark], facts: RunFacts) -> None:
    """Record that these versions count as applied, without a run; leases that ran out are cleared."""
    now = database.now()
    with transaction.atomic(using=alias()):
        for batch in _batches(marks):
            scripts = _script_pks(batch)
            versions = _version_pks({scripts[mark.script_id]: mark.version for mark in batch})
            runs = []
            for mark in batch:
                pk = scripts[mark.script_id]
                told = facts._replace(reason=mark.reason or facts.reason, watched=mark.watched)
                runs.append(new_run(pk, versions[pk], told, "succeeded", applies=True, at=mark.at or now))
            _settle(_add_runs(runs))


@needs_tables
def unmark(script_ids: Sequence[ScriptId], facts: RunFacts) -> None:
    """Forget that these scripts were ever applied; the history keeps every run and this decision."""
    now = database.now()
    with transaction.atomic(using=alias()):
        for batch in _batches(script_ids):
            pks = [pk for pk, _ in _known_scripts(batch).values()]
            ScriptRun.objects.using(alias()).filter(script__in=pks, applies=True).update(applies=False)
            _settle(_add_runs([new_run(pk, None, facts, "succeeded", at=now) for pk in pks]))


def _known_scripts(script_ids: Iterable[ScriptId]) -> dict[ScriptId, tuple[int, str]]:
    """Key and path of the scripts that have a row."""
    by_identity = {identity_of(script_id): script_id for script_id in script_ids}
    rows = Script.objects.using(alias()).filter(identity__in=by_identity)
    return {
        by_identity[identity]: (pk, path) for identity, pk, path in rows.values_list("identity", "pk", "path")
    }


def _script_pks(marks: Sequence[Mark]) -> dict[ScriptId, int]:
    """The keys of the scripts' rows, made where there are none; their paths are kept up to date."""
    paths = {mark.script_id: mark.path for mark in marks}
    known = _known_scripts(paths)
    missing = [
        Script(identity=identity_of(one), app_label=one.app_label, name=one.name, path=path)
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


def _add_runs(runs: list[ScriptRun]) -> list[ScriptRun]:
    """Add rows of the history together."""
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
