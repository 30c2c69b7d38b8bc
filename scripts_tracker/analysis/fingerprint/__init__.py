"""The fingerprint of Python source: a digest of what it does, not of how it is written.

Hands out ``fingerprint``; the digests are a contract. Knows libcst's nodes one by one, and nothing of commands.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.fingerprint import expressions, statements, strings
from scripts_tracker.analysis.fingerprint.literals import InvalidLiteralError
from scripts_tracker.analysis.fingerprint.tokens import (
    Handler,
    Known,
    Stack,
    Tokens,
    constant,
    docstring_token,
)
from scripts_tracker.analysis.source import limits
from scripts_tracker.analysis.source.collector import collector_paused
from scripts_tracker.analysis.source.parsing import parse
from scripts_tracker.core.values import ALGORITHM, Fingerprint
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    import libcst as cst

    from scripts_tracker.analysis.source.parsing import ParsedSource


def fingerprint(source: bytes) -> Fingerprint:
    """The fingerprint of one file's bytes.

    Args:
        source: the bytes as they are on disk.

    Returns:
        The fingerprint; ``str()`` of it is ``st1:`` and 64 hexadecimal digits.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be parsed.
    """
    with collector_paused():
        return fingerprint_parsed(parse(source))


def fingerprint_or_bytes(source: bytes) -> Fingerprint:
    """As ``fingerprint``; of the bytes where Python reads the source, and libcst does not read all of it."""
    with collector_paused():
        parsed = parse(source)
        return (
            Fingerprint.of_bytes(parsed.unread.content_digest)
            if parsed.unread
            else fingerprint_parsed(parsed)
        )


def fingerprint_parsed(parsed: ParsedSource) -> Fingerprint:
    """The fingerprint of a source that is already parsed; raises UnreadableSource as ``fingerprint`` does."""
    if parsed.unread is not None:
        raise parsed.unread.error
    try:
        text = _stream(parsed.module)
    except InvalidLiteralError as error:
        # Trees have no positions; most pieces of source that are wrong occur once.
        place = limits.place(parsed.text, max(parsed.text.find(error.literal), 0))
        raise UnreadableSource(error.reason, *place) from error
    except (RecursionError, MemoryError) as error:
        raise UnreadableSource("the source is nested too deeply to be analysed") from error
    return Fingerprint(ALGORITHM, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def reads_docstrings(module: cst.Module) -> bool:
    """Whether the docstrings of a module count, which has a fingerprint."""
    return _mentions_doc(_tokens(module))


def _stream(module: cst.Module) -> str:
    out = _tokens(module)
    text = "\n".join(out)
    if _DOC not in text or not _mentions_doc(out):
        return text
    for place, docstring in out.docstrings:
        out[place] = docstring_token(docstring)
    return "\n".join(out)


def _ready(token: str, out: Tokens, _stack: Stack) -> None:
    out.append(token)


_HANDLERS: Final = Known[Handler](
    {
        **statements.HANDLERS,
        **expressions.HANDLERS,
        **strings.HANDLERS,
        type(None): constant("-"),
        str: _ready,
    }
)


def _tokens(module: cst.Module) -> Tokens:
    out = Tokens()
    stack: Stack = [module]
    pop = stack.pop
    handlers = _HANDLERS
    while stack:
        node = pop()
        handlers[node.__class__](node, out, stack)
    return out


_DOC: Final = "__doc__"
_SEPARATORS: Final = re.compile(r"[ .\n]")


def _mentions_doc(out: Tokens) -> bool:
    """Whether an identifier is ``__doc__``, or a string constant that is no docstring contains it."""
    return any(_DOC in token and (token[0] in "sb" or _DOC in _SEPARATORS.split(token)) for token in out)
