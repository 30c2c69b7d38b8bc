"""A source as the list of what a diff compares: one unit a statement or head of a block, in the fingerprint's eyes.

Two outlines of one Python are equal where the fingerprints are; a unit knows its lines, so that people see their own.
The tree is CPython's: it has the lines, and ``diffing`` holds what comes of it against the fingerprint.
"""

from __future__ import annotations

import ast
import copy
import warnings
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.analysis.fingerprint.tokens import normalized_docstring
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_DEFINITIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS: Final = (ast.Import, ast.ImportFrom)
# What a head leaves to units of its own.
_PARTS: Final = ("body", "orelse", "finalbody", "handlers", "cases", "decorator_list")


class Unit(NamedTuple):
    """One statement, or the head of one that has a body.

    Attributes:
        depth: how many blocks are around it.
        key: what it does; two units with one depth and key are the same code.
        first: its first line, 1-based.
        last: its last line.
        scope: the first lines of the definitions around it, the innermost last.
        text: what stands for it instead of its lines: imports count name by name, in no order, so what shares a line with
            one stands for itself.
    """

    depth: int
    key: str
    first: int
    last: int
    scope: str
    text: str = ""


def outline(text: str, *, reads_docstrings: bool) -> list[Unit]:
    """The units of a source in their order, neighbouring imports sorted.

    Args:
        text: as ``parsing.parse`` gives it.
        reads_docstrings: whether docstrings count.

    Raises:
        SyntaxError: this Python does not read it.
        RecursionError: it is nested too deeply; MemoryError and ValueError say the like.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.kind = None  # u"" is ""
    imports = [node for node in ast.walk(tree) if isinstance(node, _IMPORTS)]
    shared = frozenset(row for node in imports for row in range(node.lineno, _end(node) + 1))
    outliner = _Outliner(text.split("\n"), shared, reads_docstrings=reads_docstrings)
    outliner.body(tree.body, 0, "", is_documented=True)
    return outliner.units


class _Outliner:
    def __init__(self, lines: list[str], imports: frozenset[int], *, reads_docstrings: bool) -> None:
        self.units: list[Unit] = []
        self._lines = lines
        self._imported_on = imports
        # Of what begins a line.
        self._depths: dict[int, int] = {}
        self._reads_docstrings = reads_docstrings

    def _add(self, depth: int, key: str, first: int, last: int, scope: str, *, text: str = "") -> None:
        self._depths.setdefault(first, depth)
        self.units.append(Unit(depth, key, first, max(first, last), scope, text))

    def body(
        self, statements: Sequence[ast.stmt], depth: int, scope: str, *, is_documented: bool = False
    ) -> None:
        """A block; ``is_documented`` where it may start with a docstring."""
        if is_documented and statements and (text := _bare_text(statements[0])) is not None:
            if self._reads_docstrings:
                self._simple(statements[0], depth, f"docstring {text!r}", scope)
            statements = statements[1:]
        run: list[Unit] = []
        for statement in statements:
            if isinstance(statement, _IMPORTS):
                run += self._imports(statement, depth, scope)
                continue
            self.units += sorted(run, key=lambda unit: unit.key)
            run = []
            self._statement(statement, depth, scope)
        self.units += sorted(run, key=lambda unit: unit.key)

    def _imports(self, node: ast.Import | ast.ImportFrom, depth: int, scope: str) -> Iterator[Unit]:
        """One unit a name, like the fingerprint."""
        margin = self._margin(node.lineno, depth)
        lazy = "lazy " if getattr(node, "is_lazy", 0) else ""
        origin = f"from {'.' * node.level}{node.module or ''} " if isinstance(node, ast.ImportFrom) else ""
        for alias in node.names:
            text = f"{lazy}{origin}import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
            yield Unit(depth, text, node.lineno, node.lineno, scope, margin + text)

    def _statement(self, node: ast.stmt, depth: int, scope: str) -> None:
        text = _bare_text(node)
        if text is not None:
            self._simple(node, depth, f"text {text!r}", scope)
        elif isinstance(node, ast.Delete):
            self._simple(node, depth, f"del {list(map(ast.dump, _flat(node.targets)))}", scope)
        elif isinstance(node, _DEFINITIONS):
            self._definition(node, depth, scope)
        elif isinstance(node, ast.If):
            self._if(node, depth, scope)
        elif hasattr(node, "cases"):
            self._match(node, depth, scope)
        elif hasattr(node, "body"):
            self._block(node, depth, scope)
        else:
            self._simple(node, depth, ast.dump(node), scope)

    def _simple(self, node: ast.stmt, depth: int, key: str, scope: str) -> None:
        text = ""
        if not self._imported_on.isdisjoint(range(node.lineno, _end(node) + 1)):
            margin = self._margin(node.lineno, depth)
            text = margin + self._piece(node.lineno, node.col_offset, _end(node), node.end_col_offset)
        self._add(depth, key, node.lineno, _end(node), scope, text=text)

    def _margin(self, row: int, depth: int) -> str:
        """What indents something of a line: the body of a head on the same line as if it were below that."""
        line = self._lines[row - 1]
        return line[: len(line) - len(line.lstrip())] + "    " * (depth - self._depths.get(row, depth))

    def _piece(self, first: int, start: int, last: int, end: int | None) -> str:
        """What stands between two places, in one line; the columns are bytes, as in the tree."""
        lines = [line.encode() for line in self._lines[first - 1 : last]]
        lines[-1] = lines[-1][:end]
        lines[0] = lines[0][start:]
        return " ".join(line.decode().strip() for line in lines)

    def _head_text(self, first: int, body: Sequence[ast.stmt], depth: int) -> str:
        """What stands for a head whose body begins on its line with an import; empty for any other."""
        start = _start(body[0])
        if self._end_of_head(first, body) < start or start not in self._imported_on:
            return ""
        return self._margin(first, depth) + self._piece(first, 0, start, body[0].col_offset)

    def _definition(self, node: Any, depth: int, scope: str) -> None:
        starts = [*(decorator.lineno for decorator in node.decorator_list), node.lineno]
        for decorator, after in zip(node.decorator_list, starts[1:], strict=True):
            last = self._trimmed(decorator.lineno, after - 1)
            self._add(depth, f"@{ast.dump(decorator)}", decorator.lineno, last, scope)
        self._head(node, depth, node.lineno, scope)
        line = self._lines[node.lineno - 1].strip()
        self.body(node.body, depth + 1, f"{scope}\n{line}".strip(), is_documented=True)

    def _if(self, node: ast.If, depth: int, scope: str) -> None:
        """``elif`` is an ``else`` that holds one ``if``, however it is written; a chain of them is no nest."""
        word, first = "if", node.lineno
        while True:
            end, text = self._end_of_head(first, node.body), self._head_text(first, node.body, depth)
            self._add(depth, f"{word} {ast.dump(node.test)}", first, end, scope, text=text)
            self.body(node.body, depth + 1, scope)
            if len(node.orelse) != 1 or not isinstance(node.orelse[0], ast.If):
                break
            word, first = "elif", self._clause_line("else", node.body, node.orelse)
            node = node.orelse[0]
        self._clause("else", node.body, node.orelse, depth, scope)

    def _match(self, node: Any, depth: int, scope: str) -> None:
        before: ast.AST = node.subject
        after = self._line_of("case", _end(before), node.cases[0].pattern.lineno)
        last = self._trimmed(node.lineno, after - 1)
        self._add(depth, f"match {ast.dump(node.subject)}", node.lineno, last, scope)
        for case in node.cases:
            first = self._line_of("case", _end(before), case.pattern.lineno)
            guard = ast.dump(case.guard) if case.guard else ""
            last = self._end_of_head(first, case.body)
            text = self._head_text(first, case.body, depth + 1)
            self._add(depth + 1, f"case {ast.dump(case.pattern)} if {guard}", first, last, scope, text=text)
            self.body(case.body, depth + 2, scope)
            before = case.body[-1]

    def _block(self, node: Any, depth: int, scope: str) -> None:
        """Loops, ``with`` and ``try``."""
        self._head(node, depth, node.lineno, scope)
        self.body(node.body, depth + 1, scope)
        before = node.body
        for handler in getattr(node, "handlers", ()):
            self._head(handler, depth, handler.lineno, scope)
            self.body(handler.body, depth + 1, scope)
            before = handler.body
        for word, part in (("else", "orelse"), ("finally", "finalbody")):
            statements = getattr(node, part, ())
            self._clause(word, before, statements, depth, scope)
            before = statements or before

    def _head(self, node: Any, depth: int, first: int, scope: str) -> None:
        bare = copy.copy(node)
        for part in _PARTS:
            if hasattr(bare, part):
                setattr(bare, part, [])
        end, text = self._end_of_head(first, node.body), self._head_text(first, node.body, depth)
        self._add(depth, ast.dump(bare), first, end, scope, text=text)

    def _clause(
        self, word: str, before: Sequence[ast.stmt], statements: Sequence[ast.stmt], depth: int, scope: str
    ) -> None:
        if statements:
            first = self._clause_line(word, before, statements)
            end, text = self._end_of_head(first, statements), self._head_text(first, statements, depth)
            self._add(depth, word, first, end, scope, text=text)
            self.body(statements, depth + 1, scope)

    def _clause_line(self, word: str, before: Sequence[ast.stmt], statements: Sequence[ast.stmt]) -> int:
        return self._line_of(word, _end(before[-1]), _start(statements[0]))

    def _line_of(self, word: str, after: int, before: int) -> int:
        """The line that starts with a word, between two others; the tree does not tell where clauses start."""
        lines = range(before, min(after, before - 1), -1)
        return next((line for line in lines if self._lines[line - 1].lstrip().startswith(word)), before)

    def _end_of_head(self, first: int, body: Sequence[ast.stmt]) -> int:
        start = _start(body[0])
        before = self._lines[start - 1].encode()[: body[0].col_offset] if start == body[0].lineno else b""
        return start if before.strip() else self._trimmed(first, start - 1)

    def _trimmed(self, first: int, last: int) -> int:
        """The last line that is neither blank nor a comment."""
        while last > first and self._lines[last - 1].lstrip()[:1] in {"", "#"}:
            last -= 1
        return last


def _start(node: Any) -> int:
    """A statement's first line, its decorators included."""
    decorators = getattr(node, "decorator_list", None)
    return int(decorators[0].lineno if decorators else node.lineno)


def _end(node: Any) -> int:
    return int(node.end_lineno or node.lineno)


def _bare_text(node: ast.stmt) -> str | None:
    """A string that stands alone, as the fingerprint takes it: it is no code, and formatters indent it."""
    constant = node.value if isinstance(node, ast.Expr) else None
    if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
        return normalized_docstring(constant.value)
    return None


def _flat(targets: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """``del (a, b)`` is ``del a, b``."""
    for target in targets:
        if isinstance(target, ast.Tuple):
            yield from _flat(target.elts)
        else:
            yield target
