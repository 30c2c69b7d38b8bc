"""Calls that are made only if an option says so, or only at a terminal."""

from __future__ import annotations

from collections import defaultdict
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.scopes import dotted_name
from scripts_tracker.analysis.facts.values import PROCESS
from scripts_tracker.analysis.source.trees import children, descendants
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.lint.file import Tree

_HANDLES: Final = frozenset({"handle", "handle_noargs"})
_OPTIONS: Final = frozenset({"options", "opts", "interactive", "noinput", "no_input", "batch_options"})
"""Names that are options wherever they come from."""
_IS_TERMINAL: Final = "isatty"
_QUESTIONS: Final = frozenset({"input", "getpass", "confirm", "prompt"})
_SELF: Final = "self."
_LEAVES: Final = (cst.Return, cst.Raise, cst.Continue, cst.Break)
_MOST_ROUNDS: Final = 5


class Guard(NamedTuple):
    """The conditions that something stands behind.

    Attributes:
        is_sure: whether one of them reads an option or ``isatty()``.
        attributes: those of the command that they read; another file may make them of options.
    """

    is_sure: bool = False
    attributes: frozenset[str] = frozenset()

    def __or__(self, other: Guard) -> Guard:
        """The conditions of both."""
        return Guard(self.is_sure or other.is_sure, self.attributes | other.attributes)


class Guarded(NamedTuple):
    """A node, what it stands behind, the outermost class around it, and the names of the functions, the innermost last."""

    node: cst.CSTNode
    guard: Guard
    inside: tuple[str, ...] = ()
    owner: int = 0


Run = cst.Call | cst.For | cst.CompFor
_RUNS: Final = (cst.Call, cst.For, cst.CompFor)
_NONE: Final = Guard()
_Branch = tuple[cst.CSTNode, Guard]


class Guards:
    """Which calls of a file stand behind options or a look for a terminal.

    A call is behind one if a condition around it, or a condition before it that leaves the block, reads an option,
    something made of one, or ``isatty()``. So is every call in a function that is only called from behind one.

    Args:
        tree: the file.
    """

    def __init__(self, tree: Tree) -> None:
        is_batched = any(one.is_batched for one in tree.lineages)
        self._entries = _HANDLES | {PROCESS} if is_batched else _HANDLES
        self._options = _option_names(tree.module)
        self._made: dict[str, list[cst.CSTNode]] = defaultdict(list)
        for name, value in _made(tree.module):
            self._made[name].append(value)
        self._grow()
        self._calls = [one for one in self.walk(tree.module) if isinstance(one.node, _RUNS)]
        self._guards = {id(one.node): one.guard for one in self._calls}
        self._behind = {key for key, guard in self._guards.items() if guard.is_sure}
        self._follow()

    def is_behind(self, call: Run) -> bool:
        """Whether a call or loop is made only behind an option or at a terminal."""
        return id(call) in self._behind

    def attributes(self, call: Run) -> tuple[str, ...]:
        """The attributes of the command that the conditions around a call or loop read."""
        return tuple(sorted(self._guards.get(id(call), _NONE).attributes))

    def made(self) -> Iterator[tuple[str, Guard]]:
        """The attributes and methods of the command, with what they are made of."""
        for name, values in self._made.items():
            if name.startswith(_SELF):
                is_sure = name in self._options
                yield name, Guard(is_sure, frozenset(one for value in values for one in self._read(value)))

    def _grow(self) -> None:
        """Add the variables, attributes, functions and parameters that are made of options."""
        for _ in range(_MOST_ROUNDS):
            before = len(self._options)
            for name, values in self._made.items():
                if name not in self._options and any(map(self._reads_option, values)):
                    self._options.add(name)
            if len(self._options) == before:
                return

    def _reads_option(self, test: cst.CSTNode, function: str = "") -> bool:
        return any(
            (isinstance(node, cst.Attribute) and node.attr.value == _IS_TERMINAL)
            or (isinstance(node, cst.Name | cst.Attribute) and self._is_option(dotted_name(node), function))
            for node in _parts(test)
        )

    def _is_option(self, name: str, function: str) -> bool:
        return name in self._options or _parameter(function, name) in self._options

    def _read(self, test: cst.CSTNode) -> frozenset[str]:
        """The attributes of the command that a condition reads, through variables too."""
        todo, seen = [test], set[str]()
        while todo:
            for node in _parts(todo.pop()):
                name = dotted_name(node) if isinstance(node, cst.Name | cst.Attribute) else ""
                if name and name not in seen:
                    seen.add(name)
                    todo += () if name.startswith(_SELF) else self._made.get(name, ())
        return frozenset(name for name in seen if name.startswith(_SELF))

    def _guard_of(self, test: cst.CSTNode, function: str) -> Guard:
        return Guard(self._reads_option(test, function), self._read(test))

    def walk(self, root: cst.CSTNode) -> Iterator[Guarded]:
        """Every node, with what it stands behind."""
        stack = [Guarded(root, _NONE)]
        while stack:
            one = stack.pop()
            yield one
            inside, owner = one.inside, one.owner
            if isinstance(one.node, cst.ClassDef) and not inside:
                owner = owner or id(one.node)
            if isinstance(one.node, cst.FunctionDef):
                inside = (*inside, one.node.name.value)
            function = inside[-1] if inside else ""
            branches = self._branches(one.node, one.guard, function)
            stack += [Guarded(each, guard, inside, owner) for each, guard in branches]

    def _branches(self, node: cst.CSTNode, guard: Guard, function: str) -> Iterator[_Branch]:
        """The parts of a node, each with what it stands behind."""
        if isinstance(node, cst.IndentedBlock | cst.Module):
            yield from self._statements(node.body, guard, function)
            return
        test = _test_of(node)
        inner = guard | self._guard_of(test, function) if test is not None else guard
        for child in children(node):
            yield child, guard if child is test else inner

    def _statements(self, body: Sequence[cst.CSTNode], guard: Guard, function: str) -> Iterator[_Branch]:
        for statement in body:
            yield statement, guard
            if isinstance(statement, cst.If) and _leaves(statement.body):
                guard = guard | self._guard_of(statement.test, function)

    def _follow(self) -> None:
        """Guard what is called in functions that are only called from behind a guard."""
        for _ in range(_MOST_ROUNDS):
            callers: dict[str, list[bool]] = {}
            for one in self._calls:
                name = _name_of(one.node)
                if name:
                    callers.setdefault(name, []).append(id(one.node) in self._behind)
            reached = {name for name, behind in callers.items() if all(behind)} - self._entries
            more = {
                id(one.node) for one in self._calls if one.inside and one.inside[-1] in reached
            } - self._behind
            if not more:
                return
            self._behind |= more


