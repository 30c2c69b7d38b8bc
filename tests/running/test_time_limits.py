"""run_scripts --for: nothing begins when the time is over, and the exit code says that something is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from scripts_tracker.core.text import parsed_duration
from scripts_tracker.running import runner
from tests.jobs import Jobs

NOW = [0.0]
TAKE_LONG = "from tests.running.test_time_limits import NOW; NOW[0] += 1000"


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner whose time passes as the scripts say."""
    monkeypatch.setattr(runner, "time", SimpleNamespace(monotonic=lambda: NOW[0], sleep=time.sleep))


NO_DURATIONS = [
    "",
    "30",
    "x",
    "m",
    "-5m",
    "0s",
    "30m2h",
    "1e3s",
    "5 min",
    "inf",
    "9" * 400 + "s",
    0,
    -1,
    True,
    [],
]


@pytest.mark.parametrize("given", NO_DURATIONS, ids=lambda given: repr(given)[:12])
def test_a_wrong_duration_is_one_clear_line_and_runs_nothing(jobs: Jobs, given: Any) -> None:
    jobs.script("first")
    result = jobs.run(duration=given)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("--for: expected a duration such as 90s, 30m or 2h30m, got ")
    assert len(result.err.splitlines()) == 1
    assert jobs.outcomes() == []


DURATIONS = {"90s": 90, "30m": 1800, "2h30m": 9000, "1.5h": 5400, "1d2h3m4s": 93784}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS.items(), ids=DURATIONS)
def test_a_duration_is_written_as_people_write_it(text: str, seconds: float) -> None:
    assert parsed_duration(text) == seconds


def test_what_runs_when_the_time_is_over_comes_to_its_end_and_nothing_else_begins(jobs: Jobs) -> None:
    jobs.script("a", TAKE_LONG)
    jobs.script("b")
    jobs.script("c", requires="b")
    result = jobs.run(duration="10m")
    assert result.code == 75
    assert jobs.outcomes() == ["a succeeded"]
    assert "jobs.b: not started: the time of --for is over" in result.out
    assert "1 done, 0 failed, 1 stopped, 1 blocked, 0 skipped." in result.out
    assert result.err == "Not finished: 1 stopped, 1 blocked. Run the same command again to go on.\n"
    assert jobs.run(duration="10m").code == 0
    assert jobs.outcomes() == ["a succeeded", "b succeeded", "c succeeded"]


def test_a_run_that_ends_in_time_is_as_any_other(jobs: Jobs) -> None:
    jobs.script("a")
    assert jobs.run(duration="10m").out.splitlines()[-1] == "1 done, 0 failed, 0 blocked, 0 skipped."


FAILURES: dict[str, Callable[[Jobs], None]] = {
    "that failed before": lambda jobs: jobs.script("a", "raise CommandError('no')"),
    "that is blocked": lambda jobs: jobs.script("a", requires="nothing"),
}


@pytest.mark.parametrize("fail", FAILURES.values(), ids=FAILURES)
def test_running_again_is_not_the_answer_to_a_script(jobs: Jobs, fail: Callable[[Jobs], None]) -> None:
    fail(jobs)
    jobs.script("b", TAKE_LONG)
    jobs.script("c")
    result = jobs.run(duration="10m", continue_on_error=True)
    assert result.code == 1
    assert "Some scripts did not run: " in result.err


def test_no_longer_than_this_does_it_wait_for_another_process(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a")
    jobs.begin_elsewhere("a")
    monkeypatch.setattr(getattr(runner, "time"), "sleep", lambda _: NOW.__setitem__(0, NOW[0] + 1000))  # noqa: B009 - that of the fixture
    result = jobs.run(duration="10m", wait=3600)
    assert result.code == 75
    assert "not started: the time of --for is over; running since" in result.out
