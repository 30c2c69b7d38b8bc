"""Which of the places in a ledger is this one, by their names, their databases and what people have said."""

from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.core.environments import Environment, Places, is_same_database
from tests.builders import run

SAME = {
    "the same": ("postgresql:7:16384", "postgresql:7:16384", True),
    "another database of the same server": ("postgresql:7:16384", "postgresql:7:16390", False),
    "another server": ("postgresql:7:16384", "postgresql:8:16384", False),
    "a server that may not be asked": ("postgresql:7:16384", "postgresql::16384", True),
    "another database of such a server": ("postgresql:7:16384", "postgresql::16390", False),
    "another schema": ("mysql:abc=:shop", "mysql:abc=:shop_copy", False),
    "a schema with a colon": ("mysql:abc=:a:b", "mysql:abc=:a:c", False),
    "a server that has no id": ("mysql::shop", "mysql:abc=:shop", True),
    "a file that was moved": ("sqlite:12:/srv/a.sqlite3", "sqlite:12:/mnt/a.sqlite3", True),
    "a file in whose place a backup is": ("sqlite:12:/srv/a.sqlite3", "sqlite:13:/srv/a.sqlite3", True),
    "a file that was copied": ("sqlite:12:/srv/a.sqlite3", "sqlite:13:/srv/b.sqlite3", False),
    "nothing known": ("", "", False),
    "nothing known of one": ("postgresql:7:16384", "", False),
    "another kind": ("sqlite:12:/srv/a", "mysql:12:/srv/a", False),
}


@pytest.mark.parametrize(("one", "other", "is_same"), SAME.values(), ids=SAME)
def test_a_database_is_known_by_what_it_says_of_itself(one: str, other: str, *, is_same: bool) -> None:
    assert is_same_database(one, other) is is_same
    assert is_same_database(other, one) is is_same


P, Q, R = "postgresql:7:1", "postgresql:7:2", "postgresql:8:1"
PRODUCTION, STAGING, UNNAMED = ("production", P), ("staging", Q), ("", P)
HERE, COPY, ASK = "here", "another", "not decided"

# This place; the rows as (name, identity) with what a person has said; what each of them is.
Rows = tuple[tuple[Any, ...], ...]
PLACES: dict[str, tuple[tuple[str, str], Rows, str]] = {
    "the same name and database": (PRODUCTION, (PRODUCTION,), HERE),
    "the same name in capitals": (PRODUCTION, (("Production", Q),), HERE),
    "a failover": (("production", R), (PRODUCTION,), HERE),
    "several failovers": (("production", Q), (PRODUCTION, ("production", R)), f"{HERE}, {HERE}"),
    "a restored dump": (STAGING, (PRODUCTION,), COPY),
    "a snapshot of the whole server": (("staging", P), (PRODUCTION,), COPY),
    "a name that was removed": (UNNAMED, (PRODUCTION,), HERE),
    "a first name": (PRODUCTION, (UNNAMED,), HERE),
    "a first name, and then a dump": (STAGING, (UNNAMED, PRODUCTION), f"{COPY}, {COPY}"),
    "a first name, and then a snapshot": (("staging", P), (UNNAMED, PRODUCTION), f"{COPY}, {COPY}"),
    "a snapshot that has lost its name": (UNNAMED, (PRODUCTION, ("staging", P)), f"{COPY}, {HERE}"),
    "a first name on another database": (STAGING, (UNNAMED,), ASK),
    "no name on another database": (("", Q), (PRODUCTION,), ASK),
    "no names, the same database": (UNNAMED, (UNNAMED,), HERE),
    "no names, another database": (("", Q), (UNNAMED,), ASK),
    "no names, nothing known of the database here": (("", ""), (UNNAMED,), HERE),
    "no names, nothing known of the database there": (("", Q), (("", ""),), HERE),
    "two processes have added the row": (("", Q), (UNNAMED, UNNAMED), f"{ASK}, {ASK}"),
    "a person says moved": (("", Q), (UNNAMED, ("", Q, 1)), f"{HERE}, {HERE}"),
    "a person says copied": (("", Q), (UNNAMED, ("", Q, None, True)), f"{COPY}, {HERE}"),
    "moved, and then a failover": (("", R), (UNNAMED, ("", Q, 1)), f"{ASK}, {ASK}"),
    "a copy that has moved": (
        ("", R),
        (UNNAMED, ("", Q, None, True), ("", R, 2)),
        f"{COPY}, {HERE}, {HERE}",
    ),
    "a copy of a copy": (("", R), (UNNAMED, ("", Q, None, True)), f"{ASK}, {ASK}"),
    "a copy that went back to its original": (UNNAMED, (UNNAMED, ("", Q, None, True)), f"{HERE}, {COPY}"),
    "a new name for the same place": (("live", P), (PRODUCTION, ("live", P, 1)), f"{HERE}, {HERE}"),
    "staging, which inherits from production twice": (
        STAGING,
        (PRODUCTION, ("production", R), STAGING),
        f"{COPY}, {COPY}, {HERE}",
    ),
    "a place that continues a row that is gone": (("", Q), (UNNAMED, ("", Q, 9)), f"{ASK}, {HERE}"),
}


