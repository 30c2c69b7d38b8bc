"""Lines for a terminal: wrapped between words, but never inside of a command, a moment, or a number and its unit."""

from __future__ import annotations

import re
from typing import Final

# Up to what ends it in our sentences; an argument in quotes (see core.text.quoted) may have anything.
_COMMAND: Final = r"(?:python )?manage\.py(?: (?:\"[^\"]*\"|'[^']*'(?:\"'\"'[^']*')*|[^\s'\";)]+(?<![.,:]))(?![^\s'\";).,:]))+"
# Of another program, as hints of findings have it.
_IN_BACKTICKS: Final = r"`(?:python|git|pip) [^`]*`"
_MOMENT: Final = r"\d{4}-\d\d-\d\d \d\d:\d\d (?:UTC|[+-])"
# Compiled when a text is wrapped, as most output goes to no terminal.
_WHOLE: Final = rf"{_IN_BACKTICKS}|{_COMMAND}|{_MOMENT}|\d (?:s|min|h|d|%)\b"
_GLUE: Final = "\N{NO-BREAK SPACE}"


def wrapped_line(line: str, width: int, start: str = "", hang: str = "") -> list[str]:
    """A line as several; a word or a command that is longer than the width stays on one, to be copied.

    Args:
        line: without line ends.
        width: the columns there are.
        start: begins the first line.
        hang: begins each further one.
    """
    import textwrap  # at a terminal only

    whole = re.sub(_WHOLE, lambda found: found[0].replace(" ", _GLUE), line)
    parts = textwrap.wrap(
        whole,
        width,
        initial_indent=start,
        subsequent_indent=hang,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace(_GLUE, " ") for part in parts]
