"""Tracked scripts that stand where the tracker never looks: ST010."""

from __future__ import annotations

import itertools
import os
import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.linking.scanning import command_files
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.source.reading import CommandFile
from scripts_tracker.core.values import CommandsDir, Finding, ScriptId
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from scripts_tracker.analysis.store.cache import FactStore
    from scripts_tracker.core.values import ProjectIndex, ScriptDefinition
    from scripts_tracker.lint.engine import Request

# Also in two bytes a letter, or by a star import.
_MAY_BIND_COMMAND: Final = re.compile(rb"\bCommand\b|\0|import\s*\(?\s*\*")
_TEST_FOLDERS: Final = frozenset({"tests", "test"})
_NO_COMMAND: Final = "so Django offers no such command"
_NOBODY: Final = "so nobody knows whether the script has run"
_TAKE_OUT: Final = "Take it out of IGNORED_FILES and IGNORED_CMD_PREFIXES, or remove @tracked_script."
_RENAME: Final = "Rename the file, or remove @tracked_script."
_MOVE_OUT: Final = "Move the Command into a file of its own among the commands, or remove @tracked_script."
_ADD: Final = "Add the app to INSTALLED_APPS, or the folder to COMMANDS_DIRS, or remove @tracked_script."
_MOVE: Final = "Move it to management/commands of its app; if it is a base class, do not call it Command."


def unseen(
    paths: Iterable[str],
    request: Request,
    index: ProjectIndex,
    store: FactStore | None,
    files: Sequence[CommandFile] | None = None,
) -> list[Finding]:
    """The tracked scripts among some files that nobody sees, but for what ``# noqa`` hides.

    Args:
        paths: absolute paths of Python files; those below the root start with ``request.root`` as it is written.
        request: where the tracker looks.
        index: what it finds there.
        store: knows the facts of bytes that were analysed before.
        files: the commands in those places, if they were listed just now.

    Returns:
        Findings by place. Tests and migrations are left out, and so are the files that classes of scripts come from.
    """
    findings = Findings(request.root)
    if files is None:
        files = command_files(request.dirs, findings, request.ignored_files, request.ignored_prefixes)
    seen = {os.path.normpath(file.path) for file in files if not file.ignored}
    others = dict.fromkeys(
        path for path in map(os.path.normpath, paths) if path not in seen and _is_text(path)
    )
    marked = [path for path in others if not _is_test(findings.shown(path)) and _is_marked(path)]
    return _found(marked, request, files, index, store) if marked else []


def _is_text(path: str) -> bool:
    """Whether a path can be shown; one that cannot is a finding already."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_test(shown: str) -> bool:
    """Whether a file is a test or a migration; neither is ever a command."""
    *folders, name = shown.split("/")
    if not _TEST_FOLDERS.isdisjoint(folders) or folders[-1:] == ["migrations"]:
        return True
    return name in {"tests.py", "conftest.py"} or name.startswith("test_") or name.endswith("_test.py")


def _is_marked(path: str) -> bool:
    try:
        source = reading.read_bytes(path)
    except UnreadableSource:
        return False
    # A base class by another name is no command: that spares the most of what has our decorator.
    return reading.has_marker(source) and _MAY_BIND_COMMAND.search(source) is not None


def _found(
    paths: Iterable[str],
    request: Request,
    files: Sequence[CommandFile],
    index: ProjectIndex,
    store: FactStore | None,
) -> list[Finding]:
    hidden = _scripts(_as_commands(paths, request), request, store)
    if not hidden:
        return []
    from scripts_tracker.lint.noqa import Comments

    seen = {one.id for one in index.definitions}
    tracked = [one for one in files if not one.ignored and ScriptId(one.folder.app_label, one.name) in seen]
    # A file may also be seen under another path.
    known = {os.path.realpath(file.path) for file in tracked}
    known.update(*_scripts(tracked, request, store).values(), *hidden.values())
    ignored = {os.path.normpath(file.path) for file in files if file.ignored}
    found = [
        Finding(script.location, codes.UNSEEN, *_why(script.id.app_label, request, ignored))
        for script in hidden
        if os.path.realpath(script.id.app_label) not in known
    ]
    return sorted(itertools.filterfalse(Comments(request.root, {}).hides, found))


def _as_commands(paths: Iterable[str], request: Request) -> Iterator[CommandFile]:
    """Files as if each were the command of an app of its own, so that no two of them are the same script."""
    packages = {os.path.normpath(one.path): one.package for one in request.dirs}
    roots = [path.removesuffix(package.replace(".", os.sep)) for path, package in packages.items()]
    for root in (request.root, *request.import_roots, *roots):
        packages.setdefault(os.path.normpath(root), "")
    for path in paths:
        folder, name = os.path.split(path)
        around = _around(folder, packages)
        parts = [packages[around], *os.path.relpath(folder, around).split(os.sep)] if around else []
        package = ".".join(part for part in parts if part and part != os.curdir)
        stem = name.removesuffix(".py").replace(".", "_")
        yield CommandFile(CommandsDir(path, package, folder), stem, path, ignored=False)


def _around(folder: str, candidates: Iterable[str]) -> str:
    """The innermost of some folders that is or holds a folder; empty where none does."""
    fitting = [one for one in candidates if f"{folder}{os.sep}".startswith(os.path.join(one, ""))]
    return max(fitting, key=len, default="")


def _scripts(
    files: Iterable[CommandFile], request: Request, store: FactStore | None
) -> dict[ScriptDefinition, set[str]]:
    """The tracked scripts that files define, each with the other files that its classes come from."""
    # From here on, dozens of modules.
    from scripts_tracker.analysis.linking.modules import Finder
    from scripts_tracker.analysis.linking.scanning import Scan

    root = request.root
    scan = Scan([*files], Finder(request.dirs, root, request.import_roots), store, Findings(root))
    scripts = [one for one in scan.index().definitions if one.fingerprint is not None]
    classes = {one: {path for path, _ in scan.inherited(one.id)} for one in scripts}
    # What is no command has its path for a label.
    return {one: set(map(os.path.realpath, homes - {one.id.app_label})) for one, homes in classes.items()}


def _why(path: str, request: Request, ignored: Container[str]) -> tuple[str, str]:
    """Why nobody sees a script, and what to do about it."""
    folder, name = os.path.split(path)
    stem, shown = name.removesuffix(".py"), Findings(request.root).shown(folder)
    commands = _around(folder, [os.path.normpath(one.path) for one in request.dirs])
    inside, below, package = folder == commands, bool(commands), stem == "__init__"
    reasons = (
        (path in ignored, f"{name} is an ignored file, {_NOBODY}", _TAKE_OUT),
        (inside and package, f"{name} is the package of the commands, {_NO_COMMAND}", _MOVE_OUT),
        (inside and stem.startswith("_"), f"{name} starts with an underscore, {_NO_COMMAND}", _RENAME),
        (inside and "." in stem, f"{name} has a dot in its name, {_NO_COMMAND}", _RENAME),
        (inside, f"the package {stem} hides {name}, {_NO_COMMAND}", _RENAME),
        (below and package, f"{shown} is a package and no file, {_NO_COMMAND}", _MOVE_OUT),
        (below, f"{name} is in a folder below the commands, {_NO_COMMAND}", _MOVE_OUT),
        (shown.endswith("management/commands"), f"the tracker does not look into {shown}, {_NOBODY}", _ADD),
        (True, f"{name} is in no folder of commands, {_NO_COMMAND}", _MOVE),
    )
    return next((message, hint) for holds, message, hint in reasons if holds)
