"""run_scripts --workers: processes that share a batched script, and what looks after them."""

from __future__ import annotations

import errno
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts_tracker.core.events import WorkerStart
from scripts_tracker.core.progress import INTEGER, RangeRecord, WalkRecord
from scripts_tracker.ledger import database, processes
from scripts_tracker.running import workers
from tests.builders import NOON, script_id
from tests.conftest import ROOT
from tests.databases.fixtures import SERVERS
from tests.jobs import Jobs
from tests.running.walks import HIT, Walks
from tests.waiting import wait_for


@SERVERS
def test_workers_share_the_rows_and_the_end_happens_once(walks: Walks) -> None:
    walks.rows(range(1, 1001))
    walks.script(f"{HIT}; time.sleep(0.02)", finish='effect("finish"); self.stdout.write("the end")')
    done = walks.shop.run("run_scripts", "--workers", "3")
    assert (done.code, done.err) == (0, "")
    assert walks.hits() == {1: 1000}
    assert walks.shop.effects() == {"finish": 1}
    assert walks.shop.outcomes() == ["succeeded"] * 3
    assert re.search(r"^walk \[[123]\]: the end$", done.out, re.MULTILINE)
    assert done.out.endswith("1 done, 0 failed, 0 blocked, 0 skipped.\n")


WRONG_NUMBERS = ["0", "-1", "x", "1.5", "", "1001", 0, 1.5, True]


@pytest.mark.parametrize("given", WRONG_NUMBERS, ids=repr)
def test_a_wrong_number_of_workers_is_one_clear_line_and_runs_nothing(jobs: Jobs, given: Any) -> None:
    jobs.script("first")
    result = jobs.run(workers=given)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("--workers: expected a number from 1 to 1000, got ")
    assert len(result.err.splitlines()) == 1
    assert jobs.outcomes() == []


def test_plain_scripts_are_run_as_without_workers(jobs: Jobs) -> None:
    jobs.script("first")
    result = jobs.run(workers=4)
    assert (result.code, result.err) == (0, "")
    assert "worker" not in result.out
    assert jobs.outcomes() == ["first succeeded"]


# In one long sleep, Python would not notice a signal that comes just before it.
IDLES = "while True: time.sleep(0.05)"


