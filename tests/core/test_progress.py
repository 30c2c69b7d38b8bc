"""How far a batched script is: the share of its keys, the rest of the time, and what stops it."""

from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.core.progress import Progress, from_text, progress_of, to_text
from tests.builders import key_range, walk, worker

WORKING: dict[str, Any] = {"keys_per_second": 2.0, "rows_per_second": 1.5, "worker": 4}

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "without ranges nothing is known": (
        {"ranges": ()},
        {"percent": None, "keys": 0, "eta_seconds": None, "batch_size": None},
    ),
    "text keys do not say how far": ({"key": "other"}, {"percent": None, "keys": 40, "eta_seconds": None}),
    "a range without an end does not say how far": (
        {"ranges": (key_range(0, 43)._replace(upper=None),)},
        {"percent": None},
    ),
    "nobody at work has no speed": (
        {"ranges": (key_range(0, 43, **WORKING),)},
        {"workers": 0, "rows_per_second": None, "eta_seconds": None},
    ),
    "a killed worker has no speed": (
        {"ranges": (key_range(0, 43, **WORKING),), "workers": (worker(4, live=False),)},
        {"workers": 0, "rows_per_second": None, "eta_seconds": None},
    ),
    "a worker whose time is not known yet": (
        {"workers": (worker(4),)},
        {"workers": 1, "rows_per_second": 0, "eta_seconds": None},
    ),
    "a worker at work": (
        {"ranges": (key_range(0, 50, keys=50, **WORKING),), "workers": (worker(4),)},
        {"percent": 50.0, "workers": 1, "rows_per_second": 1.5, "eta_seconds": 25, "waiting": None},
    ),
    "one of two waits, so the script goes on": (
        {"workers": (worker(4), worker(5, waiting="replica is 9 s behind"))},
        {"workers": 2, "waiting": None},
    ),
    "all wait": (
        {"workers": (worker(4, waiting="replica is 9 s behind"), worker(5, waiting="outside 22:00-06:00"))},
        {"workers": 2, "waiting": "replica is 9 s behind"},
    ),
    "a parked range": (
        {"ranges": (key_range(0, None, "done"), key_range(1, 150, "parked"))},
        {"percent": 75.0, "parked": 1},
    ),
    "the last key is not the end": ({"ranges": (key_range(0, 100), key_range(1, 199))}, {"percent": 99.5}),
    "all but nothing is not all": (
        {"ranges": (key_range(0, 99)._replace(upper=("10000",), cursor=("9999",)),)},
        {"percent": 99.9},
    ),
    "the end": ({"ranges": (key_range(0, 100, "done"), key_range(1, 180, "done"))}, {"percent": 100.0}),
    "an empty table is done": (
        {"ranges": (key_range(0, None, "done")._replace(lower=None, upper=None),)},
        {"percent": 100.0},
    ),
}


@pytest.mark.parametrize(("facts", "expected"), CASES.values(), ids=CASES)
def test_progress(facts: dict[str, Any], expected: dict[str, Any]) -> None:
    found = progress_of(walk()._replace(**facts))._asdict()
    assert {name: found[name] for name in expected} == expected


def test_keys_of_several_columns_survive_the_ledger() -> None:
    for key in (None, ("7",), ("it's", "", "7")):
        assert from_text(to_text(key)) == key


def test_the_fields_are_those_of_the_contract() -> None:
    assert Progress._fields == (
        *("percent", "keys", "rows", "rows_per_second", "eta_seconds", "workers", "waiting", "parked"),
        "batch_size",
    )
