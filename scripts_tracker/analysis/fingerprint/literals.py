"""The values of literals: our own decoder, so that every Python version gives the same answer and no warnings."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import libcst as cst

from scripts_tracker.analysis import unicode13

Parts = list[str]
"""A text as alternating pieces: decoded text, a character name that Unicode 13.0 lacks, decoded text, ..."""

MAX_INT_DIGITS: Final = 4300
MAX_CODE_POINT: Final = 0x10FFFF

_PREFIX = re.compile(r"[A-Za-z]*")
# One escape, or one brace pair of an f-string's text; a backslash before a brace stands for itself.
_ESCAPE = re.compile(r"\\([0-7]{1,3}|N\{[^}]*\}|[^{}])|(\{\{|\}\})", re.DOTALL)
_BYTES_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9A-Fa-f]{2}|.)", re.DOTALL)
_SIMPLE: Final = {
    "\n": "",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_HEX_DIGITS: Final = {"x": 2, "u": 4, "U": 8}


class InvalidLiteralError(ValueError):
    """A literal that CPython refuses: ``literal`` is its source text, ``reason`` one sentence without a full stop."""

    def __init__(self, literal: str, reason: str) -> None:
        super().__init__(reason)
        self.literal = literal
        self.reason = reason


def string_value(node: cst.BaseExpression) -> str | bytes | None:
    """The value of a plain string or bytes literal, implicit concatenation included.

    Args:
        node: any expression.

    Returns:
        The value; None where the node is anything else, holds an f-string, or is a literal that CPython refuses.
        A character name that Unicode 13.0 lacks stays as it is written.
    """
    values: list[str | bytes] = []
    for piece in pieces(node):
        if not isinstance(piece, cst.SimpleString):
            return None
        try:
            value = simple_value(piece.value)
        except InvalidLiteralError:
            return None
        values.append(value if isinstance(value, bytes) else _readable(value))
    if not values:
        return None
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(values):
        return "".join(texts)
    return None if texts else b"".join(value for value in values if isinstance(value, bytes))


def pieces(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    """The string literals of an implicit concatenation in order; the node alone where it is none."""
    found: list[cst.BaseExpression] = []
    while isinstance(node, cst.ConcatenatedString):
        found.append(node.left)
        node = node.right
    found.append(node)
    return found


def simple_value(literal: str) -> Parts | bytes:
    """The value of one string or bytes literal that is no f-string.

    Args:
        literal: the source text with prefix and quotes, line endings normalised to LF.

    Returns:
        The bytes, or the text as parts.

    Raises:
        InvalidLiteralError: CPython refuses the literal.
    """
    prefix = "" if literal[0] in "'\"" else literal[: _prefix_length(literal)].lower()
    start = len(prefix)
    width = 3 if literal[start : start + 3] in ("'''", '"""') else 1
    body = literal[start + width : -width]
    if "b" in prefix:
        return _bytes_value(literal, body, raw="r" in prefix)
    if "\\" not in body or "r" in prefix:
        return [body]
    return _decode(literal, body, braces=False)


def formatted_text(text: str, *, raw: bool) -> Parts:
    """The value of the text between the replacement fields of an f-string or t-string.

    Args:
        text: the source text, line endings normalised to LF.
        raw: whether the literal has an ``r`` prefix.

    Raises:
        InvalidLiteralError: CPython refuses an escape in it.
    """
    if raw or "\\" not in text:
        return [text.replace("{{", "{").replace("}}", "}")]
    return _decode(text, text, braces=True)


def join(left: Parts, right: Parts) -> Parts:
    """Two texts as one: the last piece of ``left`` and the first of ``right`` become one piece."""
    if not left:
        return right
    return [*left[:-1], left[-1] + right[0], *right[1:]]


def number_token(node: cst.Integer | cst.Float | cst.Imaginary) -> str:
    """The value of a number as text that differs by type: ``i0x10``, ``f0x1.8p+0``, ``j0x1.0p+0``.

    Raises:
        InvalidLiteralError: CPython refuses the number.
    """
    text = node.value
    if isinstance(node, cst.Integer):
        return "i" + _integer(text)
    plain = text.replace("_", "")
    if isinstance(node, cst.Float):
        return "f" + float(plain).hex()
    return "j" + float(plain[:-1]).hex()


