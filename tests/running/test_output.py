"""What a script prints is kept, without a difference for the script or its reader."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.core.management.base import OutputWrapper

from scripts_tracker.core.redaction import MASK, masked_tail
from scripts_tracker.running import output
from scripts_tracker.running.output import SLACK, Tail, captured
from tests.conftest import ENVIRONMENT, ROOT
from tests.waiting import PATIENCE


class Command:
    """What captured() needs of a Django command."""

    def __init__(self, stdout: Any = None, stderr: Any = None) -> None:
        self.stdout = stdout
        self.stderr = stderr


class Slotted:
    __slots__ = ("text",)

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


class Tee:
    """Writes to another stream, as scripts that keep a log file have it."""

    def __init__(self, *streams: Any) -> None:
        self.streams = streams

    def write(self, text: str) -> int:
        for stream in self.streams:
            stream.write(text)
        return len(text)

    def flush(self) -> None: ...


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        if "late" in text:
            raise BrokenPipeError
        return super().write(text)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert not output._taps
    assert output._tails.get(None) is None
    for stream in (sys.stdout, sys.stderr):
        assert "write" not in vars(stream)


def kept(act: Callable[[], object], command: object = None, limit: int = 1000) -> str:
    with captured(command, limit) as tail:
        act()
    return tail.text()


def in_vain(*args: object) -> None:
    with pytest.raises(TypeError):
        sys.stdout.write(*args)  # type: ignore[arg-type]


def in_a_thread() -> None:
    thread = threading.Thread(target=print, args=("x",))
    thread.start()
    thread.join()


def with_a_progress_bar() -> None:
    for percent in range(101):
        print(f"\r{percent} %", end="")
    print("\nend\r\n", end="")


def redirected() -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        print("hidden")
    print("seen")


def deeper() -> None:
    print("before")
    with captured(None, 10) as inner:
        print("within")
    assert inner.text() == "within\n"


UNSEEN: dict[str, Callable[[], object]] = {
    "nothing printed": lambda: None,
    "bytes to the buffer": lambda: sys.stdout.buffer.write(b"x"),
    "a child process": lambda: subprocess.run([sys.executable, "-c", "print(1)"], check=True),
    "a wrong type": lambda: in_vain(b"x"),
    "nothing at all": in_vain,
    "an empty text": lambda: print(end=""),
    "another file": lambda: print("x", file=io.StringIO()),
}
SEEN: dict[str, tuple[Callable[[], object], str]] = {
    "print": (lambda: print("a", 1), "a 1\n"),
    "stdout and stderr in order": (
        lambda: [print("a"), print("b", file=sys.stderr), print("c")],
        "a\nb\nc\n",
    ),
    "writelines": (lambda: sys.stdout.writelines(["a\n", "b\n"]), "a\nb\n"),
    "what comes after a redirection": (redirected, "seen\n"),
    "a command within a command": (deeper, "before\nwithin\n"),
    "a thread of the script": (in_a_thread, "x\n"),
    "NUL, and a surrogate where the stream takes it": (
        lambda: sys.stderr.write("\x00\udcff"),
        "\x00\udcff",
    ),
    "the end of a progress bar": (with_a_progress_bar, "100 %\nend\r\n"),
    "a progress bar that is not at its end": (lambda: print("10 %\r20 %", end="\r"), "20 %\r"),
    "colours": (lambda: print("\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x1b\\"), "red link\n"),
    "an escape that does not end": (lambda: print("\x1b[1;"), "\x1b[1;\n"),
}


@pytest.mark.parametrize("act", UNSEEN.values(), ids=UNSEEN)
def test_output_that_bypasses_python_streams_is_not_kept(act: Callable[[], object]) -> None:
    assert kept(act) == ""


@pytest.mark.parametrize(("act", "text"), SEEN.values(), ids=SEEN)
def test_what_a_script_prints_is_kept(act: Callable[[], object], text: str) -> None:
    assert kept(act) == text


@pytest.mark.parametrize("act", [act for act, _ in SEEN.values()], ids=SEEN)
def test_the_user_sees_the_same_output(act: Callable[[], object], capfd: pytest.CaptureFixture[str]) -> None:
    act()
    without = capfd.readouterr()
    kept(act)
    assert capfd.readouterr() == without


def test_the_streams_are_the_same_objects() -> None:
    before = sys.stdout, sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.fileno
    with captured(None, 10):
        assert (sys.stdout, sys.stdout.encoding, sys.stdout.isatty(), sys.stdout.fileno) == before
        assert sys.stdout.write("four") == 4


def test_output_is_not_delayed(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w", buffering=1) as stream, captured(Command(stream), 10) as tail:
        print("line", file=stream)
        assert (tmp_path / "out").read_text() == tail.text() == "line\n"


def test_a_logging_handler_that_holds_the_stream_is_heard() -> None:
    handler = logging.StreamHandler(sys.stderr)
    record = logging.LogRecord("x", logging.INFO, "", 1, "said", (), None)
    assert kept(lambda: handler.handle(record)) == "said\n"


STREAMS: dict[str, Callable[[io.StringIO], Any]] = {
    "call_command(stdout=StringIO())": OutputWrapper,
    "a wrapper in a wrapper": lambda stream: OutputWrapper(OutputWrapper(stream)),  # type: ignore[arg-type]
    "a bare stream": lambda stream: stream,
    "a stream of the user's own": lambda stream: OutputWrapper(Tee(stream)),  # type: ignore[arg-type]
    "a stream that writes to stdout as well": lambda stream: OutputWrapper(Tee(stream, sys.stdout)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("wrap", STREAMS.values(), ids=STREAMS)
def test_the_streams_of_the_command_are_heard_once(wrap: Callable[[io.StringIO], Any]) -> None:
    stream = io.StringIO()
    command = Command(wrap(stream), OutputWrapper(stream))
    assert kept(lambda: [command.stdout.write("a\n"), print("b")], command) == "a\nb\n"
    assert stream.getvalue() == "a\n"
    assert "write" not in vars(stream)


def test_the_colours_of_a_command_reach_its_user_alone() -> None:
    stream = io.StringIO()
    command = Command(OutputWrapper(stream))
    assert kept(lambda: command.stdout.write("a", lambda text: f"\x1b[1m{text}"), command) == "a\n"
    assert stream.getvalue() == "\x1b[1ma\n"


def test_a_stream_without_attributes_is_left_out() -> None:
    stream = Slotted()
    assert kept(lambda: print("a", file=stream), Command(stream)) == ""
    assert stream.text == "a\n"


@pytest.mark.parametrize("command", [None, object(), Command(3, [])], ids=["None", "no streams", "no files"])
def test_a_process_without_streams_prints_nothing(command: object, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)
        patch.setattr(sys, "stderr", None)
        text = kept(lambda: print("a"), command)
    assert text == ""


def test_a_mock_is_as_before() -> None:
    stream = mock.Mock()
    kept(lambda: stream.write("a", b=1), Command(stream))
    stream.write.assert_called_once_with("a", b=1)


def test_only_what_was_written_counts() -> None:
    stream = Broken()

    def act() -> None:
        print("early", file=stream)
        with pytest.raises(BrokenPipeError):
            print("late", file=stream)

    assert kept(act, Command(stream)) == "early\n"


def test_a_replaced_write_method_stays() -> None:
    stream = io.StringIO()
    shout = mock.Mock(side_effect=stream.write)
    vars(stream)["write"] = shout  # before the run
    assert kept(lambda: stream.write("a"), Command(stream)) == "a"
    assert vars(stream).pop("write") is shout

    def act() -> None:
        real = stream.write
        vars(stream)["write"] = lambda text: real(text.upper())
        stream.write("b")

    assert kept(act, Command(stream)) == "B"
    assert kept(lambda: stream.write("c"), Command(stream)) == "c", (
        "it stands behind what the script left there"
    )
    stream.write("d")
    assert stream.getvalue() == "aBCD"


def test_a_stream_that_the_script_closes_or_takes_apart_is_let_go() -> None:
    closed, detached = io.StringIO(), io.TextIOWrapper(io.BytesIO())
    with captured(Command(closed, detached), 10):
        closed.close()
        detached.detach()
    assert not output._taps


def test_runs_that_overlap_keep_what_is_theirs() -> None:
    tails: dict[str, str] = {}
    turn = threading.Barrier(2, timeout=PATIENCE)

    def first() -> None:
        with captured(None, 1000) as tail:
            turn.wait()  # both have begun
            turn.wait()
            print("first")
            turn.wait()
        tails["first"] = tail.text()
        turn.wait()

    def second() -> None:
        turn.wait()
        with captured(None, 1000) as tail:
            turn.wait()
            turn.wait()
            turn.wait()  # the first has ended
            print("second")
        tails["second"] = tail.text()

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tails == {"first": "first\n", "second": "second\n"}


def test_many_threads_lose_nothing_and_may_be_watched() -> None:
    stream = io.StringIO()
    with captured(Command(stream), 10_000_000) as tail:
        threads = [
            threading.Thread(target=lambda: [stream.write("0123456789") for _ in range(5000)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            assert len(tail.text()) % 10 == 0
        for thread in threads:
            thread.join()
    assert tail.text() == "0123456789" * 20000


@pytest.mark.parametrize("piece", ["x", "ab", "a line\n", "y" * 300, "z" * 5_000_000], ids=len)
def test_memory_is_bounded_whatever_is_printed(piece: str) -> None:
    tail = Tail(10_000)
    tracemalloc.start()
    try:
        for number in range(max(3, 200_000 // len(piece))):
            tail.add(f"{piece}{number % 10}")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000 + 3 * len(piece)
    assert 10_000 <= len(tail.text()) <= 10_000 + SLACK


def test_the_tail_begins_with_a_whole_line_where_one_is_near() -> None:
    tail = Tail(100)
    for number in range(10_000):
        tail.add(f"line {number}\n")
    first, *_, last = tail.text().splitlines()
    assert first.startswith("line ")
    assert last == "line 9999"


def test_the_end_of_one_long_line_is_kept() -> None:
    tail = Tail(100)
    tail.add("x" * 100_000 + "end")
    assert len(tail.text()) == 100 + SLACK
    assert tail.text().endswith("xend")


@pytest.mark.parametrize("pieces", [1, 2, 100, 10_000])
def test_no_part_of_a_secret_far_longer_than_the_tail_survives(pieces: int) -> None:
    tail = Tail(1000)
    for piece in ("password=", *["S" * (200_000 // pieces)] * pieces, "\ndone"):
        tail.add(piece)
    assert masked_tail(tail.text(), 1000, None) == f"{MASK}\ndone"


def test_an_interrupt_in_the_middle_of_a_write_reaches_the_script() -> None:
    stream = Tee(mock.Mock(write=mock.Mock(side_effect=[None, KeyboardInterrupt, None])))

    def act() -> None:
        stream.write("a")
        with pytest.raises(KeyboardInterrupt):
            stream.write("b")
        stream.write("c")

    assert kept(act, Command(stream)) == "ac"
    with pytest.raises(KeyboardInterrupt):
        kept(lambda: signal.raise_signal(signal.SIGINT))


def test_a_signal_handler_may_print() -> None:
    before = signal.signal(signal.SIGTERM, lambda *_: print("stopped"))
    try:
        with captured(None, 100) as tail, output._lock:
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert tail.text() == "stopped\n"


FORK = """
import os, sys, threading, time
from scripts_tracker.running import output
as_seen = output._as_seen
def slowly(text):  # so that the lock is nearly always held at the moment of a fork
    threading.current_thread() is threading.main_thread() or time.sleep(0.002)
    return as_seen(text)
