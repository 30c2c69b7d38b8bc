"""A whole ProjectIndex, remembered together with everything that was looked at to make it.

While all of that is as it was, so is the index. Where only command files changed on which no other depends, what
became of the others still holds, and those alone are looked at again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.facts.values import ANALYSIS_VERSION
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import (
    ALGORITHM,
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
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.cache import Cache


class Outcome(NamedTuple):
    """What became of one command file, as long as nothing changes that it depends on.

    Attributes:
        definition: the script, before requirements are checked against other scripts; None for no script.
        findings: what was found wrong on the way.
        mro: the classes that the script is made of, as path and name, where they are not all in its own file.
    """

    definition: ScriptDefinition | None = None
    findings: tuple[Finding, ...] = ()
    mro: tuple[tuple[str, str], ...] = ()


def encoded(index: ProjectIndex) -> list[Any]:
    """An index as JSON."""
    return [
        [_definition_to_json(one) for one in index.definitions],
        [_finding_to_json(one) for one in index.findings],
    ]


def outcome_to_json(one: Outcome) -> list[Any]:
    """One outcome as JSON."""
    definition = None if one.definition is None else _definition_to_json(one.definition)
    return [definition, [_finding_to_json(each) for each in one.findings], one.mro]


def outcome_from_json(data: Any) -> Outcome:
    """The inverse of ``outcome_to_json``."""
    definition, findings, mro = data
    return Outcome(
        None if definition is None else _definition_from_json(definition, {}),
        tuple(_finding_from_json(one) for one in findings),
        tuple((path, name) for path, name in mro),
    )


def _finding_to_json(one: Finding) -> list[Any]:
    return [*_place(one.location), one.code, one.message, one.hint, one.fixable]


def _finding_from_json(data: Any) -> Finding:
    return Finding(Location(*data[:3]), *data[3:])


def _place(location: Location) -> tuple[str, int, int]:
    return location.path, location.line, location.column


def _definition_to_json(one: ScriptDefinition) -> list[Any]:
    options = one.options
    return [
        [one.id.app_label, one.id.name],
        _place(one.location),
        str(one.fingerprint),
        one.content_digest,
        one.help,
        [options.rerun, options.atomic, options.tags, options.unless],
        [
            [
                [each.target.app_label, each.target.name] if each.target else None,
                each.text,
                _place(each.location),
            ]
            for each in one.requires
        ],
        *([list(map(_watched_to_json, one.watches))] if one.watches else ()),
    ]


def _watched_to_json(one: ModuleVersion) -> list[Any]:
    return [one.module, str(one.fingerprint) if one.fingerprint else None, one.content_digest]


def _watched_from_json(data: Any) -> ModuleVersion:
    module, fingerprint, digest = data
    return ModuleVersion(module, Fingerprint.parse(fingerprint) if fingerprint else None, digest)


def decoded(data: Any) -> ProjectIndex:
    """The inverse of ``encoded``; raises ValueError, TypeError or LookupError for anything malformed."""
    definitions, findings = data
    plain: dict[str, ScriptOptions] = {}
    return ProjectIndex(
        tuple(_definition_from_json(one, plain) for one in definitions),
        tuple(_finding_from_json(one) for one in findings),
    )


def _definition_from_json(data: Any, known: dict[str, ScriptOptions]) -> ScriptDefinition:
    script, where, fingerprint, digest, help_, options, requires, *rest = data
    watches = tuple(map(_watched_from_json, rest[0])) if rest else ()
    key = repr((options, rest)) if rest else repr(options)
    if key not in known:
        rerun, atomic, tags, unless = options
        names = tuple(one.module for one in watches)
        known[key] = ScriptOptions(rerun, atomic, tuple(tags), tuple(unless), names)
    return ScriptDefinition(
        ScriptId(*script),
        Location(*where),
        Fingerprint.parse(fingerprint),
        digest,
        help_,
        known[key],
        tuple(
            Requirement(ScriptId(*target) if target else None, text, Location(*there))
            for target, text, there in requires
        ),
        watches,
    )


def key_of(*parts: object) -> str:
    """One way of asking, as a digest."""
    version = (ANALYSIS_VERSION, ALGORITHM, sys.version_info[:2])
    return hashlib.sha256(repr((version, parts)).encode("utf-8", "surrogatepass")).hexdigest()


_NOTHING: Final = Outcome()


class Inputs(NamedTuple):
    """Everything that was looked at to make an index.

    Attributes:
        digests: of the command files, by path.
        outcomes: what became of each of them, by ``key_of_file``.
        probes: where else something was looked for, and whether it was there.
        read: the digests of other files that were read, by path.
        found: the command files that others may depend on.
        signatures: of the files that were not touched since, by path.
        stored: the outcomes as they were stored.
    """

    digests: Mapping[str, str] = MappingProxyType({})
    outcomes: Mapping[str, Outcome] = MappingProxyType({})
    probes: Mapping[str, bool] = MappingProxyType({})
    read: Mapping[str, str] = MappingProxyType({})
    found: Collection[str] = ()
    signatures: Mapping[str, str] = MappingProxyType({})
    stored: Mapping[str, Any] = MappingProxyType({})


class CachedIndex:
    """The index of an earlier pass that was asked for in the same way, as far as it holds.

    Args:
        cache: keeps it; None where nothing may be taken from before.
        key: the way of asking, by ``key_of``.
        files: the command files as they are now.
        since: when looking at them began, by ``reading.now()``.

    Attributes:
        index: as good as a new one; None where a file changed, or nothing was kept.
        inputs: what holds although some files changed; None where that is nothing.
    """

    def __init__(self, cache: Cache | None, key: str, files: Sequence[CommandFile], since: int) -> None:
        self.index: ProjectIndex | None = None
        self.inputs: Inputs | None = None
        self._cache = cache if cache is not None and cache.is_kept else None
        self._key = key
        self._files = files
        self._since = since
        if self._cache is not None:
            # What is missing or malformed is not there.
            with contextlib.suppress(ValueError, TypeError, LookupError, AttributeError, UnreadableSource):
                self._load(self._cache, self._cache.index(key))

    def _load(self, cache: Cache, content: str) -> None:
        head, index, rest = content.split("\t")
        names, before, probes, read = json.loads(head)
        if names != _names(self._files) or not _holds(probes):
            return
        paths = [*_paths(self._files), *read]
        current = reading.stat_signatures(paths)
        same = {
            one: now for one, then, now in zip(paths, before, current, strict=True) if then and then == now
        }
        touched = [one for one in paths if one not in same]
        if touched:
            digests, outcomes, found = json.loads(rest)
            inputs = Inputs(digests, outcomes, probes, read, found, same)
            changed = {path for path in touched if _digest(path) != (digests.get(path) or read.get(path))}
            if changed:
                self.inputs = (
                    None if changed.intersection((*read, *found)) else self._without(changed, inputs)
                )
                return
            text = self._text(inputs, index, rest)
            if text != content:
                cache.put_index(self._key, text)
        self.index = decoded(json.loads(index))

    def _without(self, changed: Collection[str], inputs: Inputs) -> Inputs:
        """What holds of the inputs, whose outcomes are as they were stored."""
        keys = [key_of_file(file) for file in self._files if not file.ignored and file.path not in changed]
        stored = {key: outcome for key in keys if (outcome := inputs.outcomes.get(key))}
        kept = {key: outcome_from_json(stored[key]) if key in stored else _NOTHING for key in keys}
        digests = {path: digest for path, digest in inputs.digests.items() if path not in changed}
        return inputs._replace(digests=digests, outcomes=kept, stored=stored)

    def keep(self, index: ProjectIndex, inputs: Inputs | None) -> None:
        """Keep a new index.

        Args:
            index: the index; it is not kept where a file could not be read, which may pass.
            inputs: everything that was looked at; None where that is not known.
        """
        if (
            self._cache is None
            or inputs is None
            or any(one.code == codes.UNREADABLE_FILE for one in index.findings)
        ):
            return
        outcomes = {
            key: inputs.stored.get(key) or outcome_to_json(one)
            for key, one in inputs.outcomes.items()
            if one != _NOTHING
        }
        rest = _dumped([inputs.digests, outcomes, sorted(inputs.found)])
        self._cache.put_index(self._key, self._text(inputs, _dumped(encoded(index)), rest))

    def _text(self, inputs: Inputs, index: str, rest: str) -> str:
        """Three texts: what shows whether all is as it was, the index for that case, and what helps in the other."""
        paths = [*_paths(self._files), *inputs.read]
        touched = [path for path in paths if path not in inputs.signatures]
        fresh = dict(zip(touched, reading.stat_signatures(touched, self._since), strict=True))
        signatures = [inputs.signatures.get(path) or fresh[path] for path in paths]
        return f"{_dumped([_names(self._files), signatures, inputs.probes, inputs.read])}\t{index}\t{rest}"


def key_of_file(file: CommandFile) -> str:
    """A command file as its app has it: two apps may share a folder."""
    return f"{file.folder.app_label}:{file.path}"


def _dumped(data: object) -> str:
    return json.dumps(data, separators=(",", ":"))


def _names(files: Iterable[CommandFile]) -> str:
    who = "\n".join(f"{file.folder.app_label}\0{file.path}\0{file.ignored}" for file in files)
    return hashlib.sha256(who.encode("utf-8", "surrogatepass")).hexdigest()


def _paths(files: Iterable[CommandFile]) -> Iterator[str]:
    return (file.path for file in files if not file.ignored)


def _digest(path: str) -> str:
    return reading.content_digest(reading.read_bytes(path))


def _holds(probes: Mapping[str, bool]) -> bool:
    """Whether files are still where they were, and not where they were not; a folder's path ends with a slash."""
    return all(
        (os.path.isdir(path) if path.endswith("/") else os.path.isfile(path)) is found
        for path, found in probes.items()
    )
