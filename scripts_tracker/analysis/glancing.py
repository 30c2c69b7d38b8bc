"""Where a command file's bases and decorators come from, at a glance: a tenth of the time of a closer look.

Only what everybody writes is understood; of everything else the answer is "look closer" (None).
"""

from __future__ import annotations

import builtins
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.values import INSIDE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CLASS: Final = re.compile(rb"class\b")
_HEAD: Final = re.compile(rb"class[ \t]+\w+[ \t]*(?:\(([\w., \t\n]*)\))?[ \t]*:")
_DECORATOR: Final = re.compile(rb"@[ \t]*([A-Za-z_]\w*(?:\.\w+)*)[ \t]*[\n(#]")
_FAR: Final = re.compile(rb"import(?:_module|[ \t]*\(?\s*\*)")
# Where these names stand without being bound: before a word that is not `in`, before a call or an attribute.
_COMMAND: Final = re.compile(
    rb"Command\b(?![ \t]*(?:[(.'\"]|(?!in\b)\w))(?<!class Command)(?<!super\(Command)"
)
_HANDLE: Final = re.compile(rb"handle(?:_noargs)?\b(?![ \t]*(?:[(.'\"]|(?!in\b)\w))")
_BUILT_IN: Final = frozenset({b"object", b"property", b"staticmethod", b"classmethod"}) | {
    name.encode() for name in dir(builtins) if name.endswith(("Exception", "Error"))
}
"""Nobody binds these to a base class of scripts."""
_FROM: Final = re.compile(
    rb"[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]*(?:\(([\w,\s]*)\)|([\w, \t]+))[ \t]*(?:#[^\n]*)?"
)
_IMPORT: Final = re.compile(rb"[ \t]*import[ \t]+([\w., \t]+)(?:#[^\n]*)?")
_ALIAS: Final = re.compile(rb"([\w.]+)(?:\s+as\s+(\w+))?")
_WORD: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")


def origins(source: bytes) -> frozenset[str] | None:
    """The dotted paths that a file's bases and decorators are imported from; None where that takes a closer look.

    Args:
        source: the file's bytes.

    Returns:
        Paths as in ``values.Ref``. What is defined in the file itself, and what nobody imports, is left out.
    """
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n")
        if b"\r" in source:
            return None
    if _FAR.search(source) or not _binds_plainly(source):
        return None
    heads = _heads(source)
    if heads is None:
        return None
    found: set[str] = set()
    for name in heads:
        first, _, rest = name.partition(b".")
        if first in _BUILT_IN:
            continue
        paths = _imported(source, first)
        if paths is None:
            return None
        found.update(f"{path}.{rest.decode()}" if rest else path for path in paths)
    return frozenset(found)


def _binds_plainly(source: bytes) -> bool:
    """Whether ``Command`` is a class statement and ``handle`` a function or not there at all."""
    for match in _COMMAND.finditer(source):
        if source[match.start() - 1] not in _WORD or not match.start():
            return False
    return _HANDLE.search(source) is None


def _heads(source: bytes) -> set[bytes] | None:
    """The dotted names of bases and decorators."""
    found: set[bytes] = set()
    for match in _CLASS.finditer(source):
        if not _starts_line(source, match.start()):
            continue
        head = _HEAD.match(source, match.start())
        if head is None:
            return None
        if head[1]:
            found.update(name for name in (one.strip() for one in head[1].split(b",")) if name)
    position = source.find(b"@")
    while position >= 0:
        if _starts_line(source, position):
            decorator = _DECORATOR.match(source, position)
            if decorator is None:
                return None
            found.add(decorator[1])
        position = source.find(b"@", position + 1)
    return None if any(b" " in name or b"\n" in name for name in found) else found


def _starts_line(source: bytes, position: int) -> bool:
    return not source[source.rfind(b"\n", 0, position) + 1 : position].strip()


@lru_cache(maxsize=1024)
def _word(name: bytes) -> re.Pattern[bytes]:
    return re.compile(re.escape(name) + rb"\b")


def _imported(source: bytes, name: bytes) -> set[str] | None:
    """The paths that a name is imported from, none for what is no import; None where something else may bind it."""
    found: set[str] = set()
    for match in _word(name).finditer(source):
        start, end = match.span()
        if start and source[start - 1] in _WORD:
            continue
        line = source[source.rfind(b"\n", 0, start) + 1 : _end_of_line(source, end)]
        stripped = line.lstrip()
        is_import = stripped.startswith((b"import ", b"from "))
        if not is_import and source[end : end + 1] in (b".", b"("):
            continue
        if stripped.startswith((b"class ", b"def ", b"@")):
            continue
        bound = _bound(line) or _bound(_bracketed(source, start))
        if bound is None or (name not in bound and not is_import):
            return None
        if name in bound:
            found.add(bound[name])
    return found


def _end_of_line(source: bytes, position: int) -> int:
    end = source.find(b"\n", position)
    return len(source) if end < 0 else end


def _bracketed(source: bytes, position: int) -> bytes:
    """The statement from the line of the last opening bracket before a position to the next closing one."""
    opening = source.rfind(b"(", 0, position)
    if opening < 0:
        return b""
    return source[source.rfind(b"\n", 0, opening) + 1 : source.find(b")", position) + 1]


@lru_cache(maxsize=4096)
def _bound(statement: bytes) -> Mapping[bytes, str] | None:
    """What an import statement binds, by name; None for any other statement."""
    match = _FROM.fullmatch(statement)
    if match is not None:
        module = match[1].decode()
        names = _ALIAS.findall(match[2] or match[3])
        return {alias or name: f"{module}{INSIDE}{name.decode()}" for name, alias in names}
    match = _IMPORT.fullmatch(statement)
    return None if match is None else dict(_plain(match[1]))


def _plain(names: bytes) -> Iterator[tuple[bytes, str]]:
    for name, alias in _ALIAS.findall(names):
        first = name.partition(b".")[0]
        yield (alias, name.decode()) if alias else (first, first.decode())
