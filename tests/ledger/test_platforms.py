"""Processes on Windows, macOS and the BSDs, by objects that stand in for their programs and libraries."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest

from scripts_tracker.ledger import platforms, processes
from scripts_tracker.ledger.platforms import Ps, Seen, Windows
from tests.running.shops import Shop
from tests.waiting import wait_for

PID = 4712
BORN = datetime(2026, 11, 26, 7, 54, 16, tzinfo=timezone.utc)
BEGAN = BORN + timedelta(minutes=5)
PS_LINE = "S+   Thu Nov 26 07:54:16 2026\n"


class Kernel32:
    """As much of it as is called: the processes by number, with the moment of creation and the exit code."""

    def __init__(
        self, processes: dict[int, tuple[datetime, int]], denied: frozenset[int] = frozenset()
    ) -> None:
        self.processes, self.denied = processes, denied
        self.error, self.handles = 0, set[int]()
        # Functions of a library have attributes; bound methods do not.
        self.OpenProcess = partial(self._open)

    def _open(self, access: int, _inherits: bool, pid: Any) -> int | None:  # noqa: FBT001 - the library's signature
        assert access == 0x1000
        number = int(pid.value) // 4 * 4  # as Windows does
        if number in self.denied:
            self.error = 5
        elif number not in self.processes:
            self.error = 87
        else:
            self.handles.add(number + 2**32)
            return number + 2**32
        return None

    def GetExitCodeProcess(self, handle: Any, code: Any) -> int:  # noqa: N802 - its name
        code._obj.value = self.processes[handle.value - 2**32][1]
        return 1

    def GetProcessTimes(self, handle: Any, created: Any, *_others: Any) -> int:  # noqa: N802 - its name
        ticks = round((self.processes[handle.value - 2**32][0].timestamp() + 11_644_473_600) * 10**7)
        created._obj.low, created._obj.high = ticks & 0xFFFFFFFF, ticks >> 32
        return 1

    def CloseHandle(self, handle: Any) -> None:  # noqa: N802 - its name
        self.handles.remove(handle.value)


def windows(
    alive: dict[int, tuple[datetime, int]], *, denied: int = 0, machine: str = "guid-web-1"
) -> Windows:
    library = Kernel32(alive, frozenset({denied} if denied else ()))
    return Windows(library, lambda: library.error, lambda: machine)


def ps(line: str | None, *, keeps_start: bool = True, machine: str = "BOOT-1\n") -> Ps:
    def run(name: str, *_arguments: str) -> str | None:
        return machine if name == "sysctl" else line

    return Ps(keeps_start=keeps_start, run=run)


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Be on another system."""

    def be_on(system: Any) -> None:
        monkeypatch.setattr(processes, "_is_linux", lambda: False)
        monkeypatch.setattr(platforms, "NAMES", (sys.platform,))
        monkeypatch.setattr(platforms, "_system", lambda: system)

    return be_on


TICKS = str(round((BORN.timestamp() + 11_644_473_600) * 10**7))
OURS = f"guid-web-1 {TICKS}"
STILL = 259
ON_WINDOWS: dict[str, tuple[Windows, str, bool]] = {
    "the process": (windows({PID: (BORN, STILL)}), OURS, True),
    "none of this number": (windows({}), OURS, False),
    "a later process of the same number": (windows({PID: (BORN + timedelta(seconds=1), STILL)}), OURS, False),
    "one that has ended, of which another process has a handle": (windows({PID: (BORN, 0)}), OURS, False),
    "one that may not be opened: it may be ours": (windows({}, denied=PID), OURS, True),
    "one of another machine": (windows({PID: (BORN, STILL)}, machine="guid-web-2"), OURS, False),
    "by the host, where no more was recorded": (windows({PID: (BORN, STILL)}), "", True),
    "by the host, one that began later": (windows({PID: (BEGAN + timedelta(hours=1), STILL)}), "", False),
}


@pytest.mark.parametrize(("system", "process", "runs"), ON_WINDOWS.values(), ids=ON_WINDOWS)
def test_on_windows(on: Callable[[Any], None], system: Windows, process: str, *, runs: bool) -> None:
    on(system)
    assert processes.is_running(PID, process, processes.host(), BEGAN) is runs
    assert not system._kernel32.handles, "a handle was left open"


def test_windows_opens_a_neighbour_for_a_number_that_it_never_gives(on: Callable[[Any], None]) -> None:
    on(windows({PID: (BORN + timedelta(seconds=1), STILL)}))
    assert not processes.is_running(PID + 3, OURS, processes.host(), BEGAN)


