"""One file's names: what each stands for at each point, by the order of execution and the branches in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.blocks import START, Point, reach, statements
from scripts_tracker.analysis.values import INSIDE, LOCAL_CLASS, OPAQUE, STAR, Ref, Values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


# The most frequent statements, told by the class itself: the check by ABCMeta, which all nodes have, takes its time.
_BINDING_NOTHING: Final = frozenset({cst.Expr, cst.Return, cst.If, cst.Try, cst.Raise, cst.Pass, cst.Match})


@dataclass(slots=True, eq=False)
class Binding:
    """One statement that binds a name.

    Attributes:
        point: when it happens; its expression sees what was bound before.
        node: the statement.
        expression: what is assigned, where it is the assignment of one value.
        values: what the name then is, where that is known or has been found out.
        sure: False for a name that a star import may or may not bring.
    """

    point: Point
    node: cst.CSTNode
    expression: cst.BaseExpression | None = None
    values: Values | None = None
    sure: bool = True


@dataclass(slots=True, eq=False)
class Scope:
    """The names of a module or class body.

    Attributes:
        names: what binds each name, in source order.
        stars: the star imports: when, and of which module.
        classes, functions: those defined in it; a module's classes are known by their number here.
        patches: assignments to ``something.attribute``.
        parent, entered: the enclosing scope, and when this body is executed in it.
    """

    names: dict[str, list[Binding]] = field(default_factory=dict)
    stars: list[tuple[Point, str]] = field(default_factory=list)
    classes: list[Binding] = field(default_factory=list)
    functions: list[cst.FunctionDef] = field(default_factory=list)
    patches: list[tuple[cst.Attribute, Binding]] = field(default_factory=list)
    parent: Scope | None = None
    entered: Point = START

    def lookup(self, name: str, at: Point) -> tuple[list[Binding], bool]:
        """What may have bound a name in this scope before a point, the last first, and whether one surely has."""
        found = []
        for binding in reversed(self._candidates(name)):
            holds = binding.point.order < at.order and reach(binding.point.path, at.path)
            if holds is False:
                continue
            found.append(binding)
            if holds and binding.sure:
                return found, True
        return found, False

    def _candidates(self, name: str) -> list[Binding]:
        own = self.names.get(name, [])
        if not self.stars:
            return own
        nowhere = cst.Name(name)
        through = [
            Binding(point, nowhere, values=(Ref(f"{module}{INSIDE}{STAR}{name}"),), sure=False)
            for point, module in self.stars
        ]
        return sorted([*own, *through], key=lambda binding: binding.point.order)


def read_scope(body: Sequence[cst.CSTNode], parent: Scope | None = None, entered: Point = START) -> Scope:
    """The names that the statements of a body bind.

    Args:
        body: the statements of a module or class.
        parent: the scope of the module, for a class.
        entered: when the class statement is executed there.
    """
    scope = Scope(parent=parent, entered=entered)
    for order, (node, path) in enumerate(statements(body), start=1):
        _read_statement(scope, node, Point(order, path))
    return scope


def _read_statement(scope: Scope, node: cst.CSTNode, point: Point) -> None:
    if type(node) in _BINDING_NOTHING:
        return
    if isinstance(node, cst.Assign):
        for one in node.targets:
            _assign(scope, one.target, Binding(point, node, node.value))
    elif isinstance(node, cst.AnnAssign):
        if node.value is not None:
            _assign(scope, node.target, Binding(point, node, node.value))
    elif isinstance(node, cst.Import | cst.ImportFrom):
        _import(scope, node, point)
    elif isinstance(node, cst.ClassDef):
        values = (Ref(f"{LOCAL_CLASS}{len(scope.classes)}"),) if scope.parent is None else OPAQUE
        binding = Binding(point, node, values=values)
        scope.classes.append(binding)
        _bind(scope, node.name.value, binding)
    elif isinstance(node, cst.FunctionDef):
        scope.functions.append(node)
        _bind(scope, node.name.value, Binding(point, node, values=OPAQUE))
    else:
        for target in _other_targets(node):
            _assign(scope, target, Binding(point, node, values=OPAQUE))


def _other_targets(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    if isinstance(node, cst.AugAssign | cst.For | cst.Del):
        yield node.target
    elif isinstance(node, cst.TypeAlias):
        yield node.name
    elif isinstance(node, cst.With):
        yield from (item.asname.name for item in node.items if item.asname is not None)


def _bind(scope: Scope, name: str, binding: Binding) -> None:
    scope.names.setdefault(name, []).append(binding)


def _assign(scope: Scope, target: cst.CSTNode, binding: Binding) -> None:
    if isinstance(target, cst.Name):
        _bind(scope, target.value, binding)
    elif isinstance(target, cst.Attribute):
        scope.patches.append((target, binding))
    else:
        stack = [target]
        while stack:
            current = stack.pop()
            if isinstance(current, cst.Name):
                _bind(scope, current.value, Binding(binding.point, binding.node, values=OPAQUE))
            elif isinstance(current, cst.Tuple | cst.List):
                stack.extend(element.value for element in current.elements)


def _import(scope: Scope, node: cst.Import | cst.ImportFrom, point: Point) -> None:
    if isinstance(node, cst.ImportFrom):
        module = "." * len(node.relative) + (dotted_name(node.module) if node.module else "")
        if isinstance(node.names, cst.ImportStar):
            scope.stars.append((point, module))
            return
        for alias in node.names:
            name = dotted_name(alias.name)
            _bind(
                scope, _alias(alias) or name, Binding(point, node, values=(Ref(f"{module}{INSIDE}{name}"),))
            )
        return
    for alias in node.names:
        name = dotted_name(alias.name)
        bound = _alias(alias)
        path = name if bound else name.partition(".")[0]
        _bind(scope, bound or path, Binding(point, node, values=(Ref(path),)))


def _alias(alias: cst.ImportAlias) -> str | None:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return None


def dotted_name(node: cst.BaseExpression) -> str:
    """``a.b.c`` as text; the empty text where the expression is anything else."""
    parts = []
    while type(node) is cst.Attribute:
        parts.append(node.attr.value)
        node = node.value
    if type(node) is not cst.Name:
        return ""
    return ".".join([node.value, *reversed(parts)])
