"""One file as the rules see it: its classes, its calls, and what a name in any of them stands for."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.scopes import END, START, Binding, Scope, dotted_name, read_scope
from scripts_tracker.analysis.facts.values import (
    LOCAL_CLASS,
    OPAQUE,
    PROCESS,
    REQUIRED,
    TRACKED,
    UNBOUND,
    Ref,
    dotted,
)
from scripts_tracker.analysis.source.trees import called, descendants
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.lint.assigned import WRAPPING, Assigned, target_name
from scripts_tracker.lint.classes import (
    ADDS,
    CHANGES,
    before_batched,
    calls_super,
    changes_arguments,
    first_parameter,
    read_classes,
    read_lineages,
)
from scripts_tracker.lint.values import Where

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.analysis.facts.evaluation import Evaluator
    from scripts_tracker.analysis.facts.extraction import Extraction
    from scripts_tracker.analysis.facts.values import Value, Values
    from scripts_tracker.core.values import Place
    from scripts_tracker.lint.classes import Class, Lineage

Function = cst.FunctionDef | cst.Lambda


class Names:
    """The names of a module and of the functions in it.

    Args:
        scope: the names of the module.
        evaluator: says what they stand for.
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
        # Calls are not followed: that would use up places, and only so many can be kept apart.
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


OURS: Final = (TRACKED, REQUIRED)
HANDLE: Final = "handle"
_EXCEPT: Final = re.compile(r"^[ \t\f]*except\b", re.MULTILINE)


class Use(NamedTuple):
    """A node with the functions around it, the innermost last."""

    node: cst.Call | cst.Raise
    inside: tuple[Function, ...]
    where: Where | None


class Executed(NamedTuple):
    """A call or a subscript that runs inside the transaction of a batch.

    Attributes:
        node: the expression.
        use: where it stands.
        where: the method of the command that it runs in.
    """

    node: cst.Call | cst.Subscript
    use: Use
    where: Where


class Method(NamedTuple):
    """A method that the command of a file is made of.

    Attributes:
        owner: the class that it stands in.
        node: its statement.
        is_first: whether it is the one that Django calls; others are called by it.
    """

    owner: Class
    node: cst.FunctionDef
    is_first: bool

    @property
    def where(self) -> Where:
        """Where it is."""
        return Where(self.owner.name, self.node.name.value)


