"""Random rewrites that keep the meaning: parentheses, white space and comments, other spellings of literals."""

from __future__ import annotations

import ast
import io
import random
import tokenize
from collections.abc import Callable, Iterator

from tests.analysis import oracle

Random = random.Random
Token = tokenize.TokenInfo

_EDGES = {
    tokenize.NEWLINE,
    tokenize.NL,
    tokenize.COMMENT,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
_OPENED = {getattr(tokenize, name, -1) for name in ("FSTRING_START", "TSTRING_START")}
_CLOSED = {getattr(tokenize, name, -1) for name in ("FSTRING_END", "TSTRING_END")}
_ANYWHERE = (" ", "  ", "\t", " \\\n ", "\\\n")
_IN_BRACKETS = ("\n", " # why\n", "\n\n  ", " \\\n", "\t ")


def parenthesised(text: str, dice: Random) -> str:
    """About every third expression in one more pair of parentheses."""
    data = text.encode()
    lines = [0]
    for line in data.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))
    inserted: list[tuple[int, int, bytes]] = []
    for node in _wrappable(oracle.parse(text)):
        if dice.random() < 0.3:
            inserted.append((lines[node.lineno - 1] + node.col_offset, 1, b"("))
            inserted.append((lines[(node.end_lineno or 1) - 1] + (node.end_col_offset or 0), 0, b")"))
    for place, _closing, bracket in sorted(inserted, reverse=True):
        data = data[:place] + bracket + data[place:]
    return data.decode()


def _wrappable(node: ast.AST) -> Iterator[ast.expr]:
    """Expressions that may stand in parentheses; targets, patterns and the insides of f-strings may not."""
    if isinstance(node, ast.pattern):
        return
    slices = isinstance(node, ast.Tuple) and any(isinstance(item, ast.Slice) for item in node.elts)
    if isinstance(node, ast.expr) and not slices and not isinstance(node, (ast.Starred, ast.Slice)):
        if isinstance(getattr(node, "ctx", ast.Load()), ast.Load):
            yield node
        if hasattr(node, "values") and not isinstance(node, (ast.BoolOp, ast.Dict)):
            return
    for child in ast.iter_child_nodes(node):
        yield from _wrappable(child)


def respaced(text: str, dice: Random) -> str:
    """Other white space, line breaks and comments between the tokens of a line."""
    return _rebuilt(text, dice, space=_other_space)


def respelled(text: str, dice: Random) -> str:
    """Other spellings of the same numbers and strings."""
    return _rebuilt(text, dice, spell=_other_spelling)


def _same_space(old: str, _depth: int, _dice: Random) -> str:
    return old


def _other_space(old: str, depth: int, dice: Random) -> str:
    if dice.random() < 0.5:
        return old
    return dice.choice(_ANYWHERE + _IN_BRACKETS if depth else _ANYWHERE)


def _same_spelling(token: Token, _dice: Random) -> str:
    return token.string


def _rebuilt(
    text: str,
    dice: Random,
    *,
    space: Callable[[str, int, Random], str] = _same_space,
    spell: Callable[[Token, Random], str] = _same_spelling,
) -> str:
    lines = list(io.StringIO(text))
    out: list[str] = []
    before: Token | None = None
    formatted = depth = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        gap = _between(lines, before.end if before else (1, 0), token.start)
        formatted -= token.type in _CLOSED
        inside = before is not None and not formatted and token.type not in _CLOSED
        if inside and before is not None and token.start[0] == before.end[0]:
            gap = gap if _EDGES & {before.type, token.type} else space(gap, depth, dice)
        # Not token.string, which is no source text where an f-string doubles its braces.
        written = _between(lines, token.start, token.end)
        spelled = written if formatted or token.string != written else spell(token, dice)
        glued = not gap and spelled != written and out and out[-1][-1:].isalnum()
        out += (" " if glued else gap, spelled)
        formatted += token.type in _OPENED
        depth += not formatted and token.string in {"(", "[", "{"}
        depth -= not formatted and token.string in {")", "]", "}"}
        before = token
    return "".join(out)


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]] if start[0] <= len(lines) else ""
    first = lines[start[0] - 1][start[1] :] if start[0] <= len(lines) else ""
    last = lines[end[0] - 1][: end[1]] if end[0] <= len(lines) else ""
    return first + "".join(lines[start[0] : end[0] - 1]) + last


def _other_spelling(token: Token, dice: Random) -> str:
    if token.type not in {tokenize.NUMBER, tokenize.STRING} or token.string.lstrip("rRuUbB")[0] in "fFtT":
        return token.string
    value = oracle.literal(token.string)
    if isinstance(value, int):
        return format(value, dice.choice(["d", "_d", "#x", "#o", "#b"])) + " "
    if isinstance(value, (float, complex)):
        return f"{value!r} " if "inf" not in repr(value) else token.string
    if isinstance(value, (str, bytes)):
        return _spelled(value, dice)
    return token.string


def _spelled(value: str | bytes, dice: Random) -> str:
    cut = dice.randrange(len(value) + 1)
    kind = dice.randrange(3)
    if kind == 0:
        return f"{value[:cut]!r} {value[cut:]!r}"
    if kind == 1:
        return repr(value)
    if isinstance(value, bytes):
        return 'b"' + "".join(f"\\x{byte:02x}" for byte in value) + '"'
    return '"""' + "".join(f"\\U{ord(character):08x}" for character in value) + '"""'
