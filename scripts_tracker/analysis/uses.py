"""Uses of what may be ``tracked_script`` that are no decorator of a ``handle()``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.bindings import read_scope
from scripts_tracker.analysis.blocks import END
from scripts_tracker.analysis.evaluation import is_foreign
from scripts_tracker.analysis.facts import Decoration
from scripts_tracker.analysis.trees import called, descendants, in_suites
from scripts_tracker.analysis.values import UNBOUND, Call, Ref, Value, Values, last_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.analysis.bindings import Scope
    from scripts_tracker.analysis.evaluation import Evaluator
    from scripts_tracker.analysis.positions import Positions

DECORATOR_NAME: Final = "tracked_script"
_DECORATOR_LINE: Final = re.compile(r"^[ \t\f]*@", re.MULTILINE)


def strays(
    module: cst.Module,
    scope: Scope,
    class_scopes: Sequence[Scope],
    *,
    evaluator: Evaluator,
    positions: Positions,
    text: str,
    exported: Mapping[str, Values],
    consumed: set[int],
    decorators: Sequence[cst.Decorator],
) -> tuple[Decoration, ...]:
    """Decorators, calls and arguments that may be our decorator, without the consumed ones.

    Args:
        module: the tree.
        scope: its names.
        class_scopes: the names of its classes.
        evaluator: its evaluator.
        positions: its positions.
        text: its text.
        exported: what its names are in the end.
        consumed: ids of the expressions that decorate a ``handle()``.
        decorators: the decorators among them.
    """
    everywhere = not _all_accounted_for(text, scope, exported, decorators)
    if not everywhere and len(_DECORATOR_LINE.findall(text)) == len(decorators):
        return ()
    for inner in (scope, *class_scopes):
        _consume_aliases(inner, evaluator, consumed)
    found = {}
    for node, expression in _uses(module, consumed, everywhere=everywhere):
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


def _all_accounted_for(
    text: str, scope: Scope, exported: Mapping[str, Values], decorators: Sequence[cst.Decorator]
) -> bool:
    """Whether our decorator's names stand in imports and the decorators of a ``handle()`` alone: no walk needed."""
    names = {DECORATOR_NAME}
    for name, values in exported.items():
        if any(_is_candidate(value, decorates=False) for value in values):
            names.add(name)
    known = [word for one in decorators for word in _last_word(one.decorator)]
    imports = {id(one.node): one.node for bindings in scope.names.values() for one in bindings}
    known += [word for node in imports.values() for word in _imported_words(node)]
    return all(text.count(name) == sum(word.count(name) for word in known) for name in names)


def _last_word(decorator: cst.BaseExpression) -> Iterator[str]:
    *_, expression = called(decorator)
    if isinstance(expression, cst.Attribute):
        yield expression.attr.value
    elif isinstance(expression, cst.Name):
        yield expression.value


def _imported_words(node: cst.CSTNode) -> Iterator[str]:
    if isinstance(node, cst.ImportFrom) and not isinstance(node.names, cst.ImportStar):
        for alias in node.names:
            yield from (alias.evaluated_name, alias.evaluated_alias or "")


def _uses(
    module: cst.Module, consumed: set[int], *, everywhere: bool
) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression]]:
    """Places where a decorator could be put to use: the node to report, and the expression.

    Args:
        module: the tree.
        consumed: ids of the expressions to leave out.
        everywhere: whether calls and arguments count; else the decorators alone are looked for.
    """
    walk = descendants if everywhere else in_suites
    stack: list[tuple[cst.CSTNode, tuple[cst.FunctionDef, ...]]] = [(module, ())]
    while stack:
        root, inside = stack.pop()
        for node in walk(root, enter=_is_no_function):
            if isinstance(node, cst.FunctionDef) and node is not root:
                stack.append((node.params, inside))
                stack.append((node.body, (*inside, node)))
                stack.extend((decorator, inside) for decorator in node.decorators)
            elif isinstance(node, cst.Decorator | cst.Call | cst.Arg):
                expression = _expression(node)
                if expression is not None and id(expression) not in consumed:
                    if not _is_local(_root_name(expression), inside):
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


def _is_local(name: str, inside: Sequence[cst.FunctionDef]) -> bool:
    """Whether a name is one that an enclosing function binds for itself."""
    for function in inside:
        params = function.params
        named = [*params.params, *params.kwonly_params, *params.posonly_params]
        if any(param.name.value == name for param in named) or name in read_scope(function.body.body).names:
            return True
    return False
