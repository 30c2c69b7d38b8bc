"""Docstrings as a module that reads them would see them, less what formatters change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis.tokens import text_tokens

if TYPE_CHECKING:
    from scripts_tracker.analysis.literals import Parts


def token(docstring: Parts) -> str:
    """What stands for a docstring, or any bare string, in the stream; an empty one differs from none."""
    if len(docstring) == 1:
        return "\n".join(text_tokens([normalized(docstring[0])]))
    # A character that some Pythons cannot name: taken as written rather than dedented on one Python only.
    return "\n".join(text_tokens(docstring))


def normalized(text: str) -> str:
    """Tabs expanded, margins removed as by ``inspect.cleandoc``, lines stripped at the end, the whole stripped."""
    first, *others = text.expandtabs().split("\n")
    # Python 3.13 changed what inspect.cleandoc takes for a margin: spaces only, where it was any white space.
    margin = min((len(line) - len(line.lstrip(" ")) for line in others if line.strip()), default=0)
    lines = [first.lstrip(), *(line[margin:] for line in others)]
    return "\n".join([line.rstrip() for line in lines]).strip()
