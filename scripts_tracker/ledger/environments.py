"""Which place this is, and which places the runs of the ledger come from.

A place is the setting ``environment`` and what the database says of itself. The statements that are read anyway ask for
it: only a ledger with runs of several places costs one more.

Two processes may add the row of one place at the same time. Rows of the same name and identity are one place, so no
constraint is needed, and none can fail in the transaction of a run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import Q

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import database, statements, writing
from scripts_tracker.ledger.database import alias, needs_tables
from scripts_tracker.ledger.reading import fetch
from scripts_tracker.models import ScriptEnvironment, ScriptRange

if TYPE_CHECKING:
    from scripts_tracker.core.environments import Places
    from scripts_tracker.ledger.writing import Escape

_PLACES: Final = """SELECT p."identity", e."id", e."name", e."identity", e."continues_id", e."is_copy"
FROM (SELECT {identity} AS "identity") p LEFT JOIN "scripts_tracker_scriptenvironment" e ON 1 = 1"""
_HAS_RUNS: Final = """SELECT p."identity", (SELECT MIN(r."id") FROM "scripts_tracker_scriptrun" r)
FROM (SELECT {identity} AS "identity") p"""

_LONGEST_NAME = 255


class Decision(NamedTuple):
    """What a person has decided: about which other place, and how many runs of it are lost by that."""

    label: str
    lost: int


@needs_tables
def places() -> Places:
    """This place and those in the ledger (one query)."""
    from scripts_tracker.core.environments import Environment, Places  # few ledgers come from several places

    rows = statements.select_here(_PLACES, name_first=False)
    found = [
        Environment(pk, statements.unescaped(name), identity, continues, bool(is_copy))
        for _, pk, name, identity, continues, is_copy in rows
        if pk is not None
    ]
    return Places(statements.unescaped(statements.environment_name()), rows[0][0], found)


def name_and_identity() -> tuple[str, str, bool]:
    """This place, as it is stored, and whether the ledger has runs (one query)."""
    ((identity, has_runs),) = statements.select_here(_HAS_RUNS, name_first=False)
    return statements.environment_name(), identity, bool(has_runs)


def recording() -> int | None:
    """The key that a run or decision of this place is recorded with; None where nothing is known of it.

    Adds the row of the place, and ends what was running in another one (one query, as a rule).
    """
    found = places()
    if not found.is_known:
        return None
    _end_runs_of_others(found)
    return add(found.identity) if found.here is None else found.here


def add(identity: str) -> int | None:
    """Add the row of this place; gives its key, None where nothing is known of the place."""
    name = statements.environment_name()
    if not (name or identity):
        return None
    row = ScriptEnvironment(name=name, identity=identity, first_seen_at=database.now())
    row.save(using=alias(), force_insert=True)
    return row.pk


def _end_runs_of_others(found: Places) -> int:
    """Record what was running in other places as lost, and end its leases: the originals of these rows are elsewhere.

    Returns:
        How many runs.
    """
    where = Q(environment__in=found.others)
    if found.are_unknown_elsewhere:
        where |= Q(environment__isnull=True)
    running = database.runs().filter(where, outcome="running")
    pks = [pk for (pk,) in fetch(running.values_list("pk"))]
    if not pks:
        return 0
    with transaction.atomic(using=alias()):
        database.scripts().filter(last_run__in=pks).update(lease_expires=0)
        database.runs().filter(pk__in=pks, outcome="running").update(outcome="lost", lease_expires=0)
        # Another token: what a worker has in hand cannot be committed here.
        ranges = ScriptRange.objects.using(alias()).filter(worker__in=pks, outcome="open")
        ranges.update(token=os.urandom(16).hex(), worker=None)
    return len(pks)


@needs_tables
def decide(*, is_copy: bool, user: str, reason: str) -> Decision | None:
    """Record what a person knows of this place: it is the one that was here before, moved or renamed, or a copy of it.

    Args:
        is_copy: whether it is a copy.
        user: who decides.
        reason: why, in a line.

    Returns:
        What was decided; None where there is nothing to decide, because everything was recorded here or names say it.
    """

    def write(escape: Escape) -> Decision | None:
        facts = {"user": escape(user)[:_LONGEST_NAME], "reason": escape(reason)}
        with transaction.atomic(using=alias()):
            return _decide(facts, is_copy=is_copy)

    return database.retry(lambda: writing.in_its_characters(write, user, reason), database.patience())


def _decide(facts: dict[str, str], *, is_copy: bool) -> Decision | None:
    from scripts_tracker.core.environments import OTHER_DATABASE  # as above

    found = places()
    other = found.continued if is_copy and found.continued else found.latest_other
    if other is None or not found.is_known or (is_copy and found.is_other(other)):
        return None
    if found.here is None:
        add(found.identity)
    rows = ScriptEnvironment.objects.using(alias()).filter(
        name=statements.environment_name(), identity=found.identity
    )
    continues = None if is_copy else other.pk
    rows.update(is_copy=is_copy, continues=continues, decided_at=database.now(), **facts)
    return Decision(other.name or OTHER_DATABASE, _end_runs_of_others(places()))
