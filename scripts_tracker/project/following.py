"""A running script as it goes on: one small query a second, until it ends."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, TypeVar

from scripts_tracker import conf
from scripts_tracker.ledger import database, queries, walk_queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts_tracker.core.history import RunNow
    from scripts_tracker.core.progress import WalkRecord

T = TypeVar("T")

logger = logging.getLogger("scripts_tracker")

PAUSE: Final = 1.0
"""Seconds between two looks."""


def follow(run_pk: int) -> Iterator[RunNow | None]:
    """Look at a run again and again; the last look is the one after its end, None if its row is gone."""
    while True:
        now = _look(run_pk)
        yield now
        if now is None or now.run.outcome != "running":
            return
        time.sleep(PAUSE)


def follow_walk(walk_pk: int) -> Iterator[WalkRecord | None]:
    """Look at a batched script again and again; the last look is the one when nobody works any more."""
    while True:
        now = _patiently(lambda: walk_queries.walks([walk_pk]).get(walk_pk))
        yield now
        if now is None or now.outcome != "open" or not now.live:
            return
        time.sleep(PAUSE)


def _look(run_pk: int) -> RunNow | None:
    return _patiently(lambda: queries.run_now(run_pk))


def _patiently(look: Callable[[], T]) -> T:
    """A database that is away for as long as a lease is no reason to give up."""
    patience = conf.tracker_settings().lease_seconds
    return database.retry(
        look, patience, lambda trouble: logger.warning("Waiting for the ledger: %s", trouble)
    )


def added(before: str, now: str) -> tuple[str, bool]:
    """What a run printed between two looks at the tail of its output.

    Args:
        before: the tail then.
        now: the tail now: an end of the earlier one, and what was printed since.

    Returns:
        The new text, and whether some of it may be missing, because more was printed than the ledger keeps.
    """
    if now.startswith(before):
        return now[len(before) :], False
    first = now[: now.find("\n") + 1] or now
    start = before.find(first)
    while start >= 0:
        if now.startswith(before[start:]):
            return now[len(before) - start :], False
        start = before.find(first, start + 1)
    return now, True
