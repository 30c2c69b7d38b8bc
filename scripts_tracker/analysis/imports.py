"""Imports as canonical tokens: a run of them is a bag of single names, however it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from scripts_tracker.analysis.tokens import identifier

if TYPE_CHECKING:
    from collections.abc import Iterable

# The lazy ones (PEP 810) are newer than the oldest libcst that works.
_LAZY: Final = {getattr(cst, name, None): "lazy-" for name in ("LazyImport", "LazyImportFrom")}
IMPORTS: Final = frozenset({cst.Import, cst.ImportFrom, *_LAZY} - {None})


def import_run(run: list[str]) -> str:
    """The single imports of a run, as one token without an order."""
    return "\n".join([f"Imports {len(run)}", *sorted(run)])


def imported(node: Any) -> Iterable[str]:
    """One line a name: ``import a, b`` and ``from a import (b, c)`` are as many single imports."""
    lazy = _LAZY.get(node.__class__, "")
    if not hasattr(node, "module"):
        for alias in node.names:
            yield f"{lazy}import {_dotted(alias.name)}{_as_name(alias.asname)}"
        return
    origin = f"{lazy}from {len(node.relative)} {_dotted(node.module)}"
    if isinstance(node.names, cst.ImportStar):
        yield f"{origin} *"
        return
    for alias in node.names:
        yield f"{origin} {_dotted(alias.name)}{_as_name(alias.asname)}"


def _dotted(node: Any) -> str:
    names: list[str] = []
    while isinstance(node, cst.Attribute):
        names.append(identifier(node.attr.value))
        node = node.value
    if node is not None:
        names.append(identifier(node.value))
    return ".".join(reversed(names))


def _as_name(node: cst.AsName | None) -> str:
    return "" if node is None else " as " + identifier(node.name.value)  # type: ignore[union-attr]  # a Name
