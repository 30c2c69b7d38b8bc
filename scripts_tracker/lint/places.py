"""Where the given paths lie, how reports write paths, and where what is found ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.source import reading
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint import config
from scripts_tracker.lint.config import WrongUseError

if TYPE_CHECKING:
    import ast
    from collections.abc import Collection, Iterator, Sequence

    from scripts_tracker.core.values import Finding, Location, Place

_DRIVES: Final = os.name == "nt"


class Project(NamedTuple):
    """A project, and the absolute paths in it to report on; none for all of it."""

    root: str
    paths: tuple[str, ...] = ()


def projects(paths: Sequence[str], root: str | None) -> list[Project]:
    """The projects that some paths lie in.

    A path belongs to the nearest folder whose pyproject.toml has a table of ours; else to the project of the current
    folder, where it lies in that; else to the nearest folder with a pyproject.toml, or else with a manage.py.

    Args:
        paths: files and folders, as they were typed; none for the project of the current folder.
        root: the one project that was asked for; None to look for it.

    Raises:
        WrongUseError: a path or folder does not exist, or lies outside of the project.
    """
    existing = [(path, _existing(path)) for path in paths]
    if root is not None and not os.path.isdir(root):
        raise WrongUseError(f"--root: no such folder: {root}")
    given = None if root is None else os.path.abspath(root)
    if not existing:
        return [Project(given or _around(os.getcwd()) or os.getcwd())]
    found: dict[str, list[str]] = {}
    for path, absolute in existing:
        owner = given or _root_of(absolute)
        found.setdefault(owner, []).extend(_within(path, absolute, owner))
    return [Project(owner, tuple(members)) for owner, members in found.items()]


def _existing(path: str) -> str:
    absolute = os.path.abspath(path)
    if not os.path.lexists(absolute):
        raise WrongUseError(f"no such file or folder: {path}")
    return absolute


def _root_of(path: str) -> str:
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    here = os.getcwd()
    around = _around(here)
    usual = around if around is not None and _lies_in(path, around) else None
    return config.configured_folder(folder) or usual or _around(folder) or around or here


def _around(folder: str) -> str | None:
    """The nearest folder with a pyproject.toml, or else with a manage.py; None where there is none."""
    return config.folder_of_project(folder) or config.folder_of_project(folder, "manage.py")


def _within(path: str, absolute: str, root: str) -> list[str]:
    """The ways a path may be written inside the project: as given, and with links resolved."""
    real, real_root = os.path.realpath(absolute), os.path.realpath(root)
    behind = os.path.normpath(os.path.join(root, os.path.relpath(real, real_root)))
    found = [one for one in dict.fromkeys((absolute, real, behind)) if _lies_in(one, root)]
    if not found:
        raise WrongUseError(f"{path} is outside the project {root}; choose another project with --root")
    return found


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


def top_of(root: str) -> str:
    """The top of the repository that a project lies in; the project itself where it is in none."""
    folder = root
    while not os.path.lexists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return root
        folder = parent
    return folder


def base_of(name: str, root: str) -> str:
    """The folder that ``Format.base`` names."""
    if name == "here":
        return os.getcwd()
    return top_of(root) if name == "top" else root


def moved(finding: Finding, root: str, base: str) -> Finding:
    """A finding with its paths, those in its texts too, from another folder.

    Args:
        finding: its path is relative to the root.
        root: the project root.
        base: an absolute folder.
    """
    if base == root:
        return finding
    for place in {finding.location, finding.cause}:
        path = place.path
        if not os.path.isabs(path):
            shown = shown_path(os.path.join(root, path), base)
            texts = {name: getattr(finding, name).replace(path, shown) for name in ("message", "hint")}
            finding = finding._replace(**texts)
    return finding._replace(
        location=_from(finding.location, root, base),
        origin=None if finding.origin is None else _from(finding.origin, root, base),
    )


def _from(place: Location, root: str, base: str) -> Location:
    if os.path.isabs(place.path):
        return place
    return place._replace(path=shown_path(os.path.join(root, place.path), base))


def shown_path(path: str, base: str) -> str:
    """An absolute path as a report writes it, from a folder."""
    if _DRIVES and os.path.splitdrive(path)[0] != os.path.splitdrive(base)[0]:
        return path.replace(os.sep, "/")
    return os.path.relpath(path, base).replace(os.sep, "/")


def ends_of(root: str, findings: Sequence[Finding]) -> list[Place]:
    """Where what each finding is about ends; where it starts, if the file cannot be read.

    Args:
        root: the project root.
        findings: with paths relative to it.
    """
    by_path: dict[str, set[Place]] = {}
    for one in findings:
        by_path.setdefault(one.location.path, set()).add(one.location[1:])
    known = {path: _ends_in(os.path.join(root, path), starts) for path, starts in by_path.items()}
    return [known[one.location.path].get(one.location[1:], one.location[1:]) for one in findings]


def _ends_in(path: str, starts: Collection[Place]) -> dict[Place, Place]:
    try:
        return ends(reading.read_bytes(path), starts)
    except UnreadableSource:
        return {}


def ends(source: bytes, places: Collection[Place]) -> dict[Place, Place]:
    """Where what starts at some places of a file ends: behind the expression, else behind the line.

    Args:
        source: the file's bytes.
        places: lines and columns, in characters from 1.
    """
    lines, nodes = _parsed(source)
    found: dict[Place, Place] = {}
    for node in nodes:
        line, column = _characters(lines, node.lineno, node.col_offset)
        if (line, column) in places:
            end = _characters(lines, node.end_lineno or line, node.end_col_offset or column)
            found[line, column] = max(found.get((line, column), end), end)
    for line, column in places:
        if (line, column) not in found and 0 < line <= len(lines):
            found[line, column] = (line, max(column, len(lines[line - 1].rstrip()) + 1))
    return found


def _parsed(source: bytes) -> tuple[list[str], Iterator[ast.expr | ast.arg | ast.keyword | ast.alias]]:
    """The lines of a file, and the nodes that are no statements."""
    import ast  # only for formats that show ends
    import io
    import tokenize

    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        text = io.TextIOWrapper(io.BytesIO(source), encoding, "replace").read()
        tree = ast.parse(source)
    except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
        return source.decode("utf-8", "replace").splitlines(), iter(())
    kinds = (ast.expr, ast.arg, ast.keyword, ast.alias)
    return text.split("\n"), (node for node in ast.walk(tree) if isinstance(node, kinds))


def _characters(lines: Sequence[str], line: int, offset: int) -> Place:
    """A place by its offset in bytes of UTF-8, which the syntax tree counts."""
    text = lines[line - 1] if line <= len(lines) else ""
    return line, len(text.encode("utf-8", "replace")[:offset].decode("utf-8", "replace")) + 1
