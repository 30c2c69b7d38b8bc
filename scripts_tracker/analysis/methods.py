"""How a class comes by its ``handle()``: decorated, assigned, patched; and which other ``handle()`` it calls."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.blocks import END, Point
from scripts_tracker.analysis.evaluation import MAX_DEPTH
from scripts_tracker.analysis.facts import HANDLES, Decoration, MethodFacts, Onward
from scripts_tracker.analysis.trees import called, descendants
from scripts_tracker.analysis.values import Call, Ref

if TYPE_CHECKING:
    from scripts_tracker.analysis.bindings import Binding, Scope
    from scripts_tracker.analysis.evaluation import Evaluator
    from scripts_tracker.analysis.positions import Positions

_CALLS_A_HANDLE: Final = re.compile(r"\.\s*handle(?:_noargs)?\b")


class MethodReader:
    """Reads the methods of one module.

    Args:
        evaluator: the module's.
        positions: the module's.
        module: its names.
        text: its text.

    Attributes:
        consumed: the ids of the expressions that are accounted for as decorators of a ``handle()``.
        decorators: the decorators of a ``handle()``, each once.
    """

    def __init__(self, evaluator: Evaluator, positions: Positions, module: Scope, text: str) -> None:
        self.consumed: set[int] = set()
        self.decorators: list[cst.Decorator] = []
        self._evaluator = evaluator
        self._positions = positions
        self._module = module
        self._calls_handles = _CALLS_A_HANDLE.search(text) is not None

    def methods(self, scope: Scope) -> dict[str, tuple[MethodFacts, ...]]:
        """The definitions of each of HANDLES in a class body; several where branches disagree."""
        found = {}
        for name in HANDLES:
            bindings, _ = scope.lookup(name, END)
            own = [binding for binding in bindings if binding.sure]
            if own:
                found[name] = tuple(self._bound(binding, scope, name) for binding in own)
        return found

    def patch(self, binding: Binding, target: Ref) -> MethodFacts:
        """What ``Command.handle = <expression>`` makes of the method: ``target`` is what is assigned to."""
        return self._assigned(binding, self._module, target.path.rpartition(".")[2], target)

    def _bound(self, binding: Binding, scope: Scope, name: str) -> MethodFacts:
        if isinstance(binding.node, cst.FunctionDef):
            return self._defined(binding.node, scope, binding.point)
        if binding.expression is not None:
            return self._assigned(binding, scope, name, None)
        return MethodFacts()

    def _defined(self, node: cst.FunctionDef, scope: Scope, at: Point) -> MethodFacts:
        decorations = []
        if not any(one in self.decorators for one in node.decorators):
            self.decorators.extend(node.decorators)
        for decorator in node.decorators:
            self.consumed.update(map(id, called(decorator.decorator)))
            decorations.append(
                Decoration(
                    self._evaluator.values(decorator.decorator, scope, at), self._positions.place(decorator)
                )
            )
        return MethodFacts(tuple(decorations), self._onward(node))

    def _assigned(self, binding: Binding, scope: Scope, name: str, target: Ref | None) -> MethodFacts:
        """Unwraps ``one(two(handle))`` down to the function."""
        decorations: list[Decoration] = []
        node, at = binding.expression, binding.point
        for _ in range(MAX_DEPTH):
            if isinstance(node, cst.Call) and node.args and not node.args[0].star:
                decorations.append(self._applied(node, scope, at))
                node = node.args[0].value
            elif isinstance(node, cst.Name):
                bindings, _sure = scope.lookup(node.value, at)
                if not bindings:
                    break
                if isinstance(bindings[0].node, cst.FunctionDef):
                    inner = self._defined(bindings[0].node, scope, bindings[0].point)
                    return MethodFacts((*decorations, *inner.decorations), inner.onward)
                node, at = bindings[0].expression, bindings[0].point
            else:
                break
        onward = self._elsewhere(node, scope, at, name, target) if isinstance(node, cst.Attribute) else ()
        return MethodFacts(tuple(decorations), onward)

    def _applied(self, node: cst.Call, scope: Scope, at: Point) -> Decoration:
        """``tracked_script(handle)`` seen as a decorator: its further arguments are the decorator's options."""
        self.consumed.update(map(id, called(node.func)))
        place = self._positions.place(node)
        values = self._evaluator.values(node.func, scope, at)
        if len(node.args) > 1:
            arguments = self._evaluator.arguments(node.args[1:], node, scope, at)
            values = (Call(values, arguments, place),)
        return Decoration(values, place)

    def _elsewhere(
        self, node: cst.Attribute, scope: Scope, at: Point, name: str, target: Ref | None
    ) -> tuple[Onward, ...]:
        """The method of a class that an attribute names."""
        if node.attr.value not in HANDLES:
            return ()
        values = self._evaluator.values(node, scope, at)
        if target in values:
            return (Onward(name, None),)
        return (Onward(node.attr.value, self._evaluator.values(node.value, scope, at)),)

    def _onward(self, function: cst.FunctionDef) -> tuple[Onward, ...]:
        """The calls of ``super().handle()`` and ``Base.handle()`` in a method, nested functions included."""
        if not self._calls_handles:
            return ()
        found: list[Onward] = []
        for node in descendants(function.body, enter=lambda node: not isinstance(node, cst.ClassDef)):
            if isinstance(node, cst.Attribute) and node.attr.value in HANDLES:
                step = self._step(node)
                if step is not None and step not in found:
                    found.append(step)
        # The tree is walked in no particular order, and facts have to come out the same every time.
        return tuple(sorted(found, key=repr))

    def _step(self, node: cst.Attribute) -> Onward | None:
        name = node.attr.value
        owner = node.value
        if isinstance(owner, cst.Call) and isinstance(owner.func, cst.Name) and owner.func.value == "super":
            if not owner.args:
                return Onward(name)
            return Onward(name, self._evaluator.values(owner.args[0].value, self._module, END), after=True)
        values = self._evaluator.values(owner, self._module, END)
        known = tuple(value for value in values if isinstance(value, Ref) and not value.path.startswith("?"))
        return Onward(name, known) if known else None
