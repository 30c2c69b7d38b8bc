from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from scripts_tracker.ledger.processes import Terminated, children_end_here, exit_code, sigterm_raises

# Python 3.12 warns where threads are about, as those of pytest-xdist are.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@pytest.fixture(autouse=True)
def _default_sigterm() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGTERM, before)


def end_of_child(work: Callable[[], None]) -> int:
    """How a forked child that does this work ends, as waitpid reports it."""
    pid = os.fork()
    if not pid:
        try:
            work()
        finally:
            os._exit(99)
    return os.waitpid(pid, 0)[1]


def evict() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(5)


def test_sigterm_is_an_exception_inside_the_block_and_the_default_after_it() -> None:
    with pytest.raises(Terminated, match="SIGTERM"), sigterm_raises():
        evict()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_except_exception_does_not_swallow_it() -> None:
    assert not issubclass(Terminated, Exception)


def test_a_handler_of_the_project_is_left_alone() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with sigterm_raises():
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN


def test_a_thread_installs_nothing() -> None:
    seen: list[object] = []

    def look() -> None:
        with sigterm_raises():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_a_forked_child_is_ended_by_sigterm_as_it_always_was() -> None:
    with sigterm_raises():
        assert os.WTERMSIG(end_of_child(evict)) == signal.SIGTERM


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


@pytest.mark.parametrize(("interrupt", "code"), [(KeyboardInterrupt(), 130), (Terminated("SIGTERM"), 143)])
def test_the_exit_code_is_the_one_that_a_shell_expects(interrupt: KeyboardInterrupt, code: int) -> None:
    assert exit_code(interrupt) == code