def _test_of(node: cst.CSTNode) -> cst.CSTNode | None:
    """The condition on which the other parts of a node depend."""
    if isinstance(node, cst.If | cst.IfExp | cst.While):
        return node.test
    if isinstance(node, cst.BooleanOperation):
        return node.left
    return node.subject if isinstance(node, cst.Match) else None


def _parts(test: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """What a condition is made of; the text of a question does not count, as the answer depends on a person."""
    return descendants(test, enter=_is_no_question) if _is_no_question(test) else iter(())


def _is_no_question(node: cst.CSTNode) -> bool:
    return not (isinstance(node, cst.Call) and dotted_name(node.func).rpartition(".")[2] in _QUESTIONS)


def _name_of(call: cst.CSTNode) -> str:
    """The function of the file, or the method of the command, that a call names; empty for others."""
    name = dotted_name(call.func).removeprefix(_SELF) if isinstance(call, cst.Call) else ""
    return "" if "." in name else name


def _made(module: cst.Module) -> Iterator[tuple[str, cst.CSTNode]]:
    """Names, and what they are made of: what is assigned or returned, and what parameters are given."""
    functions: dict[str, cst.FunctionDef] = {}
    calls = []
    for node in descendants(module):
        if isinstance(node, cst.Assign | cst.AnnAssign | cst.NamedExpr) and node.value is not None:
            targets = [one.target for one in (node.targets if isinstance(node, cst.Assign) else (node,))]
            yield from ((name, node.value) for name in map(dotted_name, targets) if name)
        elif isinstance(node, cst.FunctionDef):
            functions[node.name.value] = node
            for inner in descendants(node.body, enter=lambda one: not isinstance(one, cst.FunctionDef)):
                if isinstance(inner, cst.Return) and inner.value is not None:
                    yield node.name.value, inner.value
                    yield f"{_SELF}{node.name.value}", inner.value
        elif isinstance(node, cst.Call):
            calls.append(node)
    for call in calls:
        function = functions.get(_name_of(call))
        if function is not None:
            yield from _given(function, call)


def _given(function: cst.FunctionDef, call: cst.Call) -> Iterator[tuple[str, cst.CSTNode]]:
    """The parameters of a function with what a call gives them."""
    params = [*function.params.posonly_params, *function.params.params]
    is_method = dotted_name(call.func).startswith(_SELF)
    plain = [one.value for one in call.args if one.keyword is None and not one.star]
    for param, value in zip_longest(params[is_method:], plain):
        if param is None or value is None:
            break
        yield _parameter(function.name.value, param.name.value), value
    named = [(one.keyword.value, one.value) for one in call.args if one.keyword is not None]
    yield from ((_parameter(function.name.value, name), value) for name, value in named)


def _parameter(function: str, name: str) -> str:
    """A parameter, which is one name in its own function only."""
    return f"{function}:{name}"


def _option_names(module: cst.Module) -> set[str]:
    """The names of the options: the usual ones, the parameters of ``handle()``, and what takes the rest of them."""
    names = {*_OPTIONS, *(f"{_SELF}{name}" for name in _OPTIONS)}
    for node in descendants(module):
        if isinstance(node, cst.FunctionDef):
            if isinstance(node.params.star_kwarg, cst.Param):
                names.add(node.params.star_kwarg.name.value)
            if node.name.value in _HANDLES:
                own = [*node.params.params[1:], *node.params.kwonly_params]
                names |= {one.name.value for one in own} - {"args"}
    return names


def _leaves(suite: cst.BaseSuite) -> bool:
    """Whether a block ends by leaving the one around it."""
    last = suite.body[-1] if suite.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1]
    return isinstance(last, _LEAVES)
