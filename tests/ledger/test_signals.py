from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scripts_tracker.ledger import processes
from scripts_tracker.ledger.processes import (
    Terminated,
    arrived,
    children_end_here,
    exit_code,
    signals_collected,
    signals_delayed,
    signals_held,
    signals_raise,
)

# Python 3.12 warns where threads are about, as those of pytest-xdist are.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


NUMBERS = (signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _default_handlers() -> Iterator[None]:
    before = {number: signal.signal(number, signal.SIG_DFL) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(params=NUMBERS)
def number(request: pytest.FixtureRequest) -> signal.Signals:
    found: signal.Signals = request.param
    return found


def end_of_child(work: Callable[[], None]) -> int:
    """How a forked child that does this work ends, as waitpid tells it."""
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(99)
    return os.waitpid(pid, 0)[1]


def send(number: signal.Signals) -> None:
    """A signal that a process sends to itself is there before anything else."""
    os.kill(os.getpid(), number)


def test_a_signal_is_an_exception_inside_the_block_and_the_default_after_it(number: signal.Signals) -> None:
    with pytest.raises(Terminated, match=f"^{number.name}$"), signals_raise():
        send(number)
    assert signal.getsignal(number) is signal.SIG_DFL
    assert arrived() is None


def test_except_exception_does_not_swallow_it() -> None:
    assert not issubclass(Terminated, Exception)


def test_it_is_remembered_if_it_is_swallowed(number: signal.Signals) -> None:
    with signals_raise():
        with contextlib.suppress(BaseException):
            send(number)
        assert str(arrived()) == number.name
    assert arrived() is None


def test_it_can_be_held_back(number: signal.Signals) -> None:
    with signals_raise():
        with signals_held():
            send(number)
        assert str(arrived()) == number.name
        with pytest.raises(Terminated):
            send(number)


def test_delayed_it_does_not_interrupt_until_it_comes_again(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_ECHO", 0.0)
    with signals_raise(), signals_delayed() as has_come:
        send(number)
        assert str(has_come()) == number.name
        with pytest.raises(Terminated):
            send(number)


def test_an_echo_of_it_is_the_same_signal(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_ECHO", 600.0)
    (other,) = {*NUMBERS} - {number}
    with signals_raise(), signals_delayed() as has_come:
        send(number)
        send(
            number
        )  # a service manager sends it to every process, and the one that started this one passes it on
        assert str(has_come()) == number.name
        with pytest.raises(Terminated):
            send(other)


def test_delayed_one_that_nobody_has_asked_for_comes_after_the_block(number: signal.Signals) -> None:
    with pytest.raises(Terminated, match=f"^{number.name}$"), signals_raise(), signals_delayed():
        send(number)


def test_a_delayed_ctrl_c_that_nobody_has_asked_for_comes_after_the_block() -> None:
    with pytest.raises(KeyboardInterrupt), signals_delayed():
        send(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


COLLECTS = pytest.mark.parametrize("collects", [signals_delayed, signals_collected])


@COLLECTS
def test_a_ctrl_c_is_not_lost_by_an_error_of_the_block(
    collects: Callable[[], contextlib.AbstractContextManager[object]],
) -> None:
    error = ValueError()

    def fail() -> None:
        send(signal.SIGINT)
        raise error

    with pytest.raises(KeyboardInterrupt) as caught, collects():
        fail()
    assert caught.value.__cause__ is error
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@COLLECTS
def test_without_a_ctrl_c_an_error_of_the_block_is_raised_as_it_is(
    collects: Callable[[], contextlib.AbstractContextManager[object]],
) -> None:
    with pytest.raises(ValueError, match="own") as caught, collects():
        raise ValueError("own")
    assert caught.value.__cause__ is None


def test_a_ctrl_c_at_the_end_of_the_block_is_collected_after_it() -> None:
    with signals_collected() as new:
        send(signal.SIGINT)
    assert new() == [signal.SIGINT]
    assert new() == []


@pytest.mark.parametrize("theirs", [signal.SIG_IGN, lambda *_: None], ids=["ignored", "handled"])
def test_what_the_project_does_with_a_signal_is_left_alone(number: signal.Signals, theirs: Any) -> None:
    (other,) = {*NUMBERS} - {number}
    signal.signal(number, theirs)
    with signals_raise():
        assert signal.getsignal(number) is theirs
        with pytest.raises(Terminated):
            send(other)
    assert signal.getsignal(number) is theirs


def test_a_handler_that_is_set_inside_the_block_stays(number: signal.Signals) -> None:
    seen: list[int] = []
    with signals_raise():
        signal.signal(number, lambda got, _: seen.append(got))
    send(number)
    assert seen == [number]


def test_a_thread_installs_nothing() -> None:
    seen: list[object] = []

    def look() -> None:
        with signals_raise():
            seen.extend(map(signal.getsignal, NUMBERS))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL, signal.SIG_DFL]


def test_a_block_inside_the_block_changes_nothing(number: signal.Signals) -> None:
    with signals_raise():
        with signals_raise(ends_process=True):
            pass
        with pytest.raises(Terminated):
            send(number)


def test_a_forked_child_is_ended_by_a_signal_as_it_always_was(number: signal.Signals) -> None:
    with signals_raise():
        assert os.WTERMSIG(end_of_child(lambda: send(number))) == number


def test_a_process_that_keeps_our_handler_is_ended_by_it_as_it_always_was(number: signal.Signals) -> None:
    def work() -> None:
        with signals_raise():
            ours = signal.getsignal(number)
        signal.signal(number, ours)
        send(number)

    assert os.WTERMSIG(end_of_child(work)) == number


@pytest.mark.parametrize("is_swallowed", [True, False])
def test_a_process_ends_by_the_signal_after_the_block(number: signal.Signals, *, is_swallowed: bool) -> None:
    def work() -> None:
        with signals_raise(ends_process=True), contextlib.suppress(*[Terminated] * is_swallowed):
            send(number)

    assert os.WTERMSIG(end_of_child(work)) == number


def test_where_the_signal_does_not_end_it_the_exit_code_does(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_in_vain(pid: int, sent: int, real: Any = os.kill) -> None:
        if signal.getsignal(sent) is not signal.SIG_DFL:  # as the kernel does for process 1
            real(pid, sent)

    monkeypatch.setattr(os, "kill", send_in_vain)
    with pytest.raises(SystemExit) as left, signals_raise(ends_process=True):
        send(number)
    assert left.value.code == 128 + number


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words for it")


def leave_with(error: BaseException | None) -> Callable[[], None]:
    """A child that forks another inside the block, which leaves it so; ends with the code of that."""

    def work() -> None:
        pid = None
        with children_end_here():
            pid = os.fork()
            if not pid and error:
                raise error
        assert pid, "the child went on with what is its parent's"
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    return work


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (SystemExit(), 0),
        (SystemExit(3), 3),
        (SystemExit("sorry"), 1),
        (SystemExit(Unprintable()), 1),
        (ValueError("boom"), 1),
        (Unprintable(), 1),
    ],
    ids=[
        "by its end",
        "by an exit",
        "by an exit with a code",
        "by an exit with words",
        "by an exit with a code that cannot be printed",
        "by an error",
        "by an error that cannot be printed",
    ],
)
def test_a_child_that_gets_out_of_the_block_ends_there(error: BaseException | None, code: int) -> None:
    assert os.waitstatus_to_exitcode(end_of_child(leave_with(error))) == code


def test_the_process_itself_goes_on_with_its_errors() -> None:
    with pytest.raises(SystemExit), children_end_here():
        raise SystemExit(3)


@pytest.mark.parametrize(
    ("interrupt", "code"),
    [(KeyboardInterrupt(), 130), (Terminated("SIGTERM"), 143), (Terminated("SIGHUP"), 129)],
)
def test_the_exit_code_is_the_one_that_a_shell_expects(interrupt: KeyboardInterrupt, code: int) -> None:
    assert exit_code(interrupt) == code
