"""What ``add_arguments()`` adds to the parser of a command, as far as that is written out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.scopes import dotted_name, read_scope, statements
from scripts_tracker.analysis.fingerprint.literals import string_value
from scripts_tracker.analysis.source.trees import descendants
from scripts_tracker.lint.classes import is_super

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.analysis.facts.scopes import Binding
    from scripts_tracker.lint.classes import Lineage
    from scripts_tracker.lint.file import Tree

DJANGOS: Final = frozenset(
    {"verbosity", "settings", "pythonpath", "traceback", "no_color", "force_color", "skip_checks"}
)
"""The options that Django gives to every command."""
ADDS: Final = "add_argument"
GROUPS: Final = frozenset({"add_argument_group", "add_mutually_exclusive_group"})
SUBPARSERS: Final = "add_subparsers"
METHOD: Final = "add_arguments"
"""The method of a command that adds to its parser."""
_HARMLESS: Final = frozenset({"description", "epilog", "formatter_class", "usage", "prog"})
# What can bring options without add_arguments().
_OTHER_WAYS: Final = ("create_parser", "execute", "run_from_argv", "__init__", "__getattribute__")


class Parser:
    """The parser that one ``add_arguments()`` is given.

    Args:
        function: the method, or a function that it passes the parser to.
        parameter: the number of the parameter that is the parser.
    """

    def __init__(self, function: cst.FunctionDef, parameter: int = 1) -> None:
        self._body = function.body
        params = [*function.params.posonly_params, *function.params.params]
        names = read_scope(function.body.body).names
        is_there = len(params) > parameter and not function.asynchronous
        own = params[parameter].name.value if is_there else ""
        self._names = {own} - {"", *names}
        self._is_known = bool(self._names)
        for name, bindings in names.items():
            if all(self._is_group(one) for one in bindings):
                self._names.add(name)
        # parser.add_argument under another name
        self._adders = {name for name, bindings in names.items() if all(map(self._is_adder, bindings))}

    def sure_calls(self) -> Iterator[cst.Call]:
        """The calls of methods of the parser, and of its groups, that are made whatever happens."""
        for node, path in statements(self._body.body):
            if isinstance(node, cst.Expr | cst.Assign | cst.Return) and not path:
                yield from (call for call in _chain(node.value) if self._receives(call) or self._adds(call))
            if isinstance(node, cst.Return | cst.Raise):
                return

    def handed_on(self) -> Iterator[tuple[cst.Call, int]]:
        """The calls that pass the parser on, whatever happens, each with the number of the argument."""
        for node, path in statements(self._body.body):
            if isinstance(node, cst.Expr) and not path and isinstance(node.value, cst.Call):
                for number, arg in enumerate(node.value.args):
                    if (
                        arg.keyword is None
                        and isinstance(arg.value, cst.Name)
                        and arg.value.value in self._names
                    ):
                        yield node.value, number
            if isinstance(node, cst.Return | cst.Raise):
                return

    def dests(self) -> frozenset[str] | None:
        """The names of everything that is added on any path; None where that is not certain."""
        found: set[str] = set()
        mentioned: set[int] = set()
        understood: set[int] = set()
        for node in descendants(self._body):
            if isinstance(node, cst.Call) and self._receives(node):
                dest = dest_of(node) if method_of(node) == ADDS else None
                if dest is None and method_of(node) not in GROUPS:
                    return None
                found |= {dest} if dest else set()
            if self._is_receiver(node):
                mentioned.add(id(node))
            understood.update(map(id, self._understood(node)))
        return frozenset(found) if self._is_known and mentioned <= understood else None

    def _understood(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The expressions below a node which stand for the parser, or a group of it, and do not escape."""
        if isinstance(node, cst.Call) and self._receives(node) and isinstance(node.func, cst.Attribute):
            yield node.func.value
        elif isinstance(node, cst.Call) and method_of(node) == METHOD and is_super(node.func):
            # The base classes are looked at by themselves.
            yield from (arg.value for arg in node.args)
        elif (isinstance(node, cst.Attribute) and node.attr.value in _HARMLESS) or isinstance(node, cst.Expr):
            yield node.value
        elif isinstance(node, cst.Assign):
            targets = [one.target for one in node.targets]
            if all(isinstance(one, cst.Name) and one.value in self._names for one in targets):
                yield from (node.value, *targets)

    def _is_group(self, binding: Binding) -> bool:
        expression = binding.expression
        return isinstance(expression, cst.Call) and self._is_receiver(expression)

    def _is_adder(self, binding: Binding) -> bool:
        expression = binding.expression
        is_method = isinstance(expression, cst.Attribute) and expression.attr.value == ADDS
        return is_method and self._is_receiver(expression.value)  # type: ignore[union-attr]  # as is_method says

    def _adds(self, call: cst.Call) -> bool:
        return isinstance(call.func, cst.Name) and call.func.value in self._adders

    def _receives(self, call: cst.Call) -> bool:
        """Whether this calls a method of the parser, or of a group of it."""
        return isinstance(call.func, cst.Attribute) and self._is_receiver(call.func.value)

    def _is_receiver(self, node: cst.CSTNode) -> bool:
        """Whether this is the parser or a group of it."""
        while isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute):
            if node.func.attr.value not in GROUPS:
                return False
            node = node.func.value
        return isinstance(node, cst.Name) and node.value in self._names


