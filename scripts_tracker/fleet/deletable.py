"""Which scripts can be deleted: applied in every environment long ago, required by none, named by no migration."""

from __future__ import annotations

import ast
import os
import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import INSTALLED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scripts_tracker.fleet.comparison import Fleet, Row

_GATE: Final = "RequireScripts"
_SKIPPED: Final = frozenset({*INSTALLED, "node_modules", "__pycache__"})


class Gates(NamedTuple):
    """What ``RequireScripts`` names in the migrations below a folder.

    Attributes:
        names: as they are written: ``app.name``, or ``name`` alone, which is taken for that of any app.
        unknown: places, as ``path:line``, where the names are computed or the file cannot be parsed.
    """

    names: frozenset[str]
    unknown: tuple[str, ...]


class Deletable(NamedTuple):
    """The scripts that can be deleted, with their files, and why each other one cannot."""

    scripts: tuple[tuple[str, str], ...]
    kept: tuple[tuple[str, str], ...]


def deletable(fleet: Fleet, gates: Gates, days: float, now: datetime) -> Deletable:
    """Decide for each script that has a file.

    Args:
        fleet: all environments.
        gates: what migrations name.
        days: how long ago a script must have been applied everywhere.
        now: the present.
    """
    required = {
        name: row.script
        for row in fleet.rows
        for entry in row.entries.values()
        if entry is not None
        for name in entry.requires
    }
    before = now - timedelta(days=days)
    scripts: list[tuple[str, str]] = []
    kept: list[tuple[str, str]] = []
    for row in fleet.rows:
        if all(entry is None or entry.state == "missing" for entry in row.entries.values()):
            continue
        reason = _obstacle(row, required, gates, before, days)
        (kept if reason else scripts).append((row.script, reason or row.path))
    return Deletable(tuple(scripts), tuple(kept))


def _obstacle(row: Row, required: dict[str, str], gates: Gates, before: datetime, days: float) -> str:
    """Why a script cannot be deleted; empty if it can."""
    for environment, entry in row.entries.items():
        if entry is None or not entry.is_applied:
            return f"{entry.state if entry else 'unknown'} in {environment}"
        if entry.state == "recurring":
            return f"runs each time in {environment}"
        if entry.applied_at is None or entry.applied_at > before:
            return f"applied in {environment} less than {days:g} days ago"
    if row.script in required:
        return f"required by {required[row.script]}"
    if row.script in gates.names or row.script.rpartition(".")[2] in gates.names:
        return "named by a migration (RequireScripts)"
    return ""


def gates_below(root: str) -> Gates:
    """Read what ``RequireScripts`` names in every folder ``migrations`` below a folder, without importing any."""
    names: set[str] = set()
    unknown: list[str] = []
    for path in _migrations(root):
        shown = os.path.relpath(path, root).replace(os.sep, "/")
        try:
            with open(path, "rb") as stream:
                source = stream.read()
            if _GATE.encode() in source:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of old escapes in the project's strings
                    tree = ast.parse(source)
                # A file that names the operation and calls it by no known name may call it by another.
                for line, found in [*_named(tree)] or [(1, set())]:
                    names |= found
                    unknown += [] if found else [f"{shown}:{line}"]
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            unknown.append(f"{shown}:1")
    return Gates(frozenset(names), tuple(unknown))


def _migrations(root: str) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(one for one in folders if one not in _SKIPPED and not one.startswith("."))
        if os.path.basename(folder) == "migrations":
            yield from (os.path.join(folder, file) for file in sorted(files) if file.endswith(".py"))


def _named(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """The line of each call of the gate, and the names in it: none where one of them is computed."""
    nodes = [*ast.walk(tree)]
    aliases = [one for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names]
    called_as = {_GATE, *(one.asname for one in aliases if one.name == _GATE and one.asname)}
    for node in nodes:
        if isinstance(node, ast.Call) and not called_as.isdisjoint(_name_of(node.func)):
            yield node.lineno, _literals(node)


def _name_of(function: ast.expr) -> tuple[str, ...]:
    if isinstance(function, ast.Attribute):
        return (function.attr,)
    return (function.id,) if isinstance(function, ast.Name) else ()


def _literals(call: ast.Call) -> set[str]:
    given = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg in {"scripts", None})]
    names: set[str] = set()
    for node in given:
        parts = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
        for part in parts:
            if not isinstance(part, ast.Constant) or not isinstance(part.value, str):
                return set()
            names.add(part.value)
    return names
