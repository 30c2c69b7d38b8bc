"""The statements of a module or class body in source order, with the branches they stand in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Branch(NamedTuple):
    """One branch of one statement; two exclusive branches of a statement never run both."""

    statement: int
    number: int
    exclusive: bool


Path = tuple[Branch, ...]
"""The branches that a statement stands in, the outermost first."""


class Point(NamedTuple):
    """A place in the execution of a body: everything of a lower order stands before it."""

    order: float
    path: Path


START = Point(0, ())
"""Before anything has been executed."""
END = Point(float("inf"), ())
"""After the whole body has been executed."""


# Asking for the class itself spares the check by ABCMeta, which all nodes have and which takes a microsecond.
_BRANCHING: Final = frozenset({cst.If, cst.Try, cst.TryStar, cst.For, cst.While, cst.With, cst.Match})


def statements(body: Sequence[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, Path]]:
    """All simple and compound statements of a body, also those under ``if``, ``try``, ``with`` and loops.

    Functions and classes are yielded, but not entered.
    """
    stack: list[tuple[Iterator[cst.CSTNode], Path]] = [(iter(body), ())]
    number = 0
    while stack:
        iterator, path = stack[-1]
        node = next(iterator, None)
        if node is None:
            stack.pop()
        elif isinstance(node, cst.SimpleStatementLine):
            yield from ((small, path) for small in node.body)
        else:
            yield node, path
            number += 1
            if type(node) in _BRANCHING:
                stack.extend(
                    (iter(suite.body), inner) for suite, inner in reversed(_branches(node, path, number))
                )


def _branches(node: cst.CSTNode, path: Path, number: int) -> list[tuple[cst.BaseSuite, Path]]:
    """The suites of a compound statement in source order, each with its path."""

    def branch(index: int, *, exclusive: bool) -> Path:
        return (*path, Branch(number, index, exclusive))

    if isinstance(node, cst.If):
        return [(suite, branch(index, exclusive=True)) for index, suite in enumerate(_if_suites(node))]
    if isinstance(node, cst.Try | cst.TryStar):
        clauses: Sequence[cst.ExceptHandler | cst.ExceptStarHandler] = node.handlers
        handlers = [(one.body, branch(index, exclusive=True)) for index, one in enumerate(clauses, start=1)]
        # `else` runs after the whole of the body, `finally` in any case.
        otherwise = [(node.orelse.body, branch(0, exclusive=False))] if node.orelse else []
        last = [(node.finalbody.body, path)] if node.finalbody else []
        return [(node.body, branch(0, exclusive=False)), *handlers, *otherwise, *last]
    if isinstance(node, cst.For | cst.While):
        otherwise = [(node.orelse.body, branch(1, exclusive=False))] if node.orelse else []
        return [(node.body, branch(0, exclusive=False)), *otherwise]
    if isinstance(node, cst.With):
        return [(node.body, path)]
    if isinstance(node, cst.Match):
        return [(case.body, branch(index, exclusive=True)) for index, case in enumerate(node.cases)]
    return []


def _if_suites(node: cst.If) -> list[cst.BaseSuite]:
    """The suites of ``if``, every ``elif`` and ``else``; a chain of them is nested in the tree, not here."""
    suites = []
    current: cst.If | cst.Else | None = node
    while isinstance(current, cst.If):
        suites.append(current.body)
        current = current.orelse
    if current is not None:
        suites.append(current.body)
    return suites


def reach(binding: Path, use: Path) -> bool | None:
    """Whether what is bound on one path holds on another: True always, None perhaps, False never."""
    for mine, theirs in zip(binding, use, strict=False):
        if mine != theirs:
            exclusive = mine.statement == theirs.statement and mine.exclusive and theirs.exclusive
            return False if exclusive else None
    return True if len(binding) <= len(use) else None
