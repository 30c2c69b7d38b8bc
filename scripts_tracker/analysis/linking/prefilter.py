"""Whether a file without the marker may hold a tracked script, by regular expressions, because parsing is slow.

Only what decides about ``handle()`` and ``process()`` is followed: base classes, decorators, and what ``Command`` or
one of these is bound to. In case of doubt the answer is yes.
"""

from __future__ import annotations

import builtins
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import COMMAND, INSIDE, METHODS, PROCESS, STAR
from scripts_tracker.analysis.linking.outlines import Outline, outline_of, paths_of
from scripts_tracker.analysis.source.reading import PACKAGE, REQUIREMENT_MARKER, has_marker
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from scripts_tracker.analysis.linking.modules import FactsLoader, Finder, Module

MAX_STEPS: Final = 500
"""A file from which more names can be reached is parsed."""
MAX_DEPTH: Final = 30
MAX_VALUES: Final = 50
"""The most names in the bodies of classes that are looked for one by one."""
# For the quick look, at bytes.
_CLASS: Final = re.compile(rb"class\b")
_CLASS_HEAD: Final = re.compile(rb"class[ \t]+\w+[ \t]*(?:\(([\w., \t\n]*)\))?[ \t]*:")
_DECORATOR: Final = re.compile(rb"@[ \t]*([A-Za-z_]\w*(?:\.\w+)*)[ \t]*[\n(#]")
_DYNAMIC_IMPORT: Final = re.compile(rb"import(?:_module|[ \t]*\(?\s*\*)")
# These names without being bound: before a word other than `in`, before a call or an attribute. A quotation mark behind
# them may be that of globals()["Command"].
_BOUND_COMMAND: Final = re.compile(
    rb"Command\b(?![ \t]*(?:[(.]|(?!in\b)\w))(?<!class Command)(?<!super\(Command)"
)
_QUOTED_NAMES: Final = tuple(
    f"{quote}{name}{quote}".encode() for quote in "\"'" for name in (COMMAND, *METHODS)
)
# Compiled where it is needed, which is seldom.
_ARGUMENT: Final = rb"(?<![\w.\"'])(?!True\b|False\b|None\b)[A-Za-z_]\w*[ \t]*(?=[.,)(\[])"
_BOUND_HANDLE: Final = re.compile(rb"handle(?:_noargs)?\b(?![ \t]*(?:[(.]|(?!in\b)\w))")
# Other methods often have a variable of this name.
_PROCESS: Final = PROCESS.encode()
_BOUND_PROCESS: Final = rb"(?m)^(?:[ ]{1,4}|\t)process[ \t]*(?::[^=\n]*)?=(?!=)"
_BUILT_IN: Final = frozenset({b"object", b"property", b"staticmethod", b"classmethod"}) | {
    name.encode() for name in dir(builtins) if name.endswith(("Exception", "Error"))
}
_FROM: Final = re.compile(
    rb"[ \t]*from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]*(?:\(([\w,\s]*)\)|([\w, \t]+))[ \t]*(?:#[^\n]*)?"
)
_IMPORT: Final = re.compile(rb"[ \t]*import[ \t]+([\w., \t]+)(?:#[^\n]*)?")
_ALIAS: Final = re.compile(rb"([\w.]+)(?:\s+as\s+(\w+))?")
_BRACKET: Final = ord("(")
# These start with a line break, which is found much faster than the beginning of a line.
_CLASS_BODY: Final = re.compile(rb"\nclass[ \t][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*\n)*([ \t]+)")
_END_OF_BODY: Final = re.compile(rb"\n[^\s#)\]}]")
_STRINGS_IN_VALUE: Final = re.compile(rb"\"[^\"]*\"|'[^']*'|#.*")
_NAMES_IN_VALUE: Final = re.compile(rb"(?<![\w.])[A-Za-z_][\w.]*")
# Values of many classes; hardly anybody imports something else by these names.
_BUILT_INS: Final = frozenset(map(str.encode, dir(builtins)))
_WORD: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.")


def origins(source: bytes) -> frozenset[str] | None:
    """The dotted paths, as in ``values.Ref``, that the base classes and decorators of a file are imported from.

    Args:
        source: the bytes of the file.

    Returns:
        The paths, without what the file defines itself; None if this takes a closer look.
    """
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n")
        if b"\r" in source:
            return None
    if _DYNAMIC_IMPORT.search(source) or not _binds_plainly(source):
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
        if paths is None or not (paths or _is_plain_class(source, name)):
            return None
        found.update(_with_rest(paths, rest))
    values = _class_values(source)
    if len(values) > MAX_VALUES:
        return None
    for name in values:
        first, _, rest = name.partition(b".")
        found.update(_with_rest(_imported(source, first, only=True) or (), rest))
    return frozenset(found)


