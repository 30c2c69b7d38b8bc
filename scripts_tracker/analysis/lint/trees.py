"""One file as the rules see it: its classes, its calls, and what a name in any of them stands for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.bindings import Scope, dotted_name, read_scope
from scripts_tracker.analysis.blocks import END
from scripts_tracker.analysis.facts import HANDLES
from scripts_tracker.analysis.resolving import REQUIRED, TRACKED
from scripts_tracker.analysis.trees import called, descendants
from scripts_tracker.analysis.values import LOCAL_CLASS, UNBOUND, Call, Ref, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts_tracker.analysis.evaluation import Evaluator
    from scripts_tracker.analysis.positions import Positions
    from scripts_tracker.analysis.values import Place, Value

OURS: Final = (TRACKED, REQUIRED)


@dataclass(frozen=True, slots=True)
class Where:
    """A class of the module, and the method of it, in which something stands; empty outside of them."""

    owner: str
    method: str


@dataclass(frozen=True, slots=True)
class Use:
    """A node with the functions around it, the innermost last."""

    node: cst.CSTNode
    inside: tuple[cst.FunctionDef | cst.Lambda, ...]
    where: Where | None


@dataclass(frozen=True, slots=True)
class Class:
    """A class at module level, and its methods, those in branches of its body too; the last of a name counts."""

    name: str
    node: cst.ClassDef
    methods: Mapping[str, cst.FunctionDef]

    @property
    def handles(self) -> tuple[cst.FunctionDef, ...]:
        """The methods in which Django runs a command, or ran it once."""
        return tuple(self.methods[name] for name in HANDLES if name in self.methods)


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
        self.scope = scope
        self._evaluator = evaluator
        self._positions = positions
        self._inner: dict[int, Scope] = {}

    @cached_property
    def classes(self) -> tuple[Class, ...]:
        """The classes at module level."""
        found = []
        for binding in self.scope.classes:
            if isinstance(binding.node, cst.ClassDef):
                scope = read_scope(binding.node.body.body, self.scope, binding.point)
                methods = {one.name.value: one for one in scope.functions}
                found.append(Class(binding.node.name.value, binding.node, methods))
        return tuple(found)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """All calls, and all names that no attribute or call is made of, in source order of what is around them."""
        return tuple(self._uses())

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

    def ends(self, one: Class) -> Iterator[str]:
        """The methods of a class that do not go on to a base class."""
        for name, node in one.methods.items():
            if not any(isinstance(each, cst.Name) and each.value == "super" for each in descendants(node)):
                yield name

    def place(self, node: cst.CSTNode, within: cst.CSTNode | None = None) -> Place:
        """Line and column of a class, function (its name), decorator, argument, simple statement or expression."""
        if isinstance(node, cst.FunctionDef):
            return self._positions.place(node.name)
        return self._positions.place(node, within)

    def offset(self, node: cst.CSTNode, within: cst.CSTNode | None = None) -> int:
        """Where in the text a node starts, as ``place`` does."""
        line, column = self.place(node, within)
        start = 0
        for _ in range(line - 1):
            start = self.text.index("\n", start) + 1
        return start + column - 1

    def origin(self, expression: cst.BaseExpression, use: Use | None = None) -> str:
        """What a name or attribute stands for, dotted, such as ``pdb.set_trace``; empty where that is not certain.

        Args:
            expression: the name or attribute.
            use: where it stands; None for the module's own level.
        """
        root = expression
        while isinstance(root, cst.Attribute):
            root = root.value
        if not isinstance(root, cst.Name):
            return ""
        rest = dotted_name(expression)[len(root.value) :]
        for function in reversed(use.inside if use else ()):
            if isinstance(function, cst.Lambda) or root.value in _parameters(function.params):
                if root.value in _parameters(function.params):
                    return ""
                continue
            scope = self._scope_of(function)
            if root.value in scope.names:
                return _only([value for one in scope.names[root.value] for value in one.values or ()], rest)
        return _only(self._evaluator.name(root.value, self.scope, END), rest)

    def our_name(self, expression: cst.BaseExpression, use: Use | None = None) -> str:
        """Which of our decorators a name, attribute or call is by its last name; empty for anything else."""
        *_, maker = called(expression)
        last = self.origin(maker, use).rpartition(".")[2]
        return last if last in OURS else ""

    def decorators(self, function: cst.FunctionDef, name: str) -> list[cst.Decorator]:
        """The decorators of a function that are ours by that name, outermost first."""
        return [one for one in function.decorators if self.our_name(one.decorator) == name]

    def _scope_of(self, function: cst.FunctionDef) -> Scope:
        known = self._inner.get(id(function))
        if known is None:
            known = self._inner[id(function)] = read_scope(function.body.body)
        return known

    def _uses(self) -> Iterator[Use]:
        owners = {id(one.node): one.name for one in self.classes}
        stack: list[tuple[cst.CSTNode, tuple[cst.FunctionDef | cst.Lambda, ...], str, str]] = [
            (self.module, (), "", "")
        ]
        while stack:
            root, inside, owner, method = stack.pop()
            for node in descendants(root, enter=_opens_nothing):
                if node is not root and isinstance(node, cst.FunctionDef):
                    inner = method or (node.name.value if owner else "")
                    stack.append((node.body, (*inside, node), owner, inner))
                    stack.append((node.params, inside, owner, method))
                    stack += [(one, inside, owner, method) for one in node.decorators]
                elif node is not root and isinstance(node, cst.Lambda):
                    stack.append((node.body, (*inside, node), owner, method))
                    stack.append((node.params, inside, owner, method))
                elif node is not root and isinstance(node, cst.ClassDef):
                    inner = owner or owners.get(id(node), "")
                    stack.append((node.body, inside, inner, method))
                    stack += [(one, inside, owner, method) for one in (*node.decorators, *node.bases)]
                elif isinstance(node, cst.Call | cst.Name):
                    yield Use(node, inside, Where(owner, method) if owner else None)


def _opens_nothing(node: cst.CSTNode) -> bool:
    return not isinstance(node, cst.FunctionDef | cst.Lambda | cst.ClassDef)


def _parameters(params: cst.Parameters) -> set[str]:
    named = [*params.params, *params.kwonly_params, *params.posonly_params]
    stars = [one for one in (params.star_arg, params.star_kwarg) if isinstance(one, cst.Param)]
    return {one.name.value for one in (*named, *stars)}


def _only(values: tuple[Value, ...] | list[Value], rest: str) -> str:
    if len(values) != 1:
        return ""
    value = values[0]
    if isinstance(value, Call):
        return ""
    if not isinstance(value, Ref) or value.path.startswith(LOCAL_CLASS):
        return ""
    path = dotted(value.path)
    return f"builtins.{path}{rest}" if value.path.startswith(UNBOUND) else path + rest
