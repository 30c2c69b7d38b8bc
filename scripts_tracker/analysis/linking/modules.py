"""Modules: the file of a dotted name, and the facts of files. Nothing is imported, and no import hook is asked."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from scripts_tracker.analysis.facts.graph import NameGraph
from scripts_tracker.analysis.facts.values import INSIDE, OURS, FileFacts
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store.cache import FINGERPRINT, NAMES
from scripts_tracker.analysis.store.compiling import compile_all
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.analysis.store.compiling import Compiled, Question
    from scripts_tracker.core.values import CommandsDir

_T = TypeVar("_T")
_STAR_IMPORT: Final = re.compile(rb"import\s*\(?\s*\*")
SKIPPED: Final = frozenset({"django", *OURS})


class Module(NamedTuple):
    """A module of the project; ``path`` is None for a package without ``__init__.py``."""

    name: str
    path: str | None
    is_package: bool

    @property
    def file(self) -> str:
        """Its file for a finding; its name where it has none."""
        return self.path or self.name

    def absolute(self, path: str) -> str | None:
        """A dotted path as written in this module, without leading dots; None if they lead out of its packages."""
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
        folders: the folders of commands; their packages show where the top-level packages are.
        root: the project root.
        import_roots: more folders to look in, after those.

    Attributes:
        probes: the paths that were tested, and whether a file was there; the paths of folders end with a slash.
    """

    def __init__(self, folders: Sequence[CommandsDir], root: str, import_roots: Sequence[str]) -> None:
        self._folders = {folder.package: folder.path for folder in reversed(folders)}
        derived = [base for folder in folders if (base := _import_root(folder)) is not None]
        self._own = tuple(dict.fromkeys([*derived, root]))
        self._others = tuple(dict.fromkeys(path for path in import_roots if path not in self._own))
        self._found: dict[str, Module | None] = {}
        self.probes: dict[str, bool] = {}

    @property
    def found(self) -> set[str]:
        """The paths of all modules that were found."""
        return {one.path for one in self._found.values() if one is not None and one.path is not None}

    def find(self, name: str) -> Module | None:
        """The module with this dotted name; None if the project has none, or does not look for it."""
        if name not in self._found:
            self._found[name] = self._look(name)
        return self._found[name]

    def longest(self, path: str) -> tuple[Module, list[str]] | None:
        """The longest prefix of a dotted path that is a module, and the names after it."""
        parts = path.split(".")
        for end in range(len(parts), 0, -1):
            module = self.find(".".join(parts[:end]))
            if module is not None:
                return module, parts[end:]
        return None

    def folders_of(self, package: str) -> list[str]:
        """The folders that may hold the modules of a package of the project; of the empty package, the top-level ones."""
        parts = package.split(".") if package else []
        named = self._folders.get(package)
        return [*([named] if named else []), *(os.path.join(root, *parts) for root in self._own)]

    def _look(self, name: str) -> Module | None:
        parts = name.split(".")
        if parts[0] in SKIPPED or any(
            not part or "/" in part or "\\" in part or "\x00" in part for part in parts
        ):
            return None
        package, _, last = name.rpartition(".")
        folder = self._folders.get(package)
        if folder is not None and (found := self._in_folder(folder, last, name)) is not None:
            return found
        # Projects have apps with names of standard modules (calendar, statistics); installed packages do not.
        roots = self._own if parts[0] in sys.stdlib_module_names else (*self._own, *self._others)
        return self._in_roots(parts, roots)

    def _in_roots(self, parts: list[str], roots: tuple[str, ...]) -> Module | None:
        namespace = None
        for root in roots:
            found = self._in_folder(os.path.join(root, *parts[:-1]), parts[-1], ".".join(parts))
            if found is not None and found.path is not None:
                return found
            namespace = namespace or found
        return namespace

    def _in_folder(self, folder: str, part: str, name: str) -> Module | None:
        base = os.path.join(folder, part)
        package = os.path.join(base, "__init__.py")
        if self._is_file(package):
            return Module(name, package, is_package=True)
        if self._is_file(f"{base}.py"):
            return Module(name, f"{base}.py", is_package=False)
        is_folder = self.probes[f"{base}/"] = os.path.isdir(base)
        return Module(name, None, is_package=True) if is_folder else None

    def _is_file(self, path: str) -> bool:
        found = self.probes[path] = os.path.isfile(path)
        return found


def _import_root(folder: CommandsDir) -> str | None:
    """The folder of the top-level package; None if the path does not end with the package."""
    parts = folder.package.split(".")
    path = os.path.normpath(folder.path)
    for part in reversed(parts):
        path, tail = os.path.split(path)
        if tail != part:
            return None
    return path


