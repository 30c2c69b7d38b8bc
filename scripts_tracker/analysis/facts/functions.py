"""What the functions of one file make of a class or of one of its METHODS: decorators, factories of classes, hooks.

Only functions that may lead to our decorators have facts, because most are none of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.evaluation import MAX_DEPTH, is_foreign
from scripts_tracker.analysis.facts.scopes import END, START, Binding, Point, Scope, read_scope, statements
from scripts_tracker.analysis.facts.values import (
    GETATTR,
    LOCAL_CLASS,
    LOCAL_FUNCTION,
    METHODS,
    PARAMETER,
    TRACKED,
    UNBOUND,
    Call,
    Const,
    Decoration,
    FunctionFacts,
    Made,
    MethodFacts,
    Opaque,
    Parameter,
    Patch,
    Ref,
    TooLittle,
    Value,
    Values,
)
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.analysis.facts.evaluation import Evaluator
    from scripts_tracker.analysis.facts.skeleton import Skeleton
    from scripts_tracker.analysis.source.trees import Positions

MAX_FUNCTIONS: Final = 200
"""The most functions of one file that have facts."""
MAX_PARTS: Final = 12
MAX_ORIGINS: Final = 50
"""The most expressions that are looked into for the names that one is made of."""

Function = cst.FunctionDef | cst.Lambda


class _Numbered(NamedTuple):
    """A function with its number, and the scope around it."""

    node: Function
    name: str
    number: int
    scope: Scope


class FunctionReader:
    """Reads the functions of one module.

    Args:
        evaluator: says what its names stand for.
        positions: where its nodes are.
        module_classes: how many classes stand at module level.
        skeleton: what the module was parsed from, unless that was the whole source.

    Attributes:
        classes: the classes in functions, each with the scope of its function.
    """

    def __init__(
        self,
        evaluator: Evaluator,
        positions: Positions,
        module_classes: int,
        skeleton: Skeleton | None = None,
    ) -> None:
        self.classes: list[tuple[Binding, Scope]] = []
        self._evaluator = evaluator
        self._positions = positions
        self._skeleton = skeleton
        self._first_class = module_classes
        self._todo: list[_Numbered] = []
        self._count = 0
        self._facts: dict[int, FunctionFacts] = {}

    def number(self, scope: Scope) -> None:
        """Give the functions of a module or function that may matter their numbers; before any name is evaluated."""
        waiting = [
            (name, binding, node)
            for name, bindings in scope.names.items()
            for binding in bindings
            for node in [binding.node if type(binding.node) is cst.FunctionDef else binding.expression]
            if type(node) is cst.FunctionDef or type(node) is cst.Lambda
        ]
        while True:
            count, left = self._count, []
            for name, binding, node in waiting:
                if (scope.parent is not None or self._matters(node, scope)) and self._count < MAX_FUNCTIONS:
                    binding.values = (Ref(f"{LOCAL_FUNCTION}{self._count}"),)
                    self._todo.append(_Numbered(node, name, self._count, scope))
                    self._count += 1
                else:
                    left.append((name, binding, node))
            # A function may be made of one that comes later.
            if not left or self._count == count:
                return
            waiting = left

    def _matters(self, node: Function, scope: Scope) -> bool:
        """Whether a function at module level may matter; raises TooLittle if that depends on what was cut out."""
        found = _may_matter(node, scope)
        if self._skeleton is not None and isinstance(node, cst.FunctionDef):
            returned = self._skeleton.returned.get(node.name.value)
            if returned is not None and (found or any(_is_of_project(name, scope) for name in returned)):
                raise TooLittle(node.name.value)
        return found

    def hook(self, node: cst.FunctionDef, scope: Scope) -> int | None:
        """The number of a method that makes something of the METHODS of a class; None for any other."""
        if all(_patched_name(one) is None for one, _path in statements(node.body.body)):
            return None
        self._todo.append(_Numbered(node, node.name.value, self._count, scope))
        self._count += 1
        return self._count - 1

    def read(self) -> None:
        """Read everything that has a number, and what is inside it."""
        while self._todo:
            one = self._todo.pop(0)
            self._facts[one.number] = self._read(one)

    def facts(self) -> tuple[FunctionFacts, ...]:
        """The facts by number."""
        self.read()
        return tuple(self._facts[number] for number in range(self._count))

    def _read(self, one: _Numbered) -> FunctionFacts:
        node, number = one.node, one.number
        body = node.body.body if isinstance(node, cst.FunctionDef) else ()
        scope = read_scope(body, one.scope, END)
        params = tuple(self._parameters(node.params, one.scope))
        for parameter in params:
            name = parameter.name.lstrip("*")
            ref = Ref(f"{PARAMETER}{number}.{name}")
            scope.names.setdefault(name, []).insert(0, Binding(START, node.params, values=(ref,)))
        for binding in scope.classes:
            binding.values = (Ref(f"{LOCAL_CLASS}{self._first_class + len(self.classes)}"),)
            self.classes.append((binding, scope))
        self.number(scope)
        place = self._positions.place(node)
        return FunctionFacts(
            one.name,
            place,
            self._positions.last_line(place),
            params,
            tuple(self.decorations(node.decorators, one.scope, END))
            if isinstance(node, cst.FunctionDef)
            else (),
            tuple(self._returns(node, scope)),
            tuple(_Patches(self, scope).read(body)) if isinstance(node, cst.FunctionDef) else (),
            self.parts(list(_shaping(node, body)), scope, END),
        )

    def _parameters(self, params: cst.Parameters, scope: Scope) -> Iterator[Parameter]:
        for one in (*params.posonly_params, *params.params):
            yield Parameter(one.name.value, self._default(one, scope))
        if isinstance(params.star_arg, cst.Param):
            yield Parameter(f"*{params.star_arg.name.value}")
        for one in params.kwonly_params:
            yield Parameter(one.name.value, self._default(one, scope))
        if params.star_kwarg is not None:
            yield Parameter(f"**{params.star_kwarg.name.value}")

    def _default(self, one: cst.Param, scope: Scope) -> Values:
        return () if one.default is None else self._evaluator.values(one.default, scope, END)

    def decorations(
        self, decorators: Sequence[cst.Decorator], scope: Scope, at: Point
    ) -> Iterator[Decoration]:
        """What decorators stand for, outermost first."""
        for one in decorators:
            yield Decoration(self.values(one.decorator, scope, at), self._positions.place(one))

    def _returns(self, node: Function, scope: Scope) -> Iterator[MethodFacts]:
        if isinstance(node, cst.Lambda):
            returned: list[tuple[cst.BaseExpression, Point]] = [(node.body, END)]
        else:
            body = enumerate(statements(node.body.body), start=1)
            returned = [
                (one.value, Point(order, path))
                for order, (one, path) in body
                if isinstance(one, cst.Return) and one.value is not None
            ]
        for expression, at in returned:
            for alternative in _alternatives(expression):
                yield self.unwrapped(alternative, scope, at)

    def unwrapped(self, node: cst.BaseExpression, scope: Scope, at: Point) -> MethodFacts:
        """``one(two(function))`` as decorators and what they decorate."""
        decorations: list[Decoration] = []
        for _ in range(MAX_DEPTH):
            if isinstance(node, cst.Call) and _first(node) is not None:
                decorations.append(self._applied(node, scope, at))
                node = node.args[0].value
            elif isinstance(node, cst.Name):
                bindings, _sure = scope.lookup(node.value, at)
                expression = bindings[0].expression if len(bindings) == 1 else None
                if expression is None or bindings[0].values is not None:
                    break
                node, at = expression, bindings[0].point
            else:
                break
        return MethodFacts(tuple(decorations), inner=self.values(node, scope, at))

    def _applied(self, node: cst.Call, scope: Scope, at: Point) -> Decoration:
        place = self._positions.place(node)
        values = self.values(node.func, scope, at)
        if len(node.args) > 1:
            values = (Call(values, self._evaluator.arguments(node.args[1:], node, scope, at), place),)
        return Decoration(values, place)

    def values(self, node: cst.BaseExpression, scope: Scope, at: Point) -> Values:
        """What an expression may be; of one that cannot be evaluated the names that it is made of."""
        values = self._evaluator.values(node, scope, at)
        if not any(isinstance(value, Opaque) for value in values):
            return values
        parts = self.parts([node], scope, at)
        return (*(one for one in values if not isinstance(one, Opaque)), Made(parts)) if parts else values

    def parts(self, nodes: Sequence[cst.CSTNode], scope: Scope, at: Point) -> tuple[Ref, ...]:
        """The names in some nodes that may lead to our decorators, also through names that stand for expressions."""
        found: dict[Ref, None] = {}
        todo = [(node, scope, at) for node in reversed(nodes)]
        seen: set[int] = set()
        while todo and len(seen) < MAX_ORIGINS and len(found) < MAX_PARTS:
            root, around, point = todo.pop()
            seen.add(id(root))
            for node in descendants(root, enter=_is_no_attribute):
                if type(node) is not cst.Name and type(node) is not cst.Attribute:
                    continue
                values = self._evaluator.values(node, around, point)
                found.update((one, None) for one in values if isinstance(one, Ref) and may_lead(one))
                if any(not isinstance(one, Ref | Const) for one in values):
                    todo += [one for one in _origins(node, around, point) if id(one[0]) not in seen]
        return tuple(found)[:MAX_PARTS]


def _origins(node: cst.BaseExpression, scope: Scope, at: Point) -> Iterator[tuple[cst.CSTNode, Scope, Point]]:
    """The expressions that a name stands for; of an attribute, those of what it belongs to."""
    while isinstance(node, cst.Attribute):
        node = node.value
    if not isinstance(node, cst.Name):
        yield node, scope, at
        return
    sure, around = False, scope
    while not sure:
        bindings, sure = around.lookup(node.value, at)
        for one in bindings:
            origin = one.expression or one.origin
            if origin is not None:
                yield origin, around, one.point
        if around.parent is None:
            return
        around, at = around.parent, around.entered


def may_lead(value: Value) -> bool:
    """Whether a name may lead to our decorators: it is not Django's, Python's, or a parameter."""
    if not isinstance(value, Ref) or value.path.startswith((UNBOUND, PARAMETER)):
        return False
    return not is_foreign(value.path)


def _is_no_attribute(node: cst.CSTNode) -> bool:
    return not isinstance(node, cst.Attribute)


def _first(node: cst.Call) -> cst.Arg | None:
    """The first argument of a call, if that is what the called function may decorate."""
    first = node.args[0] if node.args else None
    return first if first is not None and not first.star and first.keyword is None else None


def _alternatives(node: cst.BaseExpression) -> list[cst.BaseExpression]:
    if isinstance(node, cst.IfExp):
        return [*_alternatives(node.body), *_alternatives(node.orelse)]
    if isinstance(node, cst.BooleanOperation):
        return [*_alternatives(node.left), *_alternatives(node.right)]
    return [node]


def _may_matter(node: Function, scope: Scope) -> bool:
    """Whether a function at module level may be a decorator or factory that leads to our decorators."""
    if isinstance(node, cst.Lambda):
        return isinstance(node.body, cst.Call)
    if node.name.value == GETATTR or any(_names_project(one.decorator, scope) for one in node.decorators):
        return True
    imported = read_scope(
        [one for one, _path in statements(node.body.body) if isinstance(one, cst.Import | cst.ImportFrom)]
    )
    for one, _path in statements(node.body.body):
        kind = type(one)
        if kind is cst.FunctionDef or kind is cst.ClassDef:
            return True
        if isinstance(one, cst.Return):
            if one.value is not None and (
                _names_project(one.value, scope) or _names_project(one.value, imported)
            ):
                return True
        elif isinstance(one, cst.Assign | cst.Expr) and (_patched_name(one) is not None or _sets_any(one)):
            return True
    return False


def _sets_any(node: cst.CSTNode) -> bool:
    """Whether a statement sets an attribute whose name is known only when the code runs."""
    call = node.value if isinstance(node, cst.Expr) else None
    if not isinstance(call, cst.Call) or not isinstance(call.func, cst.Name) or call.func.value != "setattr":
        return False
    return len(call.args) == 3 and string_value(call.args[1].value) is None  # noqa: PLR2004 - owner, name, value


def _names_project(expression: cst.BaseExpression, scope: Scope) -> bool:
    """Whether an expression has a name that the module imports from the project, or defines and that may matter."""
    if type(expression) is cst.Name:
        return _is_of_project(expression.value, scope)
    return any(type(one) is cst.Name and _is_of_project(one.value, scope) for one in descendants(expression))


def _is_of_project(name: str, scope: Scope) -> bool:
    for binding in scope.names.get(name, ()):
        values = binding.values
        if values is None:
            if isinstance(binding.expression, cst.Name | cst.Attribute | cst.Call):
                return True
        elif any(may_lead(value) for value in values):
            return True
    return bool(scope.stars) and name == TRACKED


def _shaping(node: Function, body: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """The expressions that decide what a function makes: returned, assigned, decorators and bases of what is inside."""
    if isinstance(node, cst.Lambda):
        yield node.body
    for one, _path in statements(body):
        if isinstance(one, cst.Return | cst.Assign | cst.AnnAssign):
            if one.value is not None:
                yield one.value
        elif isinstance(one, cst.FunctionDef):
            yield from (each.decorator for each in one.decorators)
        elif isinstance(one, cst.ClassDef):
            yield from (each.value for each in (*one.bases, *one.keywords))
            yield from (each.decorator for each in one.decorators)


def _patched_name(node: cst.CSTNode) -> str | None:
    """The method that a statement assigns to on a class: ``cls.handle =``, ``names["handle"] =``, ``setattr(cls, "handle", ...)``."""
    return next((name for name, _ in _assignments(node)), None)


def _assignments(node: cst.CSTNode) -> Iterator[tuple[str, cst.BaseExpression]]:
    if isinstance(node, cst.Assign):
        for target in node.targets:
            name = _target(target.target)
            if name in METHODS:
                yield name, node.value
    elif isinstance(node, cst.Expr) and isinstance(node.value, cst.Call):
        call = node.value
        if isinstance(call.func, cst.Name) and call.func.value == "setattr" and len(call.args) == 3:  # noqa: PLR2004 - owner, name, value
            text = string_value(call.args[1].value)
            if text in METHODS:
                yield str(text), call.args[2].value


def _target(node: cst.BaseExpression) -> str:
    if isinstance(node, cst.Attribute):
        return node.attr.value
    if isinstance(node, cst.Subscript) and len(node.slice) == 1:
        index = node.slice[0].slice
        text = string_value(index.value) if isinstance(index, cst.Index) else None
        return text if isinstance(text, str) else ""
    return ""


class _Patches:
    """Finds what a function assigns to one of METHODS, unless that depends on something unknown."""

    def __init__(self, reader: FunctionReader, scope: Scope) -> None:
        self._reader = reader
        self._scope = scope

    def read(self, body: Sequence[cst.CSTNode], *, needs_own: bool = False) -> Iterator[Patch]:
        for node in body:
            if isinstance(node, cst.If):
                asks_for_own = _mentions_handle(node.test)
                if asks_for_own:
                    yield from self.read(node.body.body, needs_own=True)
                if _leaves(node):
                    if not asks_for_own:
                        return
                    needs_own = True
            elif isinstance(node, cst.With):
                yield from self.read(node.body.body, needs_own=needs_own)
            for small in node.body if isinstance(node, cst.SimpleStatementLine) else [node]:
                for name, value in _assignments(small):
                    yield Patch(name, self._reader.unwrapped(value, self._scope, END), needs_own)


def _mentions_handle(test: cst.BaseExpression) -> bool:
    for node in descendants(test):
        if isinstance(node, cst.Name) and node.value in METHODS:
            return True
        if isinstance(node, cst.SimpleString) and string_value(node) in METHODS:
            return True
    return False


def _leaves(node: cst.If) -> bool:
    """Whether a branch of this statement may end the function."""
    return any(isinstance(one, cst.Return | cst.Raise) for one, _ in statements([node]))
