"""Processes of this machine: exact names for them, whether one is alive, and what a signal or a fork does to ours."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import sys
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from types import FrameType
    from typing import NoReturn

# proc(5): a stopped process does not come back by itself, a zombie or a dead one not at all.
_IDLE_STATES = frozenset("TtZXx")


def host() -> str:
    """This machine's name, as the ledger keeps it."""
    return socket.gethostname()[:255]


def _is_linux() -> bool:
    return sys.platform.startswith("linux")


def _read(path: str) -> str:
    with io.open(path, encoding="utf-8", errors="replace") as stream:  # noqa: UP020 - the tests of commands replace builtins.open
        return stream.read()


@lru_cache(maxsize=1)
def _machine() -> str:
    """The current boot of the kernel and the namespace of process numbers; empty if the system does not name them."""
    try:
        return f"{_read('/proc/sys/kernel/random/boot_id').strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, str] | None:
    """State and start time of a process (fields 3 and 22 of proc(5)); None if they cannot be read."""
    try:
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return None


def own() -> str:
    """What identifies this process beyond its number: kernel, namespace and start time. Empty if the system says nothing."""
    if not _is_linux():
        from scripts_tracker.ledger import platforms  # no process on Linux needs it

        return platforms.own() if sys.platform.startswith(platforms.NAMES) else ""
    stat = _stat(os.getpid())
    return f"{_machine()} {stat[1]}" if stat and _machine() else ""


def is_running(pid: int | None, process: str, at_host: str, started_at: datetime) -> bool:
    """Whether this machine can see that the process which began an attempt is alive and not stopped.

    Args:
        pid: its number.
        process: what ``own()`` returned in it; if empty, host and number have to do.
        at_host: its host.
        started_at: when the attempt began.
    """
    if pid is None:
        return False
    if not _is_linux():
        from scripts_tracker.ledger import platforms  # as above

        if sys.platform.startswith(platforms.NAMES):
            return platforms.is_running(pid, process, lambda: at_host == host(), started_at)
    from scripts_tracker.ledger import pids  # few checks ask for a process

    if os.name != "posix" or not pids.exists(pid):
        return False
    stat = _stat(pid)
    if stat is not None and stat[0] in _IDLE_STATES:
        return False
    if process and _machine():
        return process == f"{_machine()} {stat[1] if stat else process.rpartition(' ')[2]}"
    return at_host == host() and (stat is None or _started_at(stat[1]) <= started_at.timestamp() + 1)


def _started_at(ticks: str) -> float:
    """A start time in seconds since the epoch; 0 if the kernel's own start is unknown."""
    try:
        booted = next(
            int(line.split()[1]) for line in _read("/proc/stat").splitlines() if line.startswith("btime")
        )
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
    return booted + int(ticks) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def children_end_here() -> Iterator[None]:
    """End a child that the block forks when it leaves the block: what follows is the parent's work."""
    parent, code = os.getpid(), 0
    try:
        yield
    except BaseException as error:
        if os.getpid() != parent:
            code = _exit_code(error)
        raise
    finally:
        if os.getpid() != parent:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(Exception):
                    stream.flush()
            os._exit(code)


def _exit_code(error: BaseException) -> int:
    """The exit code that Python would give; prints what Python would print."""
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        return error.code or 0
    from scripts_tracker.core.text import error_text, error_traceback  # seldom needed

    text = f"{error_text(error.code)}\n" if isinstance(error, SystemExit) else error_traceback(error)
    with contextlib.suppress(Exception):
        sys.stderr.write(text)
    return 1


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, by its name: like Ctrl-C, it is not caught by a script's ``except Exception``."""


