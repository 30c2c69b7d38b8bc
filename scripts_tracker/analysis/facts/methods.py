"""The methods of the classes of one file: what decorates each, and which methods of other classes it calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.evaluation import MAX_DEPTH
from scripts_tracker.analysis.facts.functions import may_lead
from scripts_tracker.analysis.facts.scopes import END, Binding, Point, Scope
from scripts_tracker.analysis.facts.values import (
    HANDLES,
    METHODS,
    PROCESS,
    UNBOUND,
    Call,
    Decoration,
    Made,
    MethodFacts,
    Ref,
    SuperCall,
    Values,
)
from scripts_tracker.analysis.source.trees import called, descendants

if TYPE_CHECKING:
    from scripts_tracker.analysis.facts.evaluation import Evaluator
    from scripts_tracker.analysis.facts.functions import FunctionReader
    from scripts_tracker.analysis.source.trees import Positions


_CALLS: Final = {
    HANDLES: re.compile(r"\.\s*handle(?:_noargs)?\b"),
    (PROCESS,): re.compile(r"\.\s*process\b"),
}
"""What the text of a file contains if a method of some names is called in it."""


def _kin(name: str) -> tuple[str, ...]:
    """The names of the methods that stand in for each other."""
    return HANDLES if name in HANDLES else (name,)


class MethodReader:
    """Reads the methods of one module.

    Args:
        functions: reads the functions of the module.
        evaluator, positions: what its expressions stand for, and where its nodes are.
        module: its names.
        text: of the whole file.

    Attributes:
        consumed: the ids of the expressions that decorate one of METHODS.
        decorators: the decorators among them, each once.
    """

    def __init__(
        self, functions: FunctionReader, evaluator: Evaluator, positions: Positions, module: Scope, text: str
    ) -> None:
        self.consumed: set[int] = set()
        self.decorators: list[cst.Decorator] = []
        self._functions = functions
        self._evaluator = evaluator
        self._positions = positions
        self._module = module
        self._text = text
        self._is_called: dict[tuple[str, ...], bool] = {}

    def methods(self, scope: Scope) -> dict[str, tuple[MethodFacts, ...]]:
        """The definitions of each of METHODS in a class body; several where branches disagree."""
        found = {}
        for name in METHODS:
            bindings, _ = scope.lookup(name, END)
            own = [binding for binding in bindings if binding.sure]
            if own:
                found[name] = tuple(self._bound(binding, scope, name) for binding in own)
        return found

    def patch(self, binding: Binding, target: Ref) -> MethodFacts:
        """What ``Command.handle = <expression>`` makes of the method; the target is what is assigned to."""
        return self._assigned(binding, self._module, target.path.rpartition(".")[2], target)

    def _bound(self, binding: Binding, scope: Scope, name: str) -> MethodFacts:
        if isinstance(binding.node, cst.FunctionDef):
            return self._defined(binding.node, scope, binding.point, name)
        if binding.expression is not None:
            return self._assigned(binding, scope, name, None)
        return MethodFacts(inner=_known(binding.values or ()))

    def _defined(self, node: cst.FunctionDef, scope: Scope, at: Point, name: str) -> MethodFacts:
        if not any(decorator in self.decorators for decorator in node.decorators):
            self.decorators.extend(node.decorators)
        decorations = []
        for decorator in node.decorators:
            self.consumed.update(map(id, called(decorator.decorator)))
            values = self._functions.values(decorator.decorator, scope, at)
            decorations.append(Decoration(values, self._positions.place(decorator)))
        return MethodFacts(tuple(decorations), self._super_calls(node, _kin(name)))

    def _assigned(self, binding: Binding, scope: Scope, name: str, target: Ref | None) -> MethodFacts:
        """Unwraps ``one(two(handle))`` down to the function."""
        decorations: list[Decoration] = []
        node, at = binding.expression, binding.point
        inner: Values = ()
        for _ in range(MAX_DEPTH):
            if (
                isinstance(node, cst.Call)
                and node.args
                and not node.args[0].star
                and not node.args[0].keyword
            ):
                decorations.append(self._applied(node, scope, at))
                node = node.args[0].value
            elif isinstance(node, cst.Name):
                bindings, _sure = scope.lookup(node.value, at)
                if not bindings or bindings[0].expression is None:
                    inner = self._evaluator.name(node.value, scope, at)
                if not bindings:
                    break
                if isinstance(bindings[0].node, cst.FunctionDef):
                    own = self._defined(bindings[0].node, scope, bindings[0].point, name)
                    return MethodFacts((*decorations, *own.decorations), own.super_calls)
                node, at = bindings[0].expression, bindings[0].point
            else:
                break
        calls = self._named(node, scope, at, name, target) if isinstance(node, cst.Attribute) else ()
        if (
            node is not None
            and not isinstance(node, cst.Name)
            and target not in self._evaluator.values(node, scope, at)
        ):
            inner = self._functions.values(node, scope, at)
        return MethodFacts(tuple(decorations), calls, _known(inner))

    def _applied(self, node: cst.Call, scope: Scope, at: Point) -> Decoration:
        """``tracked_script(handle)`` seen as a decorator: its further arguments are the decorator's options."""
        self.consumed.update(map(id, called(node.func)))
        place = self._positions.place(node)
        values = self._functions.values(node.func, scope, at)
        if len(node.args) > 1:
            arguments = self._evaluator.arguments(node.args[1:], node, scope, at)
            values = (Call(values, arguments, place),)
        return Decoration(values, place)

    def _named(
        self, node: cst.Attribute, scope: Scope, at: Point, name: str, target: Ref | None
    ) -> tuple[SuperCall, ...]:
        """The method of a class that an attribute names."""
        if node.attr.value not in METHODS:
            return ()
        if target in self._evaluator.values(node, scope, at):
            return (SuperCall(name),)
        return (SuperCall(node.attr.value, self._evaluator.values(node.value, scope, at)),)

    def _super_calls(self, function: cst.FunctionDef, names: tuple[str, ...]) -> tuple[SuperCall, ...]:
        """The calls of ``super().handle()`` and ``Base.handle()`` in a method, nested functions included."""
        if names not in self._is_called:
            self._is_called[names] = _CALLS[names].search(self._text) is not None
        if not self._is_called[names]:
            return ()
        found = set()
        for node in descendants(function.body, enter=lambda node: not isinstance(node, cst.ClassDef)):
            if isinstance(node, cst.Attribute) and node.attr.value in names:
                found.add(self._super_call(node))
        # The tree is walked in no particular order, and facts have to be the same every time.
        return tuple(sorted((call for call in found if call is not None), key=repr))

    def _super_call(self, node: cst.Attribute) -> SuperCall | None:
        name, owner = node.attr.value, node.value
        if isinstance(owner, cst.Call) and isinstance(owner.func, cst.Name) and owner.func.value == "super":
            if not owner.args:
                return SuperCall(name)
            return SuperCall(name, self._evaluator.values(owner.args[0].value, self._module, END), after=True)
        values = self._evaluator.values(owner, self._module, END)
        known = tuple(one for one in values if isinstance(one, Ref) and not one.path.startswith(UNBOUND))
        return SuperCall(name, known) if known else None


def _known(values: Values) -> Values:
    """The values that something is known of."""
    return tuple(
        one for one in values if isinstance(one, Made | Call) or (isinstance(one, Ref) and may_lead(one))
    )