def _with_rest(paths: Iterable[str], rest: bytes) -> Iterator[str]:
    """The paths of a dotted name, from those of its first part."""
    return (f"{path}.{rest.decode()}" if rest else path for path in paths)


def _class_values(source: bytes) -> set[bytes]:
    """The dotted names in the values and annotations of class bodies: a base class or descriptor may make more of them."""
    found: set[bytes] = set()
    source = b"\n" + source
    for start in _CLASS_BODY.finditer(source):
        position = start.start(1) - 1
        end = _END_OF_BODY.search(source, position)
        for value in _value_in_body(start[1]).findall(source, position, end.start() if end else len(source)):
            found.update(_NAMES_IN_VALUE.findall(_STRINGS_IN_VALUE.sub(b"", value)))
    return found - _BUILT_INS


def _is_plain_class(source: bytes, name: bytes) -> bool:
    """Whether a name that is not imported is that of a class, whose own head is looked at, and not of something in one."""
    return b"." not in name and b"def " + name not in source


def _binds_plainly(source: bytes) -> bool:
    """Whether only a class statement binds ``Command``, and only functions ``handle`` and ``process``."""
    if b"def Command" in source:
        return False
    for match in _BOUND_COMMAND.finditer(source):
        if source[match.start() - 1] not in _WORD or not match.start():
            return False
    return _BOUND_HANDLE.search(source) is None and not (
        _PROCESS in source and re.search(_BOUND_PROCESS, source)
    )


def _heads(source: bytes) -> set[bytes] | None:
    """The dotted names of base classes and decorators; None if one is more than a name."""
    found: set[bytes] = set()
    for match in _CLASS.finditer(source):
        if not _starts_line(source, match.start()):
            continue
        head = _CLASS_HEAD.match(source, match.start())
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
            end = decorator.end()
            if source[end - 1] == _BRACKET and re.search(_ARGUMENT, source[end : _end_of_line(source, end)]):
                return None
            found.add(decorator[1])
        position = source.find(b"@", position + 1)
    return None if any(b" " in name or b"\n" in name for name in found) else found


def _starts_line(source: bytes, position: int) -> bool:
    return not source[source.rfind(b"\n", 0, position) + 1 : position].strip()


@lru_cache(maxsize=16)
def _value_in_body(indent: bytes) -> re.Pattern[bytes]:
    """What stands after a name on the lines of a class body: annotations and values, but no numbers and lone strings."""
    return re.compile(rb"\n%b\w+[ \t]*(:[^\n]*|=[ \t]*[^=\s\d\"'][^\n]*)" % indent)


@lru_cache(maxsize=1024)
def _word(name: bytes) -> re.Pattern[bytes]:
    return re.compile(re.escape(name) + rb"\b")


def _imported(source: bytes, name: bytes, *, only: bool = False) -> set[str] | None:
    """The paths that a name is imported from; None if something else may bind it, unless only imports count."""
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
            if only:
                continue
            return None
        if name in bound:
            found.add(bound[name])
    return found


def _end_of_line(source: bytes, position: int) -> int:
    end = source.find(b"\n", position)
    return len(source) if end < 0 else end


def _bracketed(source: bytes, position: int) -> bytes:
    """From the line of the last opening bracket before a position to the next closing one."""
    opening = source.rfind(b"(", 0, position)
    if opening < 0:
        return b""
    return source[source.rfind(b"\n", 0, opening) + 1 : source.find(b")", position) + 1]


@lru_cache(maxsize=4096)
def _bound(statement: bytes) -> Mapping[bytes, str] | None:
    """The names that an import statement binds, with their paths; None for another statement."""
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


