"""String expressions as canonical tokens: plain strings, f-strings and t-strings, implicit concatenation joined."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from scripts_tracker.analysis.fingerprint.literals import (
    InvalidLiteralError,
    Parts,
    formatted_text,
    join,
    pieces,
    plain_value,
    simple_value,
)
from scripts_tracker.analysis.fingerprint.tokens import (
    Handler,
    Known,
    Stack,
    Tokens,
    bytes_token,
    text_tokens,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NO_MODULE: Final = cst.Module([])
_KINDS: Final = Known[str]({cst.SimpleString: "Plain", cst.FormattedString: "Joined"})
if hasattr(cst, "TemplatedString"):
    _KINDS[cst.TemplatedString] = "Template"
    _TEXTS: tuple[type, ...] = (cst.FormattedStringText, cst.TemplatedStringText)
    _TEMPLATE_FIELD: type | None = cst.TemplatedStringExpression
else:
    _TEXTS = (cst.FormattedStringText,)
    _TEMPLATE_FIELD = None


class _Field:
    """A replacement field, and whether its literal is raw, which its format specification depends on."""

    __slots__ = ("node", "raw")

    def __init__(self, node: Any, *, raw: bool) -> None:
        self.node = node
        self.raw = raw


Piece = Parts | _Field
"""Of a formatted string: a text, or a replacement field."""


def plain_text(node: cst.BaseExpression) -> Parts | None:
    """The value of a string that is neither bytes nor formatted, as a docstring must be; None for all else."""
    if node.__class__ is not cst.SimpleString and node.__class__ is not cst.ConcatenatedString:
        return None
    literals = pieces(node)
    if any(literal.__class__ is not cst.SimpleString for literal in literals):
        return None
    value = plain_value(literals)
    return None if isinstance(value, bytes) else value


def _simple(node: cst.SimpleString, out: Tokens, _stack: Stack) -> None:
    value = simple_value(node.value)
    out += [bytes_token(value)] if isinstance(value, bytes) else text_tokens(value)


def _concatenated(node: cst.ConcatenatedString, out: Tokens, stack: Stack) -> None:
    literals = pieces(node)
    kinds = {_KINDS[literal.__class__] for literal in literals}
    if kinds == {"Plain"}:
        value = plain_value(literals)
        out += [bytes_token(value)] if isinstance(value, bytes) else text_tokens(value)
        return
    if "Template" in kinds and len(kinds) > 1:
        raise InvalidLiteralError(_source(literals[0]), "t-strings cannot be concatenated with other strings")
    contents = chain.from_iterable(map(_contents, literals))
    _joined("Template" if "Template" in kinds else "Joined", contents, out, stack)


def _formatted(node: cst.FormattedString, out: Tokens, stack: Stack) -> None:
    _joined(_KINDS[node.__class__], _contents(node), out, stack)


def _contents(literal: Any) -> Iterable[Piece]:
    if isinstance(literal, cst.SimpleString):
        value = simple_value(literal.value)
        if isinstance(value, bytes):
            raise InvalidLiteralError(literal.value, "bytes and text literals cannot be concatenated")
        return [value]
    return _expanded(literal.parts, raw="r" in literal.start.lower())


def _expanded(parts: Sequence[Any], *, raw: bool) -> Iterable[Piece]:
    """The parts with texts decoded and ``{x=}`` spelled as CPython does: its own source text, then the field."""
    for part in parts:
        kind: type = part.__class__
        if kind in _TEXTS:
            yield formatted_text(part.value, raw=raw)
        else:
            if part.equal is not None:
                yield [_debug_text(part)]
            yield _Field(part, raw=raw)


def _joined(tag: str, contents: Iterable[Piece], out: Tokens, stack: Stack) -> None:
    """Neighbouring texts are one text, an empty text is none: CPython's tree does not show the seams."""
    merged: list[Piece] = []
    for piece in contents:
        last = merged[-1] if merged else None
        if isinstance(piece, list) and isinstance(last, list):
            merged[-1] = join(last, piece)
        elif piece != [""]:
            merged.append(piece)
    out.append(f"{tag} {len(merged)}")
    for piece in merged:
        if isinstance(piece, list):
            stack += reversed(text_tokens(piece))
        else:
            stack.append(piece)


def _field(field: _Field, out: Tokens, stack: Stack) -> None:
    node = field.node
    spec = node.format_spec
    conversion = node.conversion or ("r" if node.equal is not None and spec is None else "-")
    kind: type = node.__class__
    if kind is _TEMPLATE_FIELD:
        # A template keeps the source text of its expressions.
        out.append(f"Interpolation {conversion}")
        out += text_tokens([_source(node.whitespace_before_expression) + _source(node.expression)])
    else:
        out.append(f"Formatted {conversion}")
    stack.append(node.expression)
    if spec is None:
        stack.append(None)
    else:
        _joined("Joined", _expanded(spec, raw=field.raw), out, stack)


def _debug_text(node: Any) -> str:
    before = _source(node.whitespace_before_expression)
    return before + _source(node.expression) + _source(node.equal)


def _source(node: cst.CSTNode) -> str:
    return _NO_MODULE.code_for_node(node)


HANDLERS: Final[dict[type, Handler]] = {
    cst.SimpleString: _simple,
    cst.ConcatenatedString: _concatenated,
    cst.FormattedString: _formatted,
    _Field: _field,
}
if hasattr(cst, "TemplatedString"):
    HANDLERS[cst.TemplatedString] = _formatted
