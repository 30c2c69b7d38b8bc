"""The index of a project, kept with everything that it was made from.

It holds for as long as all of that is unchanged, wherever the project is: a copy brings its index with it. If the only
changed files are commands that no other file depends on, the results for the others still hold, and only the changed
files are linked again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.analysis import ANALYSIS_VERSION, codes
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import (
    ALGORITHM,
    PENDING,
    Finding,
    Fingerprint,
    Location,
    ModuleVersion,
    ProjectIndex,
    Requirement,
    ScriptDefinition,
    ScriptId,
    ScriptOptions,
)
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import TypeVar

    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import CommandsDir

    V = TypeVar("V")
    ComparableVersions = Callable[[ScriptId], Mapping[str, Fingerprint] | None]


def every_version(_script: ScriptId) -> Mapping[str, Fingerprint]:
    """The versions that a script is compared with, if nothing is known of them but that there may be some.

    Such a function returns fingerprints by the digest of the bytes, or None if a script is compared with nothing, so that
    its own fingerprint is not needed.
    """
    return _NO_VERSIONS


def no_version(_script: ScriptId) -> None:
    """The same for scripts that are compared with nothing."""


_NO_VERSIONS: Final[Mapping[str, Fingerprint]] = MappingProxyType({})


class LinkedFile(NamedTuple):
    """The result for one command file. It holds until something changes that it depends on.

    Attributes:
        definition: the script, before its requirements are checked; None for no script.
        findings: what is wrong with the file and with what it refers to.
        mro: the classes of the script, as path and name; empty if all of them are in its own file.
    """

    definition: ScriptDefinition | None = None
    findings: tuple[Finding, ...] = ()
    mro: tuple[tuple[str, str], ...] = ()


NOT_A_SCRIPT: Final = LinkedFile()


class Inputs(NamedTuple):
    """Everything that an index was made from.

    Attributes:
        digests: of the command files, by path.
        linked: the result for each of them, by ``key_of_file``.
        probes: the paths that were tested, and whether a file was there; the paths of folders end with a slash.
        read: the digests of the other files that were read, by path.
        found: the command files that others may depend on.
        signatures: of the files that are unchanged since the index was kept, by path.
        stored: ``linked`` as the JSON that was kept, as far as it was.
    """

    digests: Mapping[str, str] = MappingProxyType({})
    linked: Mapping[str, LinkedFile] = MappingProxyType({})
    probes: Mapping[str, bool] = MappingProxyType({})
    read: Mapping[str, str] = MappingProxyType({})
    found: Collection[str] = ()
    signatures: Mapping[str, str] = MappingProxyType({})
    stored: Mapping[str, Any] = MappingProxyType({})


class _Paths:
    """Paths as an index has them: those below the project's root begin there, as the root may be elsewhere next time."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._start = os.path.join(root, "")

    def inside(self, path: str) -> str:
        return path.removeprefix(self._start)

    def outside(self, path: str) -> str:
        return os.path.join(self._root, path)

    def keys_inside(self, found: Mapping[str, V]) -> dict[str, V]:
        return {path.removeprefix(self._start): one for path, one in found.items()}

    def keys_outside(self, found: Mapping[str, V]) -> dict[str, V]:
        return {self.outside(path): one for path, one in found.items()}


def key_of(root: str, dirs: Iterable[CommandsDir], import_roots: Iterable[str], *others: object) -> str:
    """The key of an index: a digest of whatever it depends on besides files."""
    inside = _Paths(root).inside
    folders = [(one.app_label, one.package, inside(one.path)) for one in dirs]
    version = (ANALYSIS_VERSION, ALGORITHM, sys.version_info[:2])
    # The root itself is among them as a rule.
    parts = (version, folders, [inside(os.path.join(one, "")) for one in import_roots], others)
    return hashlib.sha256(repr(parts).encode("utf-8", "surrogatepass")).hexdigest()


def key_of_file(file: CommandFile) -> str:
    """The key of a command file in its app: two apps may share a folder."""
    return f"{file.path}:{file.folder.app_label}"


