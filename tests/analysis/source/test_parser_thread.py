from __future__ import annotations

import contextlib
import gc
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.source import parsing
from scripts_tracker.analysis.source.parsing import parse
from scripts_tracker.analysis.store import compiling
from scripts_tracker.analysis.store.compiling import Result
from scripts_tracker.exceptions import UnreadableSource
from tests.waiting import PATIENCE, wait_for

FORKED = """
import os
from scripts_tracker.analysis.source.parsing import parse
parse(b"x = 1\\n")
child = os.fork()
if not child:
    parse(b"y = 2\\n")
    os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(parse(b"z = 3\\n").module.body))
"""


def _raise(argument: str) -> object:
    raise KeyError(argument)


def _running() -> bool:
    return any(thread.name == "scripts_tracker parser" for thread in threading.enumerate())


def test_an_error_of_the_thread_is_raised_in_the_caller() -> None:
    with pytest.raises(KeyError, match="x"):
        parsing.on_deep_stack(_raise, "x")
    assert parsing.on_deep_stack(str.upper, "x") == "X"


def test_a_call_within_a_call_stays_in_its_thread() -> None:
    def within(text: str) -> object:
        thread = threading.current_thread()
        return text, parsing.on_deep_stack(lambda _: threading.current_thread() is thread, "")

    assert parsing.on_deep_stack(within, "x") == ("x", True)


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(parsing, "_idle", [])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(UnreadableSource, match="no thread"):
        parse(b"x = 1\n")


def test_the_thread_ends_when_it_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "IDLE_SECONDS", 0.01)
    parsing.on_deep_stack(str.upper, "x")
    wait_for(lambda: not _running(), "the thread ends")
    assert parsing.on_deep_stack(str.upper, "y") == "Y"


def test_many_threads_call_at_once() -> None:
    found: list[object] = []
    callers = [
        threading.Thread(
            target=lambda text=str(number): found.append(parsing.on_deep_stack(str.upper, f"x{text}"))
        )
        for number in range(20)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(map(str, found)) == sorted(f"X{number}" for number in range(20))


def test_a_forked_process_parses_as_well() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == "7 1\n", done.stderr


@pytest.mark.parametrize("source", [b"x = 1\n", b"x = = 1\n"])
def test_the_garbage_collector_is_enabled_again_afterwards(source: bytes) -> None:
    assert gc.isenabled()
    with contextlib.suppress(UnreadableSource):
        extract(source)
    assert gc.isenabled()


def test_a_garbage_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        extract(b"x = 1\n")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_after_an_interrupt_the_thread_ends_with_the_files_that_it_is_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[Sequence[bytes]] = []
    is_at_work, is_given_up = threading.Event(), threading.Event()

    class Answers(queue.SimpleQueue[object]):
        """Ctrl-C comes while the caller waits. A real signal could come just before, which Python notices after the wait."""

        def get(self, block: bool = True, timeout: float | None = None) -> object:  # noqa: FBT001, FBT002 - as in its base
            if timeout is not None:
                return super().get(block, timeout)
            assert is_at_work.wait(PATIENCE)
            raise KeyboardInterrupt

    def work(chunk: Sequence[bytes]) -> list[Result]:
        is_at_work.set()
        assert is_given_up.wait(PATIENCE)
        done.append(chunk)
        return [UnreadableSource("not of interest") for _ in chunk]

    others = set(threading.enumerate())
    monkeypatch.setattr(queue, "SimpleQueue", Answers)
    monkeypatch.setattr(parsing, "_idle", [])
    # It has to end before the list is that of the other tests again: it would look for itself there for ever.
    monkeypatch.setattr(parsing, "IDLE_SECONDS", 0.01)
    with pytest.raises(KeyboardInterrupt):
        compiling._compiled_here([[b"a = 1"], [b"b = 2"], [b"c = 3"]], work)
    is_given_up.set()
    wait_for(lambda: others.issuperset(threading.enumerate()), "the thread ends")
    assert done == [[b"a = 1"]]
