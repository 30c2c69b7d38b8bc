"""The values of literals: our own decoder, so that every Python version gives the same values and no warnings."""

from __future__ import annotations

import base64
import functools
import re
import unicodedata
import zlib
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from scripts_tracker.analysis.source.syntax import MAX_INT_DIGITS

if TYPE_CHECKING:
    from collections.abc import Sequence

Parts = list[str]
"""A text as alternating pieces: decoded text, a character name that Unicode 13.0 lacks, decoded text, ..."""

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
    literals = pieces(node)
    if not all(isinstance(literal, cst.SimpleString) for literal in literals):
        return None
    try:
        value = plain_value(literals)
    except InvalidLiteralError:
        return None
    if isinstance(value, bytes):
        return value
    return "".join(f"\\N{{{part}}}" if index % 2 else part for index, part in enumerate(value))


def pieces(node: cst.BaseExpression) -> list[Any]:
    """The string literals of an implicit concatenation, in order; for any other node the node alone."""
    found: list[Any] = []
    while isinstance(node, cst.ConcatenatedString):
        found.append(node.left)
        node = node.right
    found.append(node)
    return found


def plain_value(literals: Sequence[cst.SimpleString]) -> Parts | bytes:
    """The value of a concatenation of string or bytes literals; raises as ``simple_value`` does."""
    if len(literals) == 1:
        return simple_value(literals[0].value)
    values = [simple_value(literal.value) for literal in literals]
    texts = [value for value in values if isinstance(value, list)]
    if not texts:
        return b"".join(value for value in values if isinstance(value, bytes))
    if len(texts) < len(values):
        raise InvalidLiteralError(literals[0].value, "bytes and text literals cannot be concatenated")
    return functools.reduce(join, texts)


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
    """The character of that name, if every supported Python has it."""
    try:
        character = unicodedata.lookup(name)
    except (KeyError, UnicodeEncodeError):
        return None
    # lookup() also answers for named sequences, which string literals do not take.
    return character if len(character) == 1 and _is_known(ord(character)) else None


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


# The places where assigned and unassigned code points alternate, as distances in base-128 numbers, compressed.
# The unicodedata of a newer Python does not show which came later.
_PACKED = (
    "c-mD|O>9*~6wY_%%<r9hZ(sY$Yv1d8eI@;)Kh(C+AE;VVs3j6&M8QTwSb!wDaA7w_V+b*_5DZ2V2}IZsmnsWE5<`elSr`)+N"
    ";D!1_Zn7;#;E7M2BY`hxifR-obQ}D^PRb8$gl-a#wmqCnj(c+S7VdZaTi#iBiVMEq#Qj2BwIVto?HeT5p95&DJCytc3^_0Zm"
    "~AJzDC6>Mq1`d!7^Y=LBT^|eO*(Ku_EM5(OMbb$1T<hTxC@Yw>=PyfUqb7qy$h!)`dhCkag-*tSe|!PI|TkC2oV=(2|A%ZCx"
    "%QiyV{|`qL<)ZKJC6?W#*616ffs;=`FhDsJQYK;coNOa2wo@;4NSn=9z&A@n0hI`BnHgMKH$E>g*~Nm}2(vmEpCU!ta}n*C("
    "xU9DDa3Y%1XITnFXJV?O=lOvc_JF1sMFCs^V8X=vGan&U1A=-gDC8Cv4>ES&*uGZXw%GH7$rNoWuKY;Tj;Dgc})}LP5DgkC>"
    "&_PAwk04SFscN?M<tM@K=<cNROh!$d1txF?dc3ufIZIiWxA_12;&>IS@fNC)7qOp?>QNlT6LA7R{s48#t66`W${)ks0Qr$Q7"
    "0jGlcG0XQ4Yd~u_hHs&lDeZ^JwZ4}rsZIPUzMF-IuI*7$-nHR=LT)mx{4yv1%X~E{Y-6(G&7u0)l8!U%o-<T0oS2gFhT_Z3Y"
    "sFSvMywzY~#yXNrIk|tzu&Han#jh-oyRAp+|KC1DuUqfVl1FejavP5}d|W@*9FXD~Ah=3Bf=WtT_LG0O~$f(^#D2GEK>>AXu"
    "Fg2kY%(bBLp#QFW^6s^w@O+dVs-PTS2cyhptl5pL7oVK=hBr(E%Sxsfj=pl%z?R<yeze+cEI9b-FMERlms%yu0N|F;SdiYh2"
    "Lu7$ixzkz3<8!Lj385-QUD+wm;n73i3Mme|Lz{25u(MjT*7&oN+q7TcCHd9htar^4?C!`L>k%hWyiid1>;bTk{srD`yBmICh"
    "W5X5dz6#`1>3RF?3((1D_@wg#2Y<8oCSO~+#<mxM=}?1ASPnsA?bIC~>Zgx9%Ja6gs1wTWO}JZr#Q(PIB2B6iyOZj*_UCn~y"
    "ba`T5B`cUL^n`bK8JEV;JZ)YNjy^A7sYLYC>gQXAywm~?~&{XA>^FDA-Y6#UFRD4*TJGhtt@?uaV6Yhx=Y(Mj)l)bZJYM62;"
    "MR~_dNKi*w+fq$QNW>6!Ch8qWD_!`%f`r@yRWPfRa|?yR?Pgq%l4mb1CK=1L1wl)zdNdQYq#fzOyb>salJxHkKpLNiK(7L(c"
    "vsJT7dF8Oc?pt?#zhtJH3K8<-skue&>6(Z-LO$sN$~@$B-pi(MD^r{v4QE8mZzap;)bzo-9HfBmgU+CMXYkbn"
)


def _is_known(code_point: int) -> bool:
    """Whether Unicode 13.0 assigns this code point, so that every supported Python has its name."""
    return bisect_right(_edges(), code_point) % 2 == 0


@functools.cache
def _edges() -> list[int]:
    edges: list[int] = []
    position = shift = distance = 0
    for byte in zlib.decompress(base64.b85decode(_PACKED)):
        distance |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:  # noqa: PLR2004 - the last byte of one number
            position += distance
            edges.append(position)
            shift = distance = 0
    return edges
