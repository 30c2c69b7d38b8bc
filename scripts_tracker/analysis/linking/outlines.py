"""The outline of a file: which names in it may come from which others, by regular expressions, because parsing is slow.

Only what decides about ``handle()`` and ``process()`` counts: base classes, decorators, and what ``Command`` or one of these
is bound to. In case of doubt a name counts.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import COMMAND, INSIDE, METHODS
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# The next three are compiled where they are needed, which is seldom.
_MAKES_CLASSES: Final = r"__init_subclass__|\(\s*type\b"
_TOP_LEVEL: Final = r"(?m)^(def|class) (\w*)(\(?)"
_UNINDENTED: Final = r"(?m)^[^\s#)\]}]"
_COMMENT: Final = re.compile(r"#[^\n]*")
_CONTINUED: Final = re.compile(r"\\\n")
_TEXT_CLASS: Final = re.compile(r"^[ \t\f]*class[ \t]+\w+\s*(?=[(\[])", re.MULTILINE)
_END_OF_HEAD: Final = re.compile(r"[)\]]\s*:")
_LONGEST_HEAD: Final = 2000
_LONGEST_BODY: Final = 10_000
_TEXT_DECORATOR: Final = re.compile(r"^[ \t\f]*@([^\n]*)", re.MULTILINE)
_ASSIGNED: Final = re.compile(
    r"^[ \t\f]*(?:(\w+)\.)?(\w+)(?:\[[^\n\]]*\])?[ \t]*(?::[^=\n]*)?\|?=(?!=)([^\n]*)", re.MULTILINE
)
_GOES_ON: Final = tuple("([{,")
_CLOSING_LINE: Final = re.compile(r"\n[ \t]*[)\]}]")
_FILLED: Final = re.compile(
    r"^[ \t\f]*(?!def\b|class\b)([A-Za-z_]\w*)((?:\(\))?(?:\.\w+)*)\(([^\n]*)", re.MULTILINE
)
_QUOTED_NAME: Final = re.compile(r"[\"']([^\W\d]\w*)[\"']")
_TEXT_IMPORT: Final = re.compile(
    r"(?:^|[;:])[ \t\f]*(?:from([.\w \t]+?)\bimport\b[ \t]*(\([^)]*\)|[^\n;]*)|import[ \t]+([^\n;]*))",
    re.MULTILINE,
)
_DOTTED: Final = re.compile(r"(?<![\w.])[^\W\d][\w]*(?:[ \t]*\.[ \t]*[^\W\d]\w*)*")
_TEXT_ALIAS: Final = re.compile(r"([\w.]+)(?:\s+as\s+(\w+))?")
_IMPORTER: Final = re.compile(
    r"([\w.]*\b(?:import_module|import_string|resolve_name|locate|__import__|modules))\s*[(\[]"
)
_QUOTED: Final = re.compile(r"(?:[\"']|\{__package__\})(\.*[\w\-]*(?:[.:][\w\-]+)+|[\w\-]+)[\"']")


class Outline(NamedTuple):
    """The names in a file that may lead to a tracked class.

    Attributes:
        heads: those of base classes and decorators, and ``Command`` and ``handle``.
        assigned: for each name that is assigned to, the names in its value.
        imported: for each imported name its dotted paths.
        stars: the modules of star imports.
        text: the file without comments.
    """

    heads: frozenset[str]
    assigned: dict[str, set[str]]
    imported: dict[str, set[str]]
    stars: tuple[str, ...]
    text: str


def paths_of(outline: Outline, names: set[str]) -> set[str]:
    """The dotted paths that names come from, through the assignments and imports of the file."""
    todo, seen, paths = list(names), set(names), set()
    while todo:
        head, _, rest = todo.pop().partition(".")
        for path in outline.imported.get(head, ()):
            paths.add(f"{path}.{rest}" if rest else path)
        for other in outline.assigned.get(head) or _body(outline.text, head):
            if other not in seen:
                seen.add(other)
                todo.append(other)
        paths.update(f"{star}{INSIDE}{head}{'.' + rest if rest else ''}" for star in outline.stars)
    return paths


def outline_of(source: bytes, *, is_command: bool = False) -> Outline:
    """The outline of a file.

    Args:
        source: its bytes.
        is_command: whether the bodies of its classes count as well, but for that of the command.
    """
    text = source.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    if "#" in text:
        text = _COMMENT.sub("", text)
    if "\\\n" in text:
        text = _CONTINUED.sub(" ", text)
    heads = {COMMAND, *METHODS}
    for part in (*_class_heads(text), *_TEXT_DECORATOR.findall(text)):
        heads.update(_names(part))
    assigned: dict[str, set[str]] = {}
    for match in _ASSIGNED.finditer(text):
        value = match.group(3)
        if value.rstrip().endswith(_GOES_ON):
            closing = _CLOSING_LINE.search(text, match.end(), match.end() + _LONGEST_BODY)
            value = text[match.start(3) : closing.start() if closing else match.end() + _LONGEST_BODY]
        for name in filter(None, match.group(1, 2)):
            assigned.setdefault(name, set()).update(_names(value))
    _fill(assigned, text)
    for name, body in _class_bodies(text) if is_command else ():
        assigned.setdefault(name, set()).update(_names(body[:_LONGEST_BODY]))
    imported, stars = _imports(text)
    return Outline(frozenset(heads), assigned, imported, stars, text)


def _fill(assigned: dict[str, set[str]], text: str) -> None:
    """What calls put into what they are called on, or into what they are given: ``table.update(x=y)``, ``patch(table)``."""
    for match in _FILLED.finditer(text):
        owner, rest, arguments = match.groups()
        names = _names(arguments)
        if not names:
            continue
        filled = [owner] if rest else []
        filled += _QUOTED_NAME.findall(arguments) if rest.startswith("()") else []
        for name in filled:
            assigned.setdefault(name, set()).update(names)
        called = f"{owner}{rest}"
        for name in () if "(" in called else names:
            assigned.setdefault(name.partition(".")[0], set()).add(called)


def _class_bodies(text: str) -> Iterator[tuple[str, str]]:
    """The classes at module level but for the command, each with its code."""
    found = [match for match in re.finditer(_TOP_LEVEL, text) if match[1] == "class" and match[2] != COMMAND]
    for match in found:
        following = re.compile(_UNINDENTED).search(text, match.end())
        yield match[2], text[match.start() : following.start() if following else len(text)]


def _body(text: str, name: str) -> frozenset[str]:
    """The names in a function at module level, or in a class that may make other classes."""
    start, end = _bodies(text).get(name, (0, 0))
    return _names(text[start : min(end, start + _LONGEST_BODY)])


@lru_cache(maxsize=1024)
def _bodies(text: str) -> dict[str, tuple[int, int]]:
    """Where the functions at module level begin and end, and the classes of a file in which some make other classes."""
    functions: dict[str, tuple[int, int]] = {}
    classes: dict[str, tuple[int, int]] = {}
    found = list(re.finditer(_TOP_LEVEL, text))
    for match, following in zip_longest(found, found[1:]):
        word, name, bracket = match.groups()
        if word == "class" or bracket:
            end = following.start() if following else len(text)
            (functions if bracket and word == "def" else classes).setdefault(name, (match.start(), end))
    return {**classes, **functions} if classes and re.search(_MAKES_CLASSES, text) else functions


def _class_heads(text: str) -> Iterator[str]:
    """The brackets after each class name; no character is read twice, however many brackets are open."""
    end = 0
    for match in _TEXT_CLASS.finditer(text):
        if match.end() < end:
            continue
        closing = _END_OF_HEAD.search(text, match.end())
        if closing is None:
            return
        if closing.end() - match.end() <= _LONGEST_HEAD:
            end = closing.end()
            yield text[match.end() : end]
        else:
            end = closing.start() - _LONGEST_HEAD


@lru_cache(maxsize=4096)
def _names(text: str) -> frozenset[str]:
    return frozenset(re.sub(r"\s", "", name) for name in _DOTTED.findall(text))


def _imports(text: str) -> tuple[dict[str, set[str]], tuple[str, ...]]:
    imported: dict[str, set[str]] = {}
    stars = []
    for match in _TEXT_IMPORT.finditer(text):
        module, names, plain = match.groups()
        if plain is not None:
            for name, alias in _TEXT_ALIAS.findall(plain):
                bound = alias or name.partition(".")[0]
                imported.setdefault(bound, set()).add(name if alias else bound)
            continue
        module = re.sub(r"\s", "", module)
        if "*" in names:
            stars.append(module)
        for name, alias in _TEXT_ALIAS.findall(names):
            imported.setdefault(alias or name, set()).add(f"{module}{INSIDE}{name}")
    importers = {name.partition(".")[0] for name in _IMPORTER.findall(text)}
    if importers:
        quoted = set(_QUOTED.findall(text))
        for name in importers:
            imported.setdefault(name, set()).update(quoted)
    return imported, tuple(stars)