def all_calls(tree: Tree, function: cst.FunctionDef) -> Iterator[tuple[cst.FunctionDef, cst.Call]]:
    """The sure calls of ``add_arguments()`` and of the functions of the file that it passes the parser to.

    Args:
        tree: the file.
        function: the method.
    """
    pending, known = [(function, 1)], {id(function)}
    while pending:
        current, parameter = pending.pop()
        parser = Parser(current, parameter)
        yield from ((current, call) for call in parser.sure_calls())
        for call, number in parser.handed_on():
            for helper, offset in _helpers(tree, call):
                if id(helper) not in known:
                    known.add(id(helper))
                    pending.append((helper, number + offset))


def _helpers(tree: Tree, call: cst.Call) -> Iterator[tuple[cst.FunctionDef, int]]:
    """The function that a call runs, and how many parameters come before those of the call."""
    function = call.func
    if isinstance(function, cst.Name):
        bindings = tree.scope.names.get(function.value, ())
        if len(bindings) == 1 and isinstance(bindings[0].node, cst.FunctionDef):
            yield bindings[0].node, 0
    elif dotted_name(function).startswith("self."):
        first = next(tree.methods(method_of(call)), None)
        if first is not None and not first.node.decorators:
            yield first.node, 1


def declared(tree: Tree, lineage: Lineage) -> frozenset[str] | None:
    """The names of all options and arguments of a command but Django's own; None where that is not certain."""
    is_clear = lineage.is_command and lineage.is_whole and "stealth_options" not in tree.text
    patched = {attribute.attr.value for attribute, _ in tree.scope.patches}
    if not is_clear or not patched.isdisjoint({METHOD, *_OTHER_WAYS}):
        return None
    found: set[str] = set()
    for one in lineage.classes:
        if not one.is_plain or not one.scope.names.keys().isdisjoint(_OTHER_WAYS):
            return None
        if METHOD in one.scope.names:
            method = one.sure(METHOD)
            dests = Parser(method).dests() if method and not method.decorators else None
            if dests is None:
                return None
            found |= dests
    return frozenset(found)


def method_of(call: cst.Call) -> str:
    """The last name of what is called; empty where it is no attribute."""
    return call.func.attr.value if isinstance(call.func, cst.Attribute) else ""


def keyword(call: cst.Call, name: str) -> cst.BaseExpression | None:
    """The argument of a call that is given by a name."""
    given = (one.value for one in call.args if one.keyword is not None and one.keyword.value == name)
    return next(given, None)


def names_of(call: cst.Call) -> list[str] | None:
    """The texts that a call is given by position; None where they are not all written out."""
    names = [string_value(one.value) for one in call.args if one.keyword is None and not one.star]
    texts = [name for name in names if isinstance(name, str)]
    return texts if len(texts) == len(names) and not any(one.star for one in call.args) else None


def dest_of(call: cst.Call) -> str | None:
    """The name under which a call of ``add_argument`` hands on a value; None where it is not written out."""
    names, dest = names_of(call), keyword(call, "dest")
    if names is None or dest is not None:
        text = string_value(dest) if names is not None and dest is not None else None
        return text if isinstance(text, str) else None
    if not names or not names[0].startswith("-"):
        return names[0] if names else None
    long = [name for name in names if name.startswith("--")]
    return (long or names)[0].lstrip("-").replace("-", "_")


def _chain(expression: cst.BaseExpression | None) -> Iterator[cst.Call]:
    """A call, and the calls on whose results it is made."""
    while isinstance(expression, cst.Call):
        yield expression
        expression = expression.func.value if isinstance(expression.func, cst.Attribute) else None
