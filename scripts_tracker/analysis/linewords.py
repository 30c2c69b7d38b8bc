"""The words on each line of a source, without what layout is: two lines with the same words say the same."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from typing import Final

_LAYOUT: Final = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
)
# Since Python 3.12 a formatted string is many tokens.
_OPENERS: Final = {getattr(tokenize, name, -1) for name in ("FSTRING_START", "TSTRING_START")}
_CLOSERS: Final = {getattr(tokenize, name, -1) for name in ("FSTRING_END", "TSTRING_END")}

Words = tuple[str, ...]


def words_of_lines(text: str) -> list[Words]:
    """The words of each line; none for a line that is blank or a comment.

    Args:
        text: source that Python reads, with LF line ends.
    """
    lines = text.split("\n")
    found: list[list[str]] = [[] for _ in range(len(lines) + 1)]
    try:
        _collect(text, lines, found)
    except (tokenize.TokenError, SyntaxError):
        return [(line,) for line in lines]  # what it cannot take apart it compares as it is
    return [tuple(words) for words in found[: len(lines)]]


def _collect(text: str, lines: list[str], found: list[list[str]]) -> None:
    opened: list[tuple[int, int]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in _OPENERS:
            opened.append(token.start)
        elif token.type in _CLOSERS:
            start = opened.pop()
            if not opened:
                _put(_between(lines, start, token.end), start[0], found)
        elif not opened and token.type not in _LAYOUT:
            is_literal = token.type in {tokenize.STRING, tokenize.NUMBER}
            word = _value(token.string) if is_literal and "\n" not in token.string else token.string
            _put(word, token.start[0], found)


def _put(word: str, line: int, found: list[list[str]]) -> None:
    """A text of several lines is a piece on each of them."""
    for number, piece in enumerate(word.split("\n"), start=line):
        found[number - 1].append(piece)


def _value(literal: str) -> str:
    """``'a'`` is ``"a"``; what is no plain literal stays as it is written."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return repr(ast.literal_eval(literal))
    except (SyntaxError, ValueError):
        return literal


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    (first, from_column), (last, to_column) = start, end
    if first == last:
        return lines[first - 1][from_column:to_column]
    return "\n".join([lines[first - 1][from_column:], *lines[first : last - 1], lines[last - 1][:to_column]])
