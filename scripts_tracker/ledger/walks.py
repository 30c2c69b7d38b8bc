"""Walks of batched scripts: who may go through which range, and how far each has come.

A worker is a run of its own with a lease of its own. It holds one range at a time by the range's token, which it checks
in the transaction of each batch, at the end: so what a batch changed and how far the range has come are committed
together, or neither. Who takes a range over gives it another token.

As in ``leases``, rows are found by the full names of tables, by key and by token.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from django.db import connections, transaction

from scripts_tracker import conf
from scripts_tracker.core import progress
from scripts_tracker.core.progress import Key, RangeRecord
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, leases, statements, writing
from scripts_tracker.ledger.database import alias
from scripts_tracker.ledger.leases import OF_RUN, OpenRun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.ledger.statements import Place
    from scripts_tracker.ledger.writing import Escape

_RANGE: Final = (
    *("id", "number", "lower", "upper", "cursor", "outcome", "worker_id", "keys", "rows", "batches"),
    *("batch_size", "keys_per_second", "rows_per_second", "reason"),
)
# What is not done, with who has it.
_LEFT: Final = f"""SELECT r."token", w."outcome", w."lease_expires" - {{now}}, {statements.columns("r", *_RANGE)}
FROM "scripts_tracker_scriptrange" r LEFT JOIN "scripts_tracker_scriptrun" w ON w."id" = r."worker_id"
WHERE r."walk_id" = %s AND r."outcome" <> 'done' ORDER BY r."number\""""  # noqa: S608 - our own names
_ALL: Final = f"""SELECT {statements.columns("r", *_RANGE)} FROM "scripts_tracker_scriptrange" r
WHERE r."walk_id" = %s ORDER BY r."number\""""  # noqa: S608 - our own names
_HELD: Final = f"""SELECT {statements.columns("r", *_RANGE)} FROM "scripts_tracker_scriptrange" r
WHERE r."id" = %s AND r."token" = %s"""  # noqa: S608 - our own names
_BURY: Final = """UPDATE "scripts_tracker_scriptrun" SET "outcome" = 'lost'
WHERE "id" = %s AND "outcome" = 'running' AND "lease_expires" <= {now}"""
_TAKE: Final = f"""UPDATE "scripts_tracker_scriptrange" SET "worker_id" = %s, "token" = %s
WHERE "id" = %s AND "token" = %s AND "outcome" = 'open'
AND EXISTS (SELECT 1 FROM "scripts_tracker_scriptrun" WHERE {OF_RUN})"""  # noqa: S608 - our own names
_SAVE: Final = """UPDATE "scripts_tracker_scriptrange" SET "cursor" = %s, "outcome" = %s, "keys" = "keys" + %s,
"rows" = "rows" + %s, "batches" = "batches" + 1, "batch_size" = %s, "keys_per_second" = %s, "rows_per_second" = %s,
"reason" = '' WHERE "id" = %s AND "token" = %s AND "cursor" = %s AND "outcome" = 'open'"""
MARK: Final = "scripts_tracker.batch"
"""A setting of PostgreSQL that a transaction has to its end: what was committed meanwhile has lost it."""
_IS_MARKED: Final = f" AND current_setting('{MARK}', true) = %s"
_LEAVE: Final = """UPDATE "scripts_tracker_scriptrange" SET "outcome" = %s, "worker_id" = %s, "token" = '',
"reason" = %s, "keys_per_second" = 0, "rows_per_second" = 0 WHERE "id" = %s AND "token" = %s AND "outcome" = 'open'"""
_RENEW: Final = f"""UPDATE "scripts_tracker_scriptrun" SET "lease_expires" = {{now}} + %s WHERE {OF_RUN}"""  # noqa: S608 - our own names
_RENEW_SCRIPT: Final = """UPDATE "scripts_tracker_script" SET "lease_expires" = {now} + %s, "lease_renewed" = {now}
WHERE "id" = %s AND "walk_id" = %s"""
_STANDING: Final = """SELECT w."outcome", r."outcome", h."kind", h."user", h."host", h."reason",
f."id", f."outcome", f."lease_expires" - {now}, f."reason"
FROM "scripts_tracker_scriptwalk" w
LEFT JOIN "scripts_tracker_scriptrun" r ON r."id" = %s AND r."token" = %s
LEFT JOIN "scripts_tracker_scriptrun" h ON h."id" = w."hold_id"
LEFT JOIN "scripts_tracker_scriptrun" f ON f."id" = w."finisher_id" WHERE w."id" = %s"""
_BEGIN_FINISH: Final = f"""UPDATE "scripts_tracker_scriptwalk" SET "finisher_id" = %s
WHERE "id" = %s AND "outcome" = 'open' AND {{finisher}}
AND NOT EXISTS (SELECT 1 FROM "scripts_tracker_scriptrange" g WHERE g."walk_id" = %s AND g."outcome" <> 'done')
AND EXISTS (SELECT 1 FROM "scripts_tracker_scriptrun" WHERE {OF_RUN})"""  # noqa: S608 - our own names
_EXTEND: Final = """INSERT INTO "scripts_tracker_scriptrange" ("walk_id", "number", "lower", "upper", "cursor", "outcome",
"worker_id", "token", "keys", "rows", "batches", "batch_size", "keys_per_second", "rows_per_second", "reason")
VALUES (%s, %s, %s, %s, '', 'open', NULL, '', 0, 0, 0, %s, 0, 0, '')"""
_CLOSE: Final = """UPDATE "scripts_tracker_scriptwalk" SET "outcome" = %s, "ended_at" = %s, "hold_id" = NULL
WHERE "id" = %s AND "outcome" = 'open' AND "finisher_id" = %s"""
_APPLY: Final = """UPDATE "scripts_tracker_script" SET "walk_id" = NULL, "last_run_id" = %s
WHERE "id" = %s AND "walk_id" = %s"""