class Told:
    """What a supervisor reports of workers that are any program; the ledger's part is made up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[tuple[int, str, bool]] = []
        self.keys: Iterator[int] = itertools.repeat(0)
        monkeypatch.setattr(workers.Workers, "_find_walk", lambda _: self._walk())

    def _walk(self) -> WalkRecord:
        keys = next(self.keys)
        parts = tuple(RangeRecord(n, n, ("0",), ("9",), None, "open", keys=keys) for n in range(16))
        return WalkRecord(1, 1, "", None, None, (), "open", NOON, None, "", "", INTEGER, ranges=parts)

    def send(self, kind: str, **facts: Any) -> None:
        if kind == "printed":
            self.lines.append((facts["worker"], facts["line"], facts["is_error"]))

    @property
    def texts(self) -> list[str]:
        return [text for _, text, _ in self.lines]

    def supervise(self, code: str, count: int = 1, until: float | None = None) -> workers.End:
        start = WorkerStart((sys.executable, "-c", f"import os, signal, sys, time\n{code}"))
        return workers.Workers(script_id("shop.walk"), start, count, until, self.send).carry_out()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    monkeypatch.setattr(workers, "_OFTEN", 0.01)
    monkeypatch.setattr(workers, "_LONGEST_PAUSE", 0)
    return Told(monkeypatch)


def test_what_workers_print_is_passed_on_by_line_with_their_number(told: Told) -> None:
    end = told.supervise(r"print('one'); print('two', file=sys.stderr); sys.stdout.write('no end \x1b')")
    assert sorted(told.lines) == [(1, "no end \x1b", False), (1, "one", False), (1, "two", True)]
    assert end == workers.End((0,))


def test_a_worker_that_failed_is_not_started_again(told: Told) -> None:
    assert told.supervise("sys.exit('no such table')") == workers.End((1,), "no such table")


def test_one_that_dies_at_once_is_started_again_but_not_for_ever(told: Told) -> None:
    end = told.supervise("os.kill(os.getpid(), signal.SIGKILL)")
    assert end == workers.End((-9,), "worker 1 was killed by SIGKILL 6 times without progress")
    assert told.texts == [
        *["was killed by SIGKILL: starting it again"] * 5,
        "was killed by SIGKILL 6 times without progress: not started again",
    ]


def test_one_that_dies_while_the_work_goes_on_is_always_started_again(told: Told, tmp_path: Path) -> None:
    file = tmp_path / "starts"
    told.keys = itertools.count()
    end = told.supervise(
        f"with open({str(file)!r}, 'a') as file: file.write('x')\n"
        "time.sleep(0.3)\n"
        f"os.kill(os.getpid(), signal.SIGSEGV if os.stat({str(file)!r}).st_size < 9 else signal.SIGTERM)"
    )
    assert end.codes == (-15,), "SIGTERM from outside: it was asked to end"
    assert len(file.read_text()) == 9


def test_the_others_begin_when_there_is_work_for_them(told: Told) -> None:
    end = told.supervise("print(sys.argv[1:]); time.sleep(3 if sys.argv[2] == '1' else 0)", count=3)
    assert end.codes == (0, 0, 0)
    assert sorted(told.texts) == [
        f"['--as-worker', '{number}', '--workers', '3', 'shop.walk']" for number in (1, 2, 3)
    ]


def test_workers_get_the_time_that_is_left(told: Told) -> None:
    told.supervise("print(*sys.argv[5:-1])", until=time.monotonic() + 36_000)
    (text,) = told.texts
    assert re.fullmatch(r"--for 3[56]\d\d\d\.\ds", text)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_is_passed_on_and_the_end_of_the_workers_waited_for(
    told: Told, tmp_path: Path, name: str
) -> None:
    ready, number = tmp_path / "ready", signal.Signals[name]

    def interrupt() -> None:
        wait_for(ready.exists, "the worker is at work")
        os.kill(os.getpid(), number)

    threading.Thread(target=interrupt).start()
    with processes.signals_raise():
        end = told.supervise(
            f"signal.signal({number:d}, lambda *_: [print('ends'), sys.exit(3)])\n"
            f"open({str(ready)!r}, 'w').close()\n{IDLES}"
        )
    assert (end.codes, told.texts) == ((3,), ["ends"])
    assert end.interrupt is not None
    assert processes.exit_code(end.interrupt) == 128 + number


def test_one_that_ignores_two_signals_is_killed_by_the_third(told: Told, tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def insist() -> None:
        wait_for(ready.exists, "the worker is at work")
        for count in (1, 2):
            os.kill(os.getpid(), signal.SIGTERM)
            wait_for(lambda count=count: len(told.lines) == count, "it has answered")  # type: ignore[misc]
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=insist).start()
    with processes.signals_raise():
        end = told.supervise(
            "signal.signal(signal.SIGTERM, lambda *_: print('no', flush=True))\n"
            f"open({str(ready)!r}, 'w').close()\n{IDLES}"
        )
    assert (end.codes, told.texts) == ((-9,), ["no", "no"])


# How a process cannot be started, and how often it is tried.
STARTLESS = {
    "the program is not there": (errno.ENOENT, 1, "worker 1 cannot be started: No such file or directory"),
    "there is no other process now": (
        errno.EAGAIN,
        6,
        "worker 1 cannot be started: Resource temporarily unavailable 6 times without progress",
    ),
}


@pytest.mark.parametrize(("number", "tries", "error"), STARTLESS.values(), ids=STARTLESS)
def test_a_worker_that_cannot_be_started_is_one_line(
    told: Told, monkeypatch: pytest.MonkeyPatch, number: int, tries: int, error: str
) -> None:
    started: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        started.append(arguments)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", refuse)
    end = told.supervise("")
    assert (end, len(started)) == (workers.End((1,), error), tries)
    assert told.texts[-1] == f"{error.removeprefix('worker 1 ')}: not started again"


def test_the_first_goes_on_where_no_other_can_be_started(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    start = subprocess.Popen

    def refuse(arguments: list[str], **options: Any) -> Any:
        if arguments[arguments.index("--as-worker") + 1] == "2":
            raise OSError(errno.ENOENT, "No such file or directory")
        return start(arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", refuse)
    end = told.supervise("time.sleep(1); print('done')", count=2)
    assert (end.codes, told.texts[-1]) == ((1, 0), "done")


def test_a_second_signal_after_a_while_ends_the_worker_at_once(told: Told, tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def insist() -> None:
        wait_for(ready.exists, "the worker is at work")
        os.kill(os.getpid(), signal.SIGINT)
        wait_for(lambda: told.texts == ["first"], "it has answered")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=insist).start()
    end = told.supervise(
        "def handle(*_):\n"
        "    print('second' if got else 'first', flush=True)\n"
        "    got.append(1)\n"
        "    if len(got) > 1: sys.exit(4)\n"
        "got = []; signal.signal(signal.SIGINT, handle)\n"
        f"open({str(ready)!r}, 'w').close()\n{IDLES}"
    )
    assert (end.codes, told.texts) == ((4,), ["first", "second"])
    assert type(end.interrupt) is KeyboardInterrupt


def test_a_signal_that_comes_when_the_last_worker_has_ended_ends_the_run(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers._Worker, "close", lambda _: os.kill(os.getpid(), signal.SIGINT))
    end = told.supervise("")
    assert end.codes == (0,)
    assert type(end.interrupt) is KeyboardInterrupt


def test_a_worker_is_started_for_the_tenant_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "tenant_arguments", lambda: (("tenant_command",), ("--schema", "acme")))
    start = workers.worker_start({"verbosity": 1, "wait": 5.0}, is_by_hand=False)
    at = start.arguments.index("tenant_command")
    assert start.arguments[at : at + 5] == ("tenant_command", "run_scripts", "--schema", "acme", "--no-input")


def test_a_worker_prints_on_where_nobody_reads_it_any_more(tmp_path: Path) -> None:
    code = """\
