"""Workers of batched scripts come: one begins a walk, others join it, and the first after a break goes on with what is left.

As in ``leases``, one transaction records a worker and what it takes, or nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, connections, transaction

from scripts_tracker import conf
from scripts_tracker.core import progress, watches
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, leases, statements, writing
from scripts_tracker.ledger.database import alias, needs_tables
from scripts_tracker.ledger.leases import OpenRun
from scripts_tracker.ledger.walks import Hold, renew
from scripts_tracker.models import ScriptRange, ScriptWalk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.core.progress import Key
    from scripts_tracker.core.values import ModuleVersion, RunRecord, ScriptId
    from scripts_tracker.ledger.leases import Entry
    from scripts_tracker.ledger.writing import Escape, RunFacts, VersionFacts

_LIVE: Final = """r."outcome" = 'running' AND r."lease_expires" > {now}"""
# Open walks, each with the code and the arguments that it was begun with, the decision in force, and the workers beside one.
_OPEN_WALKS: Final = f"""SELECT s."app_label", s."name", s."path", w."id", w."token", w."watched", w."database", w."table", w."key",
v."algorithm", v."digest", v."content_digest", h."kind", h."user", h."host", h."reason",
(SELECT COUNT(*) FROM "scripts_tracker_scriptrun" r WHERE r."walk_id" = w."id" AND {_LIVE}),
(SELECT a."arguments" FROM "scripts_tracker_scriptrun" a WHERE a."id" = (SELECT MIN(b."id") FROM "scripts_tracker_scriptrun" b
WHERE b."walk_id" = w."id" AND b."kind" = 'run' AND b."version_id" = w."version_id"))
FROM "scripts_tracker_script" s JOIN "scripts_tracker_scriptwalk" w ON w."id" = s."walk_id"
LEFT JOIN "scripts_tracker_scriptversion" v ON v."id" = w."version_id"
LEFT JOIN "scripts_tracker_scriptrun" h ON h."id" = w."hold_id" WHERE """  # noqa: S608 - our own names
_JOIN: Final = """UPDATE "scripts_tracker_script" SET "lease_expires" = {now} + %s, "lease_renewed" = {now}, "path" = %s,
"applied_run_id" = CASE WHEN "last_run_id" = %s THEN %s ELSE "applied_run_id" END, "last_run_id" = %s
WHERE "id" = %s AND "walk_id" = %s"""
_OTHERS: Final = f"""SELECT COUNT(*) FROM "scripts_tracker_scriptrun" r
WHERE r."walk_id" = %s AND r."id" <> %s AND {_LIVE}"""  # noqa: S608 - our own names


class OpenWalk(NamedTuple):
    """A walk that has begun and is not over, as a worker that joins it sees it.

    Attributes:
        live: how many workers it has.
        arguments: JSON text of those of its first worker with this code; None where that is not known any more.
    """

    pk: int
    token: str
    watched: tuple[ModuleVersion, ...]
    database: str
    table: str
    key: str
    version: Fingerprint | None
    content_digest: str | None
    hold: Hold | None
    live: int
    script_id: ScriptId
    path: str
    arguments: str | None


class NewWalk(NamedTuple):
    """A walk that is about to begin."""

    database: str
    table: str
    key: str
    ranges: tuple[tuple[Key | None, Key | None], ...]
    batch_size: int
    ends: int | None = None
    """The walk of other code that it replaces."""


@needs_tables
def open_walk(script_pk: int | None) -> OpenWalk | None:
    """The open walk of a script; None if there is none (one query)."""
    rows = statements.select(f'{_OPEN_WALKS}s."id" = %s', script_pk) if script_pk else ()
    return next(map(_walk_of, rows), None)


@needs_tables
def open_walks_on(using: str, table: str) -> tuple[OpenWalk, ...]:
    """The open walks of all scripts on a table, by the ids of these (one query)."""
    rows = statements.select(f'{_OPEN_WALKS}w."database" = %s AND w."table" = %s', using, table)
    return tuple(sorted(map(_walk_of, rows), key=lambda walk: walk.script_id))


def _walk_of(row: Sequence[Any]) -> OpenWalk:
    label, name, path, pk, token, watched, *place, algorithm, digest, content = row[:12]
    *hold, live, arguments = row[12:]
    version = Fingerprint(algorithm, digest) if algorithm else None
    then = watches.from_text(watched) if watched else ()
    decided = Hold(*hold) if hold[0] else None
    using, table, key = place
    script_id = statements.script_id_of(label, name)
    begun = (version, content, decided, live, script_id, path, arguments)
    return OpenWalk(pk, token, then, using, table, key, *begun)


@needs_tables
def begin(
    script_id: ScriptId,
    path: str,
    entry: Entry,
    version: VersionFacts,
    facts: RunFacts,
    *,
    walk: OpenWalk | NewWalk,
) -> OpenRun:
    """Record a worker, which joins an open walk or begins a new one, all or nothing.

    Args:
        script_id: the script.
        path: its file, as reports show it.
        entry: what ``leases.look_up`` returned.
        version: the file as it is now.
        facts: who begins, where, and how.
        walk: what ``open_walk`` returned; a new one if there is none, or that is over.

    Raises:
        Overtaken: what was looked up is out of date.
    """

    def write(escape: Escape) -> OpenRun:
        return _begin(script_id, path, entry, version, facts, walk=walk, escape=escape)

    return writing.in_its_characters(write, *script_id, path, *facts.texts)


def _begin(
    script_id: ScriptId,
    path: str,
    entry: Entry,
    version: VersionFacts,
    facts: RunFacts,
    *,
    walk: OpenWalk | NewWalk,
    escape: Escape,
) -> OpenRun:
    try:
        with transaction.atomic(using=alias()):
            script_pk = entry.script_pk or leases.add_script(script_id, path, escape)
            facts = facts.escaped(escape)._replace(environment_id=entry.environment)
            run = writing.new_run(script_pk, None, facts, "running")
            run.version_id = leases.version_pk(script_pk, entry.version, version)
            run.token = os.urandom(16).hex()
            if isinstance(walk, NewWalk):
                if entry.script_pk:
                    leases.require_free_row(script_pk)
                run.walk_id = _add_walk(script_pk, run.version_id, facts.watched, walk)
            else:
                run.walk_id = walk.pk
            run.save(using=alias(), force_insert=True)
            opened = OpenRun(run.pk, script_pk, run.token, entry.place, None, run.walk_id)
            if isinstance(walk, NewWalk):
                lost = leases.mark_lost(entry.last_run)
                leases.take(entry, script_pk, run.pk, escape(path))
                if walk.ends is not None:
                    _end_walk(walk.ends)
                database.scripts().filter(pk=script_pk).update(walk=run.walk_id)
            else:
                lost = _join(opened, entry, escape(path))
            renew(opened)
    except IntegrityError as error:  # another process has added the script or the version
        raise Overtaken from error
    return opened._replace(lost=lost)


def _add_walk(script_pk: int, version_pk: int, watched: str, walk: NewWalk) -> int:
    row = ScriptWalk(
        script_id=script_pk,
        version_id=version_pk,
        watched=watched,
        outcome="open",
        started_at=database.now(),
        database=walk.database,
        table=walk.table,
        key=walk.key,
        token=os.urandom(16).hex(),
    )
    row.save(using=alias(), force_insert=True)
    ranges = [
        ScriptRange(
            walk_id=row.pk,
            number=number,
            lower=progress.to_text(lower),
            upper=progress.to_text(upper),
            outcome="open",
            batch_size=walk.batch_size,
        )
        for number, (lower, upper) in enumerate(walk.ranges)
    ]
    ScriptRange.objects.using(alias()).bulk_create(ranges)
    return row.pk


def _end_walk(pk: int) -> None:
    walks = ScriptWalk.objects.using(alias()).filter(pk=pk, outcome="open")
    if not walks.update(outcome="cancelled", ended_at=database.now(), hold=None):
        raise Overtaken
    # Another token: a worker that comes back cannot commit a batch any more.
    ranges = ScriptRange.objects.using(alias()).filter(walk=pk).exclude(outcome="done")
    ranges.update(token=os.urandom(16).hex(), worker=None)


def _join(run: OpenRun, entry: Entry, path: str) -> RunRecord | None:
    """Make the worker the last run; the first one at work again begins with what others have left."""
    seconds = conf.tracker_settings().lease_seconds
    last = entry.last_run.pk if entry.last_run else None
    params = (seconds, path, last, entry.applied_run, run.pk, run.script_pk, run.walk_pk)
    if not statements.update(_JOIN, *params, place=run.place):
        raise Overtaken
    ((others,),) = statements.select(_OTHERS, run.walk_pk, run.pk, place=run.place)
    if others and connections[alias()].vendor != "sqlite":
        return None
    lost = entry.last_run if entry.last_run and entry.last_run.outcome == "running" else None
    database.runs().filter(walk=run.walk_pk, outcome="running").exclude(pk=run.pk).update(outcome="lost")
    ranges = ScriptRange.objects.using(alias()).filter(walk=run.walk_pk)
    ranges.filter(outcome="parked").update(outcome="open", token="", worker=None)
    ScriptWalk.objects.using(alias()).filter(pk=run.walk_pk or 0).update(finisher=None)
    return lost
