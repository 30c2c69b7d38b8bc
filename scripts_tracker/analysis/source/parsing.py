"""Bytes to a syntax tree, or the reason why not: decoding, the limits, and libcst in a thread with a deep stack."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import io
import os
import queue
import re
import threading
import tokenize
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final, TypeVar

import libcst as cst

from scripts_tracker.analysis.source import limits
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts_tracker.core.values import Place

_T = TypeVar("_T")


class Unread(NamedTuple):
    """What is left out of a tree: the error at the first such statement, and the digest of all bytes of the file."""

    error: UnreadableSource
    content_digest: str


class ParsedSource(NamedTuple):
    """A parsed file.

    Attributes:
        module: its tree.
        text: what it was parsed from: decoded, no BOM, LF line endings.
        is_rewritten: whether the file itself is spelt in a way that libcst does not read; the text has the same lines.
        unread: what is left out because no spelling of it can be read.
    """

    module: cst.Module
    text: str
    is_rewritten: bool = False
    unread: Unread | None = None


def read_text(source: bytes) -> str:
    """The text of one file's bytes; raises UnreadableSource where it cannot be decoded or passes a limit."""
    text = decode(source)
    limits.check(text)
    return text


def parse(source: bytes, text: str | None = None) -> ParsedSource:
    """Parse one file's bytes.

    Args:
        source: the bytes as they are on disk.
        text: what ``read_text`` makes of them, if that is known.

    Returns:
        The tree and its text.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be parsed.
    """
    text = read_text(source) if text is None else text
    try:
        return parse_text(text)
    except UnreadableSource as error:
        if not isinstance(error.__cause__, _REFUSALS) or len(text) > _MOST_OTHERWISE:
            raise
        found = _parse_otherwise(text, error, hashlib.sha256(source).hexdigest())
        if found is None:
            raise
        return found


# Characters of a source that may be read in another way: it is read several times for that.
_MOST_OTHERWISE: Final = 200_000
# What libcst raises for source that it does not know.
_REFUSALS: Final = (cst.ParserSyntaxError, getattr(cst, "CSTLogicError", cst.CSTValidationError))


def parse_text(text: str) -> ParsedSource:
    """Parse a text that the limits let pass, if libcst reads it as it is; raises UnreadableSource."""
    return ParsedSource(_parse(text), text)


def _parse_otherwise(text: str, error: UnreadableSource, content_digest: str) -> ParsedSource | None:
    """The same source in another spelling; else what can be read of it. None where CPython refuses it as well."""
    from scripts_tracker.analysis.source import leaving_out, rewriting  # seldom needed

    text = rewriting.rewritten(text) or text
    if _reads(text):
        return ParsedSource(_parse(text), text, is_rewritten=True)
    part = leaving_out.without_unread(text, _reads)
    if part is None or not _reads(part[0]):
        return None
    unread = Unread(UnreadableSource(error.reason, *part[1]), content_digest)
    return ParsedSource(_parse(part[0]), part[0], is_rewritten=True, unread=unread)


def _reads(text: str) -> bool:
    try:
        limits.check(text)
        _parse(text)
    except UnreadableSource:
        return False
    return True


