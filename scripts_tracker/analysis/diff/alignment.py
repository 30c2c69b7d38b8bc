"""Two sources line by line: which lines of code differ, in their author's own words, and which are the same.

Units that are the same code are the same, however they are laid out. Of those that differ, lines that say the same
are context as well. Blank lines and comments are no code, and appear only inside of a statement.
"""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.diff.outline import outline
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.analysis.diff.outline import Unit

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


# Above this, difflib does not start from what is frequent: with n equal lines it takes n to the power of three.
_LARGE: Final = 500


class Row(NamedTuple):
    """A line of the comparison; ``mark`` is a space, - or +; the numbers are those of its line, 0 where it has none."""

    mark: str
    old: int
    new: int
    text: str
    scope: str = ""


class _Line(NamedTuple):
    number: int
    key: tuple[int, Words]
    text: str
    scope: str


class _Side:
    """One of the two sources: its units and the lines they stand on."""

    def __init__(self, text: str, *, reads_docstrings: bool) -> None:
        self.units = outline(text, reads_docstrings=reads_docstrings)
        self.keys = [unit[:2] for unit in self.units]
        self._lines = text.split("\n")
        self._words = words_of_lines(text)

    def lines(self, units: Sequence[Unit]) -> list[_Line]:
        """The lines of some units, each line once."""
        found: dict[int | tuple[int, str], _Line] = {}
        for unit in units:
            if unit.text:
                line = _Line(unit.first, (unit.depth, (unit.key,)), unit.text, unit.scope)
                found.setdefault((unit.first, unit.text), line)
                continue
            for number in _numbers(unit):
                if words := self._words[number - 1]:
                    line = _Line(number, (unit.depth, words), self._lines[number - 1], unit.scope)
                    found.setdefault(number, line)
        return list(found.values())


_Pair = tuple[int | None, int | None]


def rows(old: str, new: str, *, reads_docstrings: bool) -> list[Row]:
    """The lines of code of both, in order; none is marked where both are the same code.

    Args:
        old: as ``parsing.parse`` gives it.
        new: likewise.
        reads_docstrings: whether docstrings count.

    Raises:
        SyntaxError: as ``outline`` does, and what else that raises.
    """
    one = _Side(old, reads_docstrings=reads_docstrings)
    other = _Side(new, reads_docstrings=reads_docstrings)
    pairs = _paired(one, other)
    same = _undisturbed(pairs, one, other)
    return list(_rows(pairs, same, one, other))


def _paired(one: _Side, other: _Side) -> list[_Pair]:
    pairs: list[_Pair] = []
    for tag, start, end, other_start, other_end in _opcodes(one.keys, other.keys):
        if tag == "equal":
            pairs += zip(range(start, end), range(other_start, other_end), strict=True)
        else:
            pairs += [(index, None) for index in range(start, end)]
            pairs += [(None, index) for index in range(other_start, other_end)]
    return pairs


def _opcodes(one: Sequence[object], other: Sequence[object]) -> Sequence[tuple[str, int, int, int, int]]:
    is_large = max(len(one), len(other)) > _LARGE
    return SequenceMatcher(None, one, other, autojunk=is_large).get_opcodes()


def _numbers(unit: Unit) -> Sequence[int]:
    return () if unit.text else range(unit.first, unit.last + 1)


def _undisturbed(pairs: list[_Pair], one: _Side, other: _Side) -> list[bool]:
    """The pairs to show as the same: those that share no line with what differs, as in ``a; b``."""
    same = [index is not None and partner is not None for index, partner in pairs]
    changed: tuple[set[int], set[int]] = (set(), set())
    is_settled = False
    while not is_settled:
        for (index, partner), is_same in zip(pairs, same, strict=True):
            if not is_same:
                changed[0].update(() if index is None else _numbers(one.units[index]))
                changed[1].update(() if partner is None else _numbers(other.units[partner]))
        is_settled = True
        for place, (index, partner) in enumerate(pairs):
            if not same[place] or index is None or partner is None:
                continue
            if _touches(one.units[index], changed[0]) or _touches(other.units[partner], changed[1]):
                same[place] = is_settled = False
    return same


def _touches(unit: Unit, lines: set[int]) -> bool:
    return not lines.isdisjoint(_numbers(unit))


def _rows(pairs: list[_Pair], same: list[bool], one: _Side, other: _Side) -> Iterator[Row]:
    """Runs of what is the same alternate with runs of what is not."""
    shown, start = 0, 0
    while start < len(pairs):
        end = start
        while end < len(pairs) and same[end] == same[start]:
            end += 1
        old = [one.units[index] for index, _ in pairs[start:end] if index is not None]
        new = [other.units[index] for _, index in pairs[start:end] if index is not None]
        if same[start]:
            for before, after in zip(old, new, strict=True):
                lines = [line for line in other.lines([after]) if after.text or line.number > shown]
                for offset, line in enumerate(lines):
                    number = min(before.first + offset, before.last)
                    yield Row(" ", number, line.number, line.text, line.scope)
                shown = shown if after.text else max(shown, after.last)
        else:
            yield from _differing(one.lines(old), other.lines(new))
        start = end


def _differing(old: list[_Line], new: list[_Line]) -> Iterator[Row]:
    opcodes = _opcodes([line.key for line in old], [line.key for line in new])
    if all(tag == "equal" for tag, *_ in opcodes):
        opcodes = [("replace", 0, len(old), 0, len(new))]
    for tag, start, end, other_start, other_end in opcodes:
        if tag == "equal":
            for before, line in zip(old[start:end], new[other_start:other_end], strict=True):
                yield Row(" ", before.number, line.number, line.text, line.scope)
        else:
            yield from (Row("-", line.number, 0, line.text, line.scope) for line in old[start:end])
            yield from (
                Row("+", 0, line.number, line.text, line.scope) for line in new[other_start:other_end]
            )