class Fenced(Overtaken):
    """Another worker has the range now."""


class Hold(NamedTuple):
    """The decision to pause or to cancel a walk: who, where and why."""

    kind: str
    user: str
    host: str
    reason: str


class HeldRange(NamedTuple):
    """A range that this worker has, and the token that proves it."""

    record: RangeRecord
    token: str


class Left(NamedTuple):
    """A range that is not done, and whether a live worker has it; ``token`` is that of who has or had it."""

    record: RangeRecord
    token: str
    is_free: bool
    is_expired: bool


class Standing(NamedTuple):
    """What has become of a walk and of the run of its worker.

    Attributes:
        walk: its outcome; empty if its row is gone.
        run: the outcome of the run.
        hold: the decision in force.
        finisher: the key of the worker that does what follows the last batch, its outcome, and why it failed.
    """

    walk: str = ""
    run: str = ""
    hold: Hold | None = None
    finisher: int | None = None
    finisher_outcome: str = ""
    finisher_reason: str = ""


class Saved(NamedTuple):
    """How far a range has come by one batch; ``mark`` is ``MARK`` in its transaction, empty if it has none."""

    cursor: Key | None
    is_done: bool
    keys: int
    rows: int
    batch_size: int
    keys_per_second: float
    rows_per_second: float
    mark: str = ""


# A worker and its walk


def renew(run: OpenRun) -> bool:
    """Renew the lease of a worker, and that of its script; False if the run is over."""
    seconds = conf.tracker_settings().lease_seconds
    if not statements.update(_RENEW, seconds, run.pk, run.token, "running", place=run.place):
        return False
    statements.update(_RENEW_SCRIPT, seconds, run.script_pk, run.walk_pk, place=run.place)
    return True


def set_waiting(run: OpenRun, reason: str) -> None:
    """Record what a worker waits for; empty while it works."""
    writing.in_its_characters(
        lambda escape: leases.update_run(run, "running", waiting=escape(reason)[:255]), reason
    )


def standing(run: OpenRun) -> Standing:
    """What has become of a walk, its worker and its finisher (one query)."""
    rows = statements.select(_STANDING, run.pk, run.token, run.walk_pk, place=run.place)
    for walk, outcome, *hold, finisher, how, left, reason in rows:
        is_over = how == "running" and left <= 0 and connections[alias()].vendor != "sqlite"
        decided = Hold(*hold) if hold[0] else None
        return Standing(
            walk, outcome or "", decided, finisher, "lost" if is_over else how or "", reason or ""
        )
    return Standing()


# Ranges


def ranges(walk_pk: int, place: Place) -> tuple[RangeRecord, ...]:
    """All ranges of a walk, by number (one query)."""
    return tuple(map(_range_record, statements.select(_ALL, walk_pk, place=place)))


def left(run: OpenRun) -> tuple[Left, ...]:
    """The ranges that are not done, by number (one query)."""
    found = []
    for token, outcome, seconds, *row in statements.select(_LEFT, run.walk_pk, place=run.place):
        record = _range_record(row)
        is_expired = outcome == "running" and seconds <= 0
        is_held = outcome == "running" and seconds > 0
        found.append(Left(record, token, record.outcome == "open" and not is_held, is_expired))
    return tuple(found)


def _range_record(row: Sequence[Any]) -> RangeRecord:
    pk, number, *keys, outcome, worker = row[:7]
    lower, upper, cursor = map(progress.from_text, keys)
    return RangeRecord(pk, number, lower, upper, cursor, outcome, worker, *row[7:])


def take_range(run: OpenRun, part: Left) -> HeldRange | None:
    """Take a range that is free; None if another worker was faster.

    A run whose lease is over is marked as lost: its batch, if it is still at one, cannot be committed any more.
    """
    token = os.urandom(16).hex()
    with transaction.atomic(using=alias()):
        if not _is_unlocked(part.record.pk, run.place):
            return None
        if part.is_expired and not statements.update(_BURY, part.record.worker, place=run.place):
            return None
        mine = (run.pk, run.token, "running")
        if not statements.update(_TAKE, run.pk, token, part.record.pk, part.token, *mine, place=run.place):
            return None
    return reread(run, HeldRange(part.record, token))


