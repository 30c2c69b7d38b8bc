"""One module per output format of the lint, found by presence: its name is the name of the format.

A format module has ``render(findings, canvas) -> str``; it never prints.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scripts_tracker.core.values import Finding


class LintCanvas(NamedTuple):
    """What a format draws on: whether it takes colours, and the width to wrap at (None: not at all)."""

    colour: bool = False
    width: int | None = None


def names() -> tuple[str, ...]:
    """The formats there are, sorted with ``text`` first."""
    found = {module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")}
    return tuple(sorted(found, key=lambda name: (name != "text", name)))


def renderer(name: str) -> Callable[[Sequence[Finding], LintCanvas], str]:
    """The ``render`` of one format; a format that cannot be imported fails loudly."""
    module = importlib.import_module(f"{__name__}.{name}")
    render: Callable[[Sequence[Finding], LintCanvas], str] = module.render
    return render
