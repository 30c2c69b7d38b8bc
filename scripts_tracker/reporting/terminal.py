"""What the output stream can show: colours, width, box characters."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

from django.core.management.color import color_style, no_style

from scripts_tracker.reporting.report import Canvas

if TYPE_CHECKING:
    from collections.abc import Sequence


def _isatty(stream: Any) -> bool:
    isatty = getattr(stream, "isatty", None)
    return bool(isatty and isatty())


def _has_box_characters(stream: Any) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        "├└│─".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def canvas(
    stream: Any, argv: Sequence[str] = (), *, no_color: bool = False, force_color: bool = False
) -> Canvas:
    """How to draw on a stream: Django's styles at a terminal, plain text elsewhere.

    Args:
        stream: where the text will go; wrapped at its width where it is a terminal.
        argv: a command line, for callers that do not see the options of the command that runs.
        no_color: as Django's ``--no-color``; the environment's NO_COLOR (no-color.org) says the same.
        force_color: as Django's ``--force-color``, which wins over a stream that is no terminal.
    """
    at_terminal = _isatty(stream)
    silenced = no_color or "--no-color" in argv or os.environ.get("NO_COLOR")
    forced = force_color or "--force-color" in argv
    colours = forced or (at_terminal and not silenced)
    style = color_style(force_color=forced) if colours else no_style()
    width = shutil.get_terminal_size().columns if at_terminal else None
    return Canvas(style, width, _has_box_characters(stream))
