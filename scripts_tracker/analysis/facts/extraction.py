"""The compiler's first half: one file's bytes -> FileFacts, a pure function."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.evaluation import MAX_DEPTH, Evaluator, HelpReader, is_foreign
from scripts_tracker.analysis.facts.scopes import END, Binding, Point, Scope, read_scope
from scripts_tracker.analysis.facts.values import (
    HANDLES,
    LOCAL_CLASS,
    OPAQUE,
    UNBOUND,
    Call,
    ClassFacts,
    Decoration,
    FileFacts,
    MethodFacts,
    Onward,
    Ref,
    Value,
    Values,
    cleaned,
    last_name,
)
from scripts_tracker.analysis.fingerprint import fingerprint_parsed
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.analysis.source.parsing import collector_paused, parse
from scripts_tracker.analysis.source.trees import Positions, called, descendants, in_suites

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.analysis.source.parsing import ParsedSource

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


COMMAND = "Command"


def extract(source: bytes) -> FileFacts:
    """What one file says by itself.

    Args:
        source: its bytes.

    Returns:
        The facts; equal bytes give equal facts.

    Raises:
        UnreadableSource: with line, column and reason, where the source cannot be analysed.
    """
    with collector_paused():
        return Extraction(parse(source)).facts()


class Extraction:
    """Reads one parsed file."""

    def __init__(self, parsed: ParsedSource) -> None:
        self._parsed = parsed
        self.module = parsed.module
        self.text = parsed.text
        self._doc = _docstring(parsed.module.body)
        self.scope = read_scope(parsed.module.body)
        self._class_scopes: list[Scope] = []
        self.positions = Positions(parsed.module, parsed.text)
        self.evaluator = Evaluator(self.positions)
        self._help = HelpReader(self.evaluator, parsed.module, self._doc)
        self._methods = MethodReader(self.evaluator, self.positions, self.scope, parsed.text)

    def facts(self) -> FileFacts:
        """What the file says by itself."""
        scope = self.scope
        bindings, _ = scope.lookup(COMMAND, END)
        classes, misplaced = self._patched([self._class(binding) for binding in scope.classes])
        names = {name: self._exported(name) for name in sorted(scope.names)}
        found = strays(
            self._parsed.module,
            scope,
            self._class_scopes,
            evaluator=self.evaluator,
            positions=self.positions,
            text=self._parsed.text,
            exported=names,
            consumed=self._methods.consumed,
            decorators=self._methods.decorators,
        )
        return FileFacts(
            fingerprint=str(fingerprint_parsed(self._parsed)) if bindings else None,
            command=self._command_place(bindings),
            doc=self._doc and cleaned(self._doc),
            names=names,
            stars=tuple(module for _, module in reversed(scope.stars)),
            classes=tuple(classes),
            strays=tuple(sorted((*found, *misplaced), key=lambda one: one.place)),
        )

    def _exported(self, name: str) -> Values:
        bindings, _ = self.scope.lookup(name, END)
        values = [self.evaluator.bound(binding, self.scope) for binding in bindings if binding.sure]
        return tuple(dict.fromkeys(value for several in values for value in several)) or OPAQUE

    def _command_place(self, bindings: Sequence[Binding]) -> tuple[int, int] | None:
        sure = [binding for binding in bindings if binding.sure]
        if sure:
            return self.positions.place(sure[0].node)
        return (1, 1) if bindings else None

    def _class(self, binding: Binding) -> ClassFacts:
        node = binding.node
        if not isinstance(node, cst.ClassDef):
            raise TypeError(f"{node!r} is no class")
        scope = read_scope(node.body.body, self.scope, binding.point)
        self._class_scopes.append(scope)
        doc = _docstring(node.body.body)
        bases = tuple(self._base(base, binding) for base in node.bases)
        return ClassFacts(
            name=node.name.value,
            place=self.positions.place(node),
            bases=bases,
            help=self._help_of(scope, doc),
            doc=doc and cleaned(doc),
            methods=self._methods.methods(scope),
        )

    def _base(self, base: cst.Arg, binding: Binding) -> Values:
        value = base.value
        # The base of Generic[T] is Generic.
        if isinstance(value, cst.Subscript):
            value = value.value
        return OPAQUE if base.star else self.evaluator.values(value, self.scope, binding.point)

    def _help_of(self, scope: Scope, doc: str | None) -> Values | None:
        bindings, _ = scope.lookup("help", END)
        for binding in bindings:
            if binding.sure:
                if binding.expression is None:
                    return OPAQUE
                return self._help.read(binding.expression, scope, binding.point, doc)
        return None

    def _patched(self, classes: list[ClassFacts]) -> tuple[list[ClassFacts], list[Decoration]]:
        """The classes after ``Command.handle = tracked_script(Command.handle)``, and patches of other classes."""
        misplaced: list[Decoration] = []
        for attribute, binding in self.scope.patches:
            if attribute.attr.value not in HANDLES:
                continue
            for value in self.evaluator.values(attribute, self.scope, binding.point):
                if not isinstance(value, Ref):
                    continue
                method = self._methods.patch(binding, value)
                index = _class_number(value.path)
                if index is None:
                    misplaced += method.decorations
                else:
                    classes[index] = _with_method(classes[index], attribute.attr.value, method)
        return classes, misplaced


def _class_number(path: str) -> int | None:
    owner, _, _method = path.rpartition(".")
    return int(owner[1:]) if owner.startswith(LOCAL_CLASS) and owner[1:].isdigit() else None


def _with_method(facts: ClassFacts, name: str, patch: MethodFacts) -> ClassFacts:
    """A class whose method was exchanged; one that wraps the class's own keeps that one's decorators."""
    goes_on = any(step.start is None for step in patch.onward)
    own = facts.methods.get(name, ())
    if goes_on and own:
        merged = tuple(MethodFacts((*patch.decorations, *one.decorations), one.onward) for one in own)
    else:
        merged = (patch,)
    return ClassFacts(
        facts.name, facts.place, facts.bases, facts.help, facts.doc, {**facts.methods, name: merged}
    )


def _docstring(body: Sequence[cst.CSTNode]) -> str | None:
    first = next(iter(body), None)
    if isinstance(first, cst.SimpleStatementLine):
        first = next(iter(first.body), None)
    if not isinstance(first, cst.Expr):
        return None
    text = string_value(first.value)
    return text if isinstance(text, str) else None
