"""The output formats of ``check_scripts`` and ``show_script``: each is a function that returns the text."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts_tracker.reporting.terminal import Output

# By the value of --format: the module in this package and its function. The first is the default; that of Markdown takes
# a Review, the others a Report.
CHECK_FORMATS = {
    "text": ("text", "check"),
    "dot": ("charts", "dot"),
    "json": ("json", "check"),
    "markdown": ("markdown", "review"),
    "mermaid": ("charts", "mermaid"),
}
RUN_FORMATS = {"text": ("detail_text", "run"), "json": ("json", "run")}
SCRIPT_FORMATS = {"text": ("detail_text", "script"), "json": ("json", "script")}


def renderer(formats: Mapping[str, tuple[str, str]], name: str) -> Callable[[Any, Output], str]:
    """The function of one format: takes a ``Report`` or a script's details; only its module is imported."""
    module, function = formats[name]
    render: Callable[[Any, Output], str] = getattr(
        importlib.import_module(f"scripts_tracker.reporting.{module}"), function
    )
    return render
