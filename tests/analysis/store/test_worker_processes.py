from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.source import parsing
from scripts_tracker.analysis.store import compiling
from scripts_tracker.analysis.store.compiling import Compiled
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis.sources import demo
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts_tracker.analysis.store.compiling import Result

SOURCES = [path.read_bytes() for path in demo()] + [b"x = = 1\n", b"\xff", b"tracked_script = '\xc3\xa9'\n"]


def _comparable(outcomes: list[Result]) -> list[object]:
    return [one if isinstance(one, Compiled) else (one.reason, one.line, one.column) for one in outcomes]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a file or two, so that both sides get some."""
    monkeypatch.setattr(compiling, "CHUNK_BYTES", 500)


def _alone() -> list[object]:
    return _comparable(_compile(SOURCES))


def _compile(sources: Sequence[bytes]) -> list[Result]:
    return [compiling.compile_one(source) for source in sources]


def _at_each_answer(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Act when one of the processes has answered."""
    decoded = compiling._decoded

    def decode(line: bytes) -> Result:
        act()
        return decoded(line)

    monkeypatch.setattr(compiling, "_decoded", decode)


def test_several_processes_find_the_same_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    done_here: list[bytes] = []
    answered = threading.Event()
    _at_each_answer(monkeypatch, answered.set)

    def work(sources: Sequence[bytes]) -> list[Result]:
        done_here.extend(sources)
        assert answered.wait(PATIENCE)
        return _compile(sources)

    assert _comparable(compiling.compile_in_processes(SOURCES, work, workers=2)) == _alone()
    assert len(done_here) < len(SOURCES), "the processes did a part of it"


def test_a_process_that_is_killed_leaves_nothing_undone(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    killed = threading.Event()
    popen = subprocess.Popen

    def start(*args: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*args, **options))  # type: ignore[call-overload]  # handed on as it came
        return started[-1]

    def kill() -> None:
        started[0].send_signal(signal.SIGKILL)
        killed.set()

    monkeypatch.setattr(subprocess, "Popen", start)
    _at_each_answer(monkeypatch, kill)

    def work(sources: Sequence[bytes]) -> list[Result]:
        assert killed.wait(PATIENCE)
        return _compile(sources)

    assert _comparable(compiling.compile_in_processes(SOURCES, work, workers=1)) == _alone()
    assert [process.returncode for process in started] == [-signal.SIGKILL]


def test_a_process_with_invalid_answers_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        compiling, "_CODE", "import time\nwhile True: print('nonsense', flush=True); time.sleep(0.01)"
    )
    assert _comparable(compiling.compile_in_processes(SOURCES, _compile, workers=2)) == _alone()


def test_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", os.path.join(os.sep, "nowhere", "python"))
    assert _comparable(compiling.compile_in_processes(SOURCES, _compile, workers=2)) == _alone()


def test_without_a_thread_each_file_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(parsing, "_idle", [])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    found = compiling.compile_all([b"x = 1\n", b"\xff"])
    assert [one.reason for one in found if isinstance(one, UnreadableSource)] == [
        "no thread could be started to parse the source",
        "the byte 0xff is not valid utf-8",
    ]


def test_processes_end_when_the_work_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []
    popen = subprocess.Popen

    def start(*args: object, **options: object) -> subprocess.Popen[bytes]:
        started.append(popen(*args, **options))  # type: ignore[call-overload]  # handed on as it came
        return started[-1]  # type: ignore[no-any-return]  # as above

    monkeypatch.setattr(subprocess, "Popen", start)

    def work(sources: Sequence[bytes]) -> list[Result]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiling.compile_in_processes(SOURCES, work, workers=2)
    assert all(process.returncode is not None for process in started)


@pytest.mark.parametrize(
    ("size", "cores", "workers"),
    [
        pytest.param(100, "8", 0, id="little to do"),
        pytest.param(10_000_000, "1", 0, id="one core"),
        pytest.param(2 * compiling.BYTES_PER_PROCESS, "8", 1, id="enough for two"),
        pytest.param(10_000_000, "2", 1, id="two cores"),
        pytest.param(100_000_000, "64", compiling.MAX_PROCESSES - 1, id="many cores"),
    ],
)
def test_processes_are_started_only_if_they_save_time(
    size: int, cores: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTS_TRACKER_PROCESSES", cores)
    assert compiling.worker_count(size) == workers


def test_a_source_that_is_parsed_in_part_is_less_work(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    monkeypatch.setenv("SCRIPTS_TRACKER_PROCESSES", "2")
    monkeypatch.setattr(
        compiling, "compile_in_processes", lambda _sources, _work, workers, *_, **__: started.append(workers)
    )
    monkeypatch.setattr(compiling, "_compile_chunk", lambda *_, **__: [])
    sources = [b" " * compiling.BYTES_PER_PROCESS] * 2
    compiling.compile_all(sources, with_fingerprint=False)
    assert started == []
    compiling.compile_all(sources, "a.question:function", with_fingerprint=False)
    compiling.compile_all(sources)
    assert started == [1, 1]
    compiling.compile_all([b" " * compiling.PART_BYTES_PER_PROCESS] * 2, with_fingerprint=False)
    assert started == [1, 1, 1]


@pytest.mark.parametrize("executable", ["", "/usr/bin/uwsgi", "/opt/frozen-app"])
def test_an_executable_other_than_python_is_not_started(
    executable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTS_TRACKER_PROCESSES", "8")
    monkeypatch.setattr(sys, "executable", executable)
    assert compiling.worker_count(10_000_000) == 0


def test_the_facts_of_names_that_python_normalizes_are_the_same_with_a_question() -> None:
    source = "from scripts_tracker import \uff54racked_script\nclass \uff23ommand: pass\n".encode()
    found = [compiling.compile_one(source, function) for function in ("", "builtins:repr")]
    facts = [one.facts for one in found if isinstance(one, Compiled)]
    assert facts[0] == facts[1]
    assert facts[0].command == (2, 1)


def test_unreadable_sources_keep_their_place_and_reason() -> None:
    (one,) = compiling.compile_in_processes([b"x = 1\ny = = 1\n"], _compile, workers=1)
    assert isinstance(one, UnreadableSource)
    assert (one.line, one.reason) == (2, "invalid syntax")
