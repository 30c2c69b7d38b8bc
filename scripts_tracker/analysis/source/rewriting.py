"""Source that CPython reads and libcst does not, written in a way that both read: with the same syntax tree.

The lines stay where they are, columns may move. ``ast`` is the judge: a text whose tree differs is never used.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
import unicodedata
import warnings
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from scripts_tracker.core.values import Place

_INDENT: Final = "    "
_LONE_BACKSLASH: Final = "\\"
_BLANKS: Final = " \t\f"
_JOINED: Final = " \\\n"
# Tokens that stand at the start of a line without starting a statement.
_NO_START: Final = frozenset(
    {tokenize.NL, tokenize.COMMENT, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING}
)
# Since Python 3.12 an f-string is several tokens.
_FSTRING_START: Final = getattr(tokenize, "FSTRING_START", -1)
_FSTRING_END: Final = getattr(tokenize, "FSTRING_END", -1)
_RAW_HEAD: Final = re.compile(r"""(?i)(fr|rf)("|')(?!\2\2)""")
_TSTRING_START: Final = getattr(tokenize, "TSTRING_START", -1)
_TSTRING_END: Final = getattr(tokenize, "TSTRING_END", -1)


class Edit(NamedTuple):
    """A piece of text to exchange: where it starts and ends, and what takes its place."""

    start: Place
    end: Place
    text: str


