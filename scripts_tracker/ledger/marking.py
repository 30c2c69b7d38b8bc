"""Marks: scripts that count as applied, or not any more, without a run.

A decision is about what was seen: it locks the rows of its scripts, and decides about those whose last run is still the
one that was seen and holds nothing. It never ends a live run.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import database, environments
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.ledger.database import Collision, alias, needs_tables
from scripts_tracker.ledger.reading import fetch
from scripts_tracker.ledger.statements import identity_of, lease_of
from scripts_tracker.ledger.writing import (
    batches,
    columns_of,
    improve_version,
    in_its_characters,
    new_run,
    new_script,
)
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from scripts_tracker.core.values import RunRecord, ScriptId
    from scripts_tracker.ledger.writing import Escape, RunFacts, VersionFacts

    Row = TypeVar("Row", Script, ScriptVersion)
    Seen = Mapping[ScriptId, RunRecord | None]
    Refused = dict[ScriptId, "Refusal"]
    Also = Callable[[Refused], None]

Refusal = Literal["changed", "held", "locked"]
"""Why nothing was decided about a script: it was run or marked since, a live run holds it, or another transaction has
locked its row."""

# Sources may be large, and MariaDB accepts 16 MB per statement.
_ROWS = 20
# Seconds before the end of the patience: then what is locked is left out instead of waited for.
_LAST_TRY = 1.5


class Mark(NamedTuple):
    """A version that counts as applied from now on, with the watched modules as they are.

    ``path`` is where its file is, ``seen`` the script's last run when this was decided, ``at`` when it was applied, if
    before now, ``reason`` why, if not for the reason of all marks.
    """

    script_id: ScriptId
    path: str
    version: VersionFacts
    watched: str = ""
    seen: RunRecord | None = None
    at: datetime | None = None
    reason: str = ""


def nothing_else(_refused: Refused) -> None:
    """What is done beside a decision by default."""


@needs_tables
def mark_applied(marks: Sequence[Mark], facts: RunFacts, also: Also = nothing_else) -> Refused:
    """Record that these versions count as applied without a run; clear leases that are over.

    Args:
        marks: the versions.
        facts: who decides, where and why.
        also: is called in the same transaction, with what is returned.

    Returns:
        The scripts that were left out; the others are all marked, or none where an error is raised.
    """
    by_id = {mark.script_id: mark for mark in sorted(marks, key=lambda mark: identity_of(mark.script_id))}
    texts = [text for mark in marks for text in (*mark.script_id, mark.path, mark.reason)]
    return in_its_characters(partial(_decide, partial(_mark, by_id, facts), also), *texts, *facts.texts)


@needs_tables
def unmark(seen: Seen, facts: RunFacts, also: Also = nothing_else) -> Refused:
    """Record that nothing of these scripts counts as applied any more; the history keeps every run.

    Args:
        seen: the scripts, with their last run when this was decided.
        facts: as for ``mark_applied``.
        also: as there.

    Returns:
        As there.
    """
    ordered = {script_id: seen[script_id] for script_id in sorted(seen, key=identity_of)}
    return in_its_characters(partial(_decide, partial(_unmark, ordered, facts), also), *facts.texts)


def _decide(write: Callable[[Escape, bool], Refused], also: Also, escape: Escape) -> Refused:
    """Write a decision in one transaction; repeat it while other processes are in the way.

    Args:
        write: gets whether to leave out what is locked.
        also: as for ``mark_applied``.
        escape: what to apply to texts.
    """
    last_try = time.monotonic() + database.patience() - _LAST_TRY

    def attempt() -> Refused:
        with transaction.atomic(using=alias()):
            refused = write(escape, is_inside or time.monotonic() >= last_try)
            also(refused)
            return refused

    is_inside = database.is_in_transaction()
    return database.retry(attempt, database.patience())


def _mark(marks: Mapping[ScriptId, Mark], facts: RunFacts, escape: Escape, leave_locked: bool) -> Refused:  # noqa: FBT001 - one caller
    now, facts, refused = database.now(), facts.escaped(escape), dict["ScriptId", Refusal]()
    facts = facts._replace(environment_id=environments.recording())
    for batch in batches([*marks]):
        free = _lock({one: marks[one].seen for one in batch}, refused, leave_locked=leave_locked)
        missing = [one for one in batch if one not in free and one not in refused]
        free.update(_add_scripts({one: new_script(one, marks[one].path, escape) for one in missing}))
        versions = _version_pks({pk: marks[one].version for one, pk in free.items()})
        runs = []
        for script_id, pk in free.items():
            mark = marks[script_id]
            run = facts._replace(reason=escape(mark.reason) or facts.reason, watched=mark.watched)
            runs.append(new_run(pk, versions[pk], run, "succeeded", applies=True, at=mark.at or now))
        _settle(runs, {pk: escape(marks[one].path) for one, pk in free.items()})
    return refused


def _unmark(seen: Seen, facts: RunFacts, escape: Escape, leave_locked: bool) -> Refused:  # noqa: FBT001 - as above
    now, facts, refused = database.now(), facts.escaped(escape), dict["ScriptId", Refusal]()
    facts = facts._replace(environment_id=environments.recording())
    for batch in batches([*seen]):
        pks = _lock({one: seen[one] for one in batch}, refused, leave_locked=leave_locked).values()
        database.runs().filter(script__in=pks, applies=True).update(applies=False)
        _settle([new_run(pk, None, facts, "succeeded", at=now) for pk in pks])
    return refused


def _lock(seen: Seen, refused: Refused, *, leave_locked: bool) -> dict[ScriptId, int]:
    """Lock the rows of scripts, and end last runs whose lease is over as lost.

    Args:
        seen: the scripts, in the order of their identities, with their last run as it was seen.
        refused: gets those that are not as they were seen, or held.
        leave_locked: whether to refuse what another transaction has locked; otherwise, raise Collision.

    Returns:
        The keys of the rows that can be decided about; a script that was never seen may have none.
    """
    by_identity = {identity_of(script_id): script_id for script_id in seen}
    rows = _locked_rows(by_identity)
    absent = {one: script_id for one, script_id in by_identity.items() if one not in rows}
    refused.update((script_id, "changed") for script_id in absent.values() if seen[script_id])
    for (identity,) in fetch(database.scripts().filter(identity__in=absent).values_list("identity")):
        if not leave_locked:
            raise Collision(f"{absent[identity]} is locked by another transaction")
        refused[absent[identity]] = "locked"
    free = {}
    for identity, row in rows.items():
        script_id = by_identity[identity]
        why_not = _why_not(row, seen[script_id])
        if why_not:
            refused[script_id] = why_not
        else:
            free[script_id] = row.pk
    _end_walks([row.pk for row in rows.values() if row.walk and row.pk in free.values()])
    return free


def _end_walks(script_pks: Sequence[int]) -> None:
    """What is decided about a batched script that has begun ends that."""
    if script_pks:
        from scripts_tracker.ledger import holds  # few scripts are batched

        holds.end_walks(script_pks, "cancelled")


def _has_workers(walk_pk: int | None) -> bool:
    if not walk_pk:
        return False
    from scripts_tracker.ledger.walk_queries import walks  # as above

    walk = walks([walk_pk]).get(walk_pk)
    return walk is not None and bool(walk.live)


class _Row(NamedTuple):
    """The row of a script: its key, its last run, its open walk, and the seconds until the lease runs out."""

    pk: int
    last_run: int | None
    walk: int | None
    left: float


def _locked_rows(identities: Iterable[str]) -> dict[str, _Row]:
    """The rows of scripts by identity, locked; without those that another transaction has locked."""
    rows = database.scripts().filter(identity__in=identities)
    features = database.connection().features
    if features.has_select_for_update:
        rows = rows.order_by("identity").select_for_update(
            skip_locked=features.has_select_for_update_skip_locked,
            no_key=features.has_select_for_no_key_update,
        )
    else:  # SQLite has one writer: become it before anything is read
        rows.update(identity=F("identity"))
    rows = rows.annotate(left=F("lease_expires") - DatabaseEpoch())
    found = fetch(rows.values_list("identity", "pk", "last_run", "walk", "left"))
    return {one: _Row(*row) for one, *row in found}


def _why_not(row: _Row, seen: RunRecord | None) -> Refusal | None:
    """Why nothing can be decided about a script; ends its last run as lost if its lease is over."""
    if row.last_run != (seen.pk if seen else None):
        return "changed"
    if _has_workers(row.walk):
        return "held"
    lease = lease_of(seen, None, row.left)
    if seen is None or lease is None:
        return None
    if lease.is_live:
        return "held"
    is_lost = database.runs().filter(pk=seen.pk, outcome="running").update(outcome="lost")
    return None if is_lost else "changed"


def _add(rows: Iterable[Row]) -> None:
    """Add rows of one table, if no other process adds one of them at the same time."""
    made = list(rows)
    try:
        type(made[0]).objects.using(alias()).bulk_create(made, batch_size=_ROWS)
    except IntegrityError as error:
        raise Collision("another process has added the same rows") from error


def _add_scripts(rows: Mapping[ScriptId, Script]) -> dict[ScriptId, int]:
    """Add rows of scripts, and return their keys."""
    if not rows:
        return {}
    _add(rows.values())
    identities = {row.identity: script_id for script_id, row in rows.items()}
    found = fetch(database.scripts().filter(identity__in=identities).values_list("identity", "pk"))
    return {identities[identity]: pk for identity, pk in found}


def _known_versions(versions: Mapping[int, VersionFacts]) -> dict[int, tuple[int, str, bool]]:
    """By the key of a script, its version's key and algorithm, and whether it lacks its source."""
    digests = {version.content_digest for version in versions.values()}
    rows = database.versions().filter(script__in=versions, content_digest__in=digests)
    rows = rows.annotate(lacks_source=Q(source__isnull=True))
    known = fetch(rows.values_list("script", "content_digest", "pk", "algorithm", "lacks_source"))
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


def _settle(runs: Sequence[ScriptRun], paths: Mapping[int, str] | None = None) -> None:
    """Add these as the scripts' last runs, which hold nothing; with the current paths, by the keys of the scripts."""
    if database.connection().features.can_return_rows_from_bulk_insert:
        database.runs().bulk_create(runs)
    else:  # MySQL does not return the keys of rows that are added together
        for run in runs:
            run.save(using=alias(), force_insert=True)
    columns = ["last_run", "applied_run", "lease_expires", *(["path"] if paths else [])]
    rows = [Script(pk=run.script_id, last_run_id=run.pk) for run in runs]
    for row in rows:
        row.path = (paths or {}).get(row.pk, "")
    database.scripts().bulk_update(rows, columns)
