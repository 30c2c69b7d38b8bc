"""Bytes to a syntax tree, or a reason why not: decoding, the limits, and libcst in a thread with stack enough."""

from __future__ import annotations

import codecs
import contextlib
import gc
import io
import os
import queue
import re
import threading
import tokenize
from typing import TYPE_CHECKING, Final, NamedTuple

import libcst as cst

from scripts_tracker.analysis.source import limits
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_LINE_END: Final = re.compile(r"(?<!\\)\n")
MAX_TRIED: Final = 1_500_000
"""Characters that may be tried in all, a second's worth; a longer source gets the first place of the file."""


def first_place(text: str, is_wrong: Callable[[str], bool]) -> tuple[int, int]:
    """Line and column, 1-based, of the last character of the shortest beginning that is wrong.

    Args:
        text: the source, with LF line endings.
        is_wrong: whether a beginning of it is wrong; whoever is wrong stays wrong however it goes on.
    """
    # A beginning that ends within a continued line is wrong in another way.
    ends = [match.end() for match in _LINE_END.finditer(text)]
    if not ends or ends[-1] != len(text):
        ends.append(len(text))
    if len(text) * len(ends).bit_length() > MAX_TRIED:
        return 1, 1
    index = _first(ends, lambda end: is_wrong(text[:end]))
    start = ends[index - 1] if index else 0
    columns = range(start + 1, ends[index] + 1)
    end = columns[_first(columns, lambda end: is_wrong(text[:end]))]
    if text[end - 1] == "\n":
        end -= 1
    line_start = text.rfind("\n", 0, end) + 1
    return text.count("\n", 0, end) + 1, max(end - line_start, 1)


def _first(ends: Sequence[int], is_wrong: Callable[[int], bool]) -> int:
    """The index of the first that is wrong, where the last one is known to be."""
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if is_wrong(ends[middle]):
            high = middle
        else:
            low = middle + 1
    return low


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


# Codecs that turn ASCII text into other text, slowly or with warnings: no editor writes source in them.
_NO_SOURCE_CODECS: Final = frozenset(
    {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "utf-7"}
)
_WIDE_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# The native parser tells where the offending token ends, 0-based: the 1-based column of its last character.
_ERROR_PLACE = re.compile(r"error at (\d+):(\d+)")


class ParsedSource(NamedTuple):
    """A parsed file: the tree, and the text it was parsed from (decoded, no BOM, LF line endings)."""

    module: cst.Module
    text: str


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector from walking trees, which hold no cycles and go as soon as they are read."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def parse(source: bytes) -> ParsedSource:
    """Parse one file's bytes.

    Args:
        source: the bytes as they are on disk.

    Returns:
        The tree and its text.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be analysed.
    """
    text = decode(source)
    limits.check(text)
    return ParsedSource(_parse(text), text)


