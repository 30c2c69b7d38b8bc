"""Where the functions are in a text, by one pass of a regular expression over its strings, brackets and lines.

For a source that CPython compiles the answer is certain: what could be read in more than one way has none.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Function(NamedTuple):
    """A function that is in no other function.

    Attributes:
        head: ``def`` or ``async def``.
        name: what it is called.
        start: where the head starts, after decorators and indentation.
        end: where its last line ends, before the line break.
        in_class: whether it is in a class, not at module level.
        is_decorated: whether it has decorators.
        is_first: whether its block starts with it.
        has_bracket: whether a statement in it starts with a bracket.
    """

    head: str
    name: str
    start: int
    end: int
    in_class: bool
    is_decorated: bool
    is_first: bool
    has_bracket: bool


class Outline(NamedTuple):
    """What a text consists of.

    Attributes:
        functions: the functions that are in no other function, in their order. One that is on one line is left out.
        gaps: where lines without code start and end that are in none of them.
        imports: where imports start and end that are in no block.
        tables: where brackets over several lines open that are assigned to a name, in none of the functions.
    """

    functions: list[Function]
    gaps: list[tuple[int, int]]
    imports: list[tuple[int, int]]
    tables: list[int]


# A field of an f-string without what only some versions of Python allow: the quotes of the string itself, backslashes
# and comments. A field that holds more makes the text uncertain.
_FIELD: Final = r"""\{{(?!\{{)(?:[^'"\\{{}}\#\n]|{other}[^'"\\{{}}\#\n]*{other}|\{{[^'"\\{{}}\#\n]*\}})*\}}"""
_STRINGS: Final = r"""
    {q}{q}{q}(?<![fFtT]{q}{q}{q})(?<![fFtT][rR]{q}{q}{q})[^{q}\\]*(?:(?:\\.|{q}(?!{q}{q}))[^{q}\\]*)*{q}{q}{q}
    | {q}(?!{q}{q})(?<![fFtT]{q})(?<![fFtT][rR]{q})[^{q}\\\n]*(?:\\.[^{q}\\\n]*)*{q}
    | {q}{q}{q}(?:(?<=[fFtT]{q}{q}{q})|(?<=[fFtT][rR]{q}{q}{q}))
        [^{q}\\{{}}]*(?:(?:\\.|{q}(?!{q}{q})|\{{\{{|\}}\}}|{field})[^{q}\\{{}}]*)*{q}{q}{q}
    | {q}(?!{q}{q})(?:(?<=[fFtT]{q})|(?<=[fFtT][rR]{q}))
        [^{q}\\\n{{}}]*(?:(?:\\.|\{{\{{|\}}\}}|{field})[^{q}\\\n{{}}]*)*{q}
"""


def _strings(quote: str, other: str) -> str:
    return _STRINGS.format(q=quote, field=_FIELD.format(other=other))


_ANY_STRING: Final = rf"{_strings(chr(34), chr(39))} | {_strings(chr(39), chr(34))}"
_PLAIN: Final = r"""[^()\[\]{}'"\#\\\n]*"""
_TOKEN: Final = re.compile(
    rf"{_PLAIN} (?:"
    # A line that starts a statement if no bracket is open, with the lines without code before it.
    r"\n((?:[ \t]*(?:\#[^\n]*)?\n)*)([ ]*)"
    r"(?:(@)|((?:async[ ]+)?def[ ]+|class[ ]+)(\w+)|((?:from|import)[ ])|(\w+[ ]=[ ](?=[{\[]\n))|(?=(\())"
    # Definitions that do not look like one.
    r"|((?:async[ ]+)?def\b|class\b|async[ ]*\\))?"
    # Brackets without brackets inside.
    rf"""| [(\[{{]{_PLAIN}(?:(?:"(?!"")[^"\\\n{{}}]*"|'(?!'')[^'\\\n{{}}]*'){_PLAIN})*[)\]}}]"""
    r"| ([(\[{]) | ([)\]}]) | \#[^\n]* | \\\n"
    rf"| {_ANY_STRING}"
    # A string or a backslash that is none of those.
    r"""| (['"\\]))""",
    re.VERBOSE | re.DOTALL,
)
# Its groups.
_DECORATOR, _DEFINITION, _IMPORT, _TABLE, _BRACKET, _ODD = 3, 5, 6, 7, 8, 9
_OPENING, _CLOSING, _UNKNOWN = 10, 11, 12


# The same, whether it is an f-string or none, if braces in it are as in one: each string ends where its quotes come again.
_EITHER: Final = r"""
    {q}{q}{q}[^{q}\\{{}}]*(?:(?:\\.|{q}(?!{q}{q})|\{{\{{|\}}\}}|{field})[^{q}\\{{}}]*)*{q}{q}{q}
    | {q}(?!{q}{q})[^{q}\\\n{{}}]*(?:(?:\\.|\{{\{{|\}}\}}|{field})[^{q}\\\n{{}}]*)*{q}
"""
_EITHER_STRING: Final = " | ".join(
    _EITHER.format(q=quote, field=_FIELD.format(other=other)) for quote, other in ("\"'", "'\"")
)
# One on a line, in whose fields there are no more strings: to compile the pattern of more takes longer than it saves.
_SIMPLE: Final = (
    r"""{q}(?!{q}{q})[^{q}\\\n{{}}]*(?:(?:\\.|\{{(?!\{{)[^'"\\{{}}\#\n]*\}})[^{q}\\\n{{}}]*)*{q}"""
)
_SIMPLE_STRING: Final = " | ".join(_SIMPLE.format(q=quote) for quote in "\"'")


def _brackets(string: str, inside: str = "(?!)") -> str:
    """Brackets, over any number of lines."""
    plain = r"""[^()\[\]{}'"\#\\]*"""
    return rf"[(\[{{] {plain} (?:(?:\#[^\n]*(?=\n) | \\\n | {string} | {inside}) {plain})* [)\]}}]"


# A function from its indentation on: as many lines of it as have no more than three levels of brackets, and no statement
# that starts with one. It can be matched in one way only, so that nothing is tried twice.
_FUNCTION: Final = re.compile(
    rf"([ ]*) (?:async[ ]+)?def[ ] {_PLAIN} (?:(?:"
    rf"(\n(?:[ \t]*(?:\#[^\n]*)?\n)*\1[ ]+(?![ (\#\n])) | \#[^\n]* | \\\n | {_EITHER_STRING}"
    rf"| {_brackets(_EITHER_STRING, _brackets(_SIMPLE_STRING, _brackets(_SIMPLE_STRING)))}"
    rf") {_PLAIN})*",
    re.VERBOSE | re.DOTALL,
)
# Indentation that may be read in more than one way.
_TABBED: Final = re.compile(r"\n[ ]*\t")


def outline(text: str) -> Outline | None:
    """Where functions, and lines without code, are in a text.

    Args:
        text: source that CPython compiles, with LF line endings.

    Returns:
        None if that is not certain.
    """
    # Between line breaks: the first line starts a statement too, and the last one ends.
    lines = f"\n{text}\n"
    if "\f" in text or ("\t" in text and _TABBED.search(lines)):
        return None
    try:
        return _outline(lines)
    except _UncertainError:
        return None


class _UncertainError(Exception):
    """A text may be read in more than one way."""


def _outline(text: str) -> Outline:  # noqa: C901 - one branch a kind of line
    end = len(text) - 2
    found = Outline([], [], [], [])
    classes: list[int] = []
    margin, has_body, has_bracket, opened = -1, False, False, ("", "", 0)
    previous, is_decorated = -1, False
    traits = (False, False, False)
    imported = -1
    for line, body in _statements(text):
        first, last = line.span(1)
        indent = line.end(2) - last
        if indent > margin >= 0:
            has_body = True
            has_bracket = has_bracket or line.lastindex == _BRACKET
            continue
        if has_body:
            found.functions.append(Function(*opened, first - 2, *traits, has_bracket))
        if imported >= 0:
            found.imports.append((imported, first - 2))
        margin, has_body, has_bracket, imported = -1, False, False, -1
        if last > first:
            found.gaps.append((first - 1, min(last - 1, end)))
        while classes and classes[-1] >= indent:
            classes.pop()
        if line.lastindex == _DEFINITION:
            if line[4].startswith("class"):
                classes.append(indent)
            else:
                margin, opened = indent, (line[4].rstrip(), line[5], line.start(4) - 1)
                traits = (bool(classes), is_decorated, indent > previous)
                has_body = body is not None and body[2] is not None
        elif line.lastindex == _IMPORT and not indent:
            imported = last - 1
        elif line.lastindex == _TABLE:
            found.tables.append(line.end() - 1)
        is_decorated, previous = line.lastindex == _DECORATOR, indent
    return found


def _statements(text: str) -> Iterator[tuple[re.Match[str], re.Match[str] | None]]:
    """The lines that start a statement, those of a function with what can be skipped of it."""
    position = 0
    while position >= 0:
        start, position, depth = position, -1, 0
        for match in _TOKEN.finditer(text, start):
            kind = match.lastindex
            if kind is None:
                continue
            if kind == _OPENING:
                depth += 1
            elif kind == _CLOSING:
                depth -= 1
            elif kind == _UNKNOWN or (kind == _ODD and not depth):
                raise _UncertainError
            elif not depth:
                body = _FUNCTION.match(text, match.start(2)) if kind == _DEFINITION else None
                # Within a line it ends where the brackets have more levels.
                if body and text.startswith("\n", body.end()):
                    yield match, body
                    position = body.end()
                    break
                yield match, None
        if depth:
            raise _UncertainError
