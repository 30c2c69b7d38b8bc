"""Source that CPython reads and libcst does not, without the statements that libcst does not read.

What is left shows what a command is and requires, not what it does: such a source is followed by its bytes.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from scripts_tracker.analysis.source.rewriting import Edit, exchanged, lines_of, piece, span, tree_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts_tracker.core.values import Place


def without_unread(text: str, reads: Callable[[str], bool]) -> tuple[str, Place] | None:
    """The source with ``pass`` for each statement that is not read, and where the first of them is.

    Args:
        text: source that cannot be read.
        reads: whether a text can be read.

    Returns:
        None where CPython refuses the source, or the what cannot be read may decide what the command is.
    """
    try:
        body = tree_of(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    lines = lines_of(text)
    unread = [*_unread(body, lines, reads)]
    if not unread or any(_decides(one, lines) for one in unread):
        return None
    edits = [Edit(*span(one, lines), _instead(one, lines)) for one in unread]
    line, column = edits[0].start
    return exchanged(text, edits), (line, column + 1)


def _decides(statement: ast.stmt, lines: Sequence[str]) -> bool:
    """Whether a statement may decide what the command is: then it must not be left out."""
    source = piece(*span(statement, lines), lines)
    is_definition = isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    return is_definition or any(word in source for word in ("Command", "_script", "import"))


def _unread(
    body: Sequence[ast.stmt], lines: Sequence[str], reads: Callable[[str], bool]
) -> Iterator[ast.stmt]:
    """The smallest statements that are not read."""
    for statement in body:
        start, end = span(statement, lines)
        decorators = getattr(statement, "decorator_list", [])
        if decorators:
            start = (decorators[0].lineno, start[1])
        source = piece(start, end, lines)
        indent = lines[start[0] - 1][: start[1]]
        if reads(f"if 1:\n{indent}{source}\n" if indent.isspace() else f"{source}\n"):
            continue
        inner = [*_unread([*_statements(statement)], lines, reads)]
        yield from inner or [statement]


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """The statements directly inside a compound statement."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            yield from _statements(child)


def _instead(statement: ast.stmt, lines: Sequence[str]) -> str:
    """``pass``, over as many lines."""
    start, end = span(statement, lines)
    return "pass" + "\n" * (end[0] - start[0])
