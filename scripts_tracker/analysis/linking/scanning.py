"""The command files of a project, and its index: the cached one as long as it holds, else a new one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import CYCLE_OF_LINKS, Findings, leads_around
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store import index_cache
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.index_cache import ComparableVersions
    from scripts_tracker.core.values import CommandsDir, ProjectIndex


def analyse(
    dirs: Sequence[CommandsDir],
    *,
    root: str,
    import_roots: Sequence[str] = (),
    ignored_files: Collection[str] = ("__init__.py",),
    ignored_prefixes: tuple[str, ...] = (),
    cache: Cache | None = None,
    comparable: ComparableVersions = index_cache.every_version,
) -> ProjectIndex:
    """All tracked scripts of a project, and everything that is wrong with them.

    Args:
        dirs: the folders of commands; if two contain the same script, the first counts.
        root: the project root, absolute; locations are relative to it.
        import_roots: more absolute folders that may contain the modules of base classes.
        ignored_files: names of files to ignore.
        ignored_prefixes: prefixes of names of files to ignore.
        cache: has facts and indexes from before, and takes new ones.
        comparable: what scripts are compared with, as ``index_cache.every_version``. The fingerprint of a script that is
            compared with nothing may be PENDING.

    Returns:
        Definitions sorted by id, findings by place. A file that cannot be parsed has a finding, and a definition
        without a fingerprint, since it may be tracked.
    """
    findings, since = Findings(root), reading.now()
    files = command_files(dirs, findings, ignored_files, ignored_prefixes)
    key = index_cache.key_of(root, dirs, import_roots)
    usable = None if any(findings) else cache
    cached = index_cache.CachedIndex(usable, key, files, since, comparable=comparable, root=root)
    if cached.index is not None:
        return cached.index
    # These import modules that a check needs only if something is new.
    from scripts_tracker.analysis.linking.linker import Linker
    from scripts_tracker.analysis.linking.modules import Finder

    kept, finder = Cache() if cache is None else cache, Finder(dirs, root, import_roots)
    linker = Linker(files, finder, kept, findings, comparable=comparable)
    index = linker.index(cached.inputs)
    cached.keep(index, linker.inputs)
    return index


def command_files(
    dirs: Sequence[CommandsDir],
    findings: Findings,
    ignored_files: Collection[str] = ("__init__.py",),
    ignored_prefixes: tuple[str, ...] = (),
) -> list[CommandFile]:
    """All commands in some folders, ignored ones included; reports folders that cannot be listed."""
    ignored = {name.lower() for name in ignored_files}
    prefixes = tuple(prefix.lower() for prefix in ignored_prefixes if prefix)
    return [file for folder in _distinct(dirs) for file in _files(folder, ignored, prefixes, findings)]


def _distinct(dirs: Sequence[CommandsDir]) -> list[CommandsDir]:
    """Each folder once in each app."""
    by_place: dict[tuple[str, str], CommandsDir] = {}
    for folder in dirs:
        by_place.setdefault((folder.app_label, os.path.realpath(folder.path)), folder)
    return list(by_place.values())


def _files(
    folder: CommandsDir, ignored_files: Collection[str], ignored_prefixes: tuple[str, ...], findings: Findings
) -> list[CommandFile]:
    if leads_around(folder.path):
        findings.cycle_of_links([folder.path])
    try:
        files = reading.list_commands(folder, ignored_files, ignored_prefixes)
    except UnreadableSource as error:
        if error.reason == CYCLE_OF_LINKS:
            findings.unreadable(folder.path, error)
            return []
        hint = "Create the folder, correct COMMANDS_DIRS in the settings, or remove the app."
        findings.add(findings.location(folder.path), codes.UNREADABLE_FILE, error.reason, hint)
        return []
    kept = []
    for file in files:
        try:
            file.name.encode()
        except UnicodeEncodeError:
            hint = "Rename the file, with letters, digits and underscores."
            message = "the name of the file is not valid UTF-8"
            findings.add(findings.location(file.path), codes.UNREADABLE_FILE, message, hint)
        else:
            kept.append(file)
    return kept