class FactsLoader:
    """Reads files, each once; parses those whose facts the cache does not have.

    Args:
        cache: has facts from before, and takes new ones.
        question: what else to find out about files that are parsed; files without an answer in the cache are parsed.
        instead: the bytes that count for some paths, in place of those of the files.
        wants_fingerprint: whether the fingerprint of a file is needed, by its path; by default that of every command is.
        is_valid: whether CPython is known to accept a file, by its path.

    Attributes:
        digests: of the files that were read, by path; None as soon as one could not be read.
    """

    def __init__(
        self,
        cache: Cache,
        question: Question | None = None,
        instead: Mapping[str, bytes] = MappingProxyType({}),
        wants_fingerprint: Callable[[str], bool] = lambda _path: True,
        is_valid: Callable[[str], bool] = lambda _path: False,
    ) -> None:
        self.digests: dict[str, str] | None = {}
        self._wants_fingerprint = wants_fingerprint
        self._is_valid = is_valid
        self._cache = cache
        self._question = question
        self._sources: dict[str, bytes | UnreadableSource] = dict(instead)
        self._facts: dict[str, FileFacts | UnreadableSource] = {}
        self._graphs: dict[str, NameGraph] = {}

    def source(self, path: str) -> bytes:
        """The bytes of a file; raises UnreadableSource."""
        if path not in self._sources:
            try:
                source = self._sources[path] = reading.read_bytes(path)
                if self.digests is not None:
                    self.digests[path] = reading.content_digest(source)
            except UnreadableSource as error:
                self._sources[path] = error
                self.digests = None
        return _value_or_raise(self._sources[path])

    def digest(self, path: str) -> str:
        """The digest of a file's bytes; raises UnreadableSource."""
        return reading.content_digest(self.source(path))

    def facts(self, path: str) -> FileFacts:
        """The facts of a file; raises UnreadableSource."""
        if path not in self._facts:
            try:
                source = self.source(path)
                self.load([(path, source, reading.content_digest(source))])
            except UnreadableSource as error:
                self._facts[path] = error
        return _value_or_raise(self._facts[path])

    def load(self, files: Iterable[tuple[str, bytes, str]]) -> None:
        """Have the facts of several files: for each its path, its bytes and their digest."""
        unknown: dict[str, bytes] = {}
        paths: dict[str, list[str]] = {}
        for path, source, digest in files:
            facts = self._known(digest, path) or self._known_otherwise(digest, path, source)
            if facts is not None:
                self._facts[path] = facts
            else:
                unknown[digest] = source
                paths.setdefault(digest, []).append(path)
        function = self._question.function if self._question else ""
        groups: dict[tuple[bool, bool], list[str]] = {}
        for digest in unknown:
            whole = any(map(self._wants_fingerprint, paths[digest]))
            is_valid = not whole and not function and all(map(self._is_valid, paths[digest]))
            groups.setdefault((whole, is_valid), []).append(digest)
        for (whole, is_valid), digests in groups.items():
            sources = [unknown[digest] for digest in digests]
            found = compile_all(sources, function, with_fingerprint=whole, is_valid=is_valid)
            for digest, one in zip(digests, found, strict=True):
                facts_or_error = one if isinstance(one, UnreadableSource) else self._keep(digest, one)
                self._facts.update(dict.fromkeys(paths[digest], facts_or_error))

    def _known(self, digest: str, path: str) -> FileFacts | None:
        if self._question and not self._cache.text(self._question.kind, digest):
            return None
        facts = self._cache.facts(digest)
        if facts is None or facts.has_fingerprint or not self._wants_fingerprint(path):
            return facts
        return self._cache.full_facts(digest)

    def _known_otherwise(self, digest: str, path: str, source: bytes) -> FileFacts | None:
        """The facts of the same text with other line endings, as git checks it out on other systems: they are equal."""
        if self._question:
            return None
        for other in reading.with_other_line_endings(source):
            facts = self._known(reading.content_digest(other), path)
            if facts is not None and facts.unread is None:
                self._cache.put_facts(digest, facts)
                return facts
        return None

    def _keep(self, digest: str, one: Compiled) -> FileFacts:
        self._cache.put_facts(digest, one.facts)
        if self._question:
            self._cache.put_text(self._question.kind, digest, one.answer)
        return one.facts

    def fingerprint(self, path: str) -> str:
        """The fingerprint of a file, whether or not it is a command; raises UnreadableSource."""
        digest = self.digest(path)
        known = self._cache.text(FINGERPRINT, digest) or self._fingerprint_otherwise(self.source(path))
        if not known:
            # This brings libcst, which a check needs only where a watched module is new.
            from scripts_tracker.analysis.fingerprint import fingerprint_or_bytes

            known = str(fingerprint_or_bytes(self.source(path)))
            self._cache.put_text(FINGERPRINT, digest, known)
        return known

    def names(self, path: str) -> NameGraph:
        """The graph of the names of a file, which only a command needs that is not tracked; raises UnreadableSource."""
        if path not in self._graphs:
            digest, facts = self.digest(path), self.facts(path)
            with contextlib.suppress(ValueError):  # as if nothing were known
                self._graphs[path] = NameGraph.from_text(self._cache.text(NAMES, digest))
                return self._graphs[path]
            from scripts_tracker.analysis.facts.mentions import read_names  # brings libcst

            self._graphs[path] = read_names(self.source(path), facts)
            self._cache.put_text(NAMES, digest, self._graphs[path].to_text())
        return self._graphs[path]

    def _fingerprint_otherwise(self, source: bytes) -> str:
        """The fingerprint of the same text with other line endings; empty where none is known, or only that of the bytes."""
        digests = map(reading.content_digest, reading.with_other_line_endings(source))
        known = (self._cache.text(FINGERPRINT, digest) for digest in digests)
        return next((one for one in known if one and not Fingerprint.parse(one).is_of_bytes), "")

    def mentions(self, path: str, name: str) -> bool:
        """Whether a file may bind a name; spares the parse of most, such as every ``__init__.py`` on the way."""
        if isinstance(self._facts.get(path), FileFacts):
            return True
        source = self.source(path)
        # An encoding of two bytes a letter does not hold the name as it is.
        return name.encode() in source or b"\x00" in source

    def has_star(self, path: str) -> bool:
        """Whether a file may hold a star import."""
        known = self._facts.get(path)
        if isinstance(known, FileFacts):
            return bool(known.stars)
        return _STAR_IMPORT.search(self.source(path)) is not None


def _value_or_raise(one: _T | UnreadableSource) -> _T:
    if isinstance(one, UnreadableSource):
        raise one
    return one
