"""Processes of this machine: exact names for them, whether one is alive, and what a signal or a fork does to ours."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import sys
import threading
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from types import FrameType

# proc(5): a stopped process does not come back by itself, a zombie or a dead one not at all.
_IDLE_STATES = frozenset("TtZXx")


def host() -> str:
    """This machine's name, as the ledger keeps it."""
    return socket.gethostname()[:255]


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
    """What identifies this process beyond its number: kernel, namespace and start time. Empty if the system has no /proc."""
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
    if os.name != "posix" or pid is None or not _exists(pid):
        return False
    stat = _stat(pid)
    if stat is not None and stat[0] in _IDLE_STATES:
        return False
    if process and _machine():
        return process == f"{_machine()} {stat[1] if stat else process.rpartition(' ')[2]}"
    return at_host == host() and (stat is None or _started_at(stat[1]) <= started_at.timestamp() + 1)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


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
    """SIGTERM: like Ctrl-C, it is not caught by a script's ``except Exception``."""


def interrupt_in(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that an error is, or that a group of errors holds."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error
    exceptions = getattr(error, "exceptions", ()) if hasattr(error, "subgroup") else ()
    return next(filter(None, map(interrupt_in, exceptions)), None)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """The exit code that a shell expects of a program ended by this signal."""
    return 128 + (signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into ``Terminated`` while the block runs; not in a thread, nor if the project handles SIGTERM."""
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    process = os.getpid()

    def terminate(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == process:
            raise Terminated("SIGTERM")
        signal.signal(number, signal.SIG_DFL)  # a child that a script forked ends as it always did
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
