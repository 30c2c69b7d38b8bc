"""Uses of what may be ``tracked_script`` that are no decorator of a ``handle()``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.bindings import read_scope
from scripts_tracker.analysis.blocks import END
from scripts_tracker.analysis.evaluation import is_foreign
from scripts_tracker.analysis.facts import Decoration
from scripts_tracker.analysis.trees import called, descendants
from scripts_tracker.analysis.values import UNBOUND, Call, Ref, Value, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.analysis.bindings import Scope
    from scripts_tracker.analysis.evaluation import Evaluator
    from scripts_tracker.analysis.positions import Positions

DECORATOR_NAME: Final = "tracked_script"


def strays(
    module: cst.Module,
    scope: Scope,
    class_scopes: Sequence[Scope],
    *,
    evaluator: Evaluator,
    positions: Positions,
    consumed: set[int],
) -> tuple[Decoration, ...]:
    """Decorators, calls and arguments that may be our decorator, without the consumed ones.

    Args:
        module: the tree.
        scope: its names.
        class_scopes: the names of its classes.
        evaluator: its evaluator.
        positions: its positions.
        consumed: ids of the expressions that decorate a ``handle()``.
    """
    for inner in (scope, *class_scopes):
        _consume_aliases(inner, evaluator, consumed)
    found = {}
    for node, expression in _uses(module, consumed):
        values = evaluator.values(expression, scope, END)
        if any(_is_candidate(value, decorates=isinstance(node, cst.Decorator)) for value in values):
            found[positions.place(node)] = values
    return tuple(Decoration(found[place], place) for place in sorted(found))


def _consume_aliases(scope: Scope, evaluator: Evaluator, consumed: set[int]) -> None:
    """``once = tracked_script(rerun="once")`` is a use only where ``once`` is used."""
    for bindings in scope.names.values():
        for binding in bindings:
            if isinstance(binding.expression, cst.Call) and any(
                isinstance(value, Call) for value in evaluator.bound(binding, scope)
            ):
                consumed.update(map(id, called(binding.expression)))


def _is_candidate(value: Value, *, decorates: bool) -> bool:
    if isinstance(value, Call):
        return any(_is_candidate(inner, decorates=decorates) for inner in value.function)
    if not isinstance(value, Ref) or value.path.startswith(UNBOUND):
        return False
    if last_name(value.path) == DECORATOR_NAME:
        return True
    # A decorator of the project may be ours under another name: only linking can tell.
    return decorates and not is_foreign(value.path) and not value.path.startswith("#")


def _uses(module: cst.Module, consumed: set[int]) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression]]:
    """Places where a decorator could be put to use: the node to report, and the expression."""
    stack: list[tuple[cst.CSTNode, frozenset[str]]] = [(module, frozenset())]
    while stack:
        root, hidden = stack.pop()
        for node in descendants(root, enter=_is_no_function):
            if isinstance(node, cst.FunctionDef) and node is not root:
                stack.append((node.params, hidden))
                stack.append((node.body, hidden | _locals(node)))
                stack.extend((decorator, hidden) for decorator in node.decorators)
            elif isinstance(node, cst.Decorator | cst.Call | cst.Arg):
                expression = _expression(node)
                if expression is not None and id(expression) not in consumed:
                    if _root_name(expression) not in hidden:
                        yield node, expression
                    consumed.update(map(id, called(expression)))


def _is_no_function(node: cst.CSTNode) -> bool:
    return not isinstance(node, cst.FunctionDef)


def _expression(node: cst.Decorator | cst.Call | cst.Arg) -> cst.BaseExpression | None:
    if isinstance(node, cst.Decorator):
        return node.decorator
    expression = node.func if isinstance(node, cst.Call) else node.value
    return expression if isinstance(expression, cst.Name | cst.Attribute) else None


def _root_name(expression: cst.BaseExpression) -> str:
    while isinstance(expression, cst.Attribute | cst.Call):
        expression = expression.value if isinstance(expression, cst.Attribute) else expression.func
    return expression.value if isinstance(expression, cst.Name) else ""


def _locals(function: cst.FunctionDef) -> frozenset[str]:
    """The names that a function binds for itself."""
    params = function.params
    named = [*params.params, *params.kwonly_params, *params.posonly_params]
    return frozenset({*(param.name.value for param in named), *read_scope(function.body.body).names})
