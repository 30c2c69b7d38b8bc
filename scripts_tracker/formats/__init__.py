"""One module per output format, found by presence: its name is the name of the format.

A format module has ``render(report, canvas) -> str``; it never prints.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts_tracker.report import Canvas, Report


def names() -> tuple[str, ...]:
    """The formats there are, sorted with ``text`` first."""
    found = {module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")}
    return tuple(sorted(found, key=lambda name: (name != "text", name)))


def renderer(name: str) -> Callable[[Report, Canvas], str]:
    """The ``render`` of one format; a format that cannot be imported fails loudly."""
    render: Callable[[Report, Canvas], str] = importlib.import_module(f"{__name__}.{name}").render
    return render