def places(here: tuple[str, str], rows: Rows) -> Places:
    return Places(*here, [Environment(pk, *row) for pk, row in enumerate(rows, start=1)])


@pytest.mark.parametrize(("here", "rows", "expected"), PLACES.values(), ids=PLACES)
def test_a_place_is_this_one_or_another(here: tuple[str, str], rows: Rows, expected: str) -> None:
    found = places(here, rows)
    seen = []
    for pk in range(1, len(rows) + 1):
        origin = found.origin(pk)
        seen.append(COPY if origin.is_other else ASK if origin.label else HERE)
    assert ", ".join(seen) == expected
    assert found.others == tuple(pk for pk, one in enumerate(seen, start=1) if one == COPY)
    assert found.origin(None) == found.origin(1)


LABELS = {
    "by its name": (STAGING, (PRODUCTION,), "production"),
    "by the last of its names": (STAGING, (("live", P), ("production", P, 1)), "production"),
    "by the name that it got later": (STAGING, (UNNAMED, PRODUCTION), "production"),
    "without one": (("", Q), (UNNAMED, ("", Q, None, True)), "another database"),
}


@pytest.mark.parametrize(("here", "rows", "label"), LABELS.values(), ids=LABELS)
def test_another_place_is_called(here: tuple[str, str], rows: Rows, label: str) -> None:
    assert places(here, rows).origin(1).label == label


def test_without_rows_everything_is_of_this_place() -> None:
    found = places(PRODUCTION, ())
    assert not found.origin(None).label
    assert (found.here, found.others, found.latest_other, found.are_unknown_elsewhere) == (
        None,
        (),
        None,
        False,
    )


ENQUEUED = {
    "here": (PRODUCTION, ""),
    "here, before a failover": (("production", R), ""),
    "here, before it had a name": (UNNAMED, ""),
    "by a version that did not say where": (("", ""), ""),
    "elsewhere": (STAGING, "staging"),
    "in another database without a name": (("", Q), "another database"),
}


@pytest.mark.parametrize(("asked", "label"), ENQUEUED.values(), ids=ENQUEUED)
def test_a_job_comes_from(asked: tuple[str, str], label: str) -> None:
    assert places(PRODUCTION, (PRODUCTION,)).origin_of(*asked).label == label


def test_what_runs_in_another_place_does_not_run_here() -> None:
    found = places(STAGING, (PRODUCTION, STAGING))
    there, here = (run("running")._replace(environment=pk) for pk in (1, 2))
    assert found.as_seen(there) == there._replace(outcome="lost", place="production")
    assert found.as_seen(here) is here
    ended = run("succeeded")._replace(environment=1)
    assert found.as_seen(ended) == ended._replace(place="production")


def test_a_lease_counts_until_it_is_known_whose_it_is() -> None:
    there = run("running")._replace(environment=1)
    assert places(("", Q), (UNNAMED,)).as_seen(there) is there
