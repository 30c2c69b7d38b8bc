"""Text from outside made harmless in Markdown, as GitHub and GitLab render it: no markup, mentions, references or commands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.escaping import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPECIAL: Final = re.compile(r"[\\`*_\[\]|~#]")
# What both take for people, issues, merge requests, labels, milestones, snippets and epics, wherever it stands in a text.
_REFERENCE: Final = re.compile(r"([@#!~%$^&]|\b[Gg][Hh](?=-\d))(?=[\w\"'\[-])")
_AT_START: Final = re.compile(r"^(?=[-+=>/]|\d+[.)])")
_NOTHING: Final = "&#8203;"
"""A space without width, as a reference to the character."""


def text(content: str, most: int = 300) -> str:
    """One line of a text, cut where it is too long; white space becomes spaces."""
    line = visible(" ".join(content.split()))
    line = line if len(line) <= most else f"{line[: most - 3]}..."
    line = _REFERENCE.sub("\\1\0", line)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _SPECIAL.sub(lambda match: f"\\{match[0]}", line).replace("\0", _NOTHING)
    return _AT_START.sub(_NOTHING, line)


def code(content: str, most: int = 300, *, in_table: bool = False) -> str:
    """A text as code in a line, where nothing in it means anything."""
    line = visible(content) or " "
    line = line if len(line) <= most else f"{line[: most - 3]}..."
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence, space = "`" * (longest + 1), " " if longest or line != line.strip() else ""
    made = f"{fence}{space}{line}{space}{fence}"
    return made.replace("|", "\\|") if in_table else made


def block(lines: Sequence[str], language: str = "", most: int = 500) -> str:
    """Lines as a block of code."""
    shown = [visible(one) for one in lines]
    shown = [one if len(one) <= most else f"{one[: most - 3]}..." for one in shown]
    longest = max((len(run) for one in shown for run in re.findall("`+", one)), default=0)
    fence = "`" * max(longest + 1, 3)
    return "\n".join([f"{fence}{language}", *shown, fence])


def details(summary: str, body: str) -> str:
    """A part that opens where one clicks on its summary; the summary is HTML."""
    return f"<details>\n<summary>{summary}</summary>\n\n{body}\n\n</details>"
