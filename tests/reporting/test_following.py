"""``show_script --watch`` as text, at a terminal and through a pipe."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management.color import no_style

from scripts_tracker.core.history import PastRun, RunNow
from scripts_tracker.core.values import Lease
from scripts_tracker.reporting.following import Follower
from scripts_tracker.reporting.terminal import Output
from tests.builders import run, script_id

PIPE, TERMINAL = Output(no_style()), Output(no_style(), width=60)
LIVE = Lease(is_live=True, ago=41, left=19)
HEAD = "shop.slow: running since 2026-05-01 12:00 by deploy on web-1, process 42\n"


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scripts_tracker.core.text.local_time", lambda moment: f"{moment:%Y-%m-%d %H:%M}")


def look(output: str = "", outcome: str = "running", *, lease: Lease | None = LIVE, **facts: Any) -> RunNow:
    record = run(outcome)._replace(ended_at=None, **facts)
    return RunNow(PastRun(record, outcome), lease if outcome in {"running", "lost"} else None, output)


def followed(*looks: RunNow | None, output: Output = PIPE, seconds: float = 1) -> list[str]:
    """What is written after each look."""
    times = iter(range(100))
    follower = Follower(script_id("shop.slow"), output, lambda: next(times) * seconds)
    return [follower.text(one) for one in looks]


def test_through_a_pipe_lines_come_as_they_are_printed_and_nothing_moves_the_cursor() -> None:
    written = followed(look("a\n"), look("a\nb\nha"), look("a\nb\nhalf"), look("a\nb\nhalf\nc", "succeeded"))
    assert written == [f"{HEAD}a\n", "b\n", "", "half\nc\nshop.slow: succeeded\n"]


def test_through_a_pipe_the_sign_of_life_is_a_line_once_a_minute() -> None:
    written = followed(*[look()] * 5, seconds=25)
    sign = "(last sign of life 41 s ago, free in 19 s if none follows)\n"
    assert written == [HEAD, "", sign, "", ""]


def test_at_a_terminal_the_unfinished_line_and_the_sign_of_life_are_drawn_over() -> None:
    first, second, third, last = followed(
        look("a\n  5 %"), look("a\n 10 %"), look("a\n"), look("a\n 90 %\nb\n", "succeeded"), output=TERMINAL
    )
    sign = "last sign of life 41 s ago, free in 19 s if none follows"
    two = "\r\x1b[K\x1b[1A\x1b[K"
    assert first.endswith(f"\na\n  5 %\n{sign}")
    assert second == f"{two} 10 %\n{sign}"
    assert third == f"{two}{sign}"
    assert last == "\r\x1b[K 90 %\nb\nshop.slow: succeeded\n"


def test_at_a_terminal_nothing_that_is_drawn_over_wraps() -> None:
    (written,) = followed(look("x" * 300), output=TERMINAL._replace(width=30))
    assert [len(line) for line in written.splitlines()[-2:]] == [29, 29]


def test_a_wide_character_takes_two_columns() -> None:
    (written,) = followed(look("\u6570" * 300), output=TERMINAL._replace(width=30))
    assert written.splitlines()[-2] == "\u6570" * 14


def test_the_first_look_shows_the_last_lines_and_how_many_came_before() -> None:
    (written,) = followed(look("".join(f"{number}\n" for number in range(50))))
    lines = written.splitlines()
    assert lines[1] == "(30 earlier lines: manage.py show_script shop.slow --format json)"
    assert lines[2:] == [str(number) for number in range(30, 50)]


def test_it_says_where_more_was_printed_than_is_kept() -> None:
    assert (
        followed(look("a\n"), look("y\nz\n"))[1]
        == "(more was printed in between than the ledger keeps)\ny\nz\n"
    )


def test_on_sqlite_it_says_why_there_is_no_output_yet() -> None:
    (written,) = followed(look(lease=Lease(is_live=True, ago=None, left=None)))
    assert written == f"{HEAD}SQLite stores the output when the script ends.\n"


ENDS = {
    "a failure": (look("", "failed", reason="ValueError: x\nmore"), "failed: ValueError: x\n"),
    "a lease that ran out": (
        look("", "lost", lease=Lease(is_live=False, ago=75, left=-15)),
        "lost: last sign of life 1 min 15 s ago\n",
    ),
    "a release": (
        look("", "lost", lease=None, reason="released by ada: dead"),
        "lost: released by ada: dead\n",
    ),
}


@pytest.mark.parametrize(("end", "words"), ENDS.values(), ids=ENDS)
def test_the_end_says_what_happened_and_what_to_type(end: RunNow, words: str) -> None:
    more = "To see why: manage.py show_script shop.slow\n"
    assert followed(look(), end)[1] == f"shop.slow: {words}{more}"


def test_a_run_whose_row_was_deleted_is_said_to_be_gone() -> None:
    assert followed(look(), None)[1] == "shop.slow: the ledger no longer has this run.\n"


def test_no_character_of_the_output_controls_the_terminal() -> None:
    written = followed(
        look("\x1b[2Ja\x07\n\x1b[1Ab"), look("\x1b[2Ja\x07\n\x1b[1Ab\n", "succeeded"), output=TERMINAL
    )
    assert "^[[2Ja^G" in written[0]
    assert "\x1b" not in written[0]
    assert "\x1b[1Ab" not in written[1]