output._as_seen = slowly
with output.captured(None, 1000) as tail:
    print("before", flush=True)
    stop = threading.Event()
    # With a breath between: locks are not fair, and a thread that never lets go of one keeps all others from it.
    busy = threading.Thread(target=lambda: [tail.text() for _ in iter(lambda: stop.wait(0.0001), True)])
    busy.start()
    for _ in range(50):
        if not (child := os.fork()):
            print("child", flush=True)
            os._exit(tail.text() != "before\\nchild\\n")
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    busy.join()
assert tail.text() == "before\\n", tail.text()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_of_a_fork_goes_on_by_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("child\n") == 50


@pytest.mark.parametrize("is_plain", [True, False], ids=["of Python", "of the project"])
def test_what_is_drawn_over_goes_before_each_write_of_the_script_and_is_not_kept(*, is_plain: bool) -> None:
    end = io.StringIO()
    stream: Any = end if is_plain else Tee(end)

    def erase() -> None:
        stream.write("<erased>")

    with output.called_before_output(erase), captured(Command(stream), 1000) as tail:
        stream.write("one\n")
        with output.not_of_the_script():
            stream.write("43 %")
        stream.write("two\n")
    stream.write("three\n")
    assert end.getvalue() == "<erased>one\n43 %<erased>two\nthree\n"
    assert tail.text() == "one\ntwo\n"