def rewritten(text: str) -> str | None:
    """The same source as libcst may read it; None if CPython refuses it, too, or nothing can be written otherwise."""
    try:
        tree = tree_of(text)
        changed = text
        for rewrite in _REWRITES:
            changed = rewrite(changed)
        same = changed != text and ast.dump(tree_of(changed)) == ast.dump(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return None
    return changed if same else None


def tree_of(text: str) -> ast.Module:
    """The tree of CPython, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an invalid escape, say
        return ast.parse(text)


def plain_names(text: str, kept: Collection[str]) -> Iterator[Edit]:
    """The edits that write identifiers as Python sees them; raises SyntaxError or TokenError.

    Args:
        text: a source.
        kept: what no identifier may become.
    """
    for token in _tokens(text):
        if token.type == tokenize.NAME and not token.string.isascii():
            name = unicodedata.normalize("NFKC", token.string)
            if name != token.string and name not in kept:
                yield Edit(token.start, token.end, name)


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    return tokenize.generate_tokens(io.StringIO(text).readline)


def lines_of(text: str) -> list[str]:
    """The lines with their ends, as CPython counts them: a form feed, say, ends none."""
    return io.StringIO(text, newline="\n").readlines()


def exchanged(text: str, edits: Iterable[Edit]) -> str:
    """The text after all edits, which must not overlap."""
    lines = lines_of(text) or [""]
    for start, end, new in sorted(edits, reverse=True):
        first, last = start[0] - 1, end[0] - 1
        lines[first : last + 1] = [lines[first][: start[1]] + new + lines[last][end[1] :]]
    return "".join(lines)


def _without_lone_backslashes(text: str) -> str:
    """Without backslashes that stand alone on a line before a statement."""
    lines = text.split("\n")
    is_continued = False
    for number, line in enumerate(lines):
        if not is_continued and line.strip(_BLANKS) == _LONE_BACKSLASH:
            lines[number] = ""
        is_continued = lines[number].endswith(_LONE_BACKSLASH)
    return "\n".join(lines)


def _with_plain_indentation(text: str) -> str:
    """Four blanks a level, without tabs and form feeds."""
    lines = text.split("\n")
    depth, is_start = 0, True
    for token in _tokens(text):
        row, column = token.start[0] - 1, token.start[1]
        depth += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
        if token.type in _NO_START:
            if token.type == tokenize.COMMENT and is_start:
                lines[row] = lines[row].lstrip(_BLANKS)
            is_start = is_start or token.type == tokenize.NEWLINE
        elif is_start and token.type != tokenize.ENDMARKER:
            lines[row] = _INDENT * depth + lines[row][column:]
            is_start = False
    return "\n".join(lines)


def _without_continued_raw_strings(text: str) -> str:
    """Raw f-strings in which a backslash ends a line, with escapes."""
    lines = lines_of(text)
    edits = []
    for start, end in _formatted_strings(text):
        string = piece(start, end, lines)
        head = _RAW_HEAD.match(string)
        if head and "\\\n" in string:
            quote, body = head[2], string[head.end() : -1]
            lone = body.replace("\\", "\\\\").replace("\\\\\n", f"\\\\\\n{quote}{_JOINED}f{quote}")
            edits.append(Edit(start, end, f"f{quote}{lone}{quote}"))
    return exchanged(text, edits)


def _formatted_strings(text: str) -> Iterator[tuple[Place, Place]]:
    """Where f-strings start and end; those within another one are not told apart from it."""
    opened: list[Place] = []
    for token in _tokens(text):
        if token.type == tokenize.STRING and not opened:
            yield token.start, token.end
        elif token.type == _FSTRING_START:
            opened.append(token.start)
        elif token.type == _FSTRING_END:
            start = opened.pop()
            if not opened:
                yield start, token.end


def _with_single_template_strings(text: str) -> str:
    """Neighbouring t-strings with the same prefix and quotes as one."""
    edits: list[Edit] = []
    opened: list[tokenize.TokenInfo] = []
    ended: tuple[tokenize.TokenInfo, tokenize.TokenInfo] | None = None
    for token in _tokens(text):
        if token.type == _TSTRING_START:
            if ended is not None and ended[0].string == token.string:
                edits.append(Edit(ended[1].start, token.end, ""))
            opened.append(token)
            ended = None
        elif token.type == _TSTRING_END:
            ended = opened.pop(), token
        elif token.type not in {tokenize.NL, tokenize.COMMENT}:
            ended = None
    return exchanged(text, edits)


def _with_bases_first(text: str) -> str:
    """Classes whose starred bases follow a keyword, with the bases first: they are evaluated first in any case."""
    while True:
        lines = lines_of(text)
        for node in ast.walk(tree_of(text)):
            if isinstance(node, ast.ClassDef):
                given: list[Any] = [*node.bases, *node.keywords]
                written = sorted(given, key=lambda one: (one.lineno, one.col_offset))
                if written != given:
                    spans = [span(one, lines) for one in written]
                    pieces = [piece(*span(one, lines), lines) for one in given]
                    text = exchanged(text, map(Edit, *zip(*spans, strict=True), pieces))
                    break
        else:
            return text


def _without_parentheses(text: str) -> str:
    """Attributes and items with an annotation, without the parentheses that only say that they are no plain names."""
    lines = lines_of(text)
    edits = []
    for node in ast.walk(tree_of(text)):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute | ast.Subscript):
            target, annotation = span(node.target, lines), span(node.annotation, lines)
            start = span(node, lines)[0]
            opening = piece(start, target[0], lines).replace("(", "")
            closing, colon, rest = piece(target[1], annotation[0], lines).partition(":")
            edits.append(Edit(start, target[0], opening))
            edits.append(Edit(target[1], annotation[0], f"{closing.replace(')', '')}{colon}{rest}"))
    return exchanged(text, edits)


def span(node: Any, lines: Sequence[str]) -> tuple[Place, Place]:
    """Where a node starts and ends, in characters: ``ast`` counts bytes."""

    def column(line: int, offset: int) -> int:
        return len(lines[line - 1].encode()[:offset].decode())

    end_line, end_offset = node.end_lineno or 0, node.end_col_offset or 0
    return (node.lineno, column(node.lineno, node.col_offset)), (end_line, column(end_line, end_offset))


def piece(start: Place, end: Place, lines: Sequence[str]) -> str:
    """The text between two places."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    return "".join(
        [lines[start[0] - 1][start[1] :], *lines[start[0] : end[0] - 1], lines[end[0] - 1][: end[1]]]
    )


_REWRITES: Final[tuple[Callable[[str], str], ...]] = (
    _without_lone_backslashes,
    _with_plain_indentation,
    _without_continued_raw_strings,
    _with_single_template_strings,
    _with_bases_first,
    _without_parentheses,
)
