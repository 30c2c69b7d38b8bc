"""``[tool.scripts_tracker]`` in pyproject.toml, and which findings it lets through."""

from __future__ import annotations

import fnmatch
import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.values import CommandsDir
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from scripts_tracker.core.values import Finding

_SKIPPED: Final = frozenset({"node_modules", "__pycache__", "site-packages", "dist-packages"})
_BUILT: Final = frozenset({"build", "dist"})
"""Skipped where they are no packages."""
_TAIL: Final = ("management", "commands")
# What has one of these does not need to be parsed.
_APP_CONFIG: Final = re.compile(rb"^[ \t]+(?:label|name)\s*(?::[^=\n]+)?=", re.MULTILINE)


class Walked(NamedTuple):
    """What a walk over a project found; absolute paths, sorted.

    Attributes:
        commands: the folders ``management/commands``.
        roots: the folders that Python imports from: with a ``manage.py``, and ``src``.
        modules: all Python files.
    """

    commands: list[str]
    roots: list[str]
    modules: list[str]


def walk(root: str, exclude: Collection[str] = ()) -> Walked:
    """Look through a project, without hidden folders, virtual environments and what was installed or built.

    Args:
        root: the project root, absolute; links to folders are followed, each folder is looked at once.
        exclude: patterns of paths relative to the root that are left out.
    """
    found = _Walk(root, exclude).found
    for paths in (found.commands, found.roots, found.modules):
        paths.sort()
    return found


class _Walk:
    def __init__(self, root: str, exclude: Collection[str]) -> None:
        self.found = Walked([], [], [])
        self._root = root
        self._exclude = exclude
        # Links come last, so that what stands in the project by itself is known by its own path.
        self._folders, self._links = [root], list[str]()
        seen: set[tuple[int, int]] = set()
        while self._folders or self._links:
            folder = self._folders.pop() if self._folders else self._links.pop(0)
            try:
                status = os.stat(folder)
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError:
                continue
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                self._look(folder, entries)

    def _look(self, folder: str, entries: Sequence[os.DirEntry[str]]) -> None:
        names = {entry.name for entry in entries}
        if "pyvenv.cfg" in names and folder != self._root:
            return
        head, tail = os.path.split(folder)
        if tail == _TAIL[1] and os.path.basename(head) == _TAIL[0]:
            self.found.commands.append(folder)
        if "manage.py" in names or (tail == "src" and head == self._root):
            self.found.roots.append(folder)
        for entry in entries:
            if not (self._exclude and is_excluded(os.path.relpath(entry.path, self._root), self._exclude)):
                if entry.name.endswith(".py"):
                    self.found.modules.append(entry.path)
                elif _is_worth_entering(entry):
                    (self._links if entry.is_symlink() else self._folders).append(entry.path)


