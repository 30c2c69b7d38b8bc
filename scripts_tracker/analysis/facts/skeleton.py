"""A source without the functions that no fact comes of: libcst parses it in a fraction of the time.

What is kept stands in KEPT. In case of doubt there is no skeleton, or it turns out to be too little while it is read
(TooLittle): the whole source is parsed then. So the facts of both are always the same.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.evaluation import is_foreign
from scripts_tracker.analysis.facts.scopes import PLAIN
from scripts_tracker.analysis.facts.values import (
    BATCHES,
    COMMAND,
    GETATTR,
    HOOKS,
    INSIDE,
    METHODS,
    OURS,
    REQUIRED,
    TRACKED,
    TooLittle,
)
from scripts_tracker.analysis.source.functions import outline
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.analysis.source.functions import Function


class Skeleton(NamedTuple):
    """A source without some of its lines.

    Attributes:
        text: what is left.
        whole: the source.
        left_out: line numbers of the text, each with how many lines were left out before it.
        cut: the functions, imports and tables that were left out, or of which only names are left.
        imported: for each name of PLAIN, the names that its import stands for, with their paths.
        returned: for those at module level, by name, the words that may be the names of what they return.
    """

    text: str
    whole: str
    left_out: Sequence[tuple[int, int]]
    cut: str
    imported: Mapping[str, Mapping[str, str]]
    returned: Mapping[str, frozenset[str]]

    def check(self, name: str) -> None:
        """Raise TooLittle if a name may occur in what is not there."""
        if name in self.cut:
            raise TooLittle(name)


class _Kept(NamedTuple):
    """What keeps a body.

    Attributes:
        words: one of them is in the body if the pattern matches; most bodies have none.
        pattern: searched for in the body; empty if the words are enough.
        only_shaping: whether it counts only in functions that may make or change classes: those at module level, HOOKS.
    """

    words: tuple[str, ...]
    pattern: str = ""
    only_shaping: bool = False


_METHOD: Final = rf"(?:{'|'.join(METHODS)})\b"
_GAP: Final = r"(?:[\s\\]|#[^\n]*\n)*"
_T_STRINGS: Final = (
    tuple(f"{one}{quote}" for one in "tTrR" for quote in "'\"") if sys.version_info >= (3, 14) else ()
)
KEPT: Final[Mapping[str, _Kept]] = {
    "our decorator, which is a fact wherever it is used": _Kept((TRACKED,)),
    "a decorator, which may be ours by another name": _Kept(("@",), r"\n[ ]*@"),
    "the method of a base class, or of a class that is patched": _Kept(METHODS, rf"\.{_GAP}{_METHOD}"),
    "a text that is executed": _Kept(("exec", "eval"), r"\b(?:exec|eval)\b"),
    "a decorator or a class that is made here": _Kept(
        ("def ", "class "), r"\b(?:def|class)\b", only_shaping=True
    ),
    "a class that is patched by a name": _Kept(("setattr",), only_shaping=True),
    "a class that is patched in its namespace": _Kept(
        ("]",), r"\](?:[\s\\)]|#[^\n]*\n)*=(?!=)", only_shaping=True
    ),
    # What libcst may not read though CPython does: such a source is read in another way.
    "a line that goes on in the next one": _Kept(("\\\n",)),
    "a tab, which may be indentation": _Kept(("\t",)),
    "a target with an annotation that is in parentheses": _Kept(
        (":(", ": (", ":  ", ";"), r"[;:][ ]*\([^\n]*\)[ ]*:"
    ),
    "a base class after a keyword": _Kept(("class",), r"\bclass\b"),
    "a t-string": _Kept(_T_STRINGS, r"(?i)(?<!\w)(?:tr?|rt)['\"]"),
}
"""What a function holds that is kept, if not for its name, decorators and place: its parameters and statements."""

_ANYWHERE: Final = [
    (one.words, one.pattern and re.compile(one.pattern, re.MULTILINE))
    for one in KEPT.values()
    if not one.only_shaping
]
_SHAPING: Final = [
    (one.words, one.pattern and re.compile(one.pattern, re.MULTILINE))
    for one in KEPT.values()
    if one.only_shaping
]


def skeleton(text: str) -> Skeleton | None:
    """The source without the functions that no fact comes of.

    Args:
        text: source that CPython compiles, with LF line endings.

    Returns:
        None if nothing can be left out, or if that is not certain.
    """
    found = outline(text)
    if found is None:
        return None
    returned: dict[str, frozenset[str]] = {}
    functions = [one for one in found.functions if _can_be_cut(one, text, returned)]
    if not functions:
        return None
    imports, imported = _plain_imports(text, found.imports)
    cut = [text[one.start + len(one.head) : one.end] for one in functions]
    tables = [edit for start in found.tables for edit in _table(text, start)]
    # Of our decorator only uses count, and its imports are none.
    cut += [piece for start, end, _ in (*imports, *tables) if TRACKED not in (piece := text[start:end])]
    gaps = ((start, end, "") for start, end in found.gaps)
    edits = sorted([*gaps, *_edits(text, functions), *imports, *tables])
    pieces: list[str] = []
    left_out: list[tuple[int, int]] = []
    position = line = lost = 0
    for start, end, instead in edits:
        piece = text[position:start]
        pieces += [piece, instead]
        line += piece.count("\n")
        lost += text.count("\n", start, end)
        # What replaces something stands on its first line.
        left_out.append((line + 1 + bool(instead), lost))
        position = end
    left = "".join([*pieces, text[position:]])
    return Skeleton(left, text, left_out, "\n".join([*cut, PLAIN]), imported, returned)


_Edit = tuple[int, int, str]
"""Where a piece of text starts and ends, and what takes its place."""


def _edits(text: str, functions: Sequence[Function]) -> Iterator[_Edit]:
    """What is left of functions: their names, or nothing."""
    kept: list[str] = []
    end = 0
    for one in functions:
        kept.append(text[end : one.start])
        end = one.end
    rest = "".join([*kept, text[end:]])
    for one in functions:
        if _is_dropped(one) and one.name not in rest:
            yield text.rfind("\n", 0, one.start) + 1, one.end + 1, ""
        else:
            yield one.start, one.end, f"{one.head} {one.name}(): 0"


_STRING: Final = r"""(?:"(?!"")[^"\\\n]*"|'(?!'')[^'\\\n]*')"""
_NESTED_OR_PAIR: Final = rf"""(?:\{{\s*(?:{_STRING}|\d+)\s*:|\[\s*(?:[\[{{]|\(\s*(?:{_STRING}|\d+)\s*,))"""
# The closing bracket that stands below the name; where it is that of other brackets, what is left cannot be parsed.
_LITERAL_TABLE: Final = rf"{_NESTED_OR_PAIR}(?:[\s\d()\[\]{{}},:.+-]|{_STRING}|\b(?:True|False|None)\b|#[^\n]*\n)*?\n[ ]*[}}\]](?=\n)"


