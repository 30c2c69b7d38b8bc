"""The formats of ``show_script``, found by presence like those of ``check_scripts``.

A format module has ``render(dossier, canvas) -> str``; it never prints.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from scripts_tracker.reporting import formats

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts_tracker.project.detail import Dossier
    from scripts_tracker.reporting.report import Canvas


def names() -> tuple[str, ...]:
    """The formats there are, sorted with ``text`` first."""
    return formats.names_in(__path__)


def renderer(name: str) -> Callable[[Dossier, Canvas], str]:
    """The ``render`` of one format; a format that cannot be imported fails loudly."""
    render: Callable[[Dossier, Canvas], str] = importlib.import_module(f"{__name__}.{name}").render
    return render