def _is_worth_entering(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name in _SKIPPED or not entry.is_dir():
        return False
    return entry.name not in _BUILT or os.path.exists(os.path.join(entry.path, "__init__.py"))


def is_excluded(path: str, patterns: Iterable[str]) -> bool:
    """Whether a path, relative to the root, is what a pattern names, or lies in a folder that one names."""
    path = path.replace(os.sep, "/")
    starts = [path]
    while "/" in starts[-1]:
        starts.append(starts[-1].rpartition("/")[0])
    return any(fnmatch.fnmatchcase(one, pattern.rstrip("/")) for pattern in patterns for one in starts)


def commands_dirs(paths: Iterable[str], root: str, roots: Sequence[str]) -> tuple[CommandsDir, ...]:
    """The folders of commands, with the app's label and the package of each.

    Args:
        paths: absolute.
        root: the project root.
        roots: the folders that Python imports from.
    """
    return tuple(_folder(path, root, roots) for path in paths)


def _folder(path: str, root: str, roots: Sequence[str]) -> CommandsDir:
    head, tail = os.path.split(path)
    is_usual = tail == _TAIL[1] and os.path.basename(head) == _TAIL[0]
    owner = os.path.dirname(head) if is_usual else path
    label, name = _told_by_app_config(os.path.join(owner, "apps.py"))
    package = _package(owner, root, roots)
    if (name and f".{package}".endswith(f".{name}")) or name.endswith(f".{package}"):
        package = name
    label = label or name.rpartition(".")[2] or os.path.basename(owner)
    return CommandsDir(label, ".".join(filter(None, (package, *(_TAIL if is_usual else ())))), path)


def _package(owner: str, root: str, roots: Sequence[str]) -> str:
    """The dotted name of a folder, from the innermost folder that Python imports from and that is no package."""
    top = owner
    while os.path.exists(os.path.join(top, "__init__.py")) and top != root:
        top = os.path.dirname(top)
    above = [one for one in (*roots, root) if top == one or top.startswith(os.path.join(one, ""))]
    start = max(above, key=len, default=os.path.dirname(owner))
    inside = os.path.relpath(owner, start)
    return "" if inside == os.curdir else inside.replace(os.sep, ".")


def _told_by_app_config(path: str) -> tuple[str, str]:
    """``label`` and ``name`` of the app's configuration, where they are literals; empty where not."""
    try:
        if not os.path.lexists(path):
            return "", ""
        source = reading.read_bytes(path)
        if not _APP_CONFIG.search(source):
            return "", ""
        return _literals(source)
    except (UnreadableSource, SyntaxError, ValueError, RecursionError, MemoryError):
        return "", ""


def _literals(source: bytes) -> tuple[str, str]:
    import ast

    bodies = [node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    found = [
        {
            target.id: statement.value.value
            for statement in body
            if isinstance(statement, ast.Assign | ast.AnnAssign) and isinstance(statement.value, ast.Constant)
            for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
            if isinstance(target, ast.Name)
        }
        for body in bodies
    ]
    configs = [one for one in found if "name" in one or "label" in one]
    # As Django chooses: the default, else the only one; of several, the first is as good as any.
    configs.sort(key=lambda one: one.get("default") is not True)
    chosen = configs[0] if configs else {}
    label, name = chosen.get("label"), chosen.get("name")
    return label if isinstance(label, str) else "", name if isinstance(name, str) else ""


FILE: Final = "pyproject.toml"
TABLE: Final = "scripts_tracker"
_EVERYTHING: Final = "ALL"


class WrongUseError(Exception):
    """What was asked for makes no sense; the message is one line that says what to type instead."""


class Config(NamedTuple):
    """The settings of the lint.

    Attributes:
        select: codes, or their beginnings; only these are reported.
        ignore: codes, or their beginnings, that are not reported.
        per_file_ignores: patterns of paths, each with what is not reported there.
        exclude: patterns of paths that are not looked at.
        roots: folders that Python imports from, absolute.
        commands_dirs: folders of commands, absolute; empty where all are to be found.
        ignored_files: names of files that the tracker leaves out, as IGNORED_FILES in Django's settings.
        ignored_cmd_prefixes: beginnings of such names, as IGNORED_CMD_PREFIXES.
    """

    select: tuple[str, ...] = (_EVERYTHING,)
    ignore: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    commands_dirs: tuple[str, ...] = ()
    ignored_files: tuple[str, ...] = ("__init__.py",)
    ignored_cmd_prefixes: tuple[str, ...] = ()

    def reports(self, finding: Finding) -> bool:
        """Whether a finding is to be reported."""
        if is_excluded(finding.location.path, self.exclude):
            return False
        return self.wants(finding.code) and not any(
            _names(finding.code, ignored)
            for pattern, ignored in self.per_file_ignores
            if is_excluded(finding.location.path, (pattern,))
        )

    def wants(self, code: str) -> bool:
        """Whether a code is reported anywhere."""
        return _names(code, self.select) and not _names(code, self.ignore)


def _names(code: str, chosen: Iterable[str]) -> bool:
    return any(one == _EVERYTHING or code.startswith(one) for one in chosen)


def checked_codes(chosen: Iterable[str], origin: str) -> tuple[str, ...]:
    """Codes and beginnings of codes as they were written, in capitals.

    Args:
        chosen: what was written.
        origin: where, for the message.

    Raises:
        WrongUseError: there is no such code.
    """
    found = []
    for one in chosen:
        name = one.strip().upper()
        if not name or (name != _EVERYTHING and not any(code.startswith(name) for code in codes.ALL)):
            import difflib

            near = difflib.get_close_matches(name, codes.ALL, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else "--list-rules tells which there are."
            raise WrongUseError(f"{origin}: there is no rule {one!r}; {advice}")
        found.append(name)
    return tuple(found)


def folder_of_project(start: str) -> str | None:
    """The nearest folder with a pyproject.toml, from a folder upwards; None where there is none."""
    folder = os.path.abspath(start)
    while not os.path.isfile(os.path.join(folder, FILE)):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def read(root: str) -> Config:
    """The settings of the project in a folder; the defaults where it has none.

    Raises:
        WrongUseError: pyproject.toml cannot be read, or has a key or value of ours that is not understood.
    """
    table = _table(os.path.join(root, FILE))
    known = Config._fields
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = str(key).replace("-", "_").lower()
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            advice = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
            raise WrongUseError(f"{FILE}: [tool.{TABLE}] has no key {key!r}; {advice}")
        values[name] = _value(name, value, root)
    return Config(**values)


def _table(path: str) -> dict[str, Any]:
    if not os.path.lexists(path):
        return {}
    try:
        content = reading.read_bytes(path)
    except UnreadableSource as error:
        raise WrongUseError(f"{FILE} cannot be read: {error.reason}") from error
    # Most projects say nothing of us, and the parser takes its time.
    if TABLE.encode() not in content:
        return {}
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        tool = tomllib.loads(content.decode()).get("tool", {})
    except ValueError as error:
        raise WrongUseError(f"{FILE} is not valid TOML: {error}") from error
    table = tool.get(TABLE, {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise WrongUseError(f"{FILE}: [tool.{TABLE}] is no table")
    return table


def _value(name: str, value: object, root: str) -> Any:
    if name == "per_file_ignores":
        if not isinstance(value, dict):
            raise WrongUseError(f'{FILE}: {name} is a table, such as {{"legacy/*" = ["ST016"]}}')
        return tuple(
            (pattern, checked_codes(_texts(f"{name}.{pattern}", chosen), f"{FILE}: {name}"))
            for pattern, chosen in value.items()
        )
    texts = _texts(name, value)
    if name in {"select", "ignore"}:
        return checked_codes(texts, f"{FILE}: {name}")
    if name in {"roots", "commands_dirs"}:
        return tuple(_existing(name, text, root) for text in texts)
    return (*texts, "__init__.py") if name == "ignored_files" else texts


def _texts(name: str, value: object) -> tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise WrongUseError(f'{FILE}: {name} is a list of texts, such as ["..."]')


def _existing(name: str, text: str, root: str) -> str:
    path = os.path.normpath(os.path.join(root, text))
    if not os.path.isdir(path):
        raise WrongUseError(f"{FILE}: {name} names a folder that does not exist: {text}")
    return path


def chosen_codes(arguments: Sequence[str] | None, origin: str) -> tuple[str, ...] | None:
    """What an option with codes says, which may hold several with commas between; None where it is not given."""
    if arguments is None:
        return None
    return checked_codes([one for text in arguments for one in text.split(",") if one.strip()], origin)
