"""How far a batched script has come: copies of its walk and ranges, and what reports make of them. Pure."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from scripts_tracker.core.values import Fingerprint, Lease, ModuleVersion, RunRecord

Key = tuple[str, ...]
"""A key as text, a part for each of its columns."""

INTEGER: Final = "integer"
UUID: Final = "uuid"
OTHER: Final = "other"
"""The kinds of keys: only of the first two is it known how far between two others one lies."""


class RangeRecord(NamedTuple):
    """A copy of a range; ``worker`` is the key of the run that has it, None where it is free.

    Attributes:
        lower: it begins after this key; None at the beginning of the table.
        upper: its last key; None where it goes on to the end of the table.
        cursor: the last key whose batch is committed; None before the first.
        outcome: open, done or parked.
    """

    pk: int
    number: int
    lower: Key | None
    upper: Key | None
    cursor: Key | None
    outcome: str
    worker: int | None = None
    keys: int = 0
    rows: int = 0
    batches: int = 0
    batch_size: int = 0
    keys_per_second: float = 0.0
    rows_per_second: float = 0.0
    reason: str = ""


class WorkerRecord(NamedTuple):
    """A copy of the run of a worker, with whether its lease is over, what it waits for (empty while it works), and the lease."""

    run: RunRecord
    is_live: bool
    waiting: str = ""
    lease: Lease | None = None


class WalkRecord(NamedTuple):
    """A copy of a walk with its ranges and workers.

    Attributes:
        version: the fingerprint of the code that it was begun with.
        outcome: open, succeeded, cancelled or restarted.
        key: the kind of the key.
        hold: the decision to pause or to cancel it, while that is in force.
        ranges: by number.
        workers: those that are at work, and the one that was last.
    """

    pk: int
    script_pk: int
    token: str
    version: Fingerprint | None
    content_digest: str | None
    watched: tuple[ModuleVersion, ...]
    outcome: str
    started_at: datetime
    ended_at: datetime | None
    database: str
    table: str
    key: str
    hold: RunRecord | None = None
    ranges: tuple[RangeRecord, ...] = ()
    workers: tuple[WorkerRecord, ...] = ()

    @property
    def live(self) -> tuple[WorkerRecord, ...]:
        """The workers that are at work."""
        return tuple(worker for worker in self.workers if worker.is_live)


class Progress(NamedTuple):
    """How far a walk is, as JSON has it (``"progress"`` of a script).

    Attributes:
        percent: the share of the key space that is done, from 0 to 100; None where keys do not say.
        keys: how many keys were walked.
        rows: how many rows ``process()`` says it has changed; keys where it says nothing.
        rows_per_second: by the workers of now; None while there are none.
        eta_seconds: until the last batch; None where it is not known.
        workers: how many are at work.
        waiting: what they wait for; None while they work.
        parked: how many ranges a failing row has stopped.
        batch_size: how many keys a batch has now; None before the first.
    """

    percent: float | None
    keys: int
    rows: int
    rows_per_second: float | None
    eta_seconds: float | None
    workers: int
    waiting: str | None
    parked: int
    batch_size: int | None


def to_text(key: Key | None) -> str:
    """A key as the ledger stores it."""
    return "" if key is None else json.dumps(key)


def from_text(text: str) -> Key | None:
    """The inverse of ``to_text``."""
    return tuple(json.loads(text)) if text else None


def progress_of(walk: WalkRecord) -> Progress:
    """How far a walk is."""
    live = walk.live
    at_work = {worker.run.pk for worker in live}
    moving = [one for one in walk.ranges if one.worker in at_work and one.outcome == "open"]
    keys = sum(one.keys for one in walk.ranges)
    done = _share(walk.ranges, walk.key)
    waiting = [worker.waiting for worker in live if worker.waiting]
    return Progress(
        percent=None if done is None else int(done * 1000) / 10,  # 100 only at the end
        keys=keys,
        rows=sum(one.rows for one in walk.ranges),
        rows_per_second=round(sum(one.rows_per_second for one in moving), 1) if live else None,
        eta_seconds=_eta(done, keys, sum(one.keys_per_second for one in moving)),
        workers=len(live),
        waiting=waiting[0] if waiting and len(waiting) == len(live) else None,
        parked=sum(one.outcome == "parked" for one in walk.ranges),
        batch_size=max((one.batch_size for one in moving or walk.ranges), default=0) or None,
    )


def _eta(done: float | None, keys: int, keys_per_second: float) -> float | None:
    if not done or keys_per_second <= 0:
        return None
    return round(keys * (1 - done) / done / keys_per_second)


def _share(ranges: Iterable[RangeRecord], kind: str) -> float | None:
    """The share of the key space that is done, from 0 to 1; None where it is not known."""
    span = walked = 0
    has_any = False
    for one in ranges:
        has_any = True
        if one.outcome == "done" and (one.lower is None or one.upper is None):
            continue
        lower, upper, cursor = (
            _position(key, kind) for key in (one.lower, one.upper, one.cursor or one.lower)
        )
        if lower is None or upper is None or cursor is None:
            return None
        span += upper - lower
        walked += upper - lower if one.outcome == "done" else min(max(cursor - lower, 0), upper - lower)
    if not has_any:
        return None
    return walked / span if span else float(all(one.outcome == "done" for one in ranges))


def _position(key: Key | None, kind: str) -> int | None:
    """Where a key lies among others of its kind."""
    if key is None or kind == OTHER:
        return None
    return int(key[0]) if kind == INTEGER else uuid.UUID(key[0]).int
