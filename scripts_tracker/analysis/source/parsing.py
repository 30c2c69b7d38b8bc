"""Bytes to a syntax tree, or a reason why not: decoding, the limits, and libcst in a thread with stack enough."""

from __future__ import annotations

import codecs
import contextlib
import gc
import io
import re
import tokenize
from typing import TYPE_CHECKING, Final, NamedTuple

import libcst as cst

from scripts_tracker.analysis import deepstack, limits, troubles
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        module = deepstack.call(cst.parse_module, text)
    except deepstack.NoThreadError as error:
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
        return UnreadableSource(reason, *troubles.first_place(text, lambda part: _complaint(part) == message))
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