def decode(source: bytes) -> str:
    """The text of Python source as CPython would read it, with LF line endings.

    Raises:
        UnreadableSource: the source is too large, holds NUL, or its encoding is unknown or a lie.
    """
    if len(source) > limits.MAX_BYTES:
        raise UnreadableSource(f"the source has {len(source)} bytes; the limit is {limits.MAX_BYTES}")
    if source.startswith(_WIDE_MARKS):
        raise UnreadableSource("the source is UTF-16 or UTF-32, which Python does not read; save it as UTF-8")
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    _refuse_nul(source)
    encoding = source_encoding(source)
    body = source.removeprefix(codecs.BOM_UTF8) if encoding == "utf-8-sig" else source
    try:
        text = body.decode("utf-8" if encoding == "utf-8-sig" else encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(source, encoding, error) from error
    except (LookupError, UnicodeError, ValueError) as error:
        raise UnreadableSource(f"the source is not valid {encoding}") from error
    return _checked(text)


def _refuse_nul(source: bytes) -> None:
    position = source.find(b"\0")
    if position >= 0:
        line, column = _line_column(source, position)
        raise UnreadableSource("source code cannot contain NUL bytes", line, column)


def source_encoding(source: bytes) -> str:
    """The encoding that source declares; raises UnreadableSource where it is unknown or no encoding of text."""
    try:
        encoding, _lines = tokenize.detect_encoding(io.BytesIO(source).readline)
        info = codecs.lookup(encoding)
    except (SyntaxError, LookupError, UnicodeError, ValueError) as error:
        line = _cookie_line(source)
        try:
            source.split(b"\n", 2)[line - 1].decode()
        except UnicodeDecodeError as wrong:
            raise _undecodable(source, "utf-8", wrong) from error
        raise UnreadableSource(
            "the declared encoding is unknown or contradicts the byte order mark", line
        ) from error
    if not getattr(info, "_is_text_encoding", True) or info.name in _NO_SOURCE_CODECS:
        line = _cookie_line(source)
        raise UnreadableSource(f"the declared encoding {encoding} is not one for source text", line)
    return encoding


def _cookie_line(source: bytes) -> int:
    """The line of an encoding declaration, which is in one of the first two; else the line that is no UTF-8."""
    first, _, rest = source.partition(b"\n")
    if b"coding" in first:
        return 1
    second = rest.partition(b"\n")[0]
    if b"coding" in second:
        return 2
    try:
        first.decode()
    except UnicodeDecodeError:
        return 1
    return 2 if rest else 1


def _undecodable(source: bytes, encoding: str, error: UnicodeDecodeError) -> UnreadableSource:
    start = max(source.find(error.object), 0)
    line, column = _line_column(source, start + error.start)
    byte = error.object[error.start]
    name = "utf-8" if encoding == "utf-8-sig" else encoding
    return UnreadableSource(f"the byte 0x{byte:02x} is not valid {name} here", line, column)


def _line_column(source: bytes, position: int) -> tuple[int, int]:
    start = source.rfind(b"\n", 0, position) + 1
    return source.count(b"\n", 0, position) + 1, position - start + 1


def _checked(text: str) -> str:
    """The text, unless its codec made something of it that no source may hold."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.startswith("\ufeff"):
        raise UnreadableSource("the source starts with a second byte order mark, which Python does not read")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise UnreadableSource("the source holds half of a surrogate pair", line) from error
    if "\0" in text:
        raise UnreadableSource(
            "source code cannot contain NUL bytes", text.count("\n", 0, text.index("\0")) + 1
        )
    return text


def _parse(text: str) -> cst.Module:
    """Parse on a deep stack: the native parser recurses without a guard."""
    try:
        module = call(cst.parse_module, text)
    except NoThreadError as error:
        raise UnreadableSource("no thread could be started to parse the source") from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the native parser is a BaseException
        raise _unreadable(error, text) from error
    if not isinstance(module, cst.Module):
        raise TypeError(f"{module!r} is no module")
    return module


def _unreadable(error: BaseException, text: str) -> UnreadableSource:
    if isinstance(error, cst.ParserSyntaxError):
        place = _ERROR_PLACE.search(error.message)
        if place is not None:
            return UnreadableSource("invalid syntax", *_last_character(text, int(place[1]), int(place[2])))
        reason = _first_sentence(error.message)
        if "unterminated" in reason:
            return UnreadableSource(reason, *limits.unfinished_string(text))
        message = error.message
        return UnreadableSource(reason, *first_place(text, lambda part: _complaint(part) == message))
    if isinstance(error, SyntaxError):
        return UnreadableSource(_first_sentence(error.msg), error.lineno or 1, error.offset or 1)
    if isinstance(error, (RecursionError, MemoryError)):
        return UnreadableSource("the source is nested too deeply to be analysed")
    # Valid, but more than libcst understands: its words alone would not tell whose fault it is.
    return UnreadableSource(f"libcst cannot parse it ({_first_sentence(str(error)) or type(error).__name__})")


def _complaint(text: str) -> str:
    """What the tokenizer has to say; the parser, which would take its time, stops at the first line."""
    try:
        cst.parse_module(f"= =\n{text}")
    except cst.ParserSyntaxError as error:
        return error.message
    return ""


def _last_character(text: str, line: int, column: int) -> tuple[int, int]:
    """Where the offending token ends; a line break ends at the start of the next line, which nobody looks at."""
    if column > 0 or line < 2:  # noqa: PLR2004 - there is no line before the first
        return line, max(column, 1)
    before = text.split("\n", line - 1)[line - 2]
    return line - 1, max(len(before), 1)


def _first_sentence(message: str) -> str:
    line = message.strip().partition("\n")[0].strip().rstrip(".")
    return line.removeprefix("parser error: ").removeprefix("tokenizer error: ")