def interrupt_in(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that an error is, or that a group of errors holds."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error
    exceptions = getattr(error, "exceptions", ()) if hasattr(error, "subgroup") else ()
    return next(filter(None, map(interrupt_in, exceptions)), None)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """The exit code that a shell expects of a program ended by this signal."""
    return 128 + signal.Signals[str(interrupt) if isinstance(interrupt, Terminated) else "SIGINT"]


# The signals that have arrived since the block of ``signals_raise`` began, also if a script has swallowed them.
_arrived: list[signal.Signals] = []


class _Block:
    """A block of code in which signals do something else; it ends with the block, also if that could not be noted."""


# Not empty while signals raise nothing.
_holds: WeakSet[_Block] = WeakSet()
# Not empty while the first signal raises nothing, and the second one does.
_delays: WeakSet[_Block] = WeakSet()
# systemd and Heroku send SIGTERM to every process, and who has started a worker passes it on: so many seconds later, it
# is the same one.
_ECHO = 1.0


def arrived() -> Terminated | None:
    """The signal that should end the process, if one has arrived."""
    return Terminated(_arrived[0].name) if _arrived else None


@contextlib.contextmanager
def signals_delayed() -> Iterator[Callable[[], KeyboardInterrupt | None]]:
    """Let the first SIGTERM, SIGHUP or Ctrl-C not interrupt the block, but a second one do, unless it is an echo.

    Yields:
        What gives the interrupt that has arrived, None before.

    Raises:
        KeyboardInterrupt: one has arrived that the block has not asked for any more.
    """
    pressed: list[None] = []
    is_known = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        pressed.append(None)
        if len(pressed) > 1 or _arrived:
            raise KeyboardInterrupt

    def interrupt() -> KeyboardInterrupt | None:
        nonlocal is_known
        found = KeyboardInterrupt() if pressed else arrived()
        is_known = is_known or found is not None
        return found

    with _none_lost(lambda: bool(pressed)), _noted(_delays), _ctrl_c_handled_by(handle):
        yield interrupt
    if not is_known and (late := interrupt()) is not None:
        raise late


@contextlib.contextmanager
def _ctrl_c_handled_by(handle: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let a function handle Ctrl-C in the block; not in a thread, and not where the project handles it."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not is_ours:
        yield
        return
    try:
        signal.signal(signal.SIGINT, handle)
        yield
    finally:
        if signal.getsignal(signal.SIGINT) is handle:
            signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def _none_lost(is_left: Callable[[], bool]) -> Iterator[None]:
    """Let a Ctrl-C end a block that was about to end by an error, if it has interrupted nothing yet."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        if is_left():
            raise KeyboardInterrupt from error
        raise


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Let no further SIGTERM or SIGHUP interrupt the block; ``arrived`` has them."""
    with _noted(_holds):
        yield


@contextlib.contextmanager
def _noted(blocks: WeakSet[_Block]) -> Iterator[None]:
    block = _Block()
    try:
        blocks.add(block)
        yield
    finally:
        # An interrupt may come before this: then the block ends when nothing keeps it any more.
        blocks.discard(block)


@contextlib.contextmanager
def signals_collected() -> Iterator[Callable[[], list[signal.Signals]]]:
    """Let no Ctrl-C, SIGTERM or SIGHUP interrupt the block.

    Yields:
        What gives those since its last call; to be called after the block, too.
    """
    interrupts: list[signal.Signals] = []
    seen = len(_arrived)

    def new() -> list[signal.Signals]:
        nonlocal seen
        found, seen = _arrived[seen:], len(_arrived)
        while interrupts:
            found.append(interrupts.pop())
        return found

    def handle(number: int, _frame: FrameType | None) -> None:
        interrupts.append(signal.Signals(number))

    with _none_lost(lambda: bool(interrupts)), signals_held(), _ctrl_c_handled_by(handle):
        yield new


@contextlib.contextmanager
def signals_raise(*, ends_process: bool = False) -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into ``Terminated`` while the block runs.

    Not in a thread, and not a signal that the project handles or ignores, as under nohup.

    Args:
        ends_process: whether the process ends by the signal after the block, as it would have done without the block.
    """
    numbers = _unhandled()
    if not numbers:
        yield
        return
    process, is_over, first = os.getpid(), False, 0.0

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal first
        if is_over or os.getpid() != process:  # the script has kept this handler, or has forked a child
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        if _delays and _arrived == [number] and time.monotonic() - first < _ECHO:
            return
        first = first or time.monotonic()
        _arrived.append(signal.Signals(number))
        if not _holds and (not _delays or len(_arrived) > 1):
            raise Terminated(_arrived[-1].name)

    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        is_over = True
        for number in numbers:
            if signal.getsignal(number) is handle:
                signal.signal(number, signal.SIG_DFL)
        by, _arrived[:] = _arrived[:1], []
        if by and ends_process:
            _end_by(by[0])


@contextlib.contextmanager
def signals_noted() -> Iterator[None]:
    """Let ``arrived`` know of the signals that this process handles itself, as a worker of a queue does; it gets them too."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {int(number): signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    handled = {
        number: own
        for number, own in before.items()
        if callable(own) and own is not signal.default_int_handler
    }

    def handle(number: int, frame: FrameType | None) -> None:
        _arrived.append(signal.Signals(number))
        handled[number](number, frame)

    for number in handled:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, own in handled.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, own)
        if handled:
            _arrived.clear()


def _unhandled() -> list[int]:
    """The signals that would end this process at once; none in a thread, which may not set handlers."""
    if threading.current_thread() is not threading.main_thread():
        return []
    numbers = (getattr(signal, name, None) for name in ("SIGTERM", "SIGHUP"))  # Windows has no SIGHUP
    return [number for number in numbers if number and signal.getsignal(number) is signal.SIG_DFL]


def _end_by(number: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    if os.name == "posix":
        os.kill(os.getpid(), number)
    raise SystemExit(128 + number)  # the first process of a container survives its own signal
