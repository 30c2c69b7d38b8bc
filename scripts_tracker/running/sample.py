"""A batched script in a rehearsal: some batches, spread over the keys, and what they make for all of them."""

from __future__ import annotations

import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from scripts_tracker.core.progress import INTEGER, OTHER
from scripts_tracker.core.reports import Sample
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.running.keys import KeySpace, Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts_tracker.core.progress import Key
    from scripts_tracker.running.keys import Range

DEFAULT_BATCHES: Final = 5
_ALL: Final = 100.0


class _Batch(NamedTuple):
    """One batch: its keys, seconds and changed rows, its share of the range that it was taken from, and that of all keys."""

    keys: int
    seconds: float
    rows: int | None
    share: float
    width: int


def rehearse(command: Any, count: int, rows: Callable[[], int | None]) -> Sample:
    """Process some batches of a command, each in a transaction of its own, as a worker does.

    Args:
        command: the ``BatchedCommand``.
        count: how many batches.
        rows: how many rows were changed so far; None where that is not known.
    """
    space = KeySpace(command.batches())
    size = Sizes.of(command).first
    ranges = space.spread(count)
    if space.kind == OTHER or ranges[0][1] is None:
        return _from_the_first(command, space, size, count, rows)
    batches = [_process(command, space, one, size, rows) for one in ranges]
    return _estimate(batches, space.kind, ranges, size)


def _process(command: Any, space: KeySpace, keys: Range, size: int, rows: Callable[[], int | None]) -> _Batch:
    """The first batch of a range of keys."""
    lower, upper = keys
    before, began = rows(), time.monotonic()
    with transaction.atomic(using=space.database):
        step = space.step(lower, upper, size)
        end = upper if step.is_last else step.end
        if step.keys:
            command.process(space.batch(lower, end))
    seconds = time.monotonic() - began
    whole = _position(upper, space.kind) - _position(lower, space.kind)
    part = _position(end, space.kind) - _position(lower, space.kind)
    return _Batch(step.keys, seconds, _difference(before, rows()), part / whole if whole else 1.0, whole)


def _from_the_first(
    command: Any, space: KeySpace, size: int, count: int, rows: Callable[[], int | None]
) -> Sample:
    """Batches one after the other, as it is not known how far one key is from another."""
    after: Key | None = None
    keys, before, began, is_last, number = 0, rows(), time.monotonic(), False, 0
    while number < count and not is_last:
        with transaction.atomic(using=space.database):
            step = space.step(after, None, size)
            if step.keys:
                command.process(space.batch(after, step.end))
        keys, after, is_last, number = keys + step.keys, step.end, step.is_last, number + bool(step.keys)
    seconds = time.monotonic() - began
    if is_last:
        return Sample(
            number, keys, _ALL, seconds, seconds, _difference(before, rows()), "all keys were processed"
        )
    basis = f"{_counted(number)} of up to {size:,} keys, from the first key on; such keys do not say how many there are"
    return Sample(number, keys, None, seconds, None, None, basis)


def _estimate(batches: Sequence[_Batch], kind: str, ranges: Sequence[Range], size: int) -> Sample:
    """Each batch stands for its range: the ranges have equal widths."""
    whole = sum(one.width for one in batches)
    share = sum(one.share * one.width for one in batches) / whole if whole else 1.0
    counts = [one.rows for one in batches]
    known = [one for one in counts if one is not None]
    is_whole = all(one.share == 1 for one in batches)
    rows = sum(count / max(one.share, 1e-12) for count, one in zip(known, batches, strict=False))
    basis = f"{_counted(len(batches))} of up to {size:,} keys, spread over the key space{_ends(kind, ranges)}; one worker"
    return Sample(
        batches=len(batches),
        keys=sum(one.keys for one in batches),
        percent=_ALL if is_whole else min(share * 100, 99.999),
        seconds=sum(one.seconds for one in batches),
        estimated_seconds=sum(one.seconds / max(one.share, 1e-12) for one in batches),
        estimated_rows=round(rows) if len(known) == len(counts) else None,
        basis="all keys were processed" if is_whole else basis,
    )


def _ends(kind: str, ranges: Sequence[Range]) -> str:
    if kind != INTEGER:
        return ""
    return f" from {_position(ranges[0][0], kind) + 1:,} to {_position(ranges[-1][1], kind):,}"


def _counted(batches: int) -> str:
    return f"{batches} batch{'es' if batches > 1 else ''}"


def _difference(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else after - before


def _position(key: Key | None, kind: str) -> int:
    """Where a key lies among the others; before the first one where there is none."""
    if key is None:
        return -1
    return int(key[0]) if kind == INTEGER else uuid.UUID(key[0]).int