def _integer(text: str) -> str:
    if len(text) > MAX_INT_DIGITS and text[:2].lower() not in ("0x", "0o", "0b"):
        digits = len(text) - text.count("_")
        if digits > MAX_INT_DIGITS:
            raise InvalidLiteralError(
                text, f"a decimal integer has {digits} digits; the limit is {MAX_INT_DIGITS}"
            )
    try:
        return hex(int(text, 0))
    except ValueError:
        reason = (
            "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers"
        )
        raise InvalidLiteralError(text, reason) from None


def _prefix_length(literal: str) -> int:
    match = _PREFIX.match(literal)
    return match.end() if match else 0


def _readable(parts: Parts) -> str:
    return "".join(f"\\N{{{part}}}" if index % 2 else part for index, part in enumerate(parts))


def _decode(literal: str, body: str, *, braces: bool) -> Parts:
    parts: Parts = []
    current: list[str] = []
    end = 0
    for match in _ESCAPE.finditer(body):
        escape, pair = match.groups()
        if pair is not None and not braces:
            continue
        current.append(body[end : match.start()])
        end = match.end()
        if pair is not None:
            current.append(pair[0])
        elif escape[0] == "N":
            name = _character_name(literal, escape)
            character = _named(name)
            if character is None:
                parts += ["".join(current), name]
                current = []
            else:
                current.append(character)
        elif escape in _SIMPLE:
            current.append(_SIMPLE[escape])
        elif escape[0] in _HEX_DIGITS:
            width = _HEX_DIGITS[escape]
            current.append(_hexadecimal(literal, body[end : end + width], escape, width))
            end += width
        elif escape[0] in "01234567":
            current.append(chr(int(escape, 8)))
        else:
            current.append(match.group())
    parts.append("".join(current) + body[end:])
    return parts


def _hexadecimal(literal: str, digits: str, kind: str, width: int) -> str:
    # int() also takes signs, spaces and underscores; an escape takes digits alone.
    if len(digits) == width and digits.isascii() and digits.isalnum():
        try:
            code_point = int(digits, 16)
        except ValueError:
            code_point = -1
        if 0 <= code_point <= MAX_CODE_POINT:
            return chr(code_point)
    raise InvalidLiteralError(
        literal, f"a \\{kind} escape needs {width} hexadecimal digits of a Unicode character"
    )


def _character_name(literal: str, escape: str) -> str:
    name = escape[2:-1]
    if not name:
        raise InvalidLiteralError(literal, "a \\N escape needs the name of a character in braces")
    return name.upper()


def _named(name: str) -> str | None:
    """The character of that name, if every supported Python knows it."""
    try:
        character = unicodedata.lookup(name)
    except (KeyError, UnicodeEncodeError):
        return None
    # lookup() also answers for named sequences, which string literals do not take.
    return character if len(character) == 1 and unicode13.is_known(ord(character)) else None


def _bytes_value(literal: str, body: str, *, raw: bool) -> bytes:
    try:
        value = body.encode("ascii")
    except UnicodeEncodeError:
        raise InvalidLiteralError(literal, "bytes can only contain ASCII literal characters") from None
    if raw or b"\\" not in value:
        return value
    return _BYTES_ESCAPE.sub(lambda match: _byte(literal, match), value)


def _byte(literal: str, match: re.Match[bytes]) -> bytes:
    escape = match.group(1).decode("ascii")
    if escape in _SIMPLE:
        return _SIMPLE[escape].encode("ascii")
    if escape == "x":
        raise InvalidLiteralError(literal, "a \\x escape needs two hexadecimal digits")
    if escape[0] == "x":
        return bytes([int(escape[1:], 16)])
    if escape[0] in "01234567":
        return bytes([int(escape, 8) & 0xFF])
    return match.group()
