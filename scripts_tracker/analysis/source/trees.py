"""The nodes below a node, without recursion and without libcst's visitors, which rebuild what they visit."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Final

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LAYOUT: Final = frozenset(
    {
        "leading_lines",
        "lines_after_decorators",
        "header",
        "footer",
        "trailing_whitespace",
        "comma",
        "semicolon",
    }
    | {"lpar", "rpar", "lbracket", "rbracket", "lbrace", "rbrace", "dot", "equal", "colon", "operator"}
)
_LINES: Final = frozenset({cst.SimpleStatementLine, cst.Decorator})
_LEAVES: Final = frozenset({str, bool, type(None), cst.MaybeSentinel})
_SUITES: Final = ("body", "orelse", "handlers", "finalbody", "cases", "decorators")
_ENTERED: Final = (cst.BaseSuite, cst.BaseStatement, cst.Else, cst.Finally)
_fields_of: dict[type[cst.CSTNode], tuple[str, ...]] = {}


def descendants(
    root: cst.CSTNode, enter: Callable[[cst.CSTNode], bool] = lambda _: True
) -> Iterator[cst.CSTNode]:
    """The node and all below it except layout, in no particular order.

    Args:
        root: where to start; always entered.
        enter: whether to go on below a node.
    """
    return _walk(root, enter, _children)


def in_suites(
    root: cst.CSTNode, enter: Callable[[cst.CSTNode], bool] = lambda _: True
) -> Iterator[cst.CSTNode]:
    """The node, and the compound statements and decorators below it; expressions are not looked into.

    Args:
        root: where to start; always entered.
        enter: whether to go on below a node.
    """
    return _walk(root, enter, _suites)


def _walk(
    root: cst.CSTNode,
    enter: Callable[[cst.CSTNode], bool],
    below: Callable[[cst.CSTNode], Iterator[cst.CSTNode]],
) -> Iterator[cst.CSTNode]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        if node is root or enter(node):
            stack.extend(below(node))


def _children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for name in _fields(type(node)):
        value = getattr(node, name)
        kind = type(value)
        if kind is list or kind is tuple:
            yield from value
        elif kind not in _LEAVES:
            yield value


def _suites(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if type(node) in _LINES:
        return
    for name in _SUITES:
        value = getattr(node, name, None)
        if isinstance(value, list | tuple):
            yield from value
        elif isinstance(value, _ENTERED):
            yield value


def called(expression: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """The expression, and where it is a call, what is called: of ``a(1)(2)`` also ``a(1)`` and ``a``."""
    yield expression
    while isinstance(expression, cst.Call):
        expression = expression.func
        yield expression


def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    known = _fields_of.get(kind)
    if known is None:
        names = (one.name for one in fields(kind))
        known = tuple(name for name in names if name not in _LAYOUT and "whitespace" not in name)
        _fields_of[kind] = known
    return known
