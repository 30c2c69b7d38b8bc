"""The index of a project, kept with everything that it was made from.

It holds for as long as all of that is unchanged. If the only changed files are commands that no other file depends on,
the results for the others still hold, and only the changed files are linked again.
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

    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.cache import Cache

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
        stored: ``linked`` as JSON, as far as it was kept.
    """

    digests: Mapping[str, str] = MappingProxyType({})
    linked: Mapping[str, LinkedFile] = MappingProxyType({})
    probes: Mapping[str, bool] = MappingProxyType({})
    read: Mapping[str, str] = MappingProxyType({})
    found: Collection[str] = ()
    signatures: Mapping[str, str] = MappingProxyType({})
    stored: Mapping[str, Any] = MappingProxyType({})


def key_of(*parts: object) -> str:
    """The key of an index: a digest of whatever it depends on besides files."""
    version = (ANALYSIS_VERSION, ALGORITHM, sys.version_info[:2])
    return hashlib.sha256(repr((version, parts)).encode("utf-8", "surrogatepass")).hexdigest()


def key_of_file(file: CommandFile) -> str:
    """The key of a command file in its app: two apps may share a folder."""
    return f"{file.folder.app_label}:{file.path}"


class CachedIndex:
    """The index that was kept by a key, as far as it still holds.

    Args:
        cache: keeps it; None to ignore what was kept.
        key: by ``key_of``.
        files: the command files, as they are now.
        since: ``reading.now()`` before anything was read.
        comparable: what scripts are compared with; those whose fingerprint is needed and not known have changed.

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
        comparable: ComparableVersions = every_version,
    ) -> None:
        self.index: ProjectIndex | None = None
        self.inputs: Inputs | None = None
        self._cache = cache if cache is not None and cache.is_kept else None
        self._key = key
        self._files = files
        self._paths = [file.path for file in files if not file.ignored]
        self._since = since
        self._comparable = comparable
        if self._cache is not None:
            # A missing or malformed text is no index.
            with contextlib.suppress(
                ValueError, TypeError, LookupError, AttributeError, RecursionError, UnreadableSource
            ):
                self._load(self._cache, self._cache.index(key))

    def _load(self, cache: Cache, content: str) -> None:
        head, index, rest = content.split("\t")
        names, signatures, probes, read = json.loads(head)
        if names != self._names() or not _hold(probes):
            return
        paths = [*self._paths, *read]
        pairs = zip(paths, signatures, reading.stat_signatures(paths), strict=True)
        same = {path: now for path, then, now in pairs if then and then == now}
        touched = [path for path in paths if path not in same]
        if touched:
            digests, linked, found = json.loads(rest)
            changed = {path for path in touched if _digest(path) != (digests.get(path) or read.get(path))}
            inputs = Inputs(digests, {}, probes, read, found, same, linked)
            if changed:
                self.inputs = (
                    None if changed.intersection((*read, *found)) else self._without(changed, inputs)
                )
                return
            head, _, _ = self._text(inputs, index, rest).split("\t")
        definitions, findings = json.loads(index)
        known = ProjectIndex(tuple(map(_definition, definitions)), tuple(map(_finding, findings)))
        if _PENDING in index and (wanted := self._wanted(known.definitions)):
            if None in wanted.values():
                digests, linked, found = json.loads(rest)
                self.inputs = self._without((), Inputs(digests, {}, probes, read, found, same, linked))
                return
            known = known._replace(definitions=_with(known.definitions, wanted))
            index = _json(known)
        if (text := f"{head}\t{index}\t{rest}") != content:
            cache.put_index(self._key, text)
        self.index = known

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
        """The inputs without the changed files, and without those whose fingerprint is needed now."""
        files = [file for file in self._files if not file.ignored and file.path not in changed]
        stored = inputs.stored
        linked = {
            key: _linked(stored[key]) if key in stored else NOT_A_SCRIPT for key in map(key_of_file, files)
        }
        wanted = self._wanted(one.definition for one in linked.values() if one.definition)
        again = {file.path for file in files if file.script_id in wanted}
        kept = {key_of_file(file) for file in files if file.path not in again}
        return inputs._replace(
            digests={
                path: digest
                for path, digest in inputs.digests.items()
                if path not in changed and path not in again
            },
            linked={key: one for key, one in linked.items() if key in kept},
            stored={key: one for key, one in stored.items() if key in kept},
        )

    def keep(self, index: ProjectIndex, inputs: Inputs | None) -> None:
        """Keep a new index, unless a file is unreadable: that may pass without a trace.

        Args:
            index: the index.
            inputs: everything that it was made from; None if a file could not be read.
        """
        is_readable = all(one.code != codes.UNREADABLE_FILE for one in index.findings)
        if self._cache is not None and inputs is not None and is_readable:
            linked = {
                key: inputs.stored.get(key) or one
                for key, one in inputs.linked.items()
                if one != NOT_A_SCRIPT
            }
            rest = _json([inputs.digests, linked, sorted(inputs.found)])
            self._cache.put_index(self._key, self._text(inputs, _json(index), rest))

    def _text(self, inputs: Inputs, index: str, rest: str) -> str:
        """Three texts: one shows whether anything changed, then the index, then what is of use if something did."""
        paths = [*self._paths, *inputs.read]
        touched = [path for path in paths if path not in inputs.signatures]
        fresh = dict(zip(touched, reading.stat_signatures(touched, self._since), strict=True))
        signatures = [inputs.signatures.get(path) or fresh[path] for path in paths]
        return f"{_json([self._names(), signatures, inputs.probes, inputs.read])}\t{index}\t{rest}"

    def _names(self) -> str:
        names = "\n".join(f"{one.folder.app_label}\0{one.path}\0{one.ignored}" for one in self._files)
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


def _linked(data: Any) -> LinkedFile:
    definition, findings, mro = data
    return LinkedFile(
        definition and _definition(definition), tuple(map(_finding, findings)), tuple(map(tuple, mro))
    )


def _finding(data: Any) -> Finding:
    location, *others, origin = data
    found = Finding(Location(*location), *others)
    return found if origin is None else found._replace(origin=Location(*origin))


def _definition(data: Any) -> ScriptDefinition:
    script, location, fingerprint, digest, help_, options, requires, watches, is_computed, is_batched = data
    rerun, atomic, *texts, verify, fresh = options
    tags, unless, watch, arguments = map(tuple, texts)
    return ScriptDefinition(
        ScriptId(*script),
        Location(*location),
        fingerprint and Fingerprint(*fingerprint),
        digest,
        help_,
        ScriptOptions(rerun, atomic, tags, unless, watch, arguments, verify, fresh),
        tuple(map(_requirement, requires)),
        tuple(map(_module, watches)),
        is_computed,
        is_batched,
    )


def _requirement(data: Any) -> Requirement:
    target, text, location = data
    return Requirement(target and ScriptId(*target), text, Location(*location))


def _module(data: Any) -> ModuleVersion:
    name, fingerprint, digest = data
    return ModuleVersion(name, fingerprint and Fingerprint(*fingerprint), digest)