import django, sys
django.setup()
from scripts_tracker.running.workers import outlive_reader
outlive_reader()
print("begun")
sys.stdin.read()
print("x" * 100_000)
print("y", file=sys.stderr)
"""
    env = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=env, stdin=pipe, stdout=pipe, stderr=pipe
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline() == b"begun\n"
        process.stdout.close()
        process.stderr.close()
        process.stdin.close()
    assert process.returncode == 0


STARTS = {
    ("-X", "utf8", "manage.py"): "-Xutf8|manage.py",
    ("-m", "manage"): "-m|manage",
    ("-W", "ignore", "other.py"): "-Wignore|-m|django",
    ("-c", "import starting; starting.main(True)"): "-m|django",
}
STARTING = """\
options = {"verbosity": 2, "wait": 5.0, "settings": "here", "pythonpath": "/x y", "traceback": True}

def main(is_by_hand):
    import django
    django.setup()
    from scripts_tracker.running.workers import worker_start
    start = worker_start(options, is_by_hand=is_by_hand)
    print(*start.arguments[1:], sep="|")
    print(*sorted(start.env))
"""
PASSED_ON = "run_scripts|--no-input|--verbosity|2|--wait|5.0|--settings|here|--pythonpath|/x y|--traceback"


@pytest.mark.parametrize(("arguments", "begin"), STARTS.items(), ids=STARTS.values())
def test_a_worker_is_started_as_the_command_was(
    tmp_path: Path, arguments: tuple[str, ...], begin: str
) -> None:
    (tmp_path / "starting.py").write_text(STARTING)
    (tmp_path / "manage.py").write_text("import starting; starting.main(True)")
    (tmp_path / "other.py").write_text("import starting; starting.main(False)")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(ROOT)}
    environment.pop("PYTHONDEVMODE", None)  # it would be an option that is passed on
    done = subprocess.run(
        [sys.executable, *arguments, "run_scripts", "--workers", "4"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    line, *names = done.stdout.splitlines()
    assert line.removeprefix("-B|") == f"{begin}|{PASSED_ON}"
    assert names == ["DJANGO_SETTINGS_MODULE PYTHONPATH" if "django" in begin else ""]


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_a_killed_worker_is_started_again_and_all_go_on_when_the_one_that_started_them_is_killed(
    walks: Walks,
) -> None:
    walks.rows(range(1, 601))
    walks.script(
        f"self.stdout.write('x' * 5000); {HIT}; hold('batch') if batch.filter(pk=600) else time.sleep(0.02)"
    )
    walks.shop.lease(2)
    (parent,) = walks.shop.start(("run_scripts", "--workers", "2"))

    def pids() -> set[int]:
        rows = walks.execute("SELECT pid FROM scripts_tracker_scriptrun WHERE outcome = 'running'")
        return {int(pid) for (pid,) in rows}

    wait_for(lambda: len(pids()) == 2, "both are at work")
    killed = min(pids())
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: "was killed by SIGKILL: starting it again" in parent.err, "the parent has seen it")
    wait_for(lambda: len(walks.shop.outcomes()) >= 3, "another one has begun")
    parent.signal(signal.SIGKILL)
    parent.wait()
    walks.shop.go("batch")
    # Who is killed without a range is lost by its lease; nobody has a reason to record that.
    wait_for(lambda: not pids() - {killed}, "the workers have ended")
    assert walks.hits() == {1: 600}
    assert walks.shop.states() == {"shop.walk": "applied"}
