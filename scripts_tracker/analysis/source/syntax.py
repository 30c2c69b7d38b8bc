"""Whether CPython compiles a source: a fifteenth of the work of libcst's parse, which leaves some of its errors unseen."""

from __future__ import annotations

import ast
import re
import threading
import tokenize
import unicodedata
import warnings
from typing import Final

from scripts_tracker.analysis.source.parsing import on_deep_stack
from scripts_tracker.exceptions import UnreadableSource

MAX_INT_DIGITS: Final = 4300
"""The limit of CPython in decimal integers, which can be changed, and which early releases of Python 3.10 lack."""
CONSTANTS: Final = frozenset({"True", "False", "None"})
"""What Python reads as constants: no identifier may become one by normalisation."""
# Compiled where they are needed, which is seldom.
_MANY_DIGITS: Final = rf"\d[\d_]{{{MAX_INT_DIGITS}}}"
_FOREIGN_WORD: Final = r"\w*[^\W\x00-\x7f]\w*"
# Filters of warnings belong to the whole process.
_filtering: Final = threading.Lock()


def compiles(text: str, *, is_valid: bool = False) -> bool:
    """Whether CPython accepts a source that the limits let pass, and each of its literals and names for what it is.

    Args:
        text: the source, with LF line endings.
        is_valid: whether CPython is known to accept it.
    """
    if len(text) > MAX_INT_DIGITS and re.search(_MANY_DIGITS, text):
        return False
    if not text.isascii() and any(map(_is_constant, re.findall(_FOREIGN_WORD, text))):
        return False
    if is_valid:
        return True
    try:
        # Its stack is deep enough, and it is the one that parses.
        on_deep_stack(_compile, text)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError, SystemError):
        return False
    except UnreadableSource:  # no thread could be started, which the parse says
        return False
    return True


def _compile(text: str) -> None:
    import symtable  # only where no fingerprint is needed

    with _filtering, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of invalid escapes, which are no business of a check
        symtable.symtable(text, "<script>", "exec")


def tree_of(text: str) -> ast.Module | None:
    """The tree of CPython for a source that the limits let pass; None where it has none."""
    try:
        found = on_deep_stack(_parse, text)
    except (
        SyntaxError,
        ValueError,
        OverflowError,
        RecursionError,
        MemoryError,
        SystemError,
        UnreadableSource,
    ):
        return None
    return found if isinstance(found, ast.Module) else None


def _parse(text: str) -> ast.Module:
    from scripts_tracker.analysis.source import rewriting  # seldom needed

    with _filtering:
        return rewriting.tree_of(text)


def with_plain_names(text: str) -> str:
    """A source with its identifiers as Python sees them: NFKC. Texts in it stay as they are."""
    if text.isascii() or unicodedata.is_normalized("NFKC", text):
        return text
    # Punctuation is often not normalized, and in no name.
    if all(unicodedata.is_normalized("NFKC", word) for word in re.findall(_FOREIGN_WORD, text)):
        return text
    from scripts_tracker.analysis.source import rewriting  # as above

    try:
        edits = [*rewriting.plain_names(text, CONSTANTS)]
    except (SyntaxError, tokenize.TokenError):  # the parse says what is wrong
        return text
    return rewriting.exchanged(text, edits) if edits else text


def _is_constant(word: str) -> bool:
    return unicodedata.normalize("NFKC", word) in CONSTANTS
