"""New files: their facts, computed in this process, or in several where that pays."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import deque
from functools import partial
from importlib import import_module
from typing import IO, TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import FileFacts
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAYS_FROM: Final = 250_000
"""Bytes of source for each process: importing libcst takes as long as analysing a third of that."""
CHUNK: Final = 25_000
"""Bytes of source that are handed out at once."""
MAX_PROCESSES: Final = 8
_CODE: Final = (
    "import json, sys; sys.path.extend(json.loads(sys.argv[1]));"
    " from scripts_tracker.analysis.store.compiling import main; main(sys.argv[2])"
)
_QUOTA: Final = "/sys/fs/cgroup/cpu.max"


class Question(NamedTuple):
    """What else to find out about every file that is parsed, while its tree is there.

    Attributes:
        kind: what the cache keeps the answers by.
        function: ``module:function``, which takes an Extraction and returns a line of text. It is imported where a file
            is parsed, in this process or in another.
    """

    kind: str
    function: str


class Compiled(NamedTuple):
    """What one file says: its facts, and the answer to a Question; empty where there was none."""

    facts: FileFacts
    answer: str = ""


Outcome = Compiled | UnreadableSource


def worth_starting(size: int) -> int:
    """How many further processes pay for so many bytes of source; none where there is one core or little to do."""
    if size < 2 * PAYS_FROM or not os.path.basename(sys.executable or "").startswith("python"):
        return 0
    return max(0, min(cores(), size // PAYS_FROM, MAX_PROCESSES) - 1)


def cores() -> int:
    """The cores that this process may use; ``SCRIPTS_TRACKER_PROCESSES`` overrules what the system says."""
    wanted = os.environ.get("SCRIPTS_TRACKER_PROCESSES", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        with open(_QUOTA, encoding="ascii") as file:
            quota, period = file.read().split()
        found = min(found, max(1, int(quota) // int(period)))
    return found


def shared_out(
    sources: Sequence[bytes], work: Callable[[bytes], Outcome], helpers: int, function: str = ""
) -> list[Outcome]:
    """What ``work`` makes of each source, in their order, done here and by so many further processes.

    Args:
        sources: the files.
        work: what is to be done; the processes do the same.
        helpers: how many processes to start; what one that dies leaves undone is done here.
        function: that of a Question, which ``work`` then asks as well.
    """
    found: dict[int, Outcome] = {}
    todo = _chunks(sources)
    with contextlib.ExitStack() as stack:
        threads = [
            threading.Thread(target=_serve, args=(process, todo, sources, found), daemon=True)
            for process in _started(helpers, stack, function)
        ]
        for thread in threads:
            thread.start()
        _help(todo, sources, found, work)
        for thread in threads:
            thread.join()
        _help(todo, sources, found, work)
    return [found[index] for index in range(len(sources))]


def _chunks(sources: Sequence[bytes]) -> deque[list[int]]:
    chunks: deque[list[int]] = deque()
    size = CHUNK
    for index, source in enumerate(sources):
        if size >= CHUNK:
            chunks.append([])
            size = 0
        chunks[-1].append(index)
        size += len(source)
    return chunks


def _help(
    todo: deque[list[int]],
    sources: Sequence[bytes],
    found: dict[int, Outcome],
    work: Callable[[bytes], Outcome],
) -> None:
    """Do what is left in this process."""
    with contextlib.suppress(IndexError):
        while True:
            for index in todo.pop():
                found[index] = work(sources[index])


def _started(helpers: int, stack: contextlib.ExitStack, function: str) -> list[subprocess.Popen[bytes]]:
    """So many processes, which end with the stack; fewer where the system has no room for them."""
    path = json.dumps([os.path.abspath(entry) for entry in sys.path])
    flags = ["-I", *(["-B"] if sys.dont_write_bytecode else [])]
    processes: list[subprocess.Popen[bytes]] = []
    with contextlib.suppress(OSError):
        for _ in range(helpers):
            process = subprocess.Popen(
                [sys.executable, *flags, "-c", _CODE, path, function],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(_end, process)
            processes.append(process)
    return processes


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    with contextlib.suppress(OSError):
        process.communicate()


def _serve(
    process: subprocess.Popen[bytes],
    todo: deque[list[int]],
    sources: Sequence[bytes],
    found: dict[int, Outcome],
) -> None:
    """Hand out chunks to one process until there are none, or until it dies."""
    if process.stdin is None or process.stdout is None:
        return
    while True:
        try:
            chunk = todo.popleft()
        except IndexError:
            return
        try:
            _send(process.stdin, [sources[index] for index in chunk])
            answers = [_decoded(process.stdout.readline()) for _ in chunk]
        except (OSError, ValueError):
            todo.append(chunk)
            return
        found.update(zip(chunk, answers, strict=True))


def _send(stream: IO[bytes], chunk: Sequence[bytes]) -> None:
    """A chunk is read whole before it is answered: neither side waits for the other to read."""
    stream.write(json.dumps([len(source) for source in chunk]).encode() + b"\n" + b"".join(chunk))
    stream.flush()


def _encoded(one: Outcome) -> list[str | int]:
    return (
        [one.reason, one.line, one.column]
        if isinstance(one, UnreadableSource)
        else [one.facts.to_text(), one.answer]
    )


def _decoded(line: bytes) -> Outcome:
    first, *others = json.loads(line)
    if len(others) == 2:  # noqa: PLR2004 - line and column
        return UnreadableSource(first, *others)
    return Compiled(FileFacts.from_text(first), *others)


def main(function: str) -> None:
    """Answer chunks from standard input until it ends; ``function`` is that of a Question."""
    for line in sys.stdin.buffer:
        sources = [sys.stdin.buffer.read(length) for length in json.loads(line)]
        for source in sources:
            sys.stdout.buffer.write(json.dumps(_encoded(outcome(source, function))).encode() + b"\n")
        sys.stdout.buffer.flush()


def compiled(source: bytes, function: str = "") -> Compiled:
    """What one file says; raises UnreadableSource for what cannot be analysed.

    Args:
        source: the file's bytes.
        function: that of a Question; empty for none.
    """
    # The one door to libcst, which takes 0.2 s to import.
    from scripts_tracker.analysis.source.parsing import collector_paused

    with collector_paused():
        # The tree is gone before the collector is back, which would walk all of it.
        return _extracted(source, function)


def _extracted(source: bytes, function: str) -> Compiled:
    from scripts_tracker.analysis.facts.extraction import Extraction
    from scripts_tracker.analysis.source.parsing import parse

    extraction = Extraction(parse(source))
    facts = extraction.facts()
    if not function:
        return Compiled(facts)
    module, _, name = function.partition(":")
    return Compiled(facts, getattr(import_module(module), name)(extraction))


def outcome(source: bytes, function: str = "") -> Outcome:
    """What one file says, or why it cannot be analysed; the arguments are those of ``compiled``."""
    try:
        return compiled(source, function)
    except UnreadableSource as error:
        return error


def outcomes(sources: Sequence[bytes], function: str = "") -> list[Outcome]:
    """What several files say, in their order; the arguments are those of ``compiled``."""
    helpers = worth_starting(sum(map(len, sources))) if len(sources) > 1 else 0
    if helpers:
        return shared_out(sources, partial(outcome, function=function), helpers, function)
    return [outcome(source, function) for source in sources]
