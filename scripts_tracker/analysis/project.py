"""The front door of the analysis: folders of commands -> ProjectIndex."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes, memos, sources, stamps
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from scripts_tracker.analysis.facts import FileFacts
    from scripts_tracker.analysis.memos import IndexMemory
    from scripts_tracker.analysis.sources import CommandFile
    from scripts_tracker.analysis.stores import FactStore
    from scripts_tracker.datatypes import CommandsDir, ProjectIndex


def facts_of(source: bytes) -> FileFacts:
    """What one file says by itself, from its bytes alone.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be analysed.
    """
    from scripts_tracker.analysis.compiling import compiled

    return compiled(source)


def analyse(
    dirs: Sequence[CommandsDir],
    *,
    root: str,
    import_roots: Sequence[str] = (),
    ignored_files: Collection[str] = ("__init__.py",),
    ignored_prefixes: tuple[str, ...] = (),
    store: FactStore | None = None,
    memory: IndexMemory | None = None,
) -> ProjectIndex:
    """All tracked scripts of a project, and everything that is wrong with them.

    Args:
        dirs: the folders of commands; where two give the same script, the first counts.
        root: the project root, absolute; locations are relative to it.
        import_roots: further absolute folders in which modules of base classes are looked for.
        ignored_files: names of files to leave out.
        ignored_prefixes: beginnings of names of files to leave out.
        store: knows the facts of bytes that were analysed before.
        memory: remembers whole results, for as long as nothing that they depend on changes.

    Returns:
        Definitions sorted by id, findings by place. A file that cannot be analysed is a definition without
        fingerprint and a finding, since nobody can tell whether it is tracked.
    """
    findings, since = Findings(root), stamps.now()
    files = command_files(dirs, findings, ignored_files, ignored_prefixes)
    key = memos.key_of(dirs, root, import_roots) if memory else ""
    known = memos.recalled(memory.recall(key), files, since) if memory and not any(findings) else None
    if known is not None and known.index is not None:
        if memory and known.fresh is not None:
            memory.remember(key, known.fresh)
        return known.index
    # Twenty modules that a check needs only where something is new.
    from scripts_tracker.analysis.modules import Finder
    from scripts_tracker.analysis.scanning import Scan

    scan = Scan(files, Finder(dirs, root, import_roots), store, findings)
    index = scan.index(known.basis if known else None)
    if memory and (text := scan.remembered(index, since)) is not None:
        memory.remember(key, text)
    return index


def command_files(
    dirs: Sequence[CommandsDir],
    findings: Findings,
    ignored_files: Collection[str] = ("__init__.py",),
    ignored_prefixes: tuple[str, ...] = (),
) -> list[CommandFile]:
    """All commands in some folders, ignored ones included; takes down which folders cannot be listed."""
    ignored = {name.lower() for name in ignored_files}
    prefixes = tuple(prefix.lower() for prefix in ignored_prefixes if prefix)
    return [file for folder in _distinct(dirs) for file in _files(folder, ignored, prefixes, findings)]


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
