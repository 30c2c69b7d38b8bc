"""Uses of what may be our decorator on anything but one of METHODS; which of these a command runs, linking decides."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.evaluation import is_foreign
from scripts_tracker.analysis.facts.scopes import END, Scope, read_scope
from scripts_tracker.analysis.facts.values import (
    INSIDE,
    LOCAL_CLASS,
    TRACKED,
    UNBOUND,
    Call,
    Const,
    Decoration,
    Ref,
    Value,
    Values,
    last_name,
)
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.analysis.source.trees import called, descendants, in_suites

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.analysis.facts.evaluation import Evaluator
    from scripts_tracker.analysis.facts.skeleton import Skeleton
    from scripts_tracker.analysis.source.parsing import ParsedSource
    from scripts_tracker.analysis.source.trees import Positions

_OURS: Final[Values] = (Ref(f"scripts_tracker{INSIDE}{TRACKED}"),)
_EXECUTING: Final = frozenset({"exec", "eval"})
_COMPILE: Final = frozenset({"compile"})
_DECORATOR_LINE: Final = re.compile(r"^[ \t\f]*@", re.MULTILINE)


class MisplacedUses:
    """Finds decorators, calls and arguments that may be our decorator and decorate none of METHODS.

    Args:
        parsed: the file.
        evaluator: says what its names stand for.
        positions: where its nodes are.
        consumed: the ids of the expressions that decorate one of METHODS.
        decorators: the decorators of all METHODS.
        scopes: the names of the module and of its classes.
        skeleton: what was parsed, unless that was the whole file.
    """

    def __init__(
        self,
        parsed: ParsedSource,
        evaluator: Evaluator,
        positions: Positions,
        *,
        consumed: set[int],
        decorators: Sequence[cst.Decorator],
        scopes: Sequence[Scope],
        skeleton: Skeleton | None = None,
    ) -> None:
        self._root, self._text = parsed.module, parsed.text
        self._evaluator = evaluator
        self._positions = positions
        self._consumed = consumed
        self._decorators = decorators
        self._module = scopes[0]
        self._scopes = scopes
        self._skeleton = skeleton

    def read(self, exported: Mapping[str, Values]) -> list[Decoration]:
        """The uses, in the order of their places.

        Args:
            exported: what each name of the module is once it has been executed.
        """
        everywhere = not self._all_accounted_for(exported)
        if not everywhere and len(_DECORATOR_LINE.findall(self._text)) == len(self._decorators):
            return []
        for scope in self._scopes:
            self._consume_aliases(scope)
        found = {}
        for node, expression in self._uses(everywhere=everywhere):
            if isinstance(node, cst.Call) and self._executes_us(node):
                found[self._positions.place(node)] = _OURS
                continue
            values = self._evaluator.values(expression, self._module, END)
            if any(_may_be_ours(value, decorates=isinstance(node, cst.Decorator)) for value in values):
                found[self._positions.place(node)] = values
        return [Decoration(found[place], place) for place in sorted(found)]

    def _all_accounted_for(self, exported: Mapping[str, Values]) -> bool:
        """Whether our decorator's names occur only in imports and in decorators of METHODS: no walk needed."""
        names = {TRACKED}
        for name, values in exported.items():
            if len(values) == 1 and type(values[0]) is Ref and TRACKED not in values[0].path:
                continue  # as most names, in a fraction of the time
            if any(_may_be_ours(value, decorates=False) for value in values):
                names.add(name)
                if self._skeleton is not None:
                    self._skeleton.check(name)
        known = [name for decorator in self._decorators for name in name_of(decorator.decorator)]
        bindings = [binding for several in self._module.names.values() for binding in several]
        imports = [binding.node for binding in bindings if type(binding.node) is cst.ImportFrom]
        for node in {id(node): node for node in imports}.values():
            known += _imported_names(node)
        text = self._text
        return all(text.count(name) == sum(word.count(name) for word in known) for name in names)

    def _consume_aliases(self, scope: Scope) -> None:
        """``once = tracked_script(rerun="once")`` is a use only where ``once`` is used."""
        for bindings in scope.names.values():
            for binding in bindings:
                if isinstance(binding.expression, cst.Call) and any(
                    isinstance(value, Call) for value in self._evaluator.bound(binding, scope)
                ):
                    self._consumed.update(map(id, called(binding.expression)))

    def _executes_us(self, node: cst.Call) -> bool:
        """Whether a call is ``exec()`` or ``eval()`` of a text with our decorator, also of one that is compiled."""
        if not _calls(node, _EXECUTING):
            return False
        first = node.args[0].value
        if isinstance(first, cst.Call) and _calls(first, _COMPILE):
            first = first.args[0].value
        text = string_value(first)
        texts = [text] if isinstance(text, str) else self._texts(first)
        return any(TRACKED in one for one in texts)

    def _texts(self, node: cst.BaseExpression) -> list[str]:
        values = self._evaluator.values(node, self._module, END)
        return [one.value for one in values if isinstance(one, Const) and isinstance(one.value, str)]

    def _uses(self, *, everywhere: bool) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression]]:
        """Where a decorator could be used, without what is consumed: the node to report, and the expression.

        Args:
            everywhere: whether calls and arguments count as well as decorators.
        """
        walk = descendants if everywhere else in_suites
        stack: list[tuple[cst.CSTNode, tuple[cst.FunctionDef, ...]]] = [(self._root, ())]
        while stack:
            root, inside = stack.pop()
            for node in walk(root, enter=_is_no_function):
                if type(node) is cst.FunctionDef and node is not root:
                    stack.append((node.params, inside))
                    stack.append((node.body, (*inside, node)))
                    stack.extend((decorator, inside) for decorator in node.decorators)
                elif type(node) is cst.Decorator or type(node) is cst.Call or type(node) is cst.Arg:
                    expression = _used(node)
                    if expression is not None and id(expression) not in self._consumed:
                        if not _is_local(root_name(expression), inside):
                            yield node, expression
                        self._consumed.update(map(id, called(expression)))


