"""Ctrl-C and SIGTERM that come while the process is put back after a script: none is lost, and nothing is left half done."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from django.db import OperationalError

from scripts_tracker.ledger import processes
from scripts_tracker.running import process_signals, process_state
from tests.builders import script_id
from tests.jobs import Jobs

_SMALL = {"a signal handler", "the umask", "the environment"}
_FILES = (process_state.__file__, process_signals.__file__, processes.__file__, "contextlib.py")


class Injection:
    """Raises an interrupt at one line of what runs in the block, and says where that was.

    Args:
        number: which of the lines.
    """

    def __init__(self, number: int) -> None:
        self.where = ""
        self._left = number
        self._before = sys.gettrace()

    def __enter__(self) -> None:
        sys.settrace(self._trace)

    def __exit__(self, *error: object) -> None:
        sys.settrace(self._before)

    def _trace(self, frame: FrameType, event: str, _arg: object) -> Any:
        if self.where or not frame.f_code.co_filename.endswith(_FILES):
            return None
        if event == "line" or (event == "return" and frame.f_code.co_name == "__enter__"):
            self._left -= 1
            if not self._left:
                self.where = f"{frame.f_code.co_name}:{frame.f_lineno}"
                raise KeyboardInterrupt
        return self._trace


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """What the work returns.

    CPython 3.11 may go on to handle an exception for ever if a trace function raises another one where it is handled; each later
    exception of the process would name it as its context. Work in a generator keeps that to itself.
    """
    return next(work(*arguments) for _ in "1")


@pytest.fixture
def _few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [part for part in process_state._PARTS if part.name in _SMALL]
    monkeypatch.setattr(process_state, "_PARTS", parts)


@pytest.fixture
def mask() -> Iterator[Any]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield before
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _interrupted_at(number: int, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Where an interrupt came, and what became of it; no place where there are no more lines."""
    monkeypatch.delenv("LEFT", raising=False)
    state = process_state.ProcessState()
    monkeypatch.setenv("LEFT", "1")
    injection = Injection(number)
    try:
        with injection:
            interrupt = state.restore(script_id("jobs.a"))
    except KeyboardInterrupt:
        return injection.where, "raised"
    finally:
        state.close()
    return injection.where, "returned" if interrupt is not None else "lost"


@pytest.mark.usefixtures("_few_parts")
def test_an_interrupt_at_any_line_is_kept_and_everything_is_put_back(
    mask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, returned = 0, 0
    while True:
        number += 1
        where, end = _apart(_interrupted_at, number, monkeypatch)
        if not where:
            break
        assert end != "lost", where
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask, where
        assert not processes._holds, where
        if end == "returned":
            assert "LEFT" not in os.environ, where
            returned += 1
        else:
            assert where.startswith("restore:"), "before it has begun, or when all is over"
    assert returned > 50


@pytest.mark.usefixtures("_few_parts")
def test_an_interrupt_that_came_just_before_all_signals_were_blocked_does_not_leave_them_so(
    mask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    block, came = signal.pthread_sigmask, list[int]()

    def raise_once(how: int, signals: Any) -> Any:
        before = block(how, signals)
        if how == signal.SIG_BLOCK and signals and not came:
            came.append(how)
            raise KeyboardInterrupt  # as it does when it has blocked them
        return before

    state = process_state.ProcessState()
    monkeypatch.setenv("LEFT", "1")
    monkeypatch.setattr(signal, "pthread_sigmask", raise_once)
    interrupt = state.restore(script_id("jobs.a"))
    monkeypatch.undo()
    state.close()
    assert isinstance(interrupt, KeyboardInterrupt)
    assert block(signal.SIG_BLOCK, ()) == mask
    assert "LEFT" not in os.environ


def _interrupted_in(block: Any, number: int) -> str:
    injection = Injection(number)
    with contextlib.suppress(KeyboardInterrupt), injection, block():
        pass
    return injection.where


@pytest.mark.parametrize("block", [processes.signals_held, processes.signals_delayed])
def test_a_block_that_is_interrupted_where_it_ends_holds_no_later_signal(block: Any) -> None:
    number = 0
    while True:
        number += 1
        where = _apart(_interrupted_in, block, number)
        if not where:
            break
        assert not processes._holds, where
        assert not processes._delays, where
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert number > 10


def _interrupt_while_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Press Ctrl-C once, while the process is put back after the first script."""
    pressed: list[int] = []

    def press(_value: object) -> None:
        if not pressed:
            pressed.append(1)
            signal.raise_signal(signal.SIGINT)

    part = process_state._PARTS[0]._replace(name="nothing", read=int, restore=press)
    monkeypatch.setattr(process_state, "_PARTS", [part])


def test_an_interrupt_ends_the_run_instead_of_the_wait_for_a_script(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a")
    jobs.script("b")
    jobs.begin_elsewhere("a")
    _interrupt_while_put_back(monkeypatch)
    result = jobs.run(wait=0, continue_on_error=True)
    assert result.code == 130, result
    assert "2 skipped" in result.out
    assert jobs.outcomes() == ["a running"]


def test_an_interrupt_is_kept_if_the_ledger_fails_in_the_same_moment(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a", "from django.db import OperationalError; raise OperationalError('away')")
    jobs.script("b")
    _interrupt_while_put_back(monkeypatch)

    def fail(*_args: object) -> None:
        raise OperationalError("the database is away")

    from scripts_tracker.running import runner

    monkeypatch.setattr(runner.Runner, "_failed", fail)
    result = jobs.run(continue_on_error=True)
    assert result.code == 130, result
    assert "1 failed, 0 blocked, 1 skipped" in result.out
