"""What the names of a file stand for, in its functions too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from scripts_tracker.analysis.bindings import Binding, Scope, dotted_name, read_scope
from scripts_tracker.analysis.blocks import END, START
from scripts_tracker.analysis.trees import descendants
from scripts_tracker.analysis.values import LOCAL_CLASS, OPAQUE, UNBOUND, Ref, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.analysis.evaluation import Evaluator
    from scripts_tracker.analysis.values import Value, Values

Function = cst.FunctionDef | cst.Lambda


class Names:
    """The names of a module and of the functions in it.

    Args:
        scope: the names of the module.
        evaluator: tells what they stand for.
    """

    def __init__(self, scope: Scope, evaluator: Evaluator) -> None:
        self._scope = scope
        self._evaluator = evaluator
        self._inner: dict[int, Scope] = {}

    def origin(self, expression: cst.BaseExpression, inside: Sequence[Function]) -> str:
        """What a name or attribute stands for, dotted; empty where that is not certain.

        Args:
            expression: the name or attribute; anything else stands for nothing that is certain.
            inside: the functions around it, the innermost last.
        """
        path = dotted_name(expression)
        root, dot, rest = path.partition(".")
        return _only(self._values(root, inside), dot + rest) if path else ""

    def _values(self, name: str, inside: Sequence[Function]) -> Sequence[Value]:
        for scope in reversed(self._around(inside)):
            if name in scope.names:
                # A function's statements run at any time and in any order: only what all of them agree on counts.
                every = [self._bound(one, scope) for one in scope.names[name]]
                return list(dict.fromkeys(value for values in every for value in values))
        return self._evaluator.name(name, self._scope, END)

    def _bound(self, binding: Binding, scope: Scope) -> Values:
        # Calls are not looked into: that would cost places, of which only so many are told apart.
        is_known = binding.values is not None or (binding.expression and dotted_name(binding.expression))
        return self._evaluator.bound(binding, scope) if is_known else OPAQUE

    def _around(self, inside: Sequence[Function]) -> list[Scope]:
        scopes = [self._scope]
        for function in inside:
            known = self._inner.get(id(function))
            if known is None:
                known = self._inner[id(function)] = _scope_of(function, scopes[-1])
            scopes.append(known)
        return scopes[1:]


def _scope_of(function: Function, parent: Scope) -> Scope:
    body = function.body.body if isinstance(function, cst.FunctionDef) else ()
    scope = read_scope(body, parent, END)
    for name in (*_parameters(function.params), *_bound_in_passing(function.body)):
        scope.names.setdefault(name, []).append(Binding(START, function, values=OPAQUE))
    return scope


def _parameters(params: cst.Parameters) -> Iterator[str]:
    named = [*params.posonly_params, *params.params, *params.kwonly_params]
    stars = [one for one in (params.star_arg, params.star_kwarg) if isinstance(one, cst.Param)]
    yield from (one.name.value for one in (*named, *stars))


def _bound_in_passing(body: cst.CSTNode) -> Iterator[str]:
    """The names that are bound by anything but a statement; those of comprehensions count for all of the function."""
    for node in descendants(body, enter=opens_nothing):
        target: cst.CSTNode | None = None
        if isinstance(node, cst.ExceptHandler | cst.ExceptStarHandler | cst.MatchAs | cst.MatchStar):
            target = node.name
        elif isinstance(node, cst.NamedExpr | cst.CompFor):
            target = node.target
        elif isinstance(node, cst.MatchMapping):
            target = node.rest
        if target is not None:
            yield from (one.value for one in descendants(target) if isinstance(one, cst.Name))


def opens_nothing(node: cst.CSTNode) -> bool:
    """Whether a node has no names of its own."""
    return not isinstance(node, cst.FunctionDef | cst.Lambda | cst.ClassDef)


def _only(values: Sequence[Value], rest: str) -> str:
    value = values[0] if len(values) == 1 else None
    if not isinstance(value, Ref) or value.path.startswith(LOCAL_CLASS):
        return ""
    path = dotted(value.path)
    return f"builtins.{path}{rest}" if value.path.startswith(UNBOUND) else path + rest