class CachedIndex:
    """The index that was kept by a key, as far as it still holds.

    Args:
        cache: keeps it; None to ignore what was kept.
        key: by ``key_of``.
        files: the command files, as they are now.
        since: ``reading.now()`` before anything was read.
        comparable: what scripts are compared with; those whose fingerprint is needed and not known have changed.
        root: the project's; the index still holds where the project is at another place.

    Attributes:
        index: the index; None if a file changed, or nothing was kept.
        inputs: the results for the unchanged files; None if no result holds.
    """

    def __init__(
        self,
        cache: Cache | None,
        key: str,
        files: Sequence[CommandFile],
        since: int,
        *,
        comparable: ComparableVersions = every_version,
        root: str = "",
    ) -> None:
        self.index: ProjectIndex | None = None
        self.inputs: Inputs | None = None
        self._cache = cache if cache is not None and cache.is_kept else None
        self._key = key
        self._files = files
        self._paths = [file.path for file in files if not file.ignored]
        self._since = since
        self._comparable = comparable
        self._at = _Paths(root)
        if self._cache is not None:
            # A missing or malformed text is no index.
            with contextlib.suppress(
                ValueError, TypeError, LookupError, AttributeError, RecursionError, UnreadableSource
            ):
                self._load(self._cache, self._cache.index(key))

    def _load(self, cache: Cache, content: str) -> None:
        head, index, rest = content.split("\t")
        names, signatures, *tested = json.loads(head)
        probes, read = map(self._at.keys_outside, tested)
        if names != self._names() or not _hold(probes):
            return
        paths = [*self._paths, *read]
        now = reading.stat_signatures(paths)

        def inputs() -> Inputs:
            pairs = zip(paths, signatures, now, strict=True)
            same = {path: new for path, then, new in pairs if then and then == new}
            return self._inputs(rest)._replace(probes=probes, read=read, signatures=same)

        is_touched = now != signatures or "" in now
        if is_touched:
            known = inputs()
            changed = {
                path
                for path in paths
                if path not in known.signatures
                and _digest(path) != (known.digests.get(path) or read.get(path))
            }
            if changed:
                is_used = not changed.isdisjoint((*read, *known.found))
                self.inputs = None if is_used else self._without(changed, known)
                return
            head = self._head(known)
        self._use(cache, (head, index, rest), inputs, is_new=is_touched)

    def _use(
        self, cache: Cache, texts: tuple[str, str, str], inputs: Callable[[], Inputs], *, is_new: bool
    ) -> None:
        """Use the index of unchanged files, or its results as far as the fingerprints that are needed now are known."""
        head, text, rest = texts
        definitions, findings = json.loads(text)
        index = ProjectIndex(tuple(map(_definition, definitions)), tuple(map(_finding, findings)))
        wanted = self._wanted(index.definitions) if _PENDING in text else {}
        if None in wanted.values():
            self.inputs = self._without((), inputs())
            return
        if wanted:
            index = index._replace(definitions=_with(index.definitions, wanted))
            text = _json(index)
        if is_new or wanted:
            cache.put_index(self._key, f"{head}\t{text}\t{rest}")
        self.index = index

    def _inputs(self, rest: str) -> Inputs:
        """What the third text says of them."""
        digests, linked, found = json.loads(rest)
        at = self._at
        return Inputs(
            at.keys_outside(digests), found=[*map(at.outside, found)], stored=at.keys_outside(linked)
        )

    def _wanted(self, definitions: Iterable[ScriptDefinition]) -> dict[ScriptId, Fingerprint | None]:
        """The scripts whose fingerprints are pending and needed now; with that of a version of the same bytes, if any."""
        found = {}
        for one in definitions:
            if one.fingerprint is not None and one.fingerprint.is_pending:
                versions = self._comparable(one.id)
                if versions is not None:
                    found[one.id] = versions.get(one.content_digest)
        return found

    def _without(self, changed: Collection[str], inputs: Inputs) -> Inputs:
        """The inputs without the changed files, and without those whose fingerprint is needed now and not known."""
        linked: dict[str, LinkedFile] = {}
        stored: dict[str, Any] = {}
        paths, again = {}, set(changed)
        for file in self._files:
            if file.ignored or file.path in changed:
                continue
            key = key_of_file(file)
            paths[key] = file.path
            linked[key] = self._linked(inputs.stored[key]) if key in inputs.stored else NOT_A_SCRIPT
            definition = linked[key].definition
            wanted = self._wanted([definition]) if definition else {}
            if None in wanted.values():
                again.add(file.path)
            elif definition and wanted:
                linked[key] = linked[key]._replace(definition=_with([definition], wanted)[0])
            elif key in inputs.stored:
                stored[key] = inputs.stored[key]
        return inputs._replace(
            digests={path: digest for path, digest in inputs.digests.items() if path not in again},
            linked={key: one for key, one in linked.items() if paths[key] not in again},
            stored={key: one for key, one in stored.items() if paths[key] not in again},
        )

    def _linked(self, data: Any) -> LinkedFile:
        definition, findings, mro = data
        return LinkedFile(
            definition and _definition(definition),
            tuple(map(_finding, findings)),
            tuple((self._at.outside(path), name) for path, name in mro),
        )

    def keep(self, index: ProjectIndex, inputs: Inputs | None) -> None:
        """Keep a new index, unless a file is unreadable: that may pass without a trace.

        Args:
            index: the index.
            inputs: everything that it was made from; None if a file could not be read.
        """
        is_readable = all(one.code != codes.UNREADABLE_FILE for one in index.findings)
        if self._cache is not None and inputs is not None and is_readable:
            at = self._at
            linked = {
                at.inside(key): inputs.stored.get(key)
                or one._replace(mro=tuple((at.inside(path), name) for path, name in one.mro))
                for key, one in inputs.linked.items()
                if one != NOT_A_SCRIPT
            }
            rest = _json([at.keys_inside(inputs.digests), linked, sorted(map(at.inside, inputs.found))])
            self._cache.put_index(self._key, f"{self._head(inputs)}\t{_json(index)}\t{rest}")

    def _head(self, inputs: Inputs) -> str:
        """The first of three texts: whether anything changed. Then come the index, and what is of use if something did."""
        paths = [*self._paths, *inputs.read]
        touched = [path for path in paths if path not in inputs.signatures]
        fresh = dict(zip(touched, reading.stat_signatures(touched, self._since), strict=True))
        signatures = [inputs.signatures.get(path) or fresh[path] for path in paths]
        return _json([self._names(), signatures, *map(self._at.keys_inside, (inputs.probes, inputs.read))])

    def _names(self) -> str:
        inside = self._at.inside
        names = "\n".join(
            [f"{folder.app_label}\0{inside(path)}\0{ignored}" for folder, _, path, ignored in self._files]
        )
        return hashlib.sha256(names.encode("utf-8", "surrogatepass")).hexdigest()


