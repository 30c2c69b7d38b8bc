"""One thread with a large stack, kept for a moment between calls: a fresh one costs as much as a small parse."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

STACK: Final = 128 << 20
IDLE_SECONDS: Final = 1.0
"""For so long the thread waits for the next call before it ends."""


class NoThreadError(RuntimeError):
    """No thread could be started."""


class _Task:
    """A call and how it ended; a caller that was interrupted leaves its task behind."""

    __slots__ = ("argument", "done", "error", "function", "result")

    def __init__(self, function: Callable[[str], object], argument: str) -> None:
        self.function = function
        self.argument = argument
        self.result: object = None
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()

    def perform(self) -> None:
        try:
            self.result = self.function(self.argument)
        except BaseException as error:  # noqa: BLE001 - a panic of the native parser is a BaseException
            self.error = error
        finally:
            self.done.release()


class _Worker:
    """The thread and what it is to do."""

    def __init__(self) -> None:
        self.tasks: queue.SimpleQueue[_Task] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._work, name="scripts_tracker parser", daemon=True)
        # Its stack size is a setting of the whole process, and what starts inside has it.
        usual = threading.stack_size(STACK)
        try:
            self.thread.start()
        except (RuntimeError, MemoryError) as error:
            raise NoThreadError("no thread could be started") from error
        finally:
            threading.stack_size(usual)

    def _work(self) -> None:
        while True:
            try:
                self.tasks.get(timeout=IDLE_SECONDS).perform()
            except queue.Empty:
                if _retire(self):
                    return


_lock = threading.Lock()
_current: list[_Worker] = []


def _retire(worker: _Worker) -> bool:
    """Whether the worker may end: nobody is handing it a task."""
    if not _lock.acquire(blocking=False):
        return False
    try:
        if not worker.tasks.empty():
            return False
        with contextlib.suppress(ValueError):
            _current.remove(worker)
        return True
    finally:
        _lock.release()


def _forget() -> None:
    """A forked process has no thread but the one that forked."""
    global _lock  # noqa: PLW0603 - the old one may be held by a thread that is gone
    _lock = threading.Lock()
    _current.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def call(function: Callable[[str], object], argument: str) -> object:
    """Call a function where the stack holds what the limits let pass; the caller's may be small, and half used.

    Args:
        function: what to call; one call runs at a time.
        argument: its argument.

    Returns:
        What it returns; what it raises is raised here.

    Raises:
        NoThreadError: no thread could be started.
    """
    task = _Task(function, argument)
    with _lock:
        if not _current:
            _current.append(_Worker())
        _current[0].tasks.put(task)
    task.done.acquire()
    if task.error is not None:
        raise task.error
    return task.result