LATER = "S    Thu Nov 26 08:54:16 2026\n"
CORRECTED = "S    Thu Nov 26 07:54:59 2026\n"
BY_PS: dict[str, tuple[Ps, str, bool]] = {
    "the process on a Mac": (ps(PS_LINE), f"BOOT-1 {int(BORN.timestamp())}", True),
    "a later process of the same number": (ps(CORRECTED), f"BOOT-1 {int(BORN.timestamp())}", False),
    "a process of an earlier boot": (ps(PS_LINE), f"BOOT-0 {int(BORN.timestamp())}", False),
    "stopped": (ps("T" + PS_LINE[1:]), f"BOOT-1 {int(BORN.timestamp())}", False),
    "a zombie": (ps("Z" + PS_LINE[1:]), f"BOOT-1 {int(BORN.timestamp())}", False),
    "none of this number": (ps(""), f"BOOT-1 {int(BORN.timestamp())}", False),
    "on FreeBSD after a correction of the clock": (ps(CORRECTED, keeps_start=False), "BOOT-1", True),
    "on FreeBSD a later process of the same number": (ps(LATER, keeps_start=False), "BOOT-1", False),
    "by the host, where no more was recorded": (ps(PS_LINE), "", True),
    "by the host, one that began later": (ps(LATER), "", False),
}


@pytest.mark.parametrize(("system", "process", "runs"), BY_PS.values(), ids=BY_PS)
def test_on_macos_and_the_bsds(on: Callable[[Any], None], system: Ps, process: str, *, runs: bool) -> None:
    on(system)
    pid = 2**22 + 1  # none of this machine, if ps says nothing
    assert processes.is_running(pid, process, processes.host(), BEGAN) is runs


def test_a_mac_that_got_another_name_from_its_network_knows_its_processes(on: Callable[[Any], None]) -> None:
    on(ps(PS_LINE))
    assert processes.is_running(PID, processes.own(), "mac.old-network", BEGAN)
    assert not processes.is_running(PID, "", "mac.old-network", BEGAN)


@pytest.mark.parametrize("line", [None, "", "ps: not allowed\n"], ids=["no ps", "empty", "an error"])
def test_where_ps_says_nothing_a_process_that_exists_counts_as_running(
    on: Callable[[Any], None], line: str | None
) -> None:
    on(ps(line, machine=""))
    assert processes.own() == ""
    assert processes.is_running(os.getpid(), "", processes.host(), BEGAN)
    assert not processes.is_running(os.getpid(), "", "elsewhere", BEGAN)
    assert not processes.is_running(2**22 + 1, "", processes.host(), BEGAN)


def test_an_attempt_without_a_number_is_nobodys(on: Callable[[Any], None]) -> None:
    on(ps(PS_LINE))
    assert not processes.is_running(None, "BOOT-1", processes.host(), BEGAN)


def test_on_linux_no_other_platform_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platforms, "_system", None)
    assert processes.is_running(os.getpid(), processes.own(), processes.host(), datetime.now(timezone.utc))


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    if shutil.which("ps") is None:
        pytest.skip("there is no ps on this machine")
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def test_the_real_ps_describes_a_process_until_it_ends(
    child: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever language and time zone this process has."""
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    system = Ps(keeps_start=True)
    seen = system.look(child.pid)
    assert seen is not None
    assert seen.born is not None
    assert abs(seen.born - datetime.now(timezone.utc).timestamp()) < 60
    assert seen == system.look(child.pid)
    child.send_signal(signal.SIGSTOP)
    wait_for(lambda: (system.look(child.pid) or Seen()).is_idle, "it has stopped")
    child.kill()
    wait_for(lambda: (system.look(child.pid) or Seen(is_idle=True)).is_idle, "it is a zombie")
    child.wait()
    assert system.look(child.pid) is None


# Lines for the settings of a project: as if its processes ran on another system.
ELSEWHERE = """
from scripts_tracker.ledger import platforms, processes
processes._is_linux = lambda: False
platforms.NAMES = ("linux",)
"""
SYSTEMS = {
    "ps": "platforms._system = lambda: platforms.Ps(keeps_start=True)",
    "windows": """
from datetime import datetime, timezone
from tests.ledger.test_platforms import windows

class Alive(dict):
    def __contains__(self, pid):
        return processes._stat(pid) is not None
    def __getitem__(self, pid):
        return datetime.fromtimestamp(int(processes._stat(pid)[1]), timezone.utc), 259

def system():
    made = windows(Alive())
    def open_any(access, inherits, pid):  # this machine gives every number, not those alone that 4 divides
        library = made._kernel32
        if pid.value not in library.processes:
            library.error = 87
            return None
        library.handles.add(pid.value + 2**32)
        return pid.value + 2**32
    from functools import partial
    made._kernel32.OpenProcess = partial(open_any)
    return made
platforms._system = system
""",
}


@pytest.mark.parametrize("kind_name", ["sqlite"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_there_too_a_script_longer_than_its_lease_on_sqlite_runs_once(shop: Shop, system: str) -> None:
    shop.project.settings(ELSEWHERE + SYSTEMS[system])
    shop.lease(0.5)
    shop.script("shop.slow", "effect('slow'); hold('slow')")
    holder = shop.hold("slow", "slow")
    wait_for(lambda: shop.lease_ends() <= 0, "the lease runs out")
    for command in (("slow",), ("run_scripts", "--wait", "0")):
        second = shop.run(*command)
        assert second.code == 1
        assert f", process {holder.pid}; its process is alive" in second.out + second.err
    holder.signal(signal.SIGKILL)
    holder.wait()
    shop.go("slow")
    assert shop.run("run_scripts").code == 0
    assert shop.outcomes() == ["lost", "succeeded"]