def _table(text: str, start: int) -> Iterator[_Edit]:
    """An empty table in place of one of literals that no fact tells apart from it."""
    match = re.compile(_LITERAL_TABLE).match(text, start)  # which many programs do not need
    if match is None or TRACKED in match[0]:
        return
    line = text.rfind("\n", 0, start) + 1
    closing = match[0][match[0].rfind("\n") + 1 : -1]
    if text[line:start].startswith(closing) and not text[line + len(closing)].isspace():
        yield start, match.end(), "{}"


_PLAIN_IMPORT: Final = re.compile(
    r"(?:from[ ]+(\.*\w*(?:\.\w+)*)[ ]+import[ ]+(?:\(([\w\s,]+)\)|([\w ,]+))|import[ ]+(\w+)(?:\.\w+)*)"
    r"[ ]*(?:#[^\n]*)?"
)
_CODE: Final = re.compile(r"^[ ]*[^#\s]", re.MULTILINE)


def _plain_imports(
    text: str, places: Sequence[tuple[int, int]]
) -> tuple[list[_Edit], dict[str, dict[str, str]]]:
    """One import of a name of PLAIN instead of neighbouring plain ones, and what it stands for."""
    edits: list[_Edit] = []
    imported: dict[str, dict[str, str]] = {}
    run: dict[str, str] | None = None
    last = 0
    for start, end in places if PLAIN not in text else ():
        paths = _plain_names(text[start:end], text)
        is_next = run is not None and not _CODE.search(text, last, start)
        last = end
        if not paths:
            run = None
        elif is_next and run is not None and run.keys().isdisjoint(paths):
            run.update(paths)
            edits.append((start, end + 1, ""))
        else:
            run, name = paths, f"{PLAIN}{len(imported)}"
            imported[name] = run
            edits.append((start, end, f"import {name}"))
    return edits, imported


