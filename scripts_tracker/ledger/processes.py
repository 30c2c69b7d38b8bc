"""Which process holds a script, told so exactly that no other can be taken for it, and whether this machine sees it live."""

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
    """This machine's name as the ledger keeps it."""
    return socket.gethostname()[:255]


@lru_cache(maxsize=1)
def _machine() -> str:
    """This start of the kernel and this space of process numbers; empty where the system does not tell."""
    try:
        with io.open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:  # noqa: UP020 - as in versions.py
            boot = stream.read().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, str] | None:
    """State and start of a process (proc(5): fields 3 and 22); None where there is nothing to read."""
    try:
        with io.open(  # noqa: UP020 - as in versions.py
            f"/proc/{pid}/stat", encoding="utf-8", errors="replace"
        ) as stream:
            fields = stream.read().rpartition(")")[2].split()
        return fields[0], fields[19]
    except (OSError, IndexError):
        return None


def own() -> str:
    """What names this process beyond its number: kernel, process space, start. Empty where the system does not tell."""
    stat = _stat(os.getpid())
    return f"{_machine()} {stat[1]}" if stat and _machine() else ""


def is_running(pid: int | None, process: str, at_host: str, started_at: datetime) -> bool:
    """Whether this machine can see that the process which began an attempt is there, and not stopped.

    Args:
        pid: its number.
        process: what ``own()`` gave there; where that is empty, host and number have to do.
        at_host: where it runs.
        started_at: when the attempt began.
    """
    if os.name != "posix" or pid is None or not _exists(pid):
        return False
    stat = _stat(pid)
    if stat is not None and stat[0] in _IDLE_STATES:
        return False
    if process and _machine():
        return process == f"{_machine()} {stat[1] if stat else process.rpartition(' ')[2]}"
    return at_host == host() and (stat is None or _born(stat[1]) <= started_at.timestamp() + 1)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _born(ticks: str) -> float:
    """The start of a process in seconds since the epoch, by the kernel's count in hundredths; 0 where that is not told."""
    try:
        with io.open("/proc/stat", encoding="utf-8") as stream:  # noqa: UP020 - as in versions.py
            booted = next(int(line.split()[1]) for line in stream if line.startswith("btime"))
    except (OSError, ValueError, IndexError, StopIteration):
        return 0
    return booted + int(ticks) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def children_end_here() -> Iterator[None]:
    """A child that the block forks, and that gets out of it, ends as it would by itself: what follows is its parent's."""
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
    """What Python would exit with; it says the same of the error, too."""
    if isinstance(error, SystemExit) and (error.code is None or isinstance(error.code, int)):
        return error.code or 0
    from scripts_tracker.core.text import error_text, error_traceback  # seldom needed

    text = f"{error_text(error.code)}\n" if isinstance(error, SystemExit) else error_traceback(error)
    with contextlib.suppress(Exception):
        sys.stderr.write(text)
    return 1


class Terminated(KeyboardInterrupt):
    """SIGTERM has come: as Ctrl-C, no script is to swallow it by ``except Exception``."""


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """What a shell expects of a program that ended by this signal."""
    return 128 + (signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT)


@contextlib.contextmanager
def sigterm_raises() -> Iterator[None]:
    """Turn SIGTERM into ``Terminated`` while the block runs; where somebody else handles it, or in a thread, nothing."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    process = os.getpid()

    def terminate(number: int, _frame: FrameType | None) -> None:
        if os.getpid() == process:
            raise Terminated("SIGTERM")
        signal.signal(number, signal.SIG_DFL)  # a child that a script has forked ends as it always did
        os.kill(os.getpid(), number)

    if is_ours:
        signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        if is_ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