def _with(
    definitions: Iterable[ScriptDefinition], fingerprints: Mapping[ScriptId, Fingerprint | None]
) -> tuple[ScriptDefinition, ...]:
    return tuple(
        one._replace(fingerprint=fingerprints[one.id]) if one.id in fingerprints else one
        for one in definitions
    )


_PENDING: Final = json.dumps(PENDING, separators=(",", ":"))


def _hold(probes: Mapping[str, bool]) -> bool:
    return all(
        (os.path.isdir(path) if path.endswith("/") else os.path.isfile(path)) is found
        for path, found in probes.items()
    )


def _digest(path: str) -> str:
    return reading.content_digest(reading.read_bytes(path))


def _json(data: object) -> str:
    """Values as JSON: named tuples become lists of their fields."""
    return json.dumps(data, separators=(",", ":"))


def _finding(data: Any) -> Finding:
    location, *others, origin = data
    found = Finding(Location(*location), *others)
    return found if origin is None else found._replace(origin=Location(*origin))


def _definition(data: Any) -> ScriptDefinition:
    script, location, fingerprint, digest, help_, options, requires, watches, is_computed, is_batched = data
    return ScriptDefinition(
        ScriptId(*script),
        Location(*location),
        fingerprint and Fingerprint(*fingerprint),
        digest,
        help_,
        _PLAIN if options == _PLAIN_DATA else _options(options),
        tuple(map(_requirement, requires)) if requires else (),
        tuple(map(_module, watches)) if watches else (),
        is_computed,
        is_batched,
    )


# Those of most scripts.
_PLAIN: Final = ScriptOptions()
_PLAIN_DATA: Final = json.loads(_json(_PLAIN))


def _options(data: Any) -> ScriptOptions:
    rerun, atomic, *texts, verify, fresh = data
    tags, unless, watch, arguments = map(tuple, texts)
    return ScriptOptions(rerun, atomic, tags, unless, watch, arguments, verify, fresh)


def _requirement(data: Any) -> Requirement:
    target, text, location = data
    return Requirement(target and ScriptId(*target), text, Location(*location))


def _module(data: Any) -> ModuleVersion:
    name, fingerprint, digest = data
    return ModuleVersion(name, fingerprint and Fingerprint(*fingerprint), digest)
