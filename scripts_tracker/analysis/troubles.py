"""Where a source first gets wrong, found by trying shorter beginnings: the tokenizer does not tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
