"""The names of one file: what binds each, in the order of execution and on which branches."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.values import INSIDE, LOCAL_CLASS, OPAQUE, STAR, Ref, Values
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


PLAIN: Final = "_0_0"
"""What the name starts with whose import in a skeleton stands for plain ones."""


class Branch(NamedTuple):
    """One branch of one statement; two exclusive branches of a statement never run both."""

    statement: int
    number: int
    exclusive: bool


Path = tuple[Branch, ...]
"""The branches that a statement stands in, the outermost first."""


class Point(NamedTuple):
    """A moment in the execution of a body: everything of a lower order comes before it."""

    order: float
    path: Path


START = Point(0, ())
"""Before anything has been executed."""
END = Point(float("inf"), ())
"""After the whole body has been executed."""


def reach(binding: Path, use: Path) -> bool | None:
    """Whether what is bound on one path holds on another: True always, None perhaps, False never."""
    for mine, theirs in zip(binding, use, strict=False):
        if mine != theirs:
            exclusive = mine.statement == theirs.statement and mine.exclusive and theirs.exclusive
            return False if exclusive else None
    return True if len(binding) <= len(use) else None


class Binding:
    """One statement that binds a name.

    Attributes:
        point: when it happens; its expression sees what was bound before.
        node: the statement.
        expression: what is assigned, where it is the assignment of one value.
        values: what the name then is, where that is known or has been found out.
        sure: False for a name that a star import may or may not bind.
        origin: where the value comes from, if the expression is not the value: what a loop runs over, say.
    """

    # No dataclass: to define one takes as long as to read two files.
    __slots__ = ("expression", "node", "origin", "point", "sure", "values")

    def __init__(
        self,
        point: Point,
        node: cst.CSTNode,
        expression: cst.BaseExpression | None = None,
        values: Values | None = None,
        *,
        sure: bool = True,
        origin: cst.CSTNode | None = None,
    ) -> None:
        self.point = point
        self.node = node
        self.expression = expression
        self.values = values
        self.sure = sure
        self.origin = origin


class Scope:
    """The names of a module or class body.

    Attributes:
        names: what binds each name, in source order.
        stars: the star imports: when, and of which module.
        classes, functions: what is defined in it; a module's classes are known by their number here.
        patches: assignments to ``something.attribute``.
        parent, entered: the enclosing scope, and when this body is executed in it.
        imported: for each name of PLAIN, the names that its import stands for, with their paths.
    """

    __slots__ = ("classes", "entered", "functions", "imported", "names", "parent", "patches", "stars")

    def __init__(
        self,
        parent: Scope | None = None,
        entered: Point = START,
        imported: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
    ) -> None:
        self.names: dict[str, list[Binding]] = {}
        self.stars: list[tuple[Point, str]] = []
        self.classes: list[Binding] = []
        self.functions: list[cst.FunctionDef] = []
        self.patches: list[tuple[cst.Attribute, Binding]] = []
        self.parent = parent
        self.entered = entered
        self.imported = imported

    def lookup(self, name: str, at: Point) -> tuple[list[Binding], bool]:
        """What may have bound a name in this scope before a point, the last first, and whether one certainly has."""
        found = []
        for binding in reversed(self._candidates(name)):
            holds = binding.point.order < at.order and reach(binding.point.path, at.path)
            if holds is False:
                continue
            found.append(binding)
            if holds and binding.sure:
                return found, True
        return found, False

    def stands_for_others(self, node: cst.CSTNode) -> bool:
        """Whether an import has a name of PLAIN: its place is not that of what it stands for."""
        return type(node) is cst.Import and dotted_name(node.names[0].name) in self.imported

    def _candidates(self, name: str) -> list[Binding]:
        own = self.names.get(name, [])
        # What is bound by a name that is computed has none: globals()[name] = value.
        if not self.stars or not name:
            return own
        nowhere = cst.Name(name)
        through = [
            Binding(point, nowhere, values=(Ref(f"{module}{INSIDE}{STAR}{name}"),), sure=False)
            for point, module in self.stars
        ]
        return sorted([*own, *through], key=lambda binding: binding.point.order)


def read_scope(
    body: Sequence[cst.CSTNode],
    parent: Scope | None = None,
    entered: Point = START,
    *,
    has_walrus: bool = False,
    imported: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> Scope:
    """The names that the statements of a body bind.

    Args:
        body: the statements of a module, class or function.
        parent: the scope around it.
        entered: when the class statement is executed there.
        has_walrus: whether expressions may bind names too.
        imported: as in Scope.
    """
    scope = Scope(parent=parent, entered=entered, imported=imported)
    for order, (node, path) in enumerate(statements(body), start=1):
        point = Point(order, path)
        if has_walrus:
            _bind_in_passing(scope, node, point)
        _read_statement(scope, node, point)
    return scope


def _bind_in_passing(scope: Scope, node: cst.CSTNode, point: Point) -> None:
    """Bind what ``:=`` binds in a statement, without the statements inside it."""
    before = Point(point.order - 0.5, point.path)
    if type(node) is cst.FunctionDef or type(node) is cst.ClassDef:
        return
    for child in descendants(node, enter=lambda one: one is node or type(one) not in _WITH_STATEMENTS):
        if type(child) is cst.NamedExpr:
            _assign(scope, child.target, Binding(before, node, child.value))


_WITH_STATEMENTS: Final = frozenset(
    {cst.IndentedBlock, cst.SimpleStatementSuite, cst.Lambda, cst.Else, cst.If, cst.FunctionDef, cst.ClassDef}
)


# The most frequent statements. Looking up the class avoids isinstance(), which is slow for nodes: they have ABCMeta.
_BINDING_NOTHING: Final = frozenset({cst.Return, cst.If, cst.Try, cst.Raise, cst.Pass, cst.Match})


def _read_statement(scope: Scope, node: cst.CSTNode, point: Point) -> None:  # noqa: C901 - one branch a statement
    if type(node) in _BINDING_NOTHING:
        return
    if type(node) is cst.Expr:
        if type(node.value) is cst.Call:
            _bind_by_call(scope, node, node.value, point)
        return
    if type(node) is cst.Assign:
        for one in node.targets:
            _assign(scope, one.target, Binding(point, node, node.value))
    elif type(node) is cst.AnnAssign:
        if node.value is not None:
            _assign(scope, node.target, Binding(point, node, node.value))
    elif type(node) is cst.Import or type(node) is cst.ImportFrom:
        _import(scope, node, point)
    elif type(node) is cst.ClassDef:
        values = (Ref(f"{LOCAL_CLASS}{len(scope.classes)}"),) if scope.parent is None else OPAQUE
        binding = Binding(point, node, values=values)
        scope.classes.append(binding)
        _bind(scope, node.name.value, binding)
    elif type(node) is cst.FunctionDef:
        scope.functions.append(node)
        _bind(scope, node.name.value, Binding(point, node, values=OPAQUE))
    else:
        _bind_otherwise(scope, node, point)


def _bind_otherwise(scope: Scope, node: cst.CSTNode, point: Point) -> None:
    if isinstance(node, cst.For) and isinstance(node.iter, cst.Tuple | cst.List) and node.iter.elements:
        last = node.iter.elements[-1]
        value = None if isinstance(last, cst.StarredElement) else last.value
        values = OPAQUE if value is None else None
        _assign(scope, node.target, Binding(point, node.target, value, values, origin=node.iter))
    else:
        for target, origin in _other_targets(node):
            _assign(scope, target, Binding(point, target, values=OPAQUE, origin=origin))


def _other_targets(node: cst.CSTNode) -> Iterator[tuple[cst.CSTNode, cst.CSTNode | None]]:
    if isinstance(node, cst.AugAssign | cst.Del):
        yield node.target, None
    elif isinstance(node, cst.For):
        yield node.target, node.iter
    elif isinstance(node, cst.TypeAlias):
        yield node.name, None
    elif isinstance(node, cst.With):
        yield from ((item.asname.name, item.item) for item in node.items if item.asname is not None)


_NAMESPACES: Final = frozenset({"globals", "locals", "vars"})
_OWNER_NAME_VALUE: Final = 3


def _bind_by_call(scope: Scope, node: cst.Expr, call: cst.Call, point: Point) -> None:
    """``setattr(owner, "name", value)``, ``globals().update(name=value)`` and ``globals().update({"name": value})``."""
    if isinstance(call.func, cst.Name):
        if call.func.value != "setattr" or len(call.args) != _OWNER_NAME_VALUE:
            return
        owner, name, value = (arg.value for arg in call.args)
        text = _literal(name)
        if not text.isidentifier():
            return
        binding = Binding(point, node, value)
        if isinstance(owner, cst.Name | cst.Attribute):
            scope.patches.append((cst.Attribute(owner, cst.Name(text)), binding))
        elif scope.parent is None:  # sys.modules[__name__], or something that cannot be known
            _bind(scope, text, binding)
    elif isinstance(call.func, cst.Attribute) and _is_namespace(call.func.value):
        for arg in call.args if call.func.attr.value == "update" else ():
            if arg.keyword is not None:
                _bind(scope, arg.keyword.value, Binding(point, node, arg.value))
            elif isinstance(arg.value, cst.Dict):
                _bind_entries(scope, arg.value, Binding(point, node))


def _bind_entries(scope: Scope, table: cst.Dict, binding: Binding) -> None:
    for entry in table.elements:
        if isinstance(entry, cst.DictElement) and (name := _literal(entry.key)).isidentifier():
            _bind(scope, name, Binding(binding.point, binding.node, entry.value))


def _is_namespace(node: cst.BaseExpression) -> bool:
    """Whether this is ``globals()`` or the like."""
    is_call = isinstance(node, cst.Call) and isinstance(node.func, cst.Name) and not node.args
    return is_call and node.func.value in _NAMESPACES  # type: ignore[attr-defined]  # checked above


def _literal(node: cst.BaseExpression) -> str:
    text = node.evaluated_value if isinstance(node, cst.SimpleString) else ""
    return text if isinstance(text, str) else ""


def _bind(scope: Scope, name: str, binding: Binding) -> None:
    scope.names.setdefault(name, []).append(binding)


def _assign(scope: Scope, target: cst.CSTNode, binding: Binding) -> None:
    if isinstance(target, cst.Name):
        _bind(scope, target.value, binding)
    elif isinstance(target, cst.Attribute):
        scope.patches.append((target, binding))
    elif isinstance(target, cst.Subscript):
        index = target.slice[0].slice if len(target.slice) == 1 else None
        if isinstance(index, cst.Index) and _is_namespace(target.value):
            _bind(scope, _literal(index.value), binding)
    else:
        _unpack(scope, target, binding)


def _unpack(scope: Scope, target: cst.CSTNode, binding: Binding) -> None:
    """Bind the names of ``a, b = ...``; each to its own value where the values are written out."""
    stack: list[tuple[cst.CSTNode, cst.BaseExpression | None]] = [(target, binding.expression)]
    while stack:
        current, value = stack.pop()
        if isinstance(current, cst.Name):
            values = OPAQUE if value is None else None
            origin = binding.origin or binding.expression
            bound = Binding(binding.point, binding.node, value, values, origin=origin)
            _bind(scope, current.value, bound)
        elif isinstance(current, cst.Tuple | cst.List):
            stack.extend(
                zip((one.value for one in current.elements), _values_of(current, value), strict=True)
            )


def _values_of(
    target: cst.Tuple | cst.List, value: cst.BaseExpression | None
) -> list[cst.BaseExpression | None]:
    """The value of each target; None where it is not written out."""
    targets = target.elements
    if isinstance(value, cst.Tuple | cst.List) and len(value.elements) == len(targets):
        elements = [*targets, *value.elements]
        if not any(isinstance(one, cst.StarredElement) for one in elements):
            return [one.value for one in value.elements]
    return [None] * len(targets)


def _import(scope: Scope, node: cst.Import | cst.ImportFrom, point: Point) -> None:
    if isinstance(node, cst.ImportFrom):
        module = "." * len(node.relative) + (dotted_name(node.module) if node.module else "")
        if isinstance(node.names, cst.ImportStar):
            scope.stars.append((point, module))
            return
        for alias in node.names:
            name = dotted_name(alias.name)
            binding = Binding(point, node, values=(Ref(f"{module}{INSIDE}{name}"),))
            _bind(scope, _alias(alias) or name, binding)
        return
    for alias in node.names:
        name = dotted_name(alias.name)
        if name in scope.imported:
            for one, path in scope.imported[name].items():
                _bind(scope, one, Binding(point, node, values=(Ref(path),)))
            continue
        bound = _alias(alias)
        path = name if bound else name.partition(".")[0]
        _bind(scope, bound or path, Binding(point, node, values=(Ref(path),)))


def _alias(alias: cst.ImportAlias) -> str | None:
    if alias.asname is not None and isinstance(alias.asname.name, cst.Name):
        return alias.asname.name.value
    return None


_BRANCHING: Final = frozenset({cst.If, cst.Try, cst.TryStar, cst.For, cst.While, cst.With, cst.Match})


def statements(body: Sequence[cst.CSTNode]) -> Iterator[tuple[cst.CSTNode, Path]]:
    """All statements of a body, those under ``if``, ``try``, ``with``, ``match`` and loops included.

    Functions and classes are yielded, but not entered.
    """
    stack: list[tuple[Iterator[cst.CSTNode], Path]] = [(iter(body), ())]
    number = 0
    while stack:
        iterator, path = stack[-1]
        node = next(iterator, None)
        if node is None:
            stack.pop()
        elif type(node) is cst.SimpleStatementLine:
            yield from ((small, path) for small in node.body)
        else:
            yield node, path
            number += 1
            if type(node) in _BRANCHING:
                suites = reversed(_branches(node, path, number))
                stack.extend((iter(suite.body), inner) for suite, inner in suites)


def _branches(node: cst.CSTNode, path: Path, number: int) -> list[tuple[cst.BaseSuite, Path]]:
    """The suites of a compound statement in source order, each with its path."""

    def branch(index: int, *, exclusive: bool) -> Path:
        return (*path, Branch(number, index, exclusive))

    if isinstance(node, cst.If):
        return [(suite, branch(index, exclusive=True)) for index, suite in enumerate(_if_suites(node))]
    if isinstance(node, cst.Try | cst.TryStar):
        clauses: Sequence[cst.ExceptHandler | cst.ExceptStarHandler] = node.handlers
        handlers = [(one.body, branch(index, exclusive=True)) for index, one in enumerate(clauses, start=1)]
        # `else` runs after the whole of the body, `finally` in any case.
        otherwise = [(node.orelse.body, branch(0, exclusive=False))] if node.orelse else []
        last = [(node.finalbody.body, path)] if node.finalbody else []
        return [(node.body, branch(0, exclusive=False)), *handlers, *otherwise, *last]
    if isinstance(node, cst.For | cst.While):
        otherwise = [(node.orelse.body, branch(1, exclusive=False))] if node.orelse else []
        return [(node.body, branch(0, exclusive=False)), *otherwise]
    if isinstance(node, cst.With):
        return [(node.body, path)]
    if isinstance(node, cst.Match):
        return [(case.body, branch(index, exclusive=True)) for index, case in enumerate(node.cases)]
    return []


def _if_suites(node: cst.If) -> list[cst.BaseSuite]:
    """The suites of ``if``, every ``elif`` and ``else``; a chain of them is nested in the tree, not here."""
    suites = []
    current: cst.If | cst.Else | None = node
    while isinstance(current, cst.If):
        suites.append(current.body)
        current = current.orelse
    if current is not None:
        suites.append(current.body)
    return suites


def dotted_name(node: cst.BaseExpression) -> str:
    """``a.b.c`` as text; empty where the expression is anything else."""
    parts = []
    while type(node) is cst.Attribute:
        parts.append(node.attr.value)
        node = node.value
    if type(node) is not cst.Name:
        return ""
    return ".".join([node.value, *reversed(parts)])
