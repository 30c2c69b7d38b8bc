"""``show_script`` and ``--watch`` for a batched script: how far it is, who works on it, what stops it."""

from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.core.states import statuses
from scripts_tracker.models import ScriptRun, ScriptWalk
from scripts_tracker.reporting.following import WalkFollower, progress_line
from tests.builders import definition, key_range, record, walk, worker
from tests.jobs import Jobs
from tests.reporting.test_formats import PLAIN
from tests.walks import add_range, add_worker, batched, begin, hold

FAST: dict[str, Any] = {"worker": 4, "keys_per_second": 5.0, "rows_per_second": 1234.4, "keys": 4300}
AT_WORK = walk(workers=(worker(4),), ranges=(key_range(0, 43, **FAST), key_range(1, 100)))
STUCK = key_range(1, 150, "parked", reason="row 151: IntegrityError")
STATUS = statuses(
    [definition("shop.x", is_batched=True)], {record("shop.x").id: record("shop.x", walk=AT_WORK)}
)[0]


def follower(width: int | None = None, clock: Any = lambda: 0.0) -> WalkFollower:
    return WalkFollower(STATUS, PLAIN._replace(width=width), clock)


# At a terminal and in a pipe


@pytest.mark.parametrize("width", [8, 20, 40, 60, 80, 200])
def test_the_line_fits_in_every_terminal(width: int) -> None:
    line = progress_line(AT_WORK, width)
    assert len(line) < width
    assert line.startswith("21.5 %"[: width - 1])
    assert not line.endswith(",")
    assert ("1 worker" in line) == (width >= 60)


def test_at_a_terminal_one_line_is_drawn_over() -> None:
    watching = follower(80)
    first = watching.text(AT_WORK)
    assert first.endswith("\n21.5 %, 1,234 rows/s, 52 min 20 s left, 1 worker")
    assert watching.text(AT_WORK) == "\r\x1b[K21.5 %, 1,234 rows/s, 52 min 20 s left, 1 worker"
    assert (watching.erase(), watching.erase()) == ("\r\x1b[K", "")


def test_in_a_pipe_there_is_a_line_a_minute() -> None:
    now = 0.0
    watching = follower(clock=lambda: now)
    assert watching.text(AT_WORK).startswith("shop.x: shop_order, begun on 2026-05-01 12:00 UTC\n21.5 %, ")
    now = 59
    assert watching.text(AT_WORK) == ""
    now = 61
    assert watching.text(AT_WORK) == "21.5 %, 1,234 rows/s, 52 min 20 s left, 1 worker\n"
    now = 62
    assert watching.text(AT_WORK) == ""


def test_the_latest_sign_of_life_of_any_worker_is_at_the_end_of_the_line() -> None:
    at_work = AT_WORK._replace(workers=(worker(4, ago=41), worker(5, ago=7), worker(6, live=False, ago=1)))
    assert progress_line(at_work, 200).endswith(", 2 workers, last sign of life 7 s ago")
    assert "sign" not in progress_line(AT_WORK, 200)


def test_a_parked_range_is_named_once() -> None:
    watching = follower(80)
    stuck = AT_WORK._replace(ranges=(AT_WORK.ranges[0], STUCK))
    assert "parked: range 1: row 151: IntegrityError\n" in watching.text(stuck)
    assert "parked: range" not in watching.text(stuck)


def test_what_a_throttle_says_cannot_steer_a_terminal() -> None:
    waiting = AT_WORK._replace(workers=(worker(4, waiting="behind\x1b[2J"),))
    for width in (None, 80):
        assert "\x1b[2J" not in follower(width).text(waiting)


ENDS = {
    "done": (AT_WORK._replace(outcome="succeeded"), 0, "shop.x: done\n"),
    "paused": (
        walk(hold="pause"),
        75,
        "shop.x: paused by anna on web-1 on 2026-05-01 12:00 UTC: the disk is full; 43 % done\n",
    ),
    "cancelled": (walk(hold="cancel"), 75, "shop.x: cancelled by anna on web-1 on 2026-05-01 12:00 UTC"),
    "stopped at a row": (walk(ranges=(STUCK,)), 1, "1 range parked: range 1: row 151: IntegrityError\n"),
    "begun anew": (walk(outcome="restarted"), 1, "shop.x: restarted, at 43 %\n"),
    "pruned": (None, 3, "shop.x: the ledger no longer has it.\n"),
}


@pytest.mark.parametrize(("now", "code", "words"), ENDS.values(), ids=ENDS)
def test_it_says_how_it_ended(now: Any, code: int, words: str) -> None:
    watching = follower()
    watching.text(AT_WORK)
    text = watching.text(now)
    assert (words in text, watching.exit_code) == (True, code)
    assert ("To see what to do: manage.py show_script shop.x" in text) == (now is not None and code > 0)


# The command


@pytest.mark.django_db
def test_the_detail_names_workers_and_parked_ranges(jobs: Jobs) -> None:
    jobs.write("fix", batched("fix"))
    walk = begin("jobs.fix")
    run = add_worker(walk, waiting="the replica is 9 s behind")
    for number in range(1, 13):
        add_range(
            walk, number * 100, number * 100 + 100, None, outcome="parked", reason=f"row {number}01: no"
        )
    shown = jobs.run("fix", command="show_script").out
    assert "\nProgress: 3.3 %, waiting: the replica is 9 s behind, 1 worker, 12 ranges parked\n" in shown
    assert "  shop_order: 0 keys walked, 0 rows changed, 13 ranges\n" in shown
    assert f"  worker {run.pk}: " in shown
    assert "  parked: range 1: row 101: no\n" in shown
    assert "  2 more ranges are parked\n" in shown
    assert '  pause it: manage.py pause_script jobs.fix --reason "..."\n' in shown


@pytest.mark.django_db
def test_it_is_watched_until_nobody_works_on_it(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.write("fix", batched("fix"))
    walk = begin("jobs.fix")
    add_worker(walk)

    def pause(_: float) -> None:
        hold(ScriptWalk.objects.get(), "pause")
        ScriptRun.objects.filter(kind="run").update(outcome="failed")

    monkeypatch.setattr("scripts_tracker.project.following.time.sleep", pause)
    result = jobs.run("fix", command="show_script", watch=True)
    assert result.code == 75
    assert "43 %, 0 rows/s, 1 worker\njobs.fix: paused by anna on " in result.out
    result = jobs.run("fix", command="show_script", watch=True)
    assert (result.code, "jobs.fix is not running: paused by anna on" in result.err) == (2, True)