class Prefilter:
    """Follows names from file to file.

    Args:
        finder: finds modules.
        loader: reads them.
    """

    def __init__(self, finder: Finder, loader: FactsLoader) -> None:
        self._finder = finder
        self._loader = loader
        self._outlines: dict[str, Outline] = {}
        self._without: set[tuple[str, str, bool]] = set()
        self._paths: dict[str, bool] = {}

    def command_leads_to_marker(
        self, module: Module, source: bytes, may_track: Callable[[str, Module], bool]
    ) -> bool:
        """Whether ``Command`` in a file without the marker may come from a file with it.

        Args:
            module: the file.
            source: its bytes.
            may_track: takes a closer look at a base class or decorator from a file with the marker; it gets the
                absolute path and a module.
        """
        paths = origins(source)
        if paths is None:
            if module.path is not None:
                self._outlines[module.path] = outline_of(source, is_command=True)
            # Whatever binds the names that it uses: everything that is imported counts.
            return self.leads_to_marker(module, "")
        return any(self._path_leads(path, module, may_track) for path in paths)

    def _path_leads(self, path: str, home: Module, may_track: Callable[[str, Module], bool]) -> bool:
        absolute = home.absolute(path)
        if not absolute or absolute.count(".") >= MAX_DEPTH:
            return False
        if absolute not in self._paths:
            leads = any(self.leads_to_marker(*one) for one in self._modules(absolute))
            self._paths[absolute] = leads and may_track(absolute, home)
        return self._paths[absolute]

    def leads_to_marker(self, module: Module, name: str, *, requirements: bool = False) -> bool:
        """Whether a name in a module may come from a file with the marker.

        Args:
            module: where to start.
            name: dotted, as used there; empty for the module as a whole.
            requirements: whether ``required_preceding_script`` is a marker too.
        """
        stack = [(module, name)]
        seen: set[tuple[str, str, bool]] = set()
        while stack:
            current, wanted = stack.pop()
            if current.path is None or (key := (current.path, wanted, requirements)) in seen:
                continue
            seen.add(key)
            if key in self._without:
                continue
            if len(seen) > MAX_STEPS:
                return True
            try:
                source = self._loader.source(current.path)
            except UnreadableSource:
                return True  # the linker will report the file
            if has_marker(source) or PACKAGE in source or (requirements and REQUIREMENT_MARKER in source):
                return True
            stack.extend(self._next(current, self._outline(current.path, source), wanted))
        # No file that was seen on the way has the marker.
        self._without |= seen
        return False

    def path_leads_to_us(self, path: str, home: Module) -> bool:
        """Whether a dotted path, as written in a module, may come from a file that mentions one of our decorators."""
        absolute = home.absolute(path.replace(STAR, ""))
        modules = [] if absolute is None else self._modules(absolute)
        return any(self.leads_to_marker(*one, requirements=True) for one in modules)

    def path_names_us(self, path: str, home: Module) -> bool:
        """Whether a file on a dotted path, as written in a module, mentions our decorator or package itself."""
        absolute = home.absolute(path.replace(STAR, ""))
        modules = [] if absolute is None else self._modules(absolute)
        return any(one.path is not None and self._names_us(one.path) for one, _ in modules)

    def _names_us(self, path: str) -> bool:
        try:
            source = self._loader.source(path)
        except UnreadableSource:
            return False
        return has_marker(source) or PACKAGE in source

    def _modules(self, path: str) -> list[tuple[Module, str]]:
        """The modules on a dotted path, each with the name that is looked up in it."""
        name, inside, taken = path.partition(INSIDE)
        if inside:
            # `from a.b import c` takes c from a.b, or c is a module in a.b.
            module = self._finder.find(name)
            first, _, rest = taken.partition(".")
            below = self._finder.find(f"{name}.{first}") if module is not None else None
            return [(one, wanted) for one, wanted in ((module, taken), (below, rest)) if one is not None]
        parts = path.split(".")
        prefixes = [(self._finder.find(".".join(parts[:end])), end) for end in range(1, len(parts) + 1)]
        modules = [(module, ".".join(parts[end:])) for module, end in prefixes if module is not None]
        # A package in between matters only if it binds the next name itself.
        return [one for one in modules[:-1] if self._binds(*one)] + modules[-1:]

    def _binds(self, module: Module, name: str) -> bool:
        if module.path is None:
            return False
        try:
            outline = self._outline(module.path, self._loader.source(module.path))
        except UnreadableSource:
            return False
        head = name.partition(".")[0]
        return head in outline.imported or head in outline.assigned or bool(outline.stars)

    def _outline(self, path: str, source: bytes) -> Outline:
        if path not in self._outlines:
            self._outlines[path] = outline_of(source)
        return self._outlines[path]

    def _next(self, module: Module, outline: Outline, wanted: str) -> list[tuple[Module, str]]:
        names = {wanted, *outline.heads} if wanted else {*outline.heads, *outline.imported}
        paths = map(module.absolute, paths_of(outline, names))
        return [one for path in paths if path and path.count(".") < MAX_DEPTH for one in self._modules(path)]
