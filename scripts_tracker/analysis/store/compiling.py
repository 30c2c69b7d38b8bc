"""New files: they are parsed in this process, or in several if there is enough to do."""

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
from itertools import chain, takewhile
from typing import IO, TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import FileFacts
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

BYTES_PER_PROCESS: Final = 250_000
"""Of source: a new process takes as long to import libcst as to analyse a third of that as a whole."""
PART_BYTES_PER_PROCESS: Final = 400_000
"""The same where no fingerprint is needed, and most of the source is not parsed."""
CHUNK_BYTES: Final = 50_000
"""Of source that is dealt with at once, and that a process gets."""
MAX_PROCESSES: Final = 8
_CODE: Final = (
    "import json, sys; sys.path.extend(json.loads(sys.argv[1]));"
    " from scripts_tracker.analysis.store.compiling import main; main(*sys.argv[2:])"
)
_QUOTA: Final = "/sys/fs/cgroup/cpu.max"


class Question(NamedTuple):
    """Something else to find out about each file while its tree is there.

    Attributes:
        kind: of the answers in the cache.
        function: ``module:function``. It takes an Extraction and returns a line of text. It is imported only where a
            file is parsed, in this process or in a worker.
    """

    kind: str
    function: str


class Compiled(NamedTuple):
    """The facts of a file, and the answer to a Question; empty if there was none."""

    facts: FileFacts
    answer: str = ""


Result = Compiled | UnreadableSource
if TYPE_CHECKING:
    Work = Callable[[Sequence[bytes]], Iterable[Result]]
    """What is done with files that are dealt with together."""


def compiled(source: bytes, function: str = "", *, with_fingerprint: bool = True) -> Compiled:
    """Parse and analyse one file.

    Args:
        source: its bytes.
        function: of a Question.
        with_fingerprint: whether the fingerprint is needed too.

    Raises:
        UnreadableSource: the file cannot be parsed.
    """
    from scripts_tracker.analysis.source.collector import collector_paused  # only where a file is new

    with collector_paused():
        # The tree must be gone before the garbage collector is back, which would walk all of it.
        return _compiled(source, function, with_fingerprint=with_fingerprint)


def _compiled(source: bytes, function: str, *, with_fingerprint: bool) -> Compiled:
    # This imports libcst, which takes 0.2 s.
    from scripts_tracker.analysis.facts.extraction import Extraction, extract, parsed

    if not function:
        return Compiled(extract(source, with_fingerprint=with_fingerprint))
    extraction = Extraction(parsed(source))
    facts = extraction.facts(with_fingerprint=with_fingerprint)
    module, _, name = function.partition(":")
    return Compiled(facts, getattr(import_module(module), name)(extraction))


def compile_one(source: bytes, function: str = "", *, with_fingerprint: bool = True) -> Result:
    """As ``compiled``, but returns the error."""
    try:
        return compiled(source, function, with_fingerprint=with_fingerprint)
    except UnreadableSource as error:
        return error


def compile_all(
    sources: Sequence[bytes], function: str = "", *, with_fingerprint: bool = True, is_valid: bool = False
) -> list[Result]:
    """The results of ``compile_one`` for several files, in their order.

    Args:
        sources: the files.
        function: of a Question.
        with_fingerprint: whether their fingerprints are needed too.
        is_valid: whether CPython is known to accept all of them.
    """
    work = partial(_compile_chunk, function=function, with_fingerprint=with_fingerprint, is_valid=is_valid)
    is_whole = with_fingerprint or bool(function)
    share = BYTES_PER_PROCESS if is_whole else PART_BYTES_PER_PROCESS
    workers = worker_count(sum(map(len, sources)), share) if len(sources) > 1 else 0
    if workers:
        needs = {"with_fingerprint": with_fingerprint, "is_valid": is_valid}
        return compile_in_processes(sources, work, workers, function, **needs)
    return _compiled_here([[sources[index] for index in chunk] for chunk in _chunks(sources)], work)


def _compile_chunk(
    sources: Sequence[bytes], function: str = "", *, with_fingerprint: bool = True, is_valid: bool = False
) -> Iterator[Result]:
    """As ``compile_all``, here."""
    if function or with_fingerprint:
        yield from (compile_one(one, function, with_fingerprint=with_fingerprint) for one in sources)
        return
    from scripts_tracker.analysis.facts.extraction import extract_all  # as above

    for found in extract_all(sources, is_valid=is_valid):
        yield found if isinstance(found, UnreadableSource) else Compiled(found)


def _compiled_here(chunks: Sequence[Sequence[bytes]], work: Work) -> list[Result]:
    """The results for chunks of files in this process, all of them with one visit to the deep stack."""
    from scripts_tracker.analysis.source.collector import collector_paused  # as above
    from scripts_tracker.analysis.source.parsing import on_deep_stack

    results: list[Result] = []
    is_wanted = True
    with collector_paused():
        try:
            # Without the thread each file says why it cannot be read.
            with contextlib.suppress(UnreadableSource):
                found = chain.from_iterable(map(work, chunks))
                on_deep_stack(results.extend, takewhile(lambda _: is_wanted, found))
            return results or [*chain.from_iterable(map(work, chunks))]
        finally:
            # After Ctrl-C nobody takes the results: the thread ends with the file that it is at, or with a few of them.
            is_wanted = False