# Codecs that turn ASCII text into other text, slowly or with warnings: no editor writes source in them.
_NO_SOURCE_CODECS: Final = frozenset(
    {"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "utf-7"}
)
_COOKIE: Final = re.compile(r"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)", re.ASCII)
_NUL: Final = "source code cannot contain NUL bytes"
_WIDE_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(source: bytes) -> str:
    """The text of Python source as CPython would read it, with LF line endings.

    Raises:
        UnreadableSource: the source is too large, contains NUL, or is not in the encoding that it declares.
    """
    if len(source) > limits.MAX_BYTES:
        raise UnreadableSource(f"the source has {len(source)} bytes; the limit is {limits.MAX_BYTES}")
    if source.startswith(_WIDE_MARKS):
        raise UnreadableSource("the source is UTF-16 or UTF-32, which Python cannot read; save it as UTF-8")
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if b"\0" in source:
        raise UnreadableSource(_NUL, *_place(source, source.index(b"\0")))
    encoding, body = source_encoding(source), source
    if encoding == "utf-8-sig":
        encoding, body = "utf-8", source.removeprefix(codecs.BOM_UTF8)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(source, encoding, error) from error
    except (LookupError, UnicodeError, ValueError) as error:
        raise UnreadableSource(f"the source is not valid {encoding}") from error
    return _checked(text)


def source_encoding(source: bytes) -> str:
    """The encoding that source declares; raises UnreadableSource where it is unknown or no encoding of text."""
    try:
        encoding, _lines = tokenize.detect_encoding(io.BytesIO(source).readline)
        _check_codec(encoding, source)
    except (SyntaxError, LookupError, UnicodeError, ValueError) as error:
        line = _cookie_line(source)
        try:
            source.split(b"\n", 2)[line - 1].decode()
        except UnicodeDecodeError as wrong:
            raise _undecodable(source, "utf-8", wrong) from error
        with contextlib.suppress(LookupError):  # Python 3.14 does not know an encoding of bytes by its name
            _check_codec(_declared(source, line), source)
        reason = "the declared encoding is unknown or contradicts the byte order mark"
        raise UnreadableSource(reason, line) from error
    return encoding


def _check_codec(encoding: str, source: bytes) -> None:
    """Refuse a codec that is known, but not for source; raises LookupError for one that is unknown."""
    info = codecs.lookup(encoding)
    if not getattr(info, "_is_text_encoding", True) or info.name in _NO_SOURCE_CODECS:
        reason = f"the declared encoding {encoding} is not an encoding for source code"
        raise UnreadableSource(reason, _cookie_line(source))


def _declared(source: bytes, line: int) -> str:
    """The encoding that a line declares; empty, which is none, if it does not."""
    found = _COOKIE.match(source.split(b"\n", 2)[line - 1].decode())
    return found[1] if found else ""


def _cookie_line(source: bytes) -> int:
    """The line of an encoding declaration, which is one of the first two; else the line that is not UTF-8."""
    first, _, rest = source.partition(b"\n")
    if b"coding" in first:
        return 1
    if b"coding" in rest.partition(b"\n")[0]:
        return 2
    try:
        first.decode()
    except UnicodeDecodeError:
        return 1
    return 2 if rest else 1


def _undecodable(source: bytes, encoding: str, error: UnicodeDecodeError) -> UnreadableSource:
    start = max(source.find(error.object), 0)
    byte = error.object[error.start]
    place = _place(source, start + error.start)
    return UnreadableSource(f"the byte 0x{byte:02x} is not valid {encoding}", *place)


def _place(source: bytes, position: int) -> Place:
    return limits.place(source.decode("latin-1"), position)  # a character a byte


def _checked(text: str) -> str:
    """The text, unless its codec produced something that source may not contain."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.startswith("\ufeff"):
        raise UnreadableSource("the source starts with a second byte order mark, which Python cannot read")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line, _column = limits.place(text, error.start)
        raise UnreadableSource("the source contains half of a surrogate pair", line) from error
    if "\0" in text:
        line, _column = limits.place(text, text.index("\0"))
        raise UnreadableSource(_NUL, line)
    return text


def _parse(text: str) -> cst.Module:
    try:
        module = on_deep_stack(cst.parse_module, text)
    except (UnreadableSource, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the native parser is a BaseException
        raise _unreadable(error, text) from error
    if not isinstance(module, cst.Module):
        raise TypeError(f"{module!r} is no module")
    return module


def _unreadable(error: BaseException, text: str) -> UnreadableSource:
    if isinstance(error, cst.ParserSyntaxError):
        return _syntax_error(error.message, text)
    if isinstance(error, SyntaxError):
        return UnreadableSource(_first_sentence(error.msg), error.lineno or 1, error.offset or 1)
    if isinstance(error, (RecursionError, MemoryError)):
        return UnreadableSource("the source is nested too deeply to be analysed")
    # Valid, but more than libcst understands: its message alone would not show whose fault that is.
    return UnreadableSource(f"libcst cannot parse it ({_first_sentence(str(error)) or type(error).__name__})")


# The native parser says where the offending token ends, 0-based: the 1-based column of its last character.
_ERROR_PLACE: Final = re.compile(r"error at (\d+):(\d+)")


def _syntax_error(message: str, text: str) -> UnreadableSource:
    place = _ERROR_PLACE.search(message)
    if place is not None:
        return UnreadableSource("invalid syntax", *_last_character(text, int(place[1]), int(place[2])))
    reason = _first_sentence(message)
    if "unterminated" in reason:
        return UnreadableSource(reason, *limits.unfinished_string(text))
    return UnreadableSource(reason, *_error_location(text, lambda start: _tokenizer_error(start) == message))


def _last_character(text: str, line: int, column: int) -> Place:
    """Where the offending token ends; a line break ends at the start of the next line, where there is nothing to see."""
    if column > 0 or line < 2:  # noqa: PLR2004 - there is no line before the first
        return line, max(column, 1)
    before = text.split("\n", line - 1)[line - 2]
    return line - 1, max(len(before), 1)


def _first_sentence(message: str) -> str:
    line = message.strip().partition("\n")[0].strip().rstrip(".")
    return line.removeprefix("parser error: ").removeprefix("tokenizer error: ")


_LINE_END: Final = re.compile(r"(?<!\\)\n")
MAX_TRIED: Final = 1_500_000
"""Characters that may be tried in all, a second's worth; errors of longer sources are located at their start."""


def _error_location(text: str, is_wrong: Callable[[str], bool]) -> Place:
    """The last character of the shortest start of the text that is wrong; all longer ones have to be wrong, too."""
    # A start that ends within a continued line is wrong in another way.
    ends = [match.end() for match in _LINE_END.finditer(text)]
    if not ends or ends[-1] != len(text):
        ends.append(len(text))
    if len(text) * len(ends).bit_length() > MAX_TRIED:
        return 1, 1

    def is_wrong_until(end: int) -> bool:
        return is_wrong(text[:end])

    index = bisect_left(ends, 1, hi=len(ends) - 1, key=is_wrong_until)
    columns = range((ends[index - 1] if index else 0) + 1, ends[index] + 1)
    end = columns[bisect_left(columns, 1, hi=len(columns) - 1, key=is_wrong_until)]
    line, column = limits.place(text, end - (text[end - 1] == "\n"))
    return line, max(column - 1, 1)


def _tokenizer_error(text: str) -> str:
    """The error of the tokenizer; the parser, which would take its time, stops at the first line."""
    try:
        cst.parse_module(f"= =\n{text}")
    except cst.ParserSyntaxError as error:
        return error.message
    return ""


STACK_BYTES: Final = 128 << 20
"""Enough for what the limits let pass."""
IDLE_SECONDS: Final = 1.0
"""How long a thread waits for the next call before it ends."""


class _Worker:
    """A thread with a deep stack; starting one for each call would take as long as parsing a small file."""

    def __init__(self) -> None:
        self.calls: queue.SimpleQueue[_Call] = queue.SimpleQueue()
        thread = threading.Thread(target=self._work, name="scripts_tracker parser", daemon=True)
        with _starting:
            usual = threading.stack_size(STACK_BYTES)
            try:
                thread.start()
            except (RuntimeError, MemoryError) as error:
                raise UnreadableSource("no thread could be started to parse the source") from error
            finally:
                threading.stack_size(usual)

    def _work(self) -> None:
        _here.is_deep = True
        while True:
            try:
                self._answer(*self.calls.get(timeout=IDLE_SECONDS))
            except queue.Empty:
                with contextlib.suppress(ValueError):  # not among the idle: a caller has just taken it
                    _idle.remove(self)
                    return

    def _answer(self, function: Callable[[Any], object], argument: object, answer: _Answer) -> None:
        result, failure = None, None
        try:
            result = function(argument)
        except BaseException as error:  # noqa: BLE001 - a panic of the native parser is a BaseException
            failure = error
        _idle.append(self)
        answer.put((result, failure))


_Answer = queue.SimpleQueue[tuple[object, BaseException | None]]
_Call = tuple["Callable[[Any], object]", object, _Answer]
_idle: list[_Worker] = []
_here: Final = threading.local()
# The stack size is a setting of the whole process. A thread may fork while it holds this.
_starting: Final = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_starting.acquire, after_in_parent=_starting.release, after_in_child=_starting.release
    )
    os.register_at_fork(after_in_child=_idle.clear)  # the child has only the thread that forked


def on_deep_stack(function: Callable[[_T], object], argument: _T) -> object:
    """Call a function where the stack is deep enough; the caller's may be small, and half used.

    It takes as long as parsing a few lines: several calls are better made in one, as what is called there may call this.

    Returns:
        What the function returns; what it raises is raised here.

    Raises:
        UnreadableSource: no thread could be started.
    """
    if getattr(_here, "is_deep", False):
        return function(argument)
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
    # A queue for each call: a caller that was interrupted never takes its answer.
    answer: _Answer = queue.SimpleQueue()
    worker.calls.put((function, argument, answer))
    result, failure = answer.get()
    if failure is not None:
        raise failure
    return result
