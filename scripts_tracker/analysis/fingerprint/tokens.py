"""The canonical stream: its token list, the walk's stack, the simplest handlers, and the spelling of leaves.

The stream is a prefix code: every node is a tag, then its scalars and the lengths of its lists, then its children.
The number of children follows from what was read before, so no two trees have the same stream. Children are pushed
on the stack in their order and come out reversed; that is a fixed order like any other.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any, TypeVar

from scripts_tracker.analysis.fingerprint.literals import InvalidLiteralError, Parts
from scripts_tracker.analysis.source.syntax import CONSTANTS
from scripts_tracker.exceptions import UnreadableSource

Stack = list[Any]
"""What remains to be walked: nodes, lists of statements, None for an absent child, tokens that are ready."""


class Tokens(list[str]):
    """The stream so far; ``docstrings`` has the places that stay empty unless the module mentions ``__doc__``."""

    __slots__ = ("docstrings",)

    def __init__(self) -> None:
        super().__init__()
        self.docstrings: list[tuple[int, Parts]] = []


Handler = Callable[[Any, Tokens, Stack], None]
Value = TypeVar("Value")


class Known(dict[type, Value]):
    """By node type; an unknown type is refused, because leaving it out could hide a change."""

    def __missing__(self, kind: type) -> Value:
        raise UnreadableSource(f"this version of scripts_tracker does not know the syntax {kind.__name__}")


def constant(tag: str) -> Handler:
    """Handles nodes that have no parts."""

    def handle(_node: object, out: Tokens, _stack: Stack) -> None:
        out.append(tag)

    return handle


def fields(tag: str, *names: str) -> Handler:
    """Handles nodes that are a tag and some of their fields."""
    if len(names) == 1:
        (only,) = names

        def handle_one(node: object, out: Tokens, stack: Stack) -> None:
            out.append(tag)
            stack.append(getattr(node, only))

        return handle_one

    def handle(node: object, out: Tokens, stack: Stack) -> None:
        out.append(tag)
        for name in names:
            stack.append(getattr(node, name))

    return handle


def identifier(name: str) -> str:
    """The name as Python sees it: NFKC."""
    if name.isascii():
        return name
    normal = unicodedata.normalize("NFKC", name)
    if normal in CONSTANTS:
        raise InvalidLiteralError(name, f"the identifier stands for the constant {normal}")
    return normal


def text_tokens(parts: Parts) -> list[str]:
    """A text: one token with its length, or several where a character name has no value on every Python."""
    if len(parts) == 1:
        return [f"s{len(parts[0])}:{parts[0]}"]
    return [f"S{len(parts)}", *(f"s{len(part)}:{part}" for part in parts)]


def bytes_token(value: bytes) -> str:
    """A bytes value, one character a byte."""
    return f"b{len(value)}:{value.decode('latin-1')}"


def docstring_token(docstring: Parts) -> str:
    """A docstring, or any bare string, in the stream; an empty one differs from none."""
    # A character that some Pythons cannot name: taken as written rather than dedented on one Python only.
    parts = [normalized_docstring(docstring[0])] if len(docstring) == 1 else docstring
    return "\n".join(text_tokens(parts))


def normalized_docstring(text: str) -> str:
    """Tabs expanded, margins removed as by ``inspect.cleandoc``, lines stripped at the end, the whole stripped."""
    first, *others = text.expandtabs().split("\n")
    # Python 3.13 changed what inspect.cleandoc takes as a margin: spaces only, where it was any white space.
    margin = min((len(line) - len(line.lstrip(" ")) for line in others if line.strip()), default=0)
    lines = [first.lstrip(), *(line[margin:] for line in others)]
    return "\n".join([line.rstrip() for line in lines]).strip()
