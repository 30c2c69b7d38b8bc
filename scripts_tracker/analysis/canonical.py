"""A syntax tree as its canonical token stream: a function of CPython's tree, whatever the spelling.

The walk keeps its own stack, so that no depth of nesting reaches Python's recursion limit.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import docstrings, expressions, patterns, statements, strings
from scripts_tracker.analysis.tokens import Handler, Known, Stack, Tokens

if TYPE_CHECKING:
    import libcst as cst

_DOC: Final = "__doc__"
_SEPARATORS = re.compile(r"[ .\n]")


def _absent(_node: None, out: Tokens, _stack: Stack) -> None:
    out.append("-")


def _ready(token: str, out: Tokens, _stack: Stack) -> None:
    out.append(token)


_HANDLERS: Final = Known[Handler](
    {
        **statements.HANDLERS,
        **expressions.HANDLERS,
        **strings.HANDLERS,
        **patterns.HANDLERS,
        type(None): _absent,
        str: _ready,
    }
)


def stream(module: cst.Module) -> str:
    """The canonical stream of a module as one text.

    Args:
        module: a tree as libcst parsed it from source with LF line endings.

    Raises:
        UnreadableSource: a node type that nobody wrote down.
        InvalidLiteralError: a literal or a name that CPython refuses.
    """
    out = _walked(module)
    text = "\n".join(out)
    if _DOC not in text or not _mentions_doc(out):
        return text
    for place, docstring in out.docstrings:
        out[place] = docstrings.token(docstring)
    return "\n".join(out)


def reads_docstrings(module: cst.Module) -> bool:
    """Whether the docstrings of a module count; raises as ``stream`` does."""
    return _mentions_doc(_walked(module))


def _walked(module: cst.Module) -> Tokens:
    out = Tokens()
    stack: Stack = [module]
    pop = stack.pop
    handlers = _HANDLERS
    while stack:
        node = pop()
        handlers[node.__class__](node, out, stack)
    return out


def _mentions_doc(out: Tokens) -> bool:
    """Whether an identifier is ``__doc__`` or a string constant that is no docstring contains it."""
    return any(_DOC in token and (token[0] in "sb" or _DOC in _SEPARATORS.split(token)) for token in out)
