"""A whole ProjectIndex, remembered together with everything that was looked at to make it.

While all of that is as it was, so is the index. Where only command files changed on which no other depends, what
became of the others still holds, and those alone are looked at again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol

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


class Outcome(NamedTuple):
    """What became of one command file, as long as nothing changes that it depends on.

    Attributes:
        definition: the script, before requirements are checked against other scripts; None for no script.
        findings: what was found wrong on the way.
        lineage: the classes that the script is made of, as path and name, where they are not all in its own file.
    """

    definition: ScriptDefinition | None = None
    findings: tuple[Finding, ...] = ()
    lineage: tuple[tuple[str, str], ...] = ()


def encoded(index: ProjectIndex) -> list[Any]:
    """An index as JSON."""
    return [
        [_definition_to_json(one) for one in index.definitions],
        [_finding_to_json(one) for one in index.findings],
    ]


def outcome_to_json(one: Outcome) -> list[Any]:
    """One outcome as JSON."""
    definition = None if one.definition is None else _definition_to_json(one.definition)
    return [definition, [_finding_to_json(each) for each in one.findings], one.lineage]


def outcome_from_json(data: Any) -> Outcome:
    """The inverse of ``outcome_to_json``."""
    definition, findings, lineage = data
    return Outcome(
        None if definition is None else _definition_from_json(definition, {}),
        tuple(_finding_from_json(one) for one in findings),
        tuple((path, name) for path, name in lineage),
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


class IndexMemory(Protocol):
    """Remembers a text for each way of asking."""

    def recall(self, key: str) -> str | None:
        """The text for this way of asking; None where there is none."""

    def remember(self, key: str, content: str) -> None:
        """Keep the text for this way of asking."""


def key_of(*parts: object) -> str:
    """One way of asking, as a digest."""
    version = (ANALYSIS_VERSION, ALGORITHM, sys.version_info[:2])
    return hashlib.sha256(repr((version, parts)).encode("utf-8", "surrogatepass")).hexdigest()


_NOTHING: Final = Outcome()


class Basis(NamedTuple):
    """Everything that was looked at to make an index.

    Attributes:
        digests: of the command files, by path.
        outcomes: what became of each of them, by ``key_of_file``.
        probes: where else something was looked for, and whether it was there.
        read: the digests of other files that were read, by path.
        found: the command files that others may depend on.
        stamps: of the files that nobody has touched since.
        stored: the outcomes that were remembered, as JSON.
    """

    digests: Mapping[str, str]
    outcomes: Mapping[str, Outcome]
    probes: Mapping[str, bool]
    read: Mapping[str, str]
    found: Collection[str]
    stamps: Mapping[str, str] = MappingProxyType({})
    stored: Mapping[str, Any] = MappingProxyType({})


class Recollection(NamedTuple):
    """What is remembered: an index as good as a new one, or the outcomes that hold although some files changed.

    Attributes:
        project: None where some files changed.
        basis: of ``project``; without the files that changed. None where nothing did.
        fresh: the text to remember it by from now on, if it is another.
    """

    project: ProjectIndex | None
    basis: Basis | None = None
    fresh: str | None = None


def recalled(content: str | None, files: Sequence[CommandFile], since: int) -> Recollection | None:
    """What is remembered and still holds; None where that is nothing.

    Args:
        content: what ``remembered`` returned.
        files: the command files as they are now.
        since: when looking at them began, by ``stamps.now()``.
    """
    try:
        head, index, rest = (content or "").split("\t")
        names, before, probes, read = json.loads(head)
        if names != _names(files) or not _holds(probes):
            return None
        paths = [*_paths(files), *read]
        current = reading.stat_signatures(paths)
        same = {
            one: now for one, then, now in zip(paths, before, current, strict=True) if then and then == now
        }
        touched = [one for one in paths if one not in same]
        if not touched:
            return Recollection(decoded(json.loads(index)))
        digests, outcomes, found = json.loads(rest)
        basis = Basis(digests, outcomes, probes, read, found, same)
        changed = {path for path in touched if _digest(path) != (digests.get(path) or read.get(path))}
        if not changed:
            text = _text(files, since, basis, index, rest)
            return Recollection(decoded(json.loads(index)), None, None if text == content else text)
        if changed.intersection((*read, *found)):
            return None
        return Recollection(None, _without(changed, basis, files))
    except (ValueError, TypeError, LookupError, AttributeError, UnreadableSource):
        return None


def _without(changed: Collection[str], basis: Basis, files: Sequence[CommandFile]) -> Basis:
    """What holds of a basis as ``recalled`` has it, with outcomes as JSON."""
    keys = [key_of_file(file) for file in files if not file.ignored and file.path not in changed]
    stored = {key: outcome for key in keys if (outcome := basis.outcomes.get(key))}
    kept = {key: outcome_from_json(stored[key]) if key in stored else _NOTHING for key in keys}
    digests = {path: digest for path, digest in basis.digests.items() if path not in changed}
    return basis._replace(digests=digests, outcomes=kept, stored=stored)


def key_of_file(file: CommandFile) -> str:
    """A command file as its app has it: two apps may share a folder."""
    return f"{file.folder.app_label}:{file.path}"


def remembered(index: ProjectIndex, files: Sequence[CommandFile], since: int, basis: Basis) -> str | None:
    """The text that an index can be recalled from; None where a file could not be read, which may pass.

    Args:
        index: what is to be remembered.
        files: the command files.
        since: when looking at them began, by ``stamps.now()``.
        basis: everything that was looked at.
    """
    if any(finding.code == codes.UNREADABLE_FILE for finding in index.findings):
        return None
    outcomes = {
        key: basis.stored.get(key) or outcome_to_json(one)
        for key, one in basis.outcomes.items()
        if one != _NOTHING
    }
    rest = _dumped([basis.digests, outcomes, sorted(basis.found)])
    return _text(files, since, basis, _dumped(encoded(index)), rest)


def _text(files: Sequence[CommandFile], since: int, basis: Basis, index: str, rest: str) -> str:
    """Three texts: what tells whether all is as it was, the index for that case, and what helps in the other."""
    paths = [*_paths(files), *basis.read]
    touched = [path for path in paths if path not in basis.stamps]
    fresh = {**basis.stamps, **dict(zip(touched, reading.stat_signatures(touched, since), strict=True))}
    said = [fresh[path] for path in paths]
    head = _dumped([_names(files), said, basis.probes, basis.read])
    return f"{head}\t{index}\t{rest}"


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
