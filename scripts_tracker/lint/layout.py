"""Where things lie in a project: folders of commands, import roots, Python files, the labels of apps."""

from __future__ import annotations

import errno
import fnmatch
import itertools
import os
import re
import stat
from collections import deque
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.findings import links_in_cycle
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import CommandsDir
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence


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
        loops: links that lead to each other, or to folders that contain them, in the order in which they do.
    """

    commands: list[str]
    roots: list[str]
    modules: list[str]
    loops: list[tuple[str, ...]]


def walk(root: str, exclude: Collection[str] = ()) -> Walked:
    """Look through a project, without hidden folders, virtual environments and what was installed or built.

    Args:
        root: the project root, absolute; links to folders are followed, each folder is looked at once.
        exclude: patterns of paths relative to the root that are left out.
    """
    walk = _Walk(root, exclude)
    found = walk.found
    found.loops.extend(_loops_of_folders(walk.linked))
    found.loops[:] = sorted(set(found.loops))
    for paths in (found.commands, found.roots, found.modules):
        paths.sort()
    return found


class _Walk:
    def __init__(self, root: str, exclude: Collection[str]) -> None:
        self.found = Walked([], [], [], [])
        # The folder of each link to a folder, and where it leads, both without links.
        self.linked: dict[str, tuple[str, str]] = {}
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
                if entry.is_symlink() and self._is_part_of_loop(entry):
                    continue
                if entry.name.endswith(".py"):
                    self.found.modules.append(entry.path)
                elif _is_worth_entering(entry):
                    (self._links if entry.is_symlink() else self._folders).append(entry.path)

    def _is_part_of_loop(self, link: os.DirEntry[str]) -> bool:
        """Whether a link leads nowhere because links lead to each other; notes it, and where it leads if to a folder."""
        try:
            if stat.S_ISDIR(os.stat(link.path).st_mode) and _is_worth_entering(link):
                self.linked[link.path] = (
                    os.path.realpath(os.path.dirname(link.path)),
                    os.path.realpath(link.path),
                )
        except OSError as error:
            loop = links_in_cycle(link.path) if error.errno == errno.ELOOP else ()
            self.found.loops.extend([loop] if loop and _has_worthy_name(link) else [])
            return error.errno == errno.ELOOP
        return False


def _loops_of_folders(linked: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    """The links to folders by which a walk would come back to where it was, each once, by the shortest way back."""
    places = sorted((os.path.join(folder, ""), link) for link, (folder, _) in linked.items())
    reported: set[str] = set()
    for start in sorted(linked):
        if start not in reported:
            way = _way_back(start, linked, places)
            reported.update(way)
            yield from [tuple(way)] if way else []


def _way_back(
    start: str, linked: Mapping[str, tuple[str, str]], places: Sequence[tuple[str, str]]
) -> list[str]:
    """The links from a link back to its own folder; ``places`` are the folders with their links, sorted."""
    import bisect  # few projects have links to folders

    came_from, waiting = {start: ""}, deque([start])
    while waiting:
        link = waiting.popleft()
        target = os.path.join(linked[link][1], "")
        for folder, following in itertools.islice(places, bisect.bisect_left(places, (target, "")), None):
            if not folder.startswith(target):
                break
            if following == start:
                way = [link]
                while came_from[way[-1]]:
                    way.append(came_from[way[-1]])
                return way[::-1]
            if following not in came_from:
                came_from[following] = link
                waiting.append(following)
    return []


def left_out(root: str, path: str) -> str:
    """The first folder on the way to a path that ``walk`` does not enter because of its name; empty if there is none.

    Args:
        root: the project root, absolute.
        path: of a file or folder below it, absolute.
    """
    way = os.path.relpath(path, root).split(os.sep)
    folders = way if os.path.isdir(path) else way[:-1]
    names = [] if way[0] in {os.curdir, os.pardir} else folders
    for number, name in enumerate(names, start=1):
        if not _is_worthy(name):
            return os.path.join(root, *way[:number])
    return ""


def _has_worthy_name(entry: os.DirEntry[str]) -> bool:
    return _is_worthy(entry.name)


def _is_worthy(name: str) -> bool:
    return not name.startswith(".") and name not in _SKIPPED


def _is_worth_entering(entry: os.DirEntry[str]) -> bool:
    if not _has_worthy_name(entry) or not entry.is_dir():
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


class Request(NamedTuple):
    """What to lint.

    Attributes:
        dirs: the folders of commands.
        root: the project root, absolute.
        import_roots: further absolute folders in which modules of base classes are looked for.
        ignored_files: names of files that the tracker leaves out.
        ignored_prefixes: beginnings of such names.
    """

    dirs: tuple[CommandsDir, ...]
    root: str
    import_roots: tuple[str, ...] = ()
    ignored_files: tuple[str, ...] = ("__init__.py",)
    ignored_prefixes: tuple[str, ...] = ()
