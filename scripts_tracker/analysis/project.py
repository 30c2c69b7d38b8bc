"""The front door of the analysis: folders of commands -> ProjectIndex."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes, sources
from scripts_tracker.analysis.cycles import cycles
from scripts_tracker.analysis.facts import MemoryStore
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.linking import HiddenBaseError, Linker
from scripts_tracker.analysis.modules import Finder, Library, Module
from scripts_tracker.analysis.requirements import Commands
from scripts_tracker.analysis.sniffing import COMMAND, Sniffer
from scripts_tracker.datatypes import ProjectIndex, ScriptDefinition, ScriptId
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from scripts_tracker.analysis.facts import FactStore, FileFacts
    from scripts_tracker.analysis.sources import CommandFile
    from scripts_tracker.datatypes import CommandsDir, Requirement


def facts_of(source: bytes) -> FileFacts:
    """What one file says by itself, from its bytes alone.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be analysed.
    """
    from scripts_tracker.analysis.extraction import extract

    return extract(source)


def analyse(
    dirs: Sequence[CommandsDir],
    *,
    root: str,
    import_roots: Sequence[str] = (),
    ignored_files: Collection[str] = ("__init__.py",),
    ignored_prefixes: tuple[str, ...] = (),
    store: FactStore | None = None,
) -> ProjectIndex:
    """All tracked scripts of a project, and everything that is wrong with them.

    Args:
        dirs: the folders of commands; where two give the same script, the first counts.
        root: the project root, absolute; locations are relative to it.
        import_roots: further absolute folders in which modules of base classes are looked for.
        ignored_files: names of files to leave out.
        ignored_prefixes: beginnings of names of files to leave out.
        store: knows the facts of bytes that were analysed before.

    Returns:
        Definitions sorted by id, findings by place. A file that cannot be analysed is a definition without
        fingerprint and a finding, since nobody can tell whether it is tracked.
    """
    findings = Findings(root)
    ignored = {name.lower() for name in ignored_files}
    prefixes = tuple(prefix.lower() for prefix in ignored_prefixes if prefix)
    files = [file for folder in _distinct(dirs) for file in _files(folder, ignored, prefixes, findings)]
    library = Library(store if store is not None else MemoryStore())
    definitions = _Scan(files, Finder(dirs, root, import_roots), library, findings).definitions()
    checked = check_requirements(definitions, findings)
    return ProjectIndex(tuple(checked[one] for one in sorted(checked)), tuple(findings))


def _distinct(dirs: Sequence[CommandsDir]) -> list[CommandsDir]:
    """The folders without those that are named twice."""
    by_place: dict[tuple[str, str], CommandsDir] = {}
    for folder in dirs:
        by_place.setdefault((folder.app_label, os.path.realpath(folder.path)), folder)
    return list(by_place.values())


def _files(
    folder: CommandsDir, ignored_files: Collection[str], ignored_prefixes: tuple[str, ...], findings: Findings
) -> list[CommandFile]:
    try:
        files = sources.list_commands(folder, ignored_files, ignored_prefixes)
    except UnreadableSource as error:
        hint = "Create the folder, correct COMMANDS_DIRS in the settings, or remove the app."
        findings.add(findings.location(folder.path), codes.UNREADABLE, error.reason, hint)
        return []
    kept = []
    for file in files:
        try:
            file.name.encode()
        except UnicodeEncodeError:
            hint = "Rename the file: letters, digits and underscores are understood everywhere."
            message = "the name of the file is no valid UTF-8"
            findings.add(findings.location(file.path), codes.UNREADABLE, message, hint)
        else:
            kept.append(file)
    return kept


class _Scan:
    """One pass over the command files."""

    def __init__(
        self, files: Sequence[CommandFile], finder: Finder, library: Library, findings: Findings
    ) -> None:
        self._files = files
        self._library = library
        self._findings = findings
        self._sniffer = Sniffer(finder, library)
        self._linker = Linker(Commands(files), finder, library, self._sniffer, findings)

    def definitions(self) -> dict[ScriptId, ScriptDefinition]:
        """The tracked scripts, and the files of which nobody can tell; the first of an identity counts."""
        found: dict[ScriptId, ScriptDefinition] = {}
        for file in self._files:
            if file.ignored:
                continue
            definition = self._definition(file)
            if definition is None:
                continue
            first = found.setdefault(definition.id, definition)
            if first is not definition:
                self._findings.add(
                    definition.location,
                    codes.SHADOWED,
                    f"{definition.id} is hidden by another command of that name in {first.location.path}",
                    "Rename one of the two files, or give one of the apps another label.",
                )
        return found

    def _definition(self, file: CommandFile) -> ScriptDefinition | None:
        try:
            source = self._library.source(file.path)
        except UnreadableSource as error:
            self._findings.unreadable(file.path, error)
            return self._unreadable(file, "", error.line, error.column)
        digest = sources.content_digest(source)
        try:
            if b"\x00" in source:
                raise _nul_bytes(source)
            home = Module(file.module, file.path, is_package=False)
            if not (sources.has_marker(source) or self._sniffer.leads_to_marker(home, COMMAND)):
                return None
            return self._linker.link(file, self._library.facts(file.path), home, digest)
        except UnreadableSource as error:
            self._findings.unreadable(file.path, error)
            return self._unreadable(file, digest, error.line, error.column)
        except HiddenBaseError:
            return self._unreadable(file, digest, 1, 1)

    def _unreadable(self, file: CommandFile, digest: str, line: int, column: int) -> ScriptDefinition:
        return ScriptDefinition(
            id=ScriptId(file.folder.app_label, file.name),
            location=self._findings.location(file.path, (line, column)),
            fingerprint=None,
            content_digest=digest,
        )


def _nul_bytes(source: bytes) -> UnreadableSource:
    before = source[: source.index(b"\x00")]
    column = len(before) - (before.rfind(b"\n") + 1) + 1
    return UnreadableSource(
        "it contains NUL bytes, so it is binary or not encoded in UTF-8", before.count(b"\n") + 1, column
    )


def check_requirements(
    definitions: Mapping[ScriptId, ScriptDefinition], findings: Findings
) -> dict[ScriptId, ScriptDefinition]:
    """The definitions with only tracked scripts as requirements; reports untracked ones, itself, and circles."""
    checked = {
        one: replace(
            definition,
            requires=tuple(_checked(one, each, definitions, findings) for each in definition.requires),
        )
        for one, definition in definitions.items()
    }
    edges = {
        one: [each.target for each in definition.requires if each.target is not None]
        for one, definition in checked.items()
    }
    for circle in cycles(edges):
        first, second = circle[0], circle[1]
        place = next(each.location for each in checked[first].requires if each.target == second)
        path = " -> ".join(map(str, (*circle, first)))
        findings.add(
            place,
            codes.REQUIREMENT_CYCLE,
            f"these scripts require each other in a circle: {path}",
            "Remove one of the @required_preceding_script arguments on this way.",
        )
    return checked


def _checked(
    one: ScriptId, each: Requirement, definitions: Mapping[ScriptId, ScriptDefinition], findings: Findings
) -> Requirement:
    if each.target is None:
        return each
    if each.target == one:
        findings.add(
            each.location,
            codes.SELF_REQUIREMENT,
            f"{one} requires itself, so it could never run",
            "Remove the name from @required_preceding_script.",
        )
    elif each.target not in definitions:
        findings.add(
            each.location,
            codes.UNTRACKED_REQUIREMENT,
            f"the required command {each.target} is not tracked, so nobody knows whether it has run",
            "Put @tracked_script on its handle(), or take it out of the ignored files.",
        )
        return replace(each, target=None)
    return each
