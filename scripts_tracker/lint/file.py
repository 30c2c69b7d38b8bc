"""One file as the rules see it: its classes, its calls, and what a name in any of them stands for."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

import libcst as cst

from scripts_tracker.analysis.lint.classes import Class, Lineage, goes_on, read_classes, read_lineages
from scripts_tracker.analysis.lint.names import Function, Names, opens_nothing
from scripts_tracker.analysis.resolving import REQUIRED, TRACKED
from scripts_tracker.analysis.trees import called, descendants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.analysis.bindings import Scope
    from scripts_tracker.analysis.evaluation import Evaluator
    from scripts_tracker.analysis.positions import Positions
    from scripts_tracker.analysis.values import Place

OURS: Final = (TRACKED, REQUIRED)
_EXCEPT: Final = re.compile(r"^[ \t\f]*except\b", re.MULTILINE)


class Where(NamedTuple):
    """A class of the module, and the method of it, in which something stands; empty outside of them."""

    owner: str
    method: str


class Use(NamedTuple):
    """A node with the functions around it, the innermost last."""

    node: cst.Call | cst.Raise
    inside: tuple[Function, ...]
    where: Where | None


class Method(NamedTuple):
    """A method that the command of a file is made of.

    Attributes:
        owner: the class that it stands in.
        node: its statement.
        is_first: whether it is the one that Django calls; others are called by it.
    """

    owner: Class
    node: cst.FunctionDef
    is_first: bool

    @property
    def where(self) -> Where:
        """Where it is."""
        return Where(self.owner.name, self.node.name.value)


class Tree:
    """One file.

    Args:
        module: its tree.
        text: its text.
        scope: the names of the module.
        evaluator: tells what they stand for.
        positions: tells where nodes stand.
    """

    def __init__(
        self, module: cst.Module, text: str, *, scope: Scope, evaluator: Evaluator, positions: Positions
    ) -> None:
        self.module = module
        self.text = text
        self._onward: dict[int, bool] = {}
        self.scope = scope
        self._evaluator = evaluator
        self._positions = positions
        self._names = Names(scope, evaluator)

    @cached_property
    def classes(self) -> tuple[Class, ...]:
        """The classes at module level."""
        return read_classes(self.scope, self._evaluator)

    @cached_property
    def lineages(self) -> tuple[Lineage, ...]:
        """What may be the command of the file; in a file that has none, every class by itself."""
        return read_lineages(self.scope, self._evaluator, self.classes)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """All calls and ``raise`` statements."""
        return tuple(_uses(self.module, self.classes))

    @property
    def calls(self) -> Iterator[tuple[cst.Call, Use]]:
        """All calls."""
        for use in self.uses:
            if isinstance(use.node, cst.Call):
                yield use.node, use

    @cached_property
    def says_rerun(self) -> bool:
        """Whether a decorator of ours has the option ``rerun``."""
        return "rerun" in self.text and any(
            arg.keyword is not None and arg.keyword.value == "rerun"
            for call, use in self.calls
            if self.our_name(call.func, use) == TRACKED
            for arg in call.args
        )

    def methods(self, name: str) -> Iterator[Method]:
        """The methods of that name that run when Django calls it on the command, as far as that is certain."""
        if any(attribute.attr.value == name for attribute, _ in self.scope.patches):
            return
        known: set[int] = set()
        for lineage in self.lineages:
            is_first = lineage.is_command
            for one in lineage.classes:
                if name in one.scope.names:
                    node = one.sure(name)
                    if node is not None and id(node) not in known:
                        yield Method(one, node, is_first)
                        known.add(id(node))
                    if node is None or not self._goes_on(node):
                        break
                    is_first = False

    def ends(self, one: Class) -> Iterator[str]:
        """The methods of a class that do not go on to a base class."""
        return (name for name, node in one.methods.items() if not self._goes_on(node))

    def _goes_on(self, method: cst.FunctionDef) -> bool:
        """Whether a method calls the one of a base class; most are told by the text of the file alone."""
        known = self._onward.get(id(method))
        if known is None:
            may_go_on = "super" in self.text or f".{method.name.value}(self" in self.text
            known = may_go_on and goes_on(method)
            self._onward[id(method)] = known
        return known

    def place(self, node: cst.CSTNode, within: cst.CSTNode | None = None) -> Place:
        """Line and column of a class, function (its name), decorator, argument, ``except`` clause or expression."""
        if isinstance(node, cst.FunctionDef):
            return self._positions.place(node.name)
        line, column = self._positions.place(node, within)
        if isinstance(node, cst.ExceptHandler):
            # That is where the clause starts, or the comments before it.
            found = _EXCEPT.search(self.text, self._start(line))
            line += self.text.count("\n", self._start(line), found.start()) if found else 0
        return line, column

    def offset(self, node: cst.CSTNode, within: cst.CSTNode | None = None) -> int:
        """Where in the text a node starts, as ``place`` does."""
        line, column = self.place(node, within)
        return self._start(line) + column - 1

    def origin(self, expression: cst.BaseExpression, use: Use | None = None) -> str:
        """What a name or attribute stands for, dotted, such as ``pdb.set_trace``; empty where that is not certain.

        Args:
            expression: the name or attribute.
            use: where it stands; None for the module's own level.
        """
        return self._names.origin(expression, use.inside if use else ())

    def our_name(self, expression: cst.BaseExpression, use: Use | None = None) -> str:
        """Which of our decorators a name, attribute or call is by its last name; empty for anything else."""
        *_, maker = called(expression)
        last = self.origin(maker, use).rpartition(".")[2]
        return last if last in OURS else ""

    def decorators(self, function: cst.FunctionDef, name: str) -> list[cst.Decorator]:
        """The decorators of a function that are ours by that name, outermost first."""
        return [one for one in function.decorators if self.our_name(one.decorator) == name]

    def _start(self, line: int) -> int:
        start = 0
        for _ in range(line - 1):
            start = self.text.index("\n", start) + 1
        return start


def _uses(module: cst.Module, classes: tuple[Class, ...]) -> Iterator[Use]:
    owners = {id(one.node): one.name for one in classes}
    stack: list[tuple[cst.CSTNode, tuple[Function, ...], str, str]] = [(module, (), "", "")]
    while stack:
        root, inside, owner, method = stack.pop()
        if isinstance(root, cst.FunctionDef | cst.Lambda):
            name = root.name.value if owner and isinstance(root, cst.FunctionDef) else ""
            stack.append((root.body, (*inside, root), owner, method or name))
            around = (root.params, *(root.decorators if isinstance(root, cst.FunctionDef) else ()))
            stack += [(one, inside, owner, method) for one in around]
        elif isinstance(root, cst.ClassDef):
            stack.append((root.body, inside, owner or owners.get(id(root), ""), method))
            stack += [(one, inside, owner, method) for one in (*root.decorators, *root.bases, *root.keywords)]
        else:
            for node in descendants(root, enter=opens_nothing):
                if not opens_nothing(node):
                    stack.append((node, inside, owner, method))
                elif isinstance(node, cst.Call | cst.Raise):
                    yield Use(node, inside, Where(owner, method) if owner else None)
