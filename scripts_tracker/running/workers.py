"""``run_scripts --workers``: the processes that share a batched script, and what looks after them.

Each is a whole worker: it has its own connection, its own row of the history, and needs nothing from the process that
started it. Where that one is killed, they go on, and end when the script is done.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import subprocess
import sys
import threading
import time
from queue import Empty, SimpleQueue
from typing import IO, TYPE_CHECKING, Any, Final

from django.db import Error

from scripts_tracker import conf
from scripts_tracker.core.events import EXIT_STOPPED, WorkerStart
from scripts_tracker.core.progress import progress_of
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import ScriptsTrackerError
from scripts_tracker.ledger import database, processes, queries, walk_queries
from scripts_tracker.running.calls import TakenOver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts_tracker.core.events import Summary
    from scripts_tracker.core.progress import WalkRecord
    from scripts_tracker.core.values import ScriptId

    Send = Callable[..., None]
    """Reports an event of the step: its kind, then the facts by name."""

LOST: Final = 74
"""A worker's exit code where another process has taken its work over, so that it may be started again."""

# Seconds between two looks at the ledger; and a share of the time so far, as what takes hours needs no look a second.
_OFTEN, _SELDOM, _SHARE = 1.0, 30.0, 1 / 60
# How often a worker that dies is started again while nothing progresses, and the seconds before that.
_DEATHS = 5
_LONGEST_PAUSE = 30
_TICK = 0.2
# For how many leases a worker may go on after the end of the script: signals and their receivers come last.
_LEASES = 3
# The longest part of a line that is read at once, and how many lines may wait to be printed.
_LINE, _LINES = 64 * 1024, 10_000
# How often a signal is passed on as it is: the first ends a worker after its batch, the second at once.
_PATIENT_SIGNALS = 2
# What a process lacks for a while: other processes, memory, open files.
_SHORT_OF = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
# A worker that somebody else has ended by these is not started again.
_ASKED = frozenset(getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))


class CannotStart(ScriptsTrackerError):
    """It is not known how to start another process like this one."""


class End(NamedTuple):
    """How the workers ended.

    Attributes:
        codes: the last exit code of each.
        error: the last line on stderr of one that failed; empty if none did.
        interrupt: the signal that ended them.
    """

    codes: tuple[int, ...]
    error: str = ""
    interrupt: KeyboardInterrupt | None = None


class _Line(NamedTuple):
    worker: int
    text: str
    is_error: bool