class Tree:
    """One file.

    Args:
        extraction: the file as its facts were extracted.

    Attributes:
        executed: what ``batches.executed`` has found in it.
    """

    def __init__(self, extraction: Extraction) -> None:
        self.module = extraction.module
        self.text = extraction.text
        self.scope = extraction.scope
        self.executed: tuple[Executed, ...] | None = None
        self._calling_super: dict[int, bool] = {}
        self._evaluator = extraction.evaluator
        self._positions = extraction.positions
        self._names = Names(self.scope, self._evaluator)
        self._assigned = Assigned(self._wraps, self._named_method)

    @cached_property
    def classes(self) -> tuple[Class, ...]:
        """The classes at module level."""
        return read_classes(self.scope, self._evaluator)

    @cached_property
    def lineages(self) -> tuple[Lineage, ...]:
        """What may be the command of the file; in a file that has none, every class by itself."""
        return read_lineages(self.scope, self._evaluator, self.classes)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """All calls and ``raise`` statements."""
        return tuple(_uses(self.module, self.classes))

    @property
    def calls(self) -> Iterator[tuple[cst.Call, Use]]:
        """All calls."""
        for use in self.uses:
            if isinstance(use.node, cst.Call):
                yield use.node, use

    @cached_property
    def says_rerun(self) -> bool:
        """Whether a decorator of ours has the option ``rerun``."""
        return "rerun" in self.text and any(
            arg.keyword is not None and arg.keyword.value == "rerun"
            for call, use in self.calls
            if self.our_name(call.func, use) == TRACKED
            for arg in call.args
        )

    def methods(self, name: str) -> Iterator[Method]:
        """The methods of that name that run when it is called on the command, as far as that is certain."""
        return self._methods(name, self.lineages)

    def batched_methods(self, name: str) -> Iterator[Method]:
        """The same, of what is or may be a batched command."""
        return self._methods(name, [one for one in self.lineages if one.is_batched is not False])

    def sure_batched_methods(self, name: str) -> Iterator[Method]:
        """The same, of what is a batched command, or is one if the script of this file is."""
        for lineage in self.lineages:
            if lineage.is_batched or (lineage.is_batched is None and lineage.is_command):
                yield from self._methods(name, [before_batched(lineage, self.classes)])

    @cached_property
    def processes(self) -> tuple[Method, ...]:
        """The ``process()`` methods of what is or may be a batched command."""
        return tuple(self.batched_methods(PROCESS)) if PROCESS in self.text else ()

    @property
    def runs(self) -> Iterator[tuple[Method, bool | None]]:
        """The methods that run the command, each with what ``Violation.batched`` is of its problems."""
        yield from ((one, None) for one in self.methods(HANDLE))
        yield from ((one, True) for one in self.processes)

    def _methods(self, name: str, lineages: Sequence[Lineage]) -> Iterator[Method]:
        patches = [one for one in self.scope.patches if one[0].attr.value == name]
        patched = [self._local_class(attribute.value) for attribute, _ in patches]
        if None in patched or len(set(patched)) < len(patched):
            return
        known: set[int] = set()
        for lineage in lineages:
            is_first = lineage.is_command
            for one in lineage.classes:
                if name in one.scope.names or one.name in patched:
                    patch = patches[patched.index(one.name)] if one.name in patched else None
                    node = self._patch(*patch) if patch else self._own(one, name)
                    if node is not None and id(node) not in known:
                        yield Method(one, node, is_first)
                        known.add(id(node))
                    if node is None or not self.calls_super(node):
                        break
                    is_first = False

    def _own(self, one: Class, name: str) -> cst.FunctionDef | None:
        """The method that the body of a class makes, by a ``def`` or an assignment; None where that is not certain."""
        node = one.sure(name)
        last = one.scope.names[name][-1] if name in one.scope.names else None
        if node is not None or last is None:
            return node
        return self._assigned.method(target_name(name, last), last, one.scope)

    def _patch(self, attribute: cst.Attribute, binding: Binding) -> cst.FunctionDef | None:
        """The method that ``Command.handle = start`` makes, below the class; None where that is not certain."""
        return self._assigned.method(attribute.attr, binding, self.scope)

    def _named_method(self, attribute: cst.Attribute) -> cst.FunctionDef | None:
        owner = self._local_class(attribute.value)
        found = [one for one in self.classes if one.name == owner]
        return found[0].sure(attribute.attr.value) if found else None

    def _local_class(self, expression: cst.BaseExpression) -> str | None:
        """The name of the one class of the file that an expression stands for."""
        bindings = self.scope.names.get(dotted_name(expression), ())
        is_class = len(bindings) == 1 and isinstance(bindings[0].node, cst.ClassDef)
        return dotted_name(expression) if is_class else None

    def _wraps(self, expression: cst.BaseExpression) -> bool:
        return bool(self.our_name(expression)) or self.origin(expression) in WRAPPING

    def overrides(self, one: Class) -> Iterator[str]:
        """The methods of a class that do not call that of a base class, or that undo what it does."""
        yield from (name for name, node in one.methods.items() if not self.calls_super(node))
        if self.changes_arguments(one):
            yield ADDS

    def changes_arguments(self, one: Class) -> bool:
        """Whether a class changes arguments after they were added; for most the text of the file is enough."""
        return any(word in self.text for word in CHANGES) and changes_arguments(one)

    def calls_super(self, method: cst.FunctionDef) -> bool:
        """Whether a method calls the one of a base class; for most the text of the file is enough."""
        known = self._calling_super.get(id(method))
        if known is None:
            given = f".{method.name.value}({first_parameter(method)}"
            may_call = "super" in self.text or given in self.text
            known = may_call and calls_super(method)
            self._calling_super[id(method)] = known
        return known

    def place(self, node: cst.CSTNode, within: cst.CSTNode | None = None) -> Place:
        """Line and column of a class, function (its name), decorator, argument, ``except`` clause or expression."""
        if isinstance(node, cst.FunctionDef):
            return self._positions.place(node.name)
        line, column = self._positions.place(node, within)
        if isinstance(node, cst.ExceptHandler):
            # That is where the clause starts, or the comments before it.
            found = _EXCEPT.search(self.text, self._start(line))
            line += self.text.count("\n", self._start(line), found.start()) if found else 0
        return line, column

    def offset(self, node: cst.CSTNode, within: cst.CSTNode | None = None) -> int:
        """Where in the text a node starts, as ``place`` does."""
        line, column = self.place(node, within)
        return self._start(line) + column - 1

    def origin(self, expression: cst.BaseExpression, use: Use | None = None) -> str:
        """What a name or attribute stands for, dotted, such as ``pdb.set_trace``; empty where that is not certain.

        Args:
            expression: the name or attribute.
            use: where it stands; None for the module's own level.
        """
        return self._names.origin(expression, use.inside if use else ())

    def our_name(self, expression: cst.BaseExpression, use: Use | None = None) -> str:
        """Which of our decorators a name, attribute or call is by its last name; empty for anything else."""
        *_, maker = called(expression)
        last = self.origin(maker, use).rpartition(".")[2]
        return last if last in OURS else ""

    def decorators(self, function: cst.FunctionDef, name: str) -> list[cst.Decorator]:
        """The decorators of a function that are ours by that name, outermost first."""
        return [one for one in function.decorators if self.our_name(one.decorator) == name]

    def _start(self, line: int) -> int:
        start = 0
        for _ in range(line - 1):
            start = self.text.index("\n", start) + 1
        return start


def _uses(module: cst.Module, classes: tuple[Class, ...]) -> Iterator[Use]:
    owners = {id(one.node): one.name for one in classes}
    stack: list[tuple[cst.CSTNode, tuple[Function, ...], str, str]] = [(module, (), "", "")]
    while stack:
        root, inside, owner, method = stack.pop()
        if isinstance(root, cst.FunctionDef | cst.Lambda):
            name = root.name.value if owner and isinstance(root, cst.FunctionDef) else ""
            stack.append((root.body, (*inside, root), owner, method or name))
            around = (root.params, *(root.decorators if isinstance(root, cst.FunctionDef) else ()))
            stack += [(one, inside, owner, method) for one in around]
        elif isinstance(root, cst.ClassDef):
            stack.append((root.body, inside, owner or owners.get(id(root), ""), method))
            stack += [(one, inside, owner, method) for one in (*root.decorators, *root.bases, *root.keywords)]
        else:
            for node in descendants(root, enter=opens_nothing):
                if not opens_nothing(node):
                    stack.append((node, inside, owner, method))
                elif isinstance(node, cst.Call | cst.Raise):
                    yield Use(node, inside, Where(owner, method) if owner else None)