def _may_be_ours(value: Value, *, decorates: bool) -> bool:
    if isinstance(value, Call):
        return any(_may_be_ours(inner, decorates=decorates) for inner in value.function)
    if not isinstance(value, Ref) or value.path.startswith(UNBOUND):
        return False
    if TRACKED in value.path and last_name(value.path) == TRACKED:
        return True
    # A decorator of the project may be ours under another name: only linking can decide that.
    return decorates and not is_foreign(value.path) and not value.path.startswith(LOCAL_CLASS)


def name_of(decorator: cst.BaseExpression) -> Iterator[str]:
    """The last name of a decorator."""
    *_, expression = called(decorator)
    if isinstance(expression, cst.Attribute):
        yield expression.attr.value
    elif isinstance(expression, cst.Name):
        yield expression.value


def _imported_names(node: cst.ImportFrom) -> Iterator[str]:
    if not isinstance(node.names, cst.ImportStar):
        for alias in node.names:
            yield from (alias.evaluated_name, alias.evaluated_alias or "")


def _is_no_function(node: cst.CSTNode) -> bool:
    return type(node) is not cst.FunctionDef


def _calls(node: cst.Call, names: frozenset[str]) -> bool:
    """Whether a call with arguments is one of a function of these names."""
    return bool(node.args) and isinstance(node.func, cst.Name) and node.func.value in names


def _used(node: cst.Decorator | cst.Call | cst.Arg) -> cst.BaseExpression | None:
    if isinstance(node, cst.Decorator):
        return node.decorator
    expression = node.func if isinstance(node, cst.Call) else node.value
    return expression if isinstance(expression, cst.Name | cst.Attribute) else None


def root_name(expression: cst.BaseExpression) -> str:
    """The name that a dotted path or a call starts with; empty for anything else."""
    while isinstance(expression, cst.Attribute | cst.Call):
        expression = expression.value if isinstance(expression, cst.Attribute) else expression.func
    return expression.value if isinstance(expression, cst.Name) else ""


def _is_local(name: str, inside: Sequence[cst.FunctionDef]) -> bool:
    """Whether an enclosing function binds the name for itself."""
    for function in inside:
        params = function.params
        named = [*params.params, *params.kwonly_params, *params.posonly_params]
        if any(param.name.value == name for param in named) or name in read_scope(function.body.body).names:
            return True
    return False
