"""Words for spans of time and for who holds a script."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import timedelta, timezone

import pytest

from scripts_tracker.core import frames
from scripts_tracker.core.text import (
    as_typed,
    command_line,
    describe_holder,
    describe_lease,
    error_traceback,
    local_time,
    quoted,
    reason_line,
)
from scripts_tracker.core.values import Lease
from tests.builders import NOON, run


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


ZONES = {
    "UTC0": "2026-05-01 12:00 UTC",
    "CET-1": "2026-05-01 13:00 +01:00",
    "XXX+3:30": "2026-05-01 08:30 -03:30",
}


@pytest.mark.parametrize(("zone", "words"), ZONES.items())
def test_a_moment_has_its_zone(zone: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert local_time(NOON) == words
        assert local_time(NOON.astimezone(timezone(timedelta(hours=5)))) == words
    finally:
        monkeypatch.undo()
        time.tzset()
    assert local_time(None) == "an unknown date"


OURS = f"{frames._OURS}running/outcome.py"
FRAMES = {
    "ours above and between": (["ours", "script", "ours", "script"], ["script", "script"]),
    "what has called the script": (["django", "importlib", "ours", "script"], ["script"]),
    "what the script calls": (["script", "django", "importlib"], ["script", "django", "importlib"]),
    "where it happened, although that is ours": (["ours", "script", "ours"], ["script", "ours"]),
    "a script that was not reached": (["ours", "importlib"], ["ours", "importlib"]),
}
FILES = {
    "ours": OURS,
    "script": "/shop/fix.py",
    "django": "/lib/django/core/management/base.py",
    "importlib": "<frozen importlib._bootstrap>",
}


def called_through(names: list[str], last: str = "1 / 0") -> BaseException:
    """The error of calls through files with these names."""
    calls: list[object] = []
    for name in reversed(names):
        body = f"def call(then): {'return then()' if calls else last}"
        space: dict[str, object] = {}
        exec(compile(body, FILES[name], "exec"), space)  # noqa: S102 - a frame of that file
        function, then = space["call"], calls[-1] if calls else None
        calls.append(lambda function=function, then=then: function(then))
    try:
        calls[-1]()  # type: ignore[operator]
    except ZeroDivisionError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(("names", "kept"), FRAMES.values(), ids=FRAMES)
def test_a_traceback_has_the_frames_of_the_script(
    names: list[str], kept: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "_CALLERS", (*frames._CALLERS, __file__))
    monkeypatch.setattr(frames, "_OURS", (frames._OURS, __file__))
    error = called_through(names)
    error.__cause__ = called_through(["ours", "script"])
    cause, _, text = error_traceback(error).partition("direct cause")
    files = [line.split('"')[1] for line in text.splitlines() if line.startswith("  File")]
    assert [file for file in files if file != __file__] == [FILES[name] for name in kept]
    assert OURS not in cause
    assert text.endswith("ZeroDivisionError: division by zero\n")


REASONS = {
    "an error that explains itself": ("CommandError: no rates\nfor May", "no rates"),
    "another one": ("ValueError: x", "ValueError: x"),
    "after the commit": (
        "succeeded; error after commit: CommandError: no mail",
        "succeeded; error after commit: no mail",
    ),
    "a text about one": ("as it says: CommandError: x", "as it says: CommandError: x"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("reason", "line"), REASONS.values(), ids=REASONS)
def test_a_stored_reason_in_a_line(reason: str, line: str) -> None:
    assert reason_line(reason) == line


WORDS = {
    "plain": "shop.fix",
    "option": "--reason=because",
    "path": "shop/management/commands/fix.py",
    "pattern": "shop.[b]*?",
    "blank": "two words",
    "nothing": "",
    "variable": "$HOME ${HOME}",
    "substitution": "$(id) `id`",
    "apostrophe": "it's",
    "quotes": '"x"',
    "both quotes": 'it\'s "x"',
    "apostrophe and variable": "it's $HOME",
    "backslash": "a\\b\\",
    "history": "a!b",
    "end of a command": "a;b&c|d>e<f(g)#h~",
    "home": "~root",
    "lines": "a\nb",
    "letters of others": "größe",
    "escape": "a\x1b[2J",
}


@pytest.mark.skipif(os.name != "posix", reason="Windows has another shell")
def test_a_shell_reads_typed_words_as_they_are() -> None:
    line = f"printf '%s\\0' {as_typed(WORDS.values())}"
    printed = subprocess.run(["sh", "-c", line], capture_output=True, check=True).stdout.decode()
    assert printed.split("\0")[:-1] == list(WORDS.values())


@pytest.mark.parametrize(
    ("word", "shown"),
    [("shop.fix", "shop.fix"), ("shop.a b", '"shop.a b"'), ("it's", '"it\'s"'), ("$x", "'$x'"), ("!", "'!'")],
)
def test_a_word_is_quoted_only_where_that_is_needed_and_in_double_quotes_where_those_are_enough(
    word: str, shown: str
) -> None:
    assert quoted(word) == shown


def test_a_name_is_quoted_in_a_command_and_the_command_itself_is_not() -> None:
    assert command_line('check_scripts --release {} --reason "..."', "a [b]") == (
        'check_scripts --release "a [b]" --reason "..."'
    )
    assert command_line("{braces}") == "{braces}"
