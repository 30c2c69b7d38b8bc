"""ST010."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.source.reading import CommandFile
from scripts_tracker.core.values import CommandsDir, Finding, ScriptId
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.base import RunRule

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.lint.base import Run
    from scripts_tracker.lint.layout import Request

# A NUL byte: the name may be written in UTF-16.
_MAY_BIND_COMMAND: Final = re.compile(rb"\bCommand\b|\0|import\s*\(?\s*\*")
_TEST_FOLDERS: Final = frozenset({"tests", "test"})
_NO_COMMAND: Final = "so Django does not offer it as a command"
_UNTRACKED: Final = "so the script is not tracked"
_TAKE_OUT: Final = "Remove it from IGNORED_FILES and IGNORED_CMD_PREFIXES, or remove @tracked_script."
_RENAME: Final = "Rename the file, or remove @tracked_script."
_MOVE_OUT: Final = (
    "Move the Command to a file of its own in the folder of commands, or remove @tracked_script."
)
_ADD: Final = "Add the app to INSTALLED_APPS or the folder to COMMANDS_DIRS, or remove @tracked_script."
_MOVE: Final = (
    "Move it to management/commands of its app. If it is a base class, give it another name than Command."
)


class UnreachableScript(RunRule):
    """A tracked script is in a file that the tracker does not scan.

    ## What it does
    Reports a tracked `Command` in a file that is not a command: its name starts with an underscore or contains a
    dot, `IGNORED_FILES` or `IGNORED_CMD_PREFIXES` excludes it, or it lies in a package or folder below the
    commands, or outside of any folder of commands. Tests and migrations are skipped, and so are files from which
    commands import or inherit their `Command`.

    ## Why is this bad?
    The author of the decorator expects the tracker to report the script when it has to run. But for Django and for
    the tracker the script does not exist.

    ## Example
    ```python
    # shop/management/commands/_fix_prices.py
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```

    ## Use instead
    ```python
    # shop/management/commands/fix_prices.py
    class Command(BaseCommand):
        @tracked_script
        def handle(self, *args, **options): ...
    ```
    """

    code = codes.UNREACHABLE_SCRIPT

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield the tracked scripts in modules that are neither a command nor a part of one."""
        request, shown = run.request, Findings(run.request.root).shown
        seen = {os.path.normpath(file.path) for file in run.files if not file.ignored}
        others = dict.fromkeys(
            path for path in map(os.path.normpath, run.modules) if path not in seen and _is_text(path)
        )
        marked = [path for path in others if not _is_test(shown(path)) and _is_marked(path)]
        hidden = _scripts(_as_commands(marked, request), run) if marked else {}
        if hidden:
            known = _known(run).union(*hidden.values())
            ignored = {os.path.normpath(file.path) for file in run.files if file.ignored}
            for script in hidden:
                if os.path.realpath(script.id.app_label) not in known:
                    yield Finding(script.location, self.code, *_why(script.id.app_label, request, ignored))


def _known(run: Run) -> set[str]:
    """The real paths of all scripts and of their classes; a file may also be reached by another path."""
    seen = {one.id for one in run.definitions}
    tracked = [
        one for one in run.files if not one.ignored and ScriptId(one.folder.app_label, one.name) in seen
    ]
    return {os.path.realpath(file.path) for file in tracked}.union(*_scripts(tracked, run).values())


def _is_text(path: str) -> bool:
    """Whether a path can be shown; a path that cannot is reported as unreadable."""
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
    # A base class with another name is not a command; this leaves out most modules with our decorator.
    return reading.has_marker(source) and _MAY_BIND_COMMAND.search(source) is not None


def _as_commands(paths: Iterable[str], request: Request) -> Iterator[CommandFile]:
    """Treat each file as the command of an app of its own, so that no two of them are the same script."""
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
    """The innermost candidate that is the folder or contains it; empty if none does."""
    fitting = [one for one in candidates if f"{folder}{os.sep}".startswith(os.path.join(one, ""))]
    return max(fitting, key=len, default="")


def _scripts(files: Iterable[CommandFile], run: Run) -> dict[ScriptDefinition, set[str]]:
    """The tracked scripts in some files, each with the other files that its classes come from."""
    # These import dozens of modules.
    from scripts_tracker.analysis.linking.linker import Linker
    from scripts_tracker.analysis.linking.modules import Finder
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.analysis.store.index_cache import no_version

    request, root = run.request, run.request.root
    finder = Finder(request.dirs, root, request.import_roots)
    cache = Cache() if run.cache is None else run.cache
    linker = Linker([*files], finder, cache, Findings(root), comparable=no_version)
    scripts = [one for one in linker.index().definitions if one.fingerprint is not None]
    classes = {one: {path for path, _ in linker.mro(one.id)} for one in scripts}
    # A file that is not a command has its path as its label.
    return {one: set(map(os.path.realpath, homes - {one.id.app_label})) for one, homes in classes.items()}


def _why(path: str, request: Request, ignored: Container[str]) -> tuple[str, str]:
    """Say why the tracker does not see a script, and what to do about it."""
    folder, name = os.path.split(path)
    stem, shown = name.removesuffix(".py"), Findings(request.root).shown(folder)
    commands = _around(folder, [os.path.normpath(one.path) for one in request.dirs])
    inside, below, package = folder == commands, bool(commands), stem == "__init__"
    reasons = (
        (path in ignored, f"{name} is an ignored file, {_UNTRACKED}", _TAKE_OUT),
        (inside and package, f"{name} makes the folder a package, {_NO_COMMAND}", _MOVE_OUT),
        (inside and stem.startswith("_"), f"{name} starts with an underscore, {_NO_COMMAND}", _RENAME),
        (inside and "." in stem, f"{name} has a dot in its name, {_NO_COMMAND}", _RENAME),
        (inside, f"the package {stem} hides {name}, {_NO_COMMAND}", _RENAME),
        (below and package, f"{shown} is a package, not a file, {_NO_COMMAND}", _MOVE_OUT),
        (below, f"{name} is in a subfolder of the commands, {_NO_COMMAND}", _MOVE_OUT),
        (shown.endswith("management/commands"), f"{shown} is not scanned, {_UNTRACKED}", _ADD),
        (True, f"{name} is not in a folder of commands, {_NO_COMMAND}", _MOVE),
    )
    return next((message, hint) for holds, message, hint in reasons if holds)