def _plain_names(statement: str, text: str) -> dict[str, str]:
    """The names that an import binds, with their paths as in a Ref; none if it is not plain, or a fact of its own."""
    match = _PLAIN_IMPORT.fullmatch(statement)
    if match is None:
        return {}
    module, in_brackets, on_line, whole = match.groups()
    is_ours = (module or whole).partition(".")[0] in OURS
    if whole:
        return {} if is_ours or TRACKED in statement else {whole: whole}
    if TRACKED in statement and not is_ours:
        return {}
    found: dict[str, str] = {}
    for one in (in_brackets or on_line).split(","):
        match = _NAME.fullmatch(one)
        if match:
            name = match[2] or match[1]
            if is_ours and not (match[1] in _DECORATORS and f"@{name}" in text):
                return {}
            found[name] = f"{module}{INSIDE}{match[1]}"
        elif one.strip():
            return {}
    return {} if COMMAND in found else found


_DECORATORS: Final = frozenset({TRACKED, REQUIRED})


_NAME: Final = re.compile(r"\s*(\w+)(?:\s+as\s+(\w+))?\s*")
"""In an import."""


_SPECIAL: Final = frozenset({*METHODS, *HOOKS, BATCHES, "help"})
"""Names that are facts of a class."""


def _is_dropped(one: Function) -> bool:
    """Whether nothing is left of a method if its name does not occur elsewhere; no block is left empty."""
    return one.in_class and not one.is_decorated and not one.is_first and one.name not in _SPECIAL


def _can_be_cut(one: Function, text: str, returned: dict[str, frozenset[str]]) -> bool:
    """Whether no fact comes of a function but for its name; ``returned`` is filled in."""
    piece = text[one.start + len(one.head) : one.end]
    if _is_kept(one, piece):
        return False
    if not one.in_class:
        words = _words_returned(piece)
        if one.name == GETATTR or one.is_decorated or (words and not words.isdisjoint(_of_project(text))):
            return False
        returned[one.name] = words | returned.get(one.name, frozenset())
    return True


# As above, where a statement starts with a bracket.
_BRACKETED_TARGET: Final = re.compile(r"\n[ ]*\((?:[^\n]*\)[ ]*:|[^)\n]*\n)")


def _is_kept(one: Function, piece: str) -> bool:
    if one.has_bracket and _BRACKETED_TARGET.search(piece):
        return True
    rules = _ANYWHERE
    if not one.in_class or one.name in HOOKS:
        rules = [*_ANYWHERE, *_SHAPING]
    for words, pattern in rules:
        for word in words:
            if word in piece:
                if not pattern or pattern.search(piece):
                    return True
                break
    return False


_RETURN: Final = re.compile(r"\breturn\b([^\n]*)")
_WORD: Final = re.compile(r"[^\W\d]\w*")


def _words_returned(piece: str) -> frozenset[str]:
    """The words in what a function returns, and perhaps more."""
    found: set[str] = set()
    for match in _RETURN.finditer(piece) if "return" in piece else ():
        line = match[1]
        goes_on = "'" in line or '"' in line or sum(map(line.count, "([{")) != sum(map(line.count, ")]}"))
        found.update(_WORD.findall(piece[match.start(1) :] if goes_on else line))
        if goes_on:
            break
    return frozenset(found)


_IMPORT: Final = re.compile(r"^[ ]*from[ ]+(\S+)[ ]+import\b[ ]*(\([^)]*\)|[^\n]*)", re.MULTILINE)
_IMPORT_MODULE: Final = re.compile(r"^[ ]*import[ ]+([^\n]*)", re.MULTILINE)
_BOUND: Final = re.compile(r"^(?:(?:async[ ]+)?def[ ]+|class[ ]+)?([^\W\d]\w*)(?=[ ]*[(:=\[])", re.MULTILINE)


@lru_cache(maxsize=1)
def _of_project(text: str) -> frozenset[str]:
    """Most names at module level that may be of the project; TooLittle is raised for others."""
    return frozenset(_named(text))


def _named(text: str) -> Iterator[str]:
    for match in _IMPORT.finditer(text):
        if not is_foreign(match[1]):
            yield from _WORD.findall(match[2])
    for match in _IMPORT_MODULE.finditer(text):
        if not all(is_foreign(name) for name in match[1].replace(",", " ").split()[::2]):
            yield from _WORD.findall(match[1])
    yield from _BOUND.findall(text)
