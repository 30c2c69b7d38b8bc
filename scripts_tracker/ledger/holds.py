"""Decisions about the walk of a batched script: pause, cancel, resume, begin anew, accept other code.

A decision is about the walk that was seen: it is made only if that is open and nothing else was decided about it since.
Each is a row of the history, which says who, when and why.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import F

from scripts_tracker.ledger import database, environments, walk_queries
from scripts_tracker.ledger.database import alias, needs_tables
from scripts_tracker.ledger.reading import fetch
from scripts_tracker.ledger.writing import columns_of, in_its_characters, new_run
from scripts_tracker.models import ScriptRange, ScriptVersion, ScriptWalk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from scripts_tracker.core.progress import WalkRecord
    from scripts_tracker.ledger.writing import Escape, RunFacts, VersionFacts


class _Changed(Exception):
    """The walk is not as it was seen; what was written before is rolled back."""


def nothing_else() -> None:
    """What is done beside a decision by default."""


@needs_tables
def hold(seen: WalkRecord, facts: RunFacts, also: Callable[[], None] = nothing_else) -> bool:
    """Pause or cancel a walk, as ``facts.kind`` says: its workers stop after the batch that they are at.

    Args:
        seen: the walk, as it was seen.
        facts: who decides, and why.
        also: is called in the same transaction.

    Returns:
        False if the walk is over, or another decision about it came first: then nothing is changed.
    """
    return _decide(seen, facts, also, lambda run: {"hold": run})


@needs_tables
def resume(
    seen: WalkRecord,
    facts: RunFacts,
    also: Callable[[], None] = nothing_else,
    *,
    version: VersionFacts | None = None,
) -> bool:
    """End what was decided about a walk: the next run goes on from where it is.

    Args:
        seen: as for ``hold``.
        facts: as there; ``facts.watched`` are the watched modules of the version.
        also: as there.
        version: other code that is to go on with it; None for the code that it was begun with.

    Returns:
        As there; also False if code is to be accepted while a worker is at work.
    """
    if version is None:
        return _decide(seen, facts, also, lambda _: {"hold": None})

    def accept(_: int) -> dict[str, Any]:
        _require_idle(seen)
        return {"hold": None, "version": _version_pk(seen.script_pk, version), "watched": facts.watched}

    return _decide(seen, facts, also, accept)


@needs_tables
def restart(seen: WalkRecord, facts: RunFacts, also: Callable[[], None] = nothing_else) -> bool:
    """End a walk without a success: the next run begins another one.

    Args:
        seen: as for ``hold``.
        facts: as there.
        also: as there.

    Returns:
        As there; also False if a worker is at work.
    """

    def end(_: int) -> dict[str, Any]:
        _require_idle(seen)
        end_walks([seen.script_pk], "restarted")
        return {}

    return _decide(seen, facts, also, end)


def end_walks(script_pks: Collection[int], outcome: str) -> None:
    """End the open walks of scripts, whose rows the caller has locked; a worker that comes back commits nothing more."""
    walks = ScriptWalk.objects.using(alias()).filter(script__in=script_pks, outcome="open")
    pks = [pk for (pk,) in fetch(walks.values_list("pk"))]
    ranges = ScriptRange.objects.using(alias()).filter(walk__in=pks)
    ranges.exclude(outcome="done").update(token=os.urandom(16).hex(), worker=None)
    walks.filter(pk__in=pks).update(outcome=outcome, ended_at=database.now(), hold=None)
    database.scripts().filter(pk__in=script_pks).update(walk=None)


def _decide(
    seen: WalkRecord, facts: RunFacts, also: Callable[[], None], change: Callable[[int], dict[str, Any]]
) -> bool:
    """Add the row of a decision, and carry it out.

    Args:
        seen: the walk.
        facts: of the row.
        also: is called in the same transaction.
        change: gets the key of the row; gives what changes in the walk, and may do the rest itself.
    """

    def attempt(escape: Escape) -> None:
        with transaction.atomic(using=alias()):
            walks = ScriptWalk.objects.using(alias()).filter(pk=seen.pk, token=seen.token)
            _lock(walks.filter(outcome="open"), seen)
            here = environments.recording()
            run = new_run(
                seen.script_pk, None, facts.escaped(escape)._replace(environment_id=here), "succeeded"
            )
            run.walk_id = seen.pk
            run.save(using=alias(), force_insert=True)
            changes = change(run.pk)
            if changes:
                walks.update(**changes)
            also()

    try:
        database.retry(lambda: in_its_characters(attempt, *facts.texts), database.patience())
    except _Changed:
        return False
    return True


def _lock(walks: Any, seen: WalkRecord) -> None:
    """Lock the row of the walk by a change of nothing: without it, two that add a row each would wait for each other."""
    unchanged = walks.filter(hold=seen.hold.pk) if seen.hold else walks.filter(hold__isnull=True)
    if not unchanged.update(token=F("token")):
        raise _Changed


def _require_idle(seen: WalkRecord) -> None:
    """Raise if a worker is at work, which would go on with what is about to end."""
    now = walk_queries.walks([seen.pk]).get(seen.pk)
    if now is None or now.live:
        raise _Changed


def _version_pk(script_pk: int, version: VersionFacts) -> int:
    rows = database.versions().filter(script=script_pk, content_digest=version.content_digest)
    for (pk,) in fetch(rows.values_list("pk")):
        return int(pk)
    row = ScriptVersion(script_id=script_pk, **columns_of(version))
    row.save(using=alias(), force_insert=True)
    return row.pk
