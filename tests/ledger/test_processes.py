from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from scripts_tracker.ledger import processes

NOW = datetime.now(timezone.utc)
HERE = processes.host()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


def name_of(pid: int) -> str:
    stat = processes._stat(pid)
    assert stat is not None
    return f"{processes._machine()} {stat[1]}"


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without /proc, such as macOS."""
    monkeypatch.setattr(processes, "_machine", lambda: "")
    monkeypatch.setattr(processes, "_stat", lambda _: None)


def test_this_process_runs() -> None:
    assert processes.is_running(os.getpid(), processes.own(), HERE, NOW)


OTHERS: dict[str, dict[str, Any]] = {
    "none": {"pid": None},
    "one that is not there": {"pid": 2**22 + 1},
    "one that was started at another time": {"process": processes.own() + "0"},
    "one of another machine": {"process": "boot ns 1"},
    "one of another host, where no more is known": {"process": "", "at_host": "elsewhere"},
    "one that began after the attempt": {
        "process": "",
        "started_at": datetime(2001, 1, 1, tzinfo=timezone.utc),
    },
}


@pytest.mark.parametrize("facts", OTHERS.values(), ids=OTHERS)
def test_this_process_is_not(facts: dict[str, Any]) -> None:
    own = {"pid": os.getpid(), "process": processes.own(), "at_host": HERE, "started_at": NOW}
    assert not processes.is_running(**{**own, **facts})


def test_a_child_is_seen_until_it_ends(child: subprocess.Popen[bytes]) -> None:
    name = name_of(child.pid)
    assert processes.is_running(child.pid, name, HERE, NOW)
    assert not processes.is_running(child.pid, processes.own(), HERE, NOW)
    child.kill()
    while (processes._stat(child.pid) or "Z")[0] != "Z":
        time.sleep(0.01)
    assert not processes.is_running(child.pid, name, HERE, NOW), "a zombie does not come back"
    child.wait()
    assert not processes.is_running(child.pid, name, HERE, NOW)


def test_a_stopped_process_does_not_count_as_running(child: subprocess.Popen[bytes]) -> None:
    name = name_of(child.pid)
    child.send_signal(signal.SIGSTOP)
    while (processes._stat(child.pid) or " ")[0] != "T":
        time.sleep(0.01)
    assert not processes.is_running(child.pid, name, HERE, NOW)
    child.send_signal(signal.SIGCONT)


def test_a_process_of_another_user_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert processes.is_running(os.getpid(), processes.own(), HERE, NOW)


@pytest.mark.usefixtures("blind")
def test_without_proc_the_host_and_the_pid_decide() -> None:
    assert processes.own() == ""
    assert processes.is_running(os.getpid(), "", HERE, NOW)
    assert not processes.is_running(os.getpid(), "", "elsewhere", NOW)


def test_the_start_time_of_a_process_is_about_right(child: subprocess.Popen[bytes]) -> None:
    stat = processes._stat(child.pid)
    assert stat is not None
    born = datetime.fromtimestamp(processes._started_at(stat[1]), timezone.utc)
    about = timedelta(seconds=30)
    assert NOW - about < born < datetime.now(timezone.utc) + about


def test_a_process_name_with_blanks_and_brackets_is_read_correctly(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = "7 (my) S (job)) T " + " ".join(map(str, range(4, 53)))
    (tmp_path / "stat").write_text(stat)
    real = open
    monkeypatch.setattr(
        "io.open",
        lambda path, **how: real(tmp_path / "stat" if path == "/proc/7/stat" else path, **how),
    )
    assert processes._stat(7) == ("T", "22")
