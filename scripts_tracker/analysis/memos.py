"""A whole ProjectIndex, remembered together with everything that was looked at to make it.

While all of that is as it was, so is the index: nothing is linked again.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from scripts_tracker.analysis import codes, sources, stamps
from scripts_tracker.analysis.version import ANALYSIS_VERSION
from scripts_tracker.datatypes import (
    Finding,
    Fingerprint,
    Location,
    ProjectIndex,
    Requirement,
    ScriptDefinition,
    ScriptId,
    ScriptOptions,
)
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.vocabulary import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.analysis.sources import CommandFile


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


def files_digest(digests: Iterable[tuple[CommandFile, str]]) -> str:
    """One digest of all command files: who they are, and what stands in them."""
    whole = hashlib.sha256()
    for file, digest in digests:
        whole.update(f"{_who(file)}{digest}\n".encode("utf-8", "surrogatepass"))
    return whole.hexdigest()


def _who(file: CommandFile) -> str:
    return f"{file.folder.app_label}\0{file.path}\0{file.ignored}\0"


@dataclass(frozen=True, slots=True)
class Recollection:
    """A remembered index that is as good as a new one, and the text to remember it by from now on, if it is another."""

    index: ProjectIndex
    fresh: str | None


def recalled(content: str | None, files: Sequence[CommandFile], since: int) -> Recollection | None:
    """The remembered index, where everything that it was made of is as it was.

    Args:
        content: what ``remembered`` returned.
        files: the command files as they are now.
        since: when looking at them began, by ``stamps.now()``.
    """
    try:
        names, stamp, digest, probes, read, index = json.loads(content or "null")
        if not _holds(probes):
            return None
        if stamp and names == _names(files) and stamps.stamp(_paths(files, read)) == stamp:
            return Recollection(_decoded(index), None)
        if _reads_the_same(read) and files_digest(_digests(files)) == digest:
            fresh = _text(index, Basis(files, since, digest, probes, read))
            return Recollection(_decoded(index), None if fresh == content else fresh)
    except (ValueError, TypeError, LookupError, AttributeError, UnreadableSource):
        pass
    return None


@dataclass(frozen=True, slots=True)
class Basis:
    """Everything that was looked at to make an index.

    Attributes:
        files: the command files.
        since: when looking at them began, by ``stamps.now()``.
        digest: of the command files.
        probes: where else something was looked for, and whether it was there.
        read: the digests of other files that were read, by path.
    """

    files: Sequence[CommandFile]
    since: int
    digest: str
    probes: Mapping[str, bool]
    read: Mapping[str, str]


def remembered(index: ProjectIndex, basis: Basis) -> str | None:
    """The text that an index can be recalled from; None where a file could not be read, which may pass."""
    if any(finding.code == codes.UNREADABLE for finding in index.findings):
        return None
    return _text(_encoded(index), basis)


def _text(index: list[Any], basis: Basis) -> str:
    stamp = stamps.stamp(_paths(basis.files, basis.read), basis.since)
    content = [_names(basis.files), stamp, basis.digest, basis.probes, basis.read, index]
    return json.dumps(content, separators=(",", ":"))


def _names(files: Iterable[CommandFile]) -> str:
    return hashlib.sha256("\n".join(map(_who, files)).encode("utf-8", "surrogatepass")).hexdigest()


def _paths(files: Iterable[CommandFile], read: Iterable[str]) -> Iterator[str]:
    yield from (file.path for file in files if not file.ignored)
    yield from read


def _digests(files: Iterable[CommandFile]) -> Iterable[tuple[CommandFile, str]]:
    for file in files:
        yield file, "" if file.ignored else sources.content_digest(sources.read_bytes(file.path))


def _holds(probes: Mapping[str, bool]) -> bool:
    """Whether files are still where they were, and not where they were not; a folder's path ends with a slash."""
    return all(
        (os.path.isdir(path) if path.endswith("/") else os.path.isfile(path)) is found
        for path, found in probes.items()
    )


def _reads_the_same(digests: Mapping[str, str]) -> bool:
    return all(sources.content_digest(sources.read_bytes(path)) == digest for path, digest in digests.items())


def _encoded(index: ProjectIndex) -> list[Any]:
    return [
        [_definition_to_json(one) for one in index.definitions],
        [[*_place(one.location), one.code, one.message, one.hint, one.fixable] for one in index.findings],
    ]


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
    ]


def _decoded(data: Any) -> ProjectIndex:
    definitions, findings = data
    plain: dict[str, ScriptOptions] = {}
    return ProjectIndex(
        tuple(_definition_from_json(one, plain) for one in definitions),
        tuple(Finding(Location(*one[:3]), *one[3:]) for one in findings),
    )


def _definition_from_json(data: Any, known: dict[str, ScriptOptions]) -> ScriptDefinition:
    script, where, fingerprint, digest, help_, options, requires = data
    key = repr(options)
    if key not in known:
        rerun, atomic, tags, unless = options
        known[key] = ScriptOptions(rerun, atomic, tuple(tags), tuple(unless))
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
    )
