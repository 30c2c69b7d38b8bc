"""Processes of this machine where there is no /proc: Windows by its API, macOS and the BSDs by ``ps``.

A number alone identifies no process, as systems use it again. Windows, macOS and NetBSD keep the moment at which a
process started; FreeBSD and OpenBSD compute it from their clock, so that a correction of the clock changes it. There, a
process with the number counts as the one that began an attempt if it is older than the attempt.
"""

from __future__ import annotations

import calendar
import ctypes
import os
import subprocess
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import pids

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

NAMES: Final = ("win32", "darwin", "freebsd", "openbsd", "netbsd", "dragonfly")
"""How ``sys.platform`` begins where this module knows the way."""

# Seconds by which the start of a process may follow that of its attempt, as a clock may have been corrected.
_CORRECTION = 120
# ps(1): a stopped process does not come back by itself, a zombie not at all.
_IDLE_STATES = ("T", "Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FOLDERS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin")
# What names the boot (macOS) or the machine (the BSDs); a system has one of them.
_IDENTIFIERS = ("kern.bootsessionuuid", "kern.hostuuid", "hw.uuid", "machdep.dmi.system-uuid")


class Seen(NamedTuple):
    """A process that exists.

    Attributes:
        start: identifies it among those with its number; empty if the system does not say, or not reliably.
        born: when it started, in seconds since the epoch; None if the system does not say.
        is_idle: whether it is stopped, or a zombie.
    """

    start: str = ""
    born: float | None = None
    is_idle: bool = False


class System(Protocol):
    """How a system describes its processes."""

    def machine(self) -> str:
        """A name for this machine without blanks, which no other machine has; empty if the system has none."""

    def look(self, pid: int) -> Seen | None:
        """A process, None if there is none of this number."""


def own() -> str:
    """What identifies this process beyond its number."""
    system = _system()
    seen = system.look(os.getpid())
    machine = system.machine()
    return f"{machine} {seen.start if seen else ''}".strip() if machine else ""


def is_running(pid: int, process: str, is_own_host: Callable[[], bool], started_at: datetime) -> bool:
    """As ``processes.is_running``; the host decides where ``process`` is empty."""
    system = _system()
    seen = system.look(pid)
    if seen is None or seen.is_idle:
        return False
    machine, _, start = process.partition(" ")
    here = system.machine()
    if not (machine == here if machine and here else is_own_host()):
        return False
    if start and seen.start:
        return start == seen.start
    return seen.born is None or seen.born <= started_at.timestamp() + _CORRECTION


@lru_cache(maxsize=1)
def _system() -> System:
    return (
        Windows()
        if sys.platform == "win32"
        else Ps(keeps_start=sys.platform.startswith(("darwin", "netbsd")))
    )


class Ps:
    """macOS and the BSDs: every user sees every process, unless FreeBSD's security.bsd.see_other_uids is 0.

    Args:
        keeps_start: whether the start of a process never changes.
        run: runs a program and returns its output, None if it cannot be run.
    """

    def __init__(self, *, keeps_start: bool, run: Callable[..., str | None] | None = None) -> None:
        self._keeps_start = keeps_start
        self._run = run or _output
        self._machine: str | None = None

    def machine(self) -> str:
        """The identifier of the boot or of the machine: a Mac's host name changes with its network."""
        if self._machine is None:
            found = (self._run("sysctl", "-n", *_IDENTIFIERS) or "").split()
            self._machine = found[0] if found else ""
        return self._machine

    def look(self, pid: int) -> Seen | None:
        """The state and the start of a process, to the second."""
        line = self._run("ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid))
        try:
            state, _weekday, month, day, clock, year = (line or "").split()
            hours, minutes, seconds = map(int, clock.split(":"))
            moment = (int(year), _MONTHS.index(month) + 1, int(day), hours, minutes, seconds)
        except ValueError:  # no such process, or ps cannot be run
            return Seen() if pids.exists(pid) else None
        born = calendar.timegm((*moment, 0, 0, 0))
        return Seen(str(born) if self._keeps_start else "", born, state.startswith(_IDLE_STATES))


def _output(name: str, *arguments: str) -> str | None:
    """What a program of the system prints, in English and UTC; of what it does not know, it prints nothing."""
    program = next(
        (path for path in (f"{folder}/{name}" for folder in _FOLDERS) if os.access(path, os.X_OK)), name
    )
    try:
        done = subprocess.run(
            [program, *arguments],
            env={"LC_ALL": "C", "TZ": "UTC0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout


# winnt.h, winerror.h: what only reads the times of a process; such a process does not exist; it has not ended.
_QUERY_LIMITED_INFORMATION = 0x1000
_INVALID_PARAMETER = 87
_STILL_ACTIVE = 259
# Seconds from 1601, when Windows begins to count tenths of microseconds, to 1970.
_EPOCH = 11_644_473_600


class _FileTime(ctypes.Structure):
    _fields_ = (("low", ctypes.c_uint32), ("high", ctypes.c_uint32))


class Windows:
    """Windows: the moment at which a process was created never changes.

    Args:
        kernel32: the library of that name.
        last_error: returns the error of the last call.
        machine: returns the name of the machine.
    """

    def __init__(
        self,
        kernel32: Any = None,
        last_error: Callable[[], int] | None = None,
        machine: Callable[[], str] | None = None,
    ) -> None:
        self._kernel32 = kernel32 or getattr(ctypes, "WinDLL")("kernel32", use_last_error=True)  # noqa: B009 - Windows alone has it
        self._last_error = last_error or getattr(ctypes, "get_last_error")  # noqa: B009 - as above
        self.machine = machine or _windows_machine
        # A handle is a pointer: with the default, an int, it would be cut in half.
        self._kernel32.OpenProcess.restype = ctypes.c_void_p

    def look(self, pid: int) -> Seen | None:
        """When a process was created. What may not be opened counts as running: its number may be ours."""
        handle = self._kernel32.OpenProcess(_QUERY_LIMITED_INFORMATION, False, ctypes.c_uint32(pid))  # noqa: FBT003 - not inherited
        if not handle:
            return None if self._last_error() == _INVALID_PARAMETER else Seen()
        handle = ctypes.c_void_p(handle)
        try:
            return self._times(handle)
        finally:
            self._kernel32.CloseHandle(handle)

    def _times(self, handle: ctypes.c_void_p) -> Seen | None:
        code = ctypes.c_uint32()
        # A process that has ended can be opened as long as another one has a handle of it.
        if self._kernel32.GetExitCodeProcess(handle, ctypes.byref(code)) and code.value != _STILL_ACTIVE:
            return None
        created, *others = (_FileTime() for _ in range(4))
        if not self._kernel32.GetProcessTimes(handle, ctypes.byref(created), *map(ctypes.byref, others)):
            return Seen()
        ticks = created.high << 32 | created.low
        return Seen(str(ticks), ticks / 1e7 - _EPOCH)


@lru_cache(maxsize=1)
def _windows_machine() -> str:
    """The identifier that Windows made when it was installed, and the name: copies of a disk share the first."""
    import platform

    guid = ""
    try:
        import winreg

        registry: Any = winreg
        flags = registry.KEY_READ | registry.KEY_WOW64_64KEY
        path = r"SOFTWARE\Microsoft\Cryptography"
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, path, 0, flags) as key:
            guid = registry.QueryValueEx(key, "MachineGuid")[0]
    except (ImportError, OSError):
        pass
    return "-".join(filter(None, (guid, platform.node()))).replace(" ", "-")[:150]
