"""Methods that a class gets by an assignment: ``handle = start``, in the form of the ``def`` that would say the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripts_tracker.analysis.facts.scopes import Binding, Point, Scope

WRAPPING: Final = frozenset(
    {
        "functools.partial",
        "functools.partialmethod",
        "builtins.staticmethod",
        "builtins.classmethod",
        "django.db.transaction.atomic",
    }
)
"""What is called with a function and makes something of it that runs that function."""
_MAX_STEPS: Final = 20


class _Step(NamedTuple):
    """An expression, the body in which it is evaluated, and when."""

    node: cst.CSTNode | None
    scope: Scope
    at: Point


class Assigned:
    """Finds the functions behind assignments in one file.

    Args:
        wraps: whether a call of an expression returns something that runs the function that it is given.
        attribute: the function of the file that an attribute such as ``Mixin.start`` stands for; None for any other.
    """

    def __init__(
        self,
        wraps: Callable[[cst.BaseExpression], bool],
        attribute: Callable[[cst.Attribute], cst.FunctionDef | None],
    ) -> None:
        self._wraps = wraps
        self._attribute = attribute
        # The rules know functions by identity.
        self._known: dict[int, cst.FunctionDef | None] = {}

    def method(self, name: cst.Name | None, binding: Binding, scope: Scope) -> cst.FunctionDef | None:
        """What an assignment makes a method of a class; None where that is not certain.

        Args:
            name: the name as it is written there; it becomes that of the method.
            binding: the assignment.
            scope: the body that contains it.
        """
        if name is None or binding.expression is None or binding.point.path:
            return None
        if id(binding) not in self._known:
            self._known[id(binding)] = self._found(name, _Step(binding.expression, scope, binding.point))
        return self._known[id(binding)]

    def _found(self, name: cst.Name, start: _Step) -> cst.FunctionDef | None:
        step, decorators = start, list[cst.Decorator]()
        for _ in range(_MAX_STEPS):
            node = step.node
            if isinstance(node, cst.Lambda):
                body = cst.IndentedBlock([cst.SimpleStatementLine([cst.Return(node.body)])])
                return cst.FunctionDef(name, node.params, body, decorators)
            if isinstance(node, cst.Attribute):
                node = self._attribute(node)
            if isinstance(node, cst.FunctionDef):
                return node.with_changes(name=name, decorators=[*decorators, *node.decorators])
            if (
                isinstance(node, cst.Call)
                and node.args
                and _is_plain(node.args[0])
                and self._wraps(node.func)
            ):
                decorators.append(cst.Decorator(node.func))
                step = step._replace(node=node.args[0].value)
            elif isinstance(node, cst.Name):
                step = _bound(node.value, step)
            else:
                return None
        return None


def _is_plain(arg: cst.Arg) -> bool:
    return not arg.star and arg.keyword is None


def _bound(name: str, step: _Step) -> _Step:
    """The one thing that certainly has bound a name; nothing where there is none, or several may have."""
    scope, at = step.scope, step.at
    while True:
        bindings, is_sure = scope.lookup(name, at)
        if bindings:
            binding = bindings[0]
            is_function = isinstance(binding.node, cst.FunctionDef)
            node = binding.node if is_function else binding.expression
            is_only = is_sure and len(bindings) == 1
            return _Step(node if is_only else None, scope, binding.point)
        if scope.parent is None:
            return _Step(None, scope, at)
        scope, at = scope.parent, scope.entered


def target_name(name: str, binding: Binding) -> cst.Name | None:
    """Where the name stands that an assignment binds; None if it is written in no target."""
    node = binding.node
    targets: list[cst.CSTNode] = [node]
    if isinstance(node, cst.Assign):
        targets = [one.target for one in node.targets]
    elif isinstance(node, cst.AnnAssign):
        targets = [node.target]
    names = (each for target in targets for each in descendants(target))
    return next((one for one in names if isinstance(one, cst.Name) and one.value == name), None)