def _chunks(sources: Sequence[bytes]) -> Iterator[list[int]]:
    """The numbers of files that are dealt with together."""
    chunk: list[int] = []
    size = 0
    for index, source in enumerate(sources):
        chunk.append(index)
        size += len(source)
        if size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def worker_count(size: int, share: int = BYTES_PER_PROCESS) -> int:
    """How many more processes are worth starting for this many bytes of source, if each is to have a share."""
    if size < 2 * share or not os.path.basename(sys.executable or "").startswith("python"):
        return 0
    return max(0, min(cores(), size // share, MAX_PROCESSES) - 1)


def cores() -> int:
    """How many cores this process may use: ``SCRIPTS_TRACKER_PROCESSES``, else what the system allows."""
    with contextlib.suppress(KeyError, ValueError):
        if (wanted := int(os.environ["SCRIPTS_TRACKER_PROCESSES"])) > 0:
            return wanted
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        with open(_QUOTA, encoding="ascii") as file:
            quota, period = file.read().split()
        found = min(found, max(1, int(quota) // int(period)))
    return found


def compile_in_processes(
    sources: Sequence[bytes],
    work: Work,
    workers: int,
    function: str = "",
    **needs: bool,
) -> list[Result]:
    """The results for several files, from this process and from workers.

    Args:
        sources: the files.
        work: what this process does with some of them; the workers do the same.
        workers: how many to start; this process does what a worker leaves undone when it dies.
        function: of a Question, which ``work`` asks too.
        needs: the other arguments of ``work``, where they differ from its defaults.
    """
    words = [function, json.dumps(needs)]
    job = _Job(sources)
    with contextlib.ExitStack() as stack:
        threads = [
            threading.Thread(target=job.hand_out, args=(process,), daemon=True)
            for process in _started(workers, stack, words)
        ]
        for thread in threads:
            thread.start()
        job.work_off(work)
        for thread in threads:
            thread.join()
        job.work_off(work)
    return [job.results[index] for index in range(len(sources))]


class _Job:
    """Files in chunks, which several threads take; each chunk is a list of indexes of files."""

    def __init__(self, sources: Sequence[bytes]) -> None:
        self.results: dict[int, Result] = {}
        self._sources = sources
        self._chunks = deque(_chunks(sources))

    def work_off(self, work: Work) -> None:
        """Do all that is left in this process."""
        with contextlib.suppress(IndexError):
            while True:
                chunk = self._chunks.pop()
                found = _compiled_here([[self._sources[index] for index in chunk]], work)
                self.results.update(zip(chunk, found, strict=True))

    def hand_out(self, process: subprocess.Popen[bytes]) -> None:
        """Give chunks to a worker until none is left or the worker dies."""
        if process.stdin is None or process.stdout is None:
            return
        with contextlib.suppress(IndexError):
            while True:
                chunk = self._chunks.popleft()
                try:
                    _send(process.stdin, [self._sources[index] for index in chunk])
                    answers = [_decoded(process.stdout.readline()) for _ in chunk]
                except (OSError, ValueError):
                    self._chunks.append(chunk)
                    return
                self.results.update(zip(chunk, answers, strict=True))


def _started(
    workers: int, stack: contextlib.ExitStack, words: Sequence[str]
) -> list[subprocess.Popen[bytes]]:
    """The workers, which end with the stack; fewer if the system has no room for them."""
    path = json.dumps([os.path.abspath(entry) for entry in sys.path])
    flags = ["-I", *(["-B"] if sys.dont_write_bytecode else [])]
    processes: list[subprocess.Popen[bytes]] = []
    with contextlib.suppress(OSError):
        for _ in range(workers):
            process = subprocess.Popen(
                [sys.executable, *flags, "-c", _CODE, path, *words],
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


def _send(stream: IO[bytes], chunk: Sequence[bytes]) -> None:
    """A worker reads a whole chunk before it answers, so that neither side waits for the other to read."""
    stream.write(json.dumps([len(source) for source in chunk]).encode() + b"\n" + b"".join(chunk))
    stream.flush()


def main(function: str, needs: str) -> None:
    """Be a worker: answer chunks from standard input until it ends.

    Args:
        function: of a Question.
        needs: the other arguments of ``compile_all``, as JSON.
    """
    work = partial(_compile_chunk, function=function, **json.loads(needs))
    for line in sys.stdin.buffer:
        sources = [sys.stdin.buffer.read(length) for length in json.loads(line)]
        for answer in _compiled_here([sources], work):
            sys.stdout.buffer.write(json.dumps(_encoded(answer)).encode() + b"\n")
        sys.stdout.buffer.flush()


def _encoded(one: Result) -> list[str | int]:
    if isinstance(one, UnreadableSource):
        return [one.reason, one.line, one.column]
    return [one.facts.to_text(), one.answer]


def _decoded(line: bytes) -> Result:
    first, *others = json.loads(line)
    if len(others) == 2:  # noqa: PLR2004 - line and column
        return UnreadableSource(first, *others)
    return Compiled(FileFacts.from_text(first), *others)
