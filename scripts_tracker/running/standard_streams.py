"""The standard streams around a script: the objects in ``sys``, and the descriptors and terminal behind them."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

STREAMS = ("stdin", "stdout", "stderr")


def for_each(items: Iterable[tuple[Any, ...]], function: Callable[..., object]) -> None:
    """Call the function for every item, and raise the first error at the end."""
    errors: list[Exception] = []
    for item in items:
        try:
            function(*item)
        except Exception as error:  # noqa: BLE001 - the others have their turn
            errors.append(error)
    if errors:
        raise errors[0]


class KeptFile(NamedTuple):
    """A descriptor of ours that keeps a file or folder; a script may close it, and open another file by its number."""

    number: int
    identity: tuple[int, int]

    @classmethod
    def keep(cls, number: int) -> KeptFile:
        """Take over an open descriptor."""
        return cls(number, _identity(number))

    def check(self) -> int:
        """The number, if it is still that of the file."""
        if _identity(self.number) != self.identity:
            raise OSError(f"the script has closed file descriptor {self.number}")
        return self.number

    def close(self) -> None:
        """Let go of it."""
        with contextlib.suppress(OSError):
            os.close(self.check())


def _identity(number: int) -> tuple[int, int]:
    stat = os.fstat(number)
    return stat.st_dev, stat.st_ino


def stream_options() -> list[tuple[int, Any, dict[str, Any]]]:
    """The streams that Python has made for the standard descriptors, and how they encode and buffer."""
    names = ("encoding", "errors", "line_buffering", "write_through")
    streams = [
        (number, getattr(sys, f"__{name}__"), getattr(sys, name)) for number, name in enumerate(STREAMS)
    ]
    return [
        (number, stream, {name: getattr(stream, name) for name in names})
        for number, *both in streams
        for stream in {id(stream): stream for stream in both}.values()
        if type(stream) is io.TextIOWrapper and _is_usable(stream) and stream.fileno() == number
    ]


def set_stream_options(saved: list[tuple[int, Any, dict[str, Any]]]) -> None:
    """Open again what the script has closed or taken apart: others keep the stream, so it must be the same object."""

    def restore(number: int, stream: Any, options: dict[str, Any]) -> None:
        if not _is_usable(stream):
            raw = open(number, "rb" if number == 0 else "wb", closefd=False)  # noqa: SIM115 - the stream keeps it
            stream.__init__(raw, **options)
        elif any(getattr(stream, name) != value for name, value in options.items()):
            stream.reconfigure(**options)

    for_each(saved, restore)


def _is_usable(stream: Any) -> bool:
    try:
        return not stream.closed
    except ValueError:  # it is detached
        return False


def descriptors() -> list[Any]:
    """A copy of each standard descriptor, whether it blocks, and the modes of its terminal; each followed by its number."""
    found: list[Any] = []
    for number in range(3):
        with contextlib.suppress(OSError):
            found += [
                KeptFile.keep(os.dup(number)),
                (number, os.get_blocking(number), _terminal_modes(number)),
            ]
    return found


def set_descriptors(saved: list[Any]) -> None:
    """Lead the standard descriptors to where they led; one that was closed stays as the script has left it."""

    def restore(file: KeptFile, state: tuple[int, bool, list[Any] | None]) -> None:
        number, is_blocking, modes = state
        flush(STREAMS[number])
        if not _is_open_as(number, file):
            os.dup2(file.check(), number)
        if os.get_blocking(number) != is_blocking:
            os.set_blocking(number, is_blocking)
        if modes is not None and _terminal_modes(number) != modes:
            import termios  # there is a terminal

            termios.tcsetattr(number, termios.TCSANOW, modes)

    for_each(zip(saved[::2], saved[1::2], strict=True), restore)


def flush(name: str) -> None:
    """Send what the script has printed to where it has led the output."""
    with contextlib.suppress(Exception):
        getattr(sys, name).flush()


def _is_open_as(number: int, file: KeptFile) -> bool:
    try:
        return _identity(number) == file.identity
    except OSError:
        return False


def _terminal_modes(number: int) -> list[Any] | None:
    if not os.isatty(number):
        return None
    try:
        import termios  # not on Windows
    except ImportError:
        return None
    return termios.tcgetattr(number)
