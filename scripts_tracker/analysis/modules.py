"""Dotted names -> files, by looking where they would be: nothing is imported, no finder is asked."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import sources
from scripts_tracker.analysis.values import INSIDE
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.analysis.facts import FactStore, FileFacts
    from scripts_tracker.datatypes import CommandsDir

OURS: Final = frozenset({"scripts_tracker", "django_scripts_tracker"})
_SKIPPED: Final = frozenset({"django", *OURS})


@dataclass(frozen=True, slots=True)
class Module:
    """A module that was found: ``path`` is None for a package without ``__init__.py``."""

    name: str
    path: str | None
    is_package: bool

    def absolute(self, path: str) -> str | None:
        """A dotted path as written in this module, without leading dots; None where they lead outside."""
        rest = path.lstrip(".")
        names = rest.lstrip(INSIDE)
        level = len(path) - len(rest)
        if not level:
            return path
        parts = self.name.split(".")
        if not self.is_package:
            parts.pop()
        if level > len(parts):
            return names if level == 1 and names else None
        package = ".".join(parts[: len(parts) - level + 1])
        return f"{package}{INSIDE if rest != names else '.' if names else ''}{names}"


class Finder:
    """Finds modules.

    Args:
        folders: the folders of commands, whose packages tell where their top-level packages stand.
        root: the project root.
        import_roots: further folders to look in, after those.
    """

    def __init__(self, folders: Sequence[CommandsDir], root: str, import_roots: Sequence[str]) -> None:
        self._folders = {folder.package: folder.path for folder in reversed(folders)}
        derived = [base for folder in folders if (base := _import_root(folder)) is not None]
        self._own = tuple(dict.fromkeys([*derived, root]))
        self._others = tuple(dict.fromkeys(path for path in import_roots if path not in self._own))
        self._found: dict[str, Module | None] = {}

    def find(self, name: str) -> Module | None:
        """The module of that dotted name; None where there is none, or where it is none of the project's concern."""
        if name not in self._found:
            self._found[name] = self._look(name)
        return self._found[name]

    def longest(self, path: str) -> tuple[Module, list[str]] | None:
        """The longest beginning of a dotted path that is a module, and the names that are left."""
        parts = path.split(".")
        for end in range(len(parts), 0, -1):
            module = self.find(".".join(parts[:end]))
            if module is not None:
                return module, parts[end:]
        return None

    def _look(self, name: str) -> Module | None:
        parts = name.split(".")
        if parts[0] in _SKIPPED or any(
            not part or "/" in part or "\\" in part or "\x00" in part for part in parts
        ):
            return None
        package, _, last = name.rpartition(".")
        folder = self._folders.get(package)
        if folder is not None and (found := _in_folder(folder, last, name)) is not None:
            return found
        # Projects have apps named like standard modules (calendar, statistics); installed packages do not count.
        roots = self._own if parts[0] in sys.stdlib_module_names else (*self._own, *self._others)
        return self._in_roots(parts, roots)

    def _in_roots(self, parts: list[str], roots: tuple[str, ...]) -> Module | None:
        namespace = None
        for root in roots:
            found = _in_folder(os.path.join(root, *parts[:-1]), parts[-1], ".".join(parts))
            if found is not None and found.path is not None:
                return found
            namespace = namespace or found
        return namespace


def _import_root(folder: CommandsDir) -> str | None:
    """The folder of the top-level package: the path without the parts of the package."""
    parts = folder.package.split(".")
    path = os.path.normpath(folder.path)
    for part in reversed(parts):
        path, tail = os.path.split(path)
        if tail != part:
            return None
    return path


def _in_folder(folder: str, part: str, name: str) -> Module | None:
    base = os.path.join(folder, part)
    package = os.path.join(base, "__init__.py")
    if os.path.isfile(package):
        return Module(name, package, is_package=True)
    if os.path.isfile(f"{base}.py"):
        return Module(name, f"{base}.py", is_package=False)
    return Module(name, None, is_package=True) if os.path.isdir(base) else None


class Library:
    """The bytes and facts of files, each read once and parsed only if the store does not know it.

    Args:
        store: remembers facts from one time to the next.
    """

    def __init__(self, store: FactStore) -> None:
        self._store = store
        self._sources: dict[str, bytes | UnreadableSource] = {}
        self._facts: dict[str, FileFacts | UnreadableSource] = {}

    def source(self, path: str) -> bytes:
        """The bytes of a file; raises UnreadableSource."""
        if path not in self._sources:
            try:
                self._sources[path] = sources.read_bytes(path)
            except UnreadableSource as error:
                self._sources[path] = error
        found = self._sources[path]
        if isinstance(found, UnreadableSource):
            raise found
        return found

    def facts(self, path: str) -> FileFacts:
        """The facts of a file; raises UnreadableSource."""
        if path not in self._facts:
            try:
                self._facts[path] = self._known_or_extracted(self.source(path))
            except UnreadableSource as error:
                self._facts[path] = error
        found = self._facts[path]
        if isinstance(found, UnreadableSource):
            raise found
        return found

    def _known_or_extracted(self, source: bytes) -> FileFacts:
        digest = sources.content_digest(source)
        facts = self._store.get(digest)
        if facts is None:
            # The one door to libcst, which takes 0.2 s to import.
            from scripts_tracker.analysis.extraction import extract

            facts = extract(source)
            # What cannot be parsed is not kept: another Python or libcst may know better.
            self._store.put(digest, facts)
        return facts
