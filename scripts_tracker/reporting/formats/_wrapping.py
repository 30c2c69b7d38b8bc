"""Text that strangers wrote, as a terminal may show it: nothing in it steers the terminal."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.reporting.report import Canvas


def wrapped(text: str, indent: str, canvas: Canvas, hang: str = "") -> Iterator[str]:
    """Each line of a text, indented, and wrapped where the canvas has a width.

    Args:
        text: what steers a terminal in it becomes spaces.
        indent: what each line begins with.
        canvas: knows the width.
        hang: what the lines after the first of a wrapped one begin with besides.
    """
    for raw in text.splitlines():
        line = "".join(each if each.isprintable() else " " for each in raw)
        if canvas.width is None or not line.strip():
            yield f"{indent}{line}".rstrip()
        else:
            yield from textwrap.wrap(
                line,
                max(canvas.width, 20),
                initial_indent=indent,
                subsequent_indent=indent + hang,
                break_long_words=False,
                break_on_hyphens=False,
            )


def escaped(text: str) -> str:
    """A line as it is, with ``^[`` or ``<U+202E>`` in place of what steers a terminal or hides what is written."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\t" else _escape(each) for each in text)


def _escape(character: str) -> str:
    """As git and less show it, and unlike an escape that an author wrote."""
    code = ord(character)
    return f"^{chr(code + 64)}" if code < 32 else f"<U+{code:04X}>"  # noqa: PLR2004 - the controls of ASCII
