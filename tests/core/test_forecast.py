"""Forecasts by what happened elsewhere: the figure, what it is based on, and the total."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from scripts_tracker.core.forecast import (
    Figure,
    Here,
    Success,
    figure,
    rehearsed,
    total,
    total_words,
    words,
)
from scripts_tracker.core.history import StoredRehearsal
from scripts_tracker.core.reports import RehearsalReport, Sample, TableChanges
from tests.builders import script_id

SAME = "st1:a"
HERE = Here(SAME)
WALK: dict[str, Any] = {"worker_seconds": 1200.0, "keys": 1_200_000, "rows": 9, "table": "shop_order"}
SPANS: dict[str, int | None] = {"shop_order": 3_000_000}


def success(seconds: float = 200.0, fingerprint: str = SAME, **facts: Any) -> Success:
    return Success(datetime(2026, 11, 20, 12), seconds, fingerprint, **facts)  # noqa: DTZ001 - shown as it is


FIGURES = {
    "a plain script takes as long as there": (success(), HERE, 200.0, "2026-11-20, same version"),
    "of other code": (success(fingerprint="st1:b"), HERE, 200.0, "2026-11-20, another version"),
    "of code that is not known": (success(fingerprint=""), HERE, 200.0, "2026-11-20, version unknown"),
    "of a file that cannot be parsed here": (success(), Here(""), 200.0, "2026-11-20, another version"),
    "plain scripts are not shared": (success(), HERE._replace(workers=1), 200.0, "2026-11-20, same version"),
    "a batched script whose keys are not known here": (
        success(300.0, **WALK, key_span=1_500_000),
        HERE,
        1200.0,
        "2026-11-20, 1.2 M rows there, not known here, same version",
    ),
    "a batched script whose keys were not known there": (
        success(300.0, **WALK),
        HERE._replace(key_spans=SPANS),
        1200.0,
        "2026-11-20, 1.2 M rows there, not known here, same version",
    ),
    "twice as many keys here": (
        success(300.0, **WALK, key_span=1_500_000),
        HERE._replace(key_spans=SPANS),
        2400.0,
        "2026-11-20, 1.2 M rows there, by keys about 2.4 M here, same version",
    ),
    "shared by four workers": (
        success(300.0, **WALK, key_span=1_500_000),
        HERE._replace(key_spans=SPANS, workers=4),
        600.0,
        "2026-11-20, 1.2 M rows there, by keys about 2.4 M here, with 4 workers, same version",
    ),
    "partly done here": (
        success(300.0, **WALK, key_span=1_500_000),
        HERE._replace(key_spans=SPANS, percent=75.0),
        600.0,
        "2026-11-20, 1.2 M rows there, by keys about 2.4 M here, 75 % is done here, same version",
    ),
    "an empty table here": (
        success(300.0, **WALK, key_span=1_500_000),
        HERE._replace(key_spans={"shop_order": 0}),
        0.0,
        "2026-11-20, 1.2 M rows there, by keys about 0 here, same version",
    ),
    "as far apart here as no rows are": (
        success(300.0, **WALK, key_span=1_500_000),
        HERE._replace(key_spans={"shop_order": 2**63 - 1}),
        1200.0,
        "2026-11-20, 1.2 M rows there, not known here, where keys are far apart, same version",
    ),
    "one row there": (
        success(300.0, worker_seconds=1.0, keys=1, rows=1, table="shop_order"),
        HERE,
        1.0,
        "2026-11-20, 1 row there, not known here, same version",
    ),
}


@pytest.mark.parametrize(("there", "here", "seconds", "basis"), FIGURES.values(), ids=FIGURES)
def test_a_figure_says_what_it_is_based_on(there: Success, here: Here, seconds: float, basis: str) -> None:
    found = figure("staging", there, here)
    assert found.seconds == pytest.approx(seconds)
    assert ", ".join(found.basis) == basis


def test_a_figure_names_the_place_of_the_run_where_the_ledger_came_from_another() -> None:
    found = figure("staging", success(environment="production"), HERE, ["it failed there later"])
    assert words(found) == ("about 3 min 20 s (production, 2026-11-20, same version, it failed there later)")


def test_without_a_figure_the_reason_is_said() -> None:
    assert (
        words(Figure("staging", None, ("it never ran there",))) == "no figure (staging, it never ran there)"
    )


SAMPLE = Sample(5, 5000, 0.4, 2.0, 600.0, 1_200_000, "...")
REHEARSED = {
    "a plain script": (
        "succeeded",
        RehearsalReport((TableChanges("default", "shop_order", updated=1200),), seconds=2.0),
        HERE,
        2.0,
        "2026-11-20, 1,200 rows changed, same version",
    ),
    "rows that are not known": (
        "succeeded",
        RehearsalReport((TableChanges("default", "shop_order", updated=None),), seconds=2.0),
        Here("st1:b"),
        2.0,
        "2026-11-20, rows not known, another version",
    ),
    "a batched script": (
        "succeeded",
        RehearsalReport(sample=SAMPLE, seconds=3.0),
        HERE._replace(workers=2, percent=50.0),
        150.0,
        "2026-11-20, by 5 batches, 1.2 M rows changed, 50 % is done here, same version",
    ),
    "too few batches": (
        "succeeded",
        RehearsalReport(sample=SAMPLE._replace(estimated_seconds=None, estimated_rows=None)),
        HERE,
        None,
        "2026-11-20, by 5 batches, rows not known, same version, too little was rehearsed for a figure",
    ),
    "all of its batches": (
        "succeeded",
        RehearsalReport((TableChanges("default", "a", deleted=1),), sample=SAMPLE._replace(percent=100.0)),
        HERE,
        2.0,
        "2026-11-20, 1 row changed, same version",
    ),
    "a failure": ("failed", RehearsalReport(seconds=2.0), HERE, None, "it failed on 2026-11-20"),
}


@pytest.mark.parametrize(("outcome", "report", "here", "seconds", "basis"), REHEARSED.values(), ids=REHEARSED)
def test_a_rehearsal_is_a_basis_of_its_own(
    outcome: str, report: RehearsalReport, here: Here, seconds: float | None, basis: str
) -> None:
    moment = datetime(2026, 11, 20, 12)  # noqa: DTZ001 - shown as it is
    found = rehearsed(SAME, StoredRehearsal(1, outcome, moment, None, "", report), here)
    assert (found.place, found.seconds) == ("a rehearsal here", seconds)
    assert ", ".join(found.basis) == basis


def _figures(*seconds: float | None, same: tuple[float, ...] = ()) -> tuple[Figure, ...]:
    return tuple(Figure("x", one, (), is_same_version=one in same) for one in seconds)


TOTALS = {
    "nothing is known": ([_figures(None), ()], "Total: no figure for any of these scripts."),
    "one of two is not known": (
        [_figures(60.0), _figures(None)],
        "Total: about 1 min for 1 of 2 scripts; 1 without a figure.",
    ),
    "all are known": ([_figures(60.0), _figures(30.0)], "Total: about 1 min 30 s."),
    "of several the longest counts": ([_figures(60.0, 90.0, None)], "Total: about 1 min 30 s."),
    "the same version counts more than a longer run": (
        [_figures(60.0, 90.0, same=(60.0,))],
        "Total: about 1 min.",
    ),
}


@pytest.mark.parametrize(("figures", "line"), TOTALS.values(), ids=TOTALS)
def test_the_total_says_how_many_scripts_it_is_of(figures: list[tuple[Figure, ...]], line: str) -> None:
    forecast = {script_id(f"shop.s{number}"): one for number, one in enumerate(figures)}
    assert total_words(total(forecast)) == line