class _Worker:
    """One process, and the threads that read what it prints."""

    def __init__(
        self, number: int, start: WorkerStart, arguments: tuple[str, ...], lines: SimpleQueue[_Line]
    ) -> None:
        self.number = number
        self.process = subprocess.Popen(
            [*start.arguments, *arguments],
            env={**os.environ, **start.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C at the terminal is for us alone: a second signal would interrupt a batch
        )
        self._readers = [
            threading.Thread(target=_read, args=(number, stream, is_error, lines), daemon=True)
            for stream, is_error in ((self.process.stdout, False), (self.process.stderr, True))
        ]
        for reader in self._readers:
            reader.start()

    def pass_on(self, number: int) -> None:
        """Send a signal; Windows knows only one that ends the process at once."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number) if os.name == "posix" else self.process.kill()

    def close(self) -> None:
        """Wait for the rest of what it has printed: not for what a process of its own still may print."""
        for reader in self._readers:
            reader.join(1)


def _read(number: int, stream: IO[bytes], is_error: bool, lines: SimpleQueue[_Line]) -> None:  # noqa: FBT001 - of a thread
    with stream:
        for line in iter(lambda: stream.readline(_LINE), b""):
            while lines.qsize() > _LINES:  # nobody reads what we print
                time.sleep(_TICK)
            lines.put(_Line(number, line.decode(errors="backslashreplace").rstrip("\r\n"), is_error))


class Workers:
    """The processes that share one script.

    Args:
        script: the script.
        start: how to start one.
        count: how many there are to be; the others follow the first when there is work for them.
        until: the ``time.monotonic()`` at which to begin nothing more; None for no limit.
        send: reports an event.
    """

    def __init__(
        self, script: ScriptId, start: WorkerStart, count: int, until: float | None, send: Send
    ) -> None:
        self._script = script
        self._start = start
        self._count = count
        self._until = until
        self._send = send
        self._lines: SimpleQueue[_Line] = SimpleQueue()
        self._alive: list[_Worker] = []
        self._due: dict[int, float] = {}
        self._deaths: dict[int, int] = {}
        self._codes: dict[int, int] = {}
        self._signals: list[signal.Signals] = []
        self._errors: dict[int, str] = {}
        self._walk = 0
        self._keys = -1
        self._began = self._looked = time.monotonic()
        self._over: float | None = None
        self._are_all_begun = False

    def carry_out(self) -> End:
        """Let them work until the last one has ended; signals are passed on, and the end has the first of them."""
        with processes.signals_collected() as new_signals:
            try:
                self._begin(1)
                while self._alive or self._due:
                    self._forward(_TICK)
                    self._pass_on(new_signals())
                    self._reap()
                    self._look()
                    self._begin_again()
                self._forward(0)
            finally:
                self._end_all()
        self._signals += new_signals()
        failed = [number for number, code in self._codes.items() if code]
        error = next((self._errors[number] for number in failed if number in self._errors), "")
        return End(tuple(self._codes.values()), error, _interrupt(self._signals))

    def _begin(self, number: int) -> None:
        arguments = ["--as-worker", str(number), "--workers", str(self._count)]
        if self._until is not None:
            arguments += ["--for", f"{max(self._until - time.monotonic(), 0.1):.1f}s"]
        arguments.append(str(self._script))
        try:
            self._alive.append(_Worker(number, self._start, tuple(arguments), self._lines))
        except OSError as error:
            self._codes[number] = 1
            how = f"cannot be started: {error.strerror or error}"
            if error.errno in _SHORT_OF:
                self._mourn(number, how)
            else:
                self._give_up(number, how)

    def _forward(self, seconds: float) -> None:
        """Report what was printed; wait so long for the first line."""
        with contextlib.suppress(Empty):
            line = self._lines.get(timeout=seconds) if seconds else self._lines.get_nowait()
            while True:
                if line.is_error and line.text.strip():
                    self._errors[line.worker] = line.text.strip()
                self._send("printed", worker=line.worker, line=line.text, is_error=line.is_error)
                line = self._lines.get_nowait()

    def _notice(self, number: int, text: str) -> None:
        self._send("printed", worker=number, line=text, is_error=True)

    def _pass_on(self, new: list[signal.Signals]) -> None:
        for number in new:
            self._signals.append(number)
            self._due.clear()
            is_patient = len(self._signals) <= _PATIENT_SIGNALS
            for worker in self._alive:
                worker.pass_on(number if is_patient else getattr(signal, "SIGKILL", number))

    def _reap(self) -> None:
        for worker in [one for one in self._alive if one.process.poll() is not None]:
            self._alive.remove(worker)
            worker.close()
            self._forward(0)
            code = self._codes[worker.number] = worker.process.returncode
            if not self._signals and not self._over and (code == LOST or (code < 0 and -code not in _ASKED)):
                self._mourn(
                    worker.number, "lost its lease" if code == LOST else f"was killed by {_name(-code)}"
                )

    def _mourn(self, number: int, how: str) -> None:
        """Start a worker again, sooner or later, unless it dies again and again."""
        deaths = self._deaths[number] = self._deaths.get(number, 0) + 1
        if deaths > _DEATHS:
            self._give_up(number, f"{how} {deaths} times without progress")
            return
        pause = min(2 ** (deaths - 1) - 1, _LONGEST_PAUSE)
        self._due[number] = time.monotonic() + pause
        self._notice(number, f"{how}: starting it again{f' in {pause} s' if pause else ''}")

    def _give_up(self, number: int, why: str) -> None:
        self._errors[number] = f"worker {number} {why}"
        self._notice(number, f"{why}: not started again")

    def _begin_again(self) -> None:
        now = time.monotonic()
        for number in [number for number, moment in self._due.items() if moment <= now]:
            del self._due[number]
            if self._until is None or self._until > now:
                self._begin(number)

    def _look(self) -> None:
        """Look at the ledger once in a while: report the progress, let the other workers begin, end those that hang."""
        now = time.monotonic()
        is_urgent = not self._are_all_begun or bool(self._deaths)
        pause = _OFTEN if is_urgent else min(max(_OFTEN, (now - self._began) * _SHARE), _SELDOM)
        if now - self._looked < pause:
            return
        self._looked = now
        try:
            walk = self._find_walk()
        except Error:  # the workers will say more about it
            database.discard(database.connection())
            return
        if walk is not None and walk.outcome == "open":
            self._report(walk)
        elif walk is not None:
            self._end_hanging(now)

    def _find_walk(self) -> WalkRecord | None:
        if not self._walk:
            record = queries.record_of(self._script)
            self._walk = record.walk_pk if record else 0
        return walk_queries.walks([self._walk]).get(self._walk) if self._walk else None

    def _report(self, walk: WalkRecord) -> None:
        progress = progress_of(walk)
        if progress.keys > self._keys >= 0:
            self._deaths.clear()
        self._keys = progress.keys
        self._send("progress", progress=progress, seconds=time.monotonic() - self._began)
        if not self._are_all_begun and walk.ranges and not self._signals:
            self._are_all_begun = True
            usable = sum(one.outcome == "open" for one in walk.ranges)
            for number in range(2, 1 + min(self._count, usable)):
                self._begin(number)

    def _end_hanging(self, now: float) -> None:
        """End what does not end by itself although there is nothing left to do: a process that was stopped, say."""
        self._over = self._over or now
        if now - self._over < _LEASES * conf.tracker_settings().lease_seconds:
            return
        for worker in self._alive:
            self._notice(worker.number, "does not end, although the script is done: killing it")
            worker.process.kill()

    def _end_all(self) -> None:
        """After an error of our own, leave no process behind."""
        for worker in self._alive:
            worker.pass_on(signal.SIGTERM)
        for worker in self._alive:
            worker.process.wait()


def exit_code(summary: Summary) -> int:
    """What a worker exits with."""
    if summary.is_good:
        return 0
    if summary.is_unfinished:
        return EXIT_STOPPED
    return LOST if any(isinstance(result.error, TakenOver) for result in summary.results) else 1


def _interrupt(arrived: list[signal.Signals]) -> KeyboardInterrupt | None:
    if not arrived:
        return None
    name = arrived[0].name
    return KeyboardInterrupt() if name == "SIGINT" else processes.Terminated(name)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"


def worker_start(options: Mapping[str, Any], *, is_by_hand: bool) -> WorkerStart:
    """How to start a worker as this process was started.

    Args:
        options: those of ``run_scripts``; what concerns a worker is passed on.
        is_by_hand: whether this process was started as ``manage.py run_scripts`` or the like.

    Raises:
        CannotStart: nothing says how.
    """
    begin, env = _manage(is_by_hand=is_by_hand)
    before, after = database.tenant_arguments()
    return WorkerStart((*begin, *before, "run_scripts", *after, *_passed_on(options)), env)


def _passed_on(options: Mapping[str, Any]) -> Iterator[str]:
    yield from ("--no-input", "--verbosity", str(options["verbosity"]), "--wait", str(options["wait"]))
    for name in ("settings", "pythonpath", "configuration"):  # the last is of django-configurations
        if options.get(name):
            yield from (f"--{name}", str(options[name]))
    for name in ("traceback", "force_color", "skip_checks"):
        if options.get(name):
            yield f"--{name.replace('_', '-')}"


def _manage(*, is_by_hand: bool) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """``manage.py`` or what else this process was started as; ``python -m django`` where other code has called us."""
    from django.utils.autoreload import get_child_arguments  # as runserver starts itself again

    if not sys.executable:
        raise CannotStart(
            "--workers cannot start processes: Python does not know its own path (sys.executable)"
        )
    if is_by_hand:
        with contextlib.suppress(
            RuntimeError
        ):  # the file that was started is not there, by its relative path
            found = [str(argument) for argument in get_child_arguments()]
            return tuple(found[: len(found) - len(sys.argv[1:])]), {}
    module = os.environ.get("DJANGO_SETTINGS_MODULE")
    if not module:
        raise CannotStart(
            "--workers needs a settings module: this process has its settings from settings.configure()"
        )
    interpreter = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]  # noqa: SLF001 - as multiprocessing has it
    path = os.pathsep.join(filter(None, sys.path))
    return (sys.executable, *interpreter, "-m", "django"), {
        "PYTHONPATH": path,
        "DJANGO_SETTINGS_MODULE": module,
    }


class _Lasting(io.RawIOBase):
    """A stream that becomes the null device when nobody reads it any more."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._number

    def write(self, data: Any) -> int:
        try:
            return os.write(self._number, data)
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._number)
            os.close(nothing)
            return len(data)


def outlive_reader() -> None:
    """Let this worker print on where the process that reads it was killed, and a line at a time."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        raw = io.BufferedWriter(_Lasting(number))
        stream = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        setattr(sys, name, stream)
