"""Words for spans of time and for who holds a script."""

from __future__ import annotations

import pytest

from scripts_tracker.core.text import describe_holder, describe_lease
from scripts_tracker.core.values import Lease
from tests.builders import run


def live(ago: float | None, left: float | None) -> Lease:
    return Lease(is_live=True, ago=ago, left=left)


def over(ago: float | None, left: float) -> Lease:
    return Lease(is_live=False, ago=ago, left=left)


LEASES = {
    "nothing is known": (None, ""),
    "a server": (live(41.2, 18.7), "last sign of life 41 s ago, free in 19 s if none follows"),
    "minutes": (
        live(130, 470),
        "last sign of life 2 min 10 s ago, free in 7 min 50 s if none follows",
    ),
    "just now": (live(-0.001, 60), "last sign of life 0 s ago, free in 1 min if none follows"),
    "nearly a minute": (live(59.7, 0.3), "last sign of life 1 min ago, free in 0 s if none follows"),
    "the lease is over": (over(75, -15), "last sign of life 1 min 15 s ago"),
    "a row of an earlier version": (live(None, 30), "free in 30 s"),
    "on SQLite a living process": (live(None, None), "its process is alive"),
    "on SQLite the lease of a process elsewhere is over": (over(None, -5), ""),
}


@pytest.mark.parametrize(("lease", "words"), LEASES.values(), ids=LEASES)
def test_the_words_for_a_lease(lease: Lease | None, words: str) -> None:
    assert describe_lease(lease) == words
    held = describe_holder(run("running"), lease)
    assert held.endswith(f"; {words}" if words else " on web-1, process 42")


def test_of_a_lock_no_more_is_known() -> None:
    assert describe_holder(None, live(1, 2)) == "locked by another transaction"
