"""The tail of what a running command prints, kept while the output goes where it always went.

Seen is what passes the ``write`` of the streams that Python code prints to. Not seen is what other processes print,
what goes to ``sys.stdout.buffer`` or a file descriptor, and a ``write`` that was taken off a stream before the run.
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
    from collections.abc import Collection, Iterator

# Kept beyond the limit, so that no secret is cut in half before it is masked; more than the margin says that it was cut.
SLACK = redaction.MARGIN + 1

# Short writes are joined when there are so many of them.
_PIECES = 4096

# Never held during a real write. Re-entrant, as a signal handler may print.
_lock = RLock()
if hasattr(os, "register_at_fork"):  # a child must not inherit the lock from a thread that it has not
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

        Without the lock, which would double the price: the list is safe by itself, and a size that two threads
        spoil lasts only until the pieces are joined.
        """
        size = len(text)
        self._pieces.append(text if size <= self._room else _end(text, self._room))
        self._size += size
        if self._size > self._room or len(self._pieces) > _PIECES:
            self.text()

    def text(self) -> str:
        """What is kept so far, as a terminal shows it in the end; any thread may ask at any time."""
        with _lock:
            self._size = 0
            joined = len(self._pieces)
            self._kept = _end(_as_seen(self._kept + "".join(self._pieces[:joined])), self._room)
            # Last: an interrupt in between repeats a little, and loses nothing.
            del self._pieces[:joined]
            return self._kept


def _end(text: str, room: int) -> str:
    """The last characters; whole lines where a line ends near the cut."""
    start = len(text) - room
    return text if start <= 0 else text[text.find("\n", start - 1, start + SLACK) + 1 or start :]


def _as_seen(text: str) -> str:
    """Without colours, and without what a progress bar has overwritten, which would push out all else."""
    if "\x1b" in text:
        text = re.sub(redaction.ESCAPES, "", text)
    if "\r" in text:
        text = "\n".join(_overwritten(line) for line in text.split("\n"))
    return text


def _overwritten(line: str) -> str:
    return line[line.rstrip("\r").rfind("\r") + 1 :]


# The tails of the tracked commands that this thread is in; none while a stream writes, so that what it passes on
# to another stream is heard once; not set in a thread that a script has started, which all tails hear.
_tails: ContextVar[Collection[Tail]] = ContextVar("_tails")


class _Tap:
    """What stands in for the ``write`` of one stream, in its attributes; only what was written is kept."""

    def __init__(self, stream: Any, attributes: dict[str, Any]) -> None:
        self.stream = stream  # alive, or its id would not be its own
        self.tails: tuple[Tail, ...] = ()
        self._real = stream.write
        self._attributes = attributes
        self._before = {name: attributes[name] for name in ("write",) if name in attributes}
        is_plain = isinstance(stream, io.TextIOBase) and isinstance(self._real, BuiltinMethodType)
        self._write = attributes["write"] = self._write_plain if is_plain else self._write_any

    def _write_plain(self, text: str, /) -> Any:
        """The usual case, for speed: Python's own streams take text alone, and pass it on to no other."""
        result = self._real(text)
        mine = _tails.get(None)
        for tail in self.tails:
            if mine is None or tail in mine:
                tail.add(text)
        return result

    def _write_any(self, *args: Any, **named: Any) -> Any:
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
        """Take it off, unless somebody stands before it; without tails it only passes on."""
        if self._attributes.get("write") is self._write:
            del self._attributes["write"]
            self._attributes.update(self._before)


_taps: dict[int, _Tap] = {}


@contextlib.contextmanager
def captured(command: object, limit: int) -> Iterator[Tail]:
    """Keep the tail of what is printed inside the block; streams that allow no attributes are left out.

    Args:
        command: whose ``stdout`` and ``stderr``, where it has them, are heard beside those of ``sys``.
        limit: bytes of UTF-8 that are wanted.

    Yields:
        The tail, which may be asked during the block and after it.
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
    """The attributes themselves: a stream may have rules of its own for setting them."""
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
        if tap is None:
            return
        tap.tails = tuple(one for one in tap.tails if one is not tail)
        if not tap.tails:
            del _taps[id(stream)]
            tap.remove()
