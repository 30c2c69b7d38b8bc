"""One module per output format, found by presence: its name is the name of the format.

A format module has ``render(report, canvas) -> str``; it never prints. What shows one script has its own, in
``_script``: their ``render`` takes a dossier.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scripts_tracker.reporting.report import Canvas, Report


def names() -> tuple[str, ...]:
    """The formats there are, sorted with ``text`` first."""
    return names_in(__path__)


def names_in(folders: Iterable[str]) -> tuple[str, ...]:
    """The formats in a package's folders, sorted with ``text`` first."""
    found = {module.name for module in pkgutil.iter_modules(folders) if not module.name.startswith("_")}
    return tuple(sorted(found, key=lambda name: (name != "text", name)))


def renderer(name: str) -> Callable[[Report, Canvas], str]:
    """The ``render`` of one format; a format that cannot be imported fails loudly."""
    render: Callable[[Report, Canvas], str] = importlib.import_module(f"{__name__}.{name}").render
    return render
