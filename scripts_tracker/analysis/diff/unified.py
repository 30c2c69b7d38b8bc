"""What changed between two sources of a script: empty exactly where their fingerprints are equal.

The code is compared, in its authors' own lines. Where that cannot be done, the text is, and the note says why.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.analysis.diff.alignment import Row
    from scripts_tracker.analysis.source.parsing import ParsedSource

IDENTICAL: Final = "No changes: the files are identical."
ONLY_LAYOUT: Final = (
    "The code is the same: only formatting, comments, docstrings or the order of imports differ."
    " To see that: --raw"
)
LEFT_OUT: Final = "Formatting, comments and docstrings are left out where the code is the same; imports are compared name by name."
ONLY_ENCODING: Final = "The text is the same: only its encoding differs."
_SCOPE_WIDTH: Final = 60


class Difference(NamedTuple):
    """The differences between two sources.

    Attributes:
        lines: a unified diff; its first two lines name the sources. Empty where there is no difference.
        note: a sentence for people: what is left out, or why there is nothing, or nothing but the raw diff.
        is_raw: whether the text was compared, and not the code.
    """

    lines: tuple[str, ...]
    note: str
    is_raw: bool = False

    @property
    def text(self) -> str:
        """The diff as one text, without a line end at its end."""
        return "\n".join(self.lines)


def unified(
    old: bytes, new: bytes, *, names: tuple[str, str] = ("before", "now"), context: int = 3, raw: bool = False
) -> str:
    """The diff of two sources as text, empty exactly where ``compare`` says that there is no difference."""
    return compare(old, new, names=names, context=context, raw=raw).text


def compare(
    old: bytes, new: bytes, *, names: tuple[str, str] = ("before", "now"), context: int = 3, raw: bool = False
) -> Difference:
    """Compare two sources.

    Args:
        old: the bytes of the first.
        new: the bytes of the second.
        names: what the diff calls them.
        context: how many unchanged lines are shown around a change.
        raw: compare the text, formatting included.
    """
    if old == new:
        return Difference((), IDENTICAL, raw)
    if raw:
        return _raw(old, new, names, context, "")
    parsed: list[ParsedSource] = []
    digests = []
    from scripts_tracker.analysis import fingerprint
    from scripts_tracker.analysis.source import parsing  # libcst takes 0.2 s
    from scripts_tracker.analysis.source.collector import collector_paused

    for name, source in zip(names, (old, new), strict=True):
        try:
            with collector_paused():
                parsed.append(parsing.parse(source))
                digests.append(fingerprint.fingerprint_parsed(parsed[-1]))
        except UnreadableSource as error:
            return _raw(old, new, names, context, f"{name} cannot be parsed ({error})")
    if digests[0] == digests[1]:
        return Difference((), ONLY_LAYOUT)
    return _of_code(old, new, parsed, names, context)


def _of_code(
    old: bytes, new: bytes, parsed: Sequence[ParsedSource], names: tuple[str, str], context: int
) -> Difference:
    """The lines of two sources whose fingerprints differ."""
    from scripts_tracker.analysis import fingerprint
    from scripts_tracker.analysis.diff import alignment

    # Where one of them reads docstrings, people see those of both.
    reads_docstrings = any(fingerprint.reads_docstrings(one.module) for one in parsed)
    try:
        rows = alignment.rows(parsed[0].text, parsed[1].text, reads_docstrings=reads_docstrings)
    except SyntaxError as error:
        return _raw(old, new, names, context, f"this Python cannot parse one of the files ({error.msg})")
    except (RecursionError, MemoryError, ValueError):
        return _raw(old, new, names, context, "one of the files is nested too deeply")
    lines = tuple(_hunks(rows, context))
    if not lines:  # the fingerprint decides: what it distinguishes is never shown as equal
        return _raw(old, new, names, context, "a comparison by lines of code shows no difference")
    return Difference((*_head(names), *lines), LEFT_OUT)


def _head(names: tuple[str, str]) -> tuple[str, str]:
    return f"--- {names[0]}", f"+++ {names[1]}"


def _hunks(rows: Sequence[Row], context: int) -> Iterator[str]:
    changed = [place for place, row in enumerate(rows) if row.mark != " "]
    start = 0
    while start < len(changed):
        end = start
        while end + 1 < len(changed) and changed[end + 1] - changed[end] <= 2 * context + 1:
            end += 1
        first = max(changed[start] - context, 0)
        yield from _hunk(rows, first, changed[end] + context + 1)
        start = end + 1


def _hunk(rows: Sequence[Row], first: int, end: int) -> Iterator[str]:
    """One hunk; its numbers are those of the files, its counts those of its own lines."""
    hunk = rows[first:end]
    old = [row.old for row in hunk if row.mark != "+"]
    new = [row.new for row in hunk if row.mark != "-"]
    scope = hunk[0].scope.rpartition("\n")[2]
    yield f"@@ -{_range(old)} +{_range(new)} @@ {_shortened(scope)}".rstrip()
    yield from (row.mark + row.text for row in hunk)


def _range(numbers: Sequence[int]) -> str:
    return f"{min(numbers)},{len(numbers)}" if numbers else "0,0"


def _shortened(text: str) -> str:
    return text if len(text) <= _SCOPE_WIDTH else text[: _SCOPE_WIDTH - 3] + "..."


def _raw(old: bytes, new: bytes, names: tuple[str, str], context: int, reason: str) -> Difference:
    one, other = (_lines(source) for source in (old, new))
    diff = difflib.unified_diff(one, other, n=context, lineterm="")
    lines = [line for place, line in enumerate(diff) if place > 1]  # the names are ours, without their tabs
    note = f"Showing a raw diff because {reason}." if reason else ""
    if not lines:
        # The bytes differ, which makes a script modified if only bytes can be compared.
        return Difference((), ONLY_ENCODING, is_raw=True)
    return Difference(
        (*_head(names), *(line for text in lines for line in text.split("\n"))), note, is_raw=True
    )


def _lines(source: bytes) -> list[str]:
    """The lines, with CR where there is one; a last line without an end says so, as in git."""
    from scripts_tracker.analysis.source import parsing

    try:
        encoding = parsing.source_encoding(source)
        text = source.decode("utf-8" if encoding == "utf-8-sig" else encoding, "surrogateescape")
    except (UnreadableSource, UnicodeError, LookupError):
        text = source.decode("utf-8", "surrogateescape")
    *lines, last = text.split("\n")
    return [*lines, f"{last}\n\\ No newline at end of file"] if last else lines
