"""The tail of what a running command prints, kept while the output goes where it always goes.

Only what passes the ``write`` of the streams that Python prints to is seen. The output of other processes is not, nor
what goes to ``sys.stdout.buffer`` or a file descriptor, nor calls of a ``write`` that was looked up before the run.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from contextvars import ContextVar
from threading import RLock
from types import BuiltinMethodType
from typing import TYPE_CHECKING, Any

from scripts_tracker.core import redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

# Kept beyond the limit, so that no secret is cut in half before it is masked; more than the margin says that it was cut.
SLACK = redaction.MARGIN + 1

# So many short writes are joined.
_PIECES = 4096

# Never held during a real write. Re-entrant, as a signal handler may print.
_lock = RLock()
if hasattr(os, "register_at_fork"):  # a child must not inherit the lock of a thread that it does not have
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class Tail:
    """The end of what was printed: stdout and stderr in the order of their writes.

    Args:
        limit: bytes of UTF-8 that a reader wants; a little more is kept, to be cut after masking.
    """

    def __init__(self, limit: int) -> None:
        self._room = limit + SLACK
        self._kept = ""
        self._pieces: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        """Append what was printed.

        Without the lock, which would double the time: the list is safe by itself, and a size that two threads
        confuse lasts only until the pieces are joined.
        """
        size = len(text)
        self._pieces.append(text if size <= self._room else _end(text, self._room))
        self._size += size
        if self._size > self._room or len(self._pieces) > _PIECES:
            self.text()

    def text(self) -> str:
        """What is kept so far, as a terminal shows it in the end; safe in any thread."""
        with _lock:
            self._size = 0
            joined = len(self._pieces)
            self._kept = _end(_as_seen(self._kept + "".join(self._pieces[:joined])), self._room)
            # Last: an interrupt before it repeats a little, and loses nothing.
            del self._pieces[:joined]
            return self._kept


def _end(text: str, room: int) -> str:
    """The last characters; whole lines where a line ends near the cut."""
    start = len(text) - room
    return text if start <= 0 else text[text.find("\n", start - 1, start + SLACK) + 1 or start :]


def _as_seen(text: str) -> str:
    """Without colours, and without what a progress bar has overwritten, which would push out everything else."""
    if "\x1b" in text:
        text = re.sub(redaction.ESCAPES, "", text)
    if "\r" in text:
        text = "\n".join(line[line.rstrip("\r").rfind("\r") + 1 :] for line in text.split("\n"))
    return text


# The tails of the tracked commands that this thread is in. None while a stream writes, so that what it passes on
# to another stream is kept once. Not set in a thread that a script has started: all tails keep what it prints.
_tails: ContextVar[Collection[Tail]] = ContextVar("_tails")


# Called before a script prints: what is drawn over at the terminal has to go first.
_before: list[Callable[[], None]] = []


@contextlib.contextmanager
def not_of_the_script() -> Iterator[None]:
    """What is printed inside the block is kept with no run."""
    token = _tails.set(())
    try:
        yield
    finally:
        _tails.reset(token)


@contextlib.contextmanager
def called_before_output(action: Callable[[], None]) -> Iterator[None]:
    """Call this before each write of a script in the block."""
    _before.append(action)
    try:
        yield
    finally:
        _before.remove(action)


def _make_room() -> None:
    with not_of_the_script():
        for action in _before:
            action()


class _Tap:
    """Replaces the ``write`` of one stream, in its attributes; keeps only what was really written."""

    def __init__(self, stream: Any, attributes: dict[str, Any]) -> None:
        self.stream = stream  # keeps it alive, or its id could become another's
        self.tails: tuple[Tail, ...] = ()
        self._real = stream.write
        self._attributes = attributes
        self._before = {name: attributes[name] for name in ("write",) if name in attributes}
        is_plain = isinstance(stream, io.TextIOBase) and isinstance(self._real, BuiltinMethodType)
        self._write = attributes["write"] = self._write_plain if is_plain else self._write_any

    def _write_plain(self, text: str, /) -> Any:
        """The usual case, for speed: Python's own streams take only text, and pass it on to no other stream."""
        mine = _tails.get(None)
        if _before and mine != ():
            _make_room()
        result = self._real(text)
        for tail in self.tails:
            if mine is None or tail in mine:
                tail.add(text)
        return result

    def _write_any(self, *args: Any, **named: Any) -> Any:
        if _before and _tails.get(self.tails) != ():
            _make_room()
        token = _tails.set(())
        try:
            result = self._real(*args, **named)
        finally:
            _tails.reset(token)
        mine = _tails.get(self.tails)
        for tail in self.tails:
            if tail in mine and args and isinstance(args[0], str):
                tail.add(args[0])
        return result

    def remove(self) -> None:
        """Restore the stream, unless other code has replaced ``write`` again; without tails this one only passes on."""
        if self._attributes.get("write") is self._write:
            del self._attributes["write"]
            self._attributes.update(self._before)


_taps: dict[int, _Tap] = {}


@contextlib.contextmanager
def captured(command: object, limit: int) -> Iterator[Tail]:
    """Keep the tail of what is printed inside the block; streams that allow no attributes are skipped.

    Args:
        command: its ``stdout`` and ``stderr``, if it has them, count beside those of ``sys``.
        limit: bytes of UTF-8 to keep.

    Yields:
        The tail, readable during the block and after it.
    """
    tail = Tail(limit)
    streams: list[Any] = []
    token = _tails.set((*_tails.get(()), tail))
    try:
        for stream in _streams(command):
            streams.append(stream)
            _attach(stream, tail)
        yield tail
    finally:
        for stream in streams:
            _detach(stream, tail)
        _tails.reset(token)


def _streams(command: object) -> Collection[Any]:
    of_command = (getattr(command, name, None) for name in ("stdout", "stderr"))
    found = [_innermost(stream) for stream in (sys.stdout, sys.stderr, *of_command)]
    return {id(stream): stream for stream in found}.values()


def _innermost(stream: Any) -> Any:
    """What Django's OutputWrapper, which adds line ends and colours, writes to."""
    inner = _attributes(stream).get("_out")
    return _innermost(inner) if hasattr(inner, "write") else stream


def _attributes(stream: object) -> dict[str, Any]:
    """The attributes themselves: a stream may have its own rules for setting them."""
    found = getattr(stream, "__dict__", None)
    return found if isinstance(found, dict) else {}


def _attach(stream: Any, tail: Tail) -> None:
    with _lock:
        tap = _taps.get(id(stream))
        if tap is None:
            if not hasattr(stream, "__dict__") or not hasattr(stream, "write"):
                return
            tap = _taps[id(stream)] = _Tap(stream, _attributes(stream))
        tap.tails += (tail,)


def _detach(stream: Any, tail: Tail) -> None:
    with _lock:
        tap = _taps.get(id(stream))
        if tap is not None:
            tap.tails = tuple(one for one in tap.tails if one is not tail)
            if not tap.tails:
                _taps.pop(id(stream)).remove()
