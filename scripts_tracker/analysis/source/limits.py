"""What libcst's parser would not survive, refused before it is asked.

The native parser recurses without a guard and overflows its stack on deep nesting and long chains; it takes time
that grows with the square of their depth, and exponentially inside the patterns of ``match`` and in ``del``.
"""

from __future__ import annotations

import re
from typing import Final

MAX_BYTES: Final = 1 << 20
"""Larger sources are refused; a command of a mebibyte is data, and the tree takes a thousand times its memory."""

MAX_TOKENS: Final = 100_000
"""Operators, keywords and line ends; the tree takes up to 5 KiB and 30 microseconds for each."""

MAX_WEIGHT: Final = 250_000
"""Those again, each as often as there are brackets around it, and twice: the parser remembers each for each bracket,
with up to 2.6 KiB."""

MAX_BRACKETS: Final = 200
"""As CPython's tokenizer has it."""

MAX_DEPTH: Final = 3000
"""Open brackets and the operators, strings and trailers that the parser recurses on, along one path."""

MAX_ELIFS: Final = 2000
"""In the whole file: a chain of them is as deep as it is long."""

MAX_COST: Final = 800_000
"""About three seconds of the parser on the worst known input."""

_FEW: Final = 1200
_SHORT: Final = 200_000
_WORDS: Final = (b"and", b"or", b"not", b"if", b"else", b"lambda", b"await", b"async")
# Where a statement may start: what the words mean elsewhere costs nothing.
_PATTERNS: Final = re.compile(r"(?:\A|[\n;:])[ \t\f]*(?:case|del)\b")
# The rest of a line that no bracket or string goes on after, with two levels of brackets at most.
_PLAIN: Final = r"[^\n'\"#\\(){}\[\];]|'(?!'')[^'\n\\{]*'|\"(?!\"\")[^\"\n\\{]*\""
_GROUP: Final = rf"[(\[](?:{_PLAIN}|[(\[](?:{_PLAIN})*[)\]])*[)\]]"
_FLAT: Final = re.compile(rf"(?:{_PLAIN}|{_GROUP})*(?=\n|\Z)")
_MAX_FLAT: Final = 5000


def check(text: str) -> None:
    """Refuse what the parser would not survive.

    Args:
        text: source with LF line endings.

    Raises:
        UnreadableSource: with the place where a limit is passed.
    """
    if not _harmless(text):
        from scripts_tracker.analysis.nesting import Nesting  # few files are so large

        Nesting(text).run()


def unfinished_string(text: str) -> tuple[int, int]:
    """Line and column of a string that never ends, which the parser does not tell; 1 and 1 where there is none."""
    from scripts_tracker.analysis.nesting import Nesting

    scan = Nesting(text)
    scan.run()
    return (1, 1) if scan.unfinished is None else place(text, scan.unfinished)


def place(text: str, position: int) -> tuple[int, int]:
    """Line and column, both 1-based, of a position."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _harmless(text: str) -> bool:
    """The cheap test: whether there are too few brackets and operators in all to pass any limit."""
    data = text.encode("utf-8", "surrogatepass")
    brackets = len(data) - len(data.translate(None, b"([{"))
    operators = len(data) - len(data.translate(None, b"+-*/%@&|^~<>=!:.,;'\"\n"))
    return (
        brackets <= MAX_BRACKETS
        # A chain of words that are too frequent to be counted here has fewer than MAX_TOKENS of them.
        and len(data) <= _SHORT
        and operators + sum(map(data.count, _WORDS)) <= _FEW
        and _patterns_are_flat(text)
    )


def _patterns_are_flat(text: str) -> bool:
    """Whether all that is read like a pattern is a few lines with few levels of brackets, as in most programs."""
    length = 0
    for start in _PATTERNS.finditer(text):
        line = _FLAT.match(text, start.end())
        if line is None:
            return False
        length += line.end() - line.start()
    return length <= _MAX_FLAT