def _is_unlocked(range_pk: int, place: Place) -> bool:
    """Whether no batch is about to be committed in a range; a frozen one would keep us waiting."""
    if not database.connection().features.has_select_for_update_skip_locked:
        return True
    query = 'SELECT "id" FROM "scripts_tracker_scriptrange" WHERE "id" = %s FOR UPDATE SKIP LOCKED'
    return bool(statements.select(query, range_pk, place=place))


def reread(run: OpenRun, part: HeldRange) -> HeldRange | None:
    """A range of this worker as it is now; None if it has it no more (one query)."""
    for row in statements.select(_HELD, part.record.pk, part.token, place=run.place):
        return HeldRange(_range_record(row), part.token)
    return None


def save_cursor(run: OpenRun, part: HeldRange, saved: Saved) -> HeldRange:
    """Save how far a range has come, as the last statement of the batch's transaction.

    Args:
        run: the worker.
        part: the range as it was before the batch.
        saved: what the batch has done.

    Raises:
        Fenced: another worker has the range now, or this is not the batch's transaction any more.
    """
    outcome = "done" if saved.is_done else "open"
    speed = (saved.batch_size, saved.keys_per_second, saved.rows_per_second)
    values = (progress.to_text(saved.cursor), outcome, saved.keys, saved.rows, *speed)
    where = (
        part.record.pk,
        part.token,
        progress.to_text(part.record.cursor),
        *([saved.mark] if saved.mark else []),
    )
    if not statements.update(f"{_SAVE}{_IS_MARKED if saved.mark else ''}", *values, *where, place=run.place):
        raise Fenced("another worker has taken the range over, so this batch was rolled back")
    record = part.record
    return part._replace(
        record=record._replace(
            cursor=saved.cursor,
            outcome=outcome,
            keys=record.keys + saved.keys,
            rows=record.rows + saved.rows,
            batches=record.batches + 1,
            batch_size=saved.batch_size,
            keys_per_second=saved.keys_per_second,
            rows_per_second=saved.rows_per_second,
        )
    )


def give_back(run: OpenRun, part: HeldRange, reason: str = "") -> None:
    """Let another worker have a range."""
    _leave(run, part, "open", None, reason)


def park(run: OpenRun, part: HeldRange, reason: str) -> None:
    """Leave a range alone until the next run, as one of its rows fails; the reason names the row."""
    _leave(run, part, "parked", run.pk, reason)


def _leave(run: OpenRun, part: HeldRange, outcome: str, worker: int | None, reason: str) -> None:
    def write(escape: Escape) -> int:
        values = (outcome, worker, escape(reason), part.record.pk, part.token)
        return statements.update(_LEAVE, *values, place=run.place)

    writing.in_its_characters(write, reason)


# The end


def begin_finish(run: OpenRun, now: Standing) -> bool:
    """Become the one that does what follows the last batch; False if another one is, or a range is not done.

    Args:
        run: the worker.
        now: what it has seen; a finisher that is not at work any more is replaced.
    """
    how, seen = ('"finisher_id" = %s', (now.finisher,)) if now.finisher else ('"finisher_id" IS NULL', ())
    statement = _BEGIN_FINISH.replace("{finisher}", how)
    params = (run.pk, run.walk_pk, *seen, run.walk_pk, run.pk, run.token, "running")
    with transaction.atomic(using=alias()):
        if now.finisher and now.finisher_outcome == "lost":
            statements.update(_BURY, now.finisher, place=run.place)
        return statements.update(statement, *params, place=run.place) > 0


def extend(run: OpenRun, number: int, lower: Key | None, upper: Key, batch_size: int) -> None:
    """Add a range for the rows above the last one; whoever is free goes on with it."""
    bounds = progress.to_text(lower), progress.to_text(upper)
    free = (
        'UPDATE "scripts_tracker_scriptwalk" SET "finisher_id" = NULL WHERE "id" = %s AND "finisher_id" = %s'
    )
    with transaction.atomic(using=alias()):
        if statements.update(free, run.walk_pk, run.pk, place=run.place):
            statements.update(_EXTEND, run.walk_pk, number, *bounds, batch_size, place=run.place)


def succeed(run: OpenRun, *, applies: bool, output: str = "", traceback: str = "", reason: str = "") -> bool:
    """Record that the walk is over and its script applied, all or nothing; the texts are as for ``leases.end``.

    Returns:
        False if the walk or the run has ended otherwise; then nothing is recorded.
    """
    ended_at = database.connection().ops.adapt_datetimefield_value(database.now())
    try:
        with database.savepoint_or_transaction():
            is_open = statements.update(_APPLY, run.pk, run.script_pk, run.walk_pk, place=run.place)
            is_closed = statements.update(_CLOSE, "succeeded", ended_at, run.walk_pk, run.pk, place=run.place)
            # A first try may have succeeded, and its answer was lost with the connection.
            is_ours = bool(is_open and is_closed) or leases.has_ended(run)
            texts = {"output": output, "traceback": traceback, "reason": reason}
            _require(is_ours and leases.end(run, "succeeded", applies=applies, **texts))
    except Overtaken:
        return False
    return True


def _require(holds: bool) -> None:  # noqa: FBT001 - it is what is asked
    if not holds:
        raise Overtaken
