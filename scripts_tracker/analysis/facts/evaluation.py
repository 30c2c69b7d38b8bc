"""What the expressions of one file stand for, as far as that is certain without running it."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.facts.scopes import Binding, Scope, dotted_name
from scripts_tracker.analysis.facts.values import (
    LOCAL_CLASS,
    OPAQUE,
    REQUIRED,
    TRACKED,
    UNBOUND,
    Argument,
    Call,
    Const,
    Ref,
    Scalar,
    Value,
    Values,
    cleaned,
    dotted,
    is_storable,
    last_name,
)
from scripts_tracker.analysis.fingerprint.literals import pieces, string_value
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.analysis.facts.scopes import Point
    from scripts_tracker.analysis.source.trees import Positions

MAX_DEPTH: Final = 20
"""How many aliases of aliases and calls of calls are followed; more are not written by hand."""
MAX_ALTERNATIVES: Final = 8
MAX_ELEMENTS: Final = 100

_CONSTANTS: Final[dict[str, Scalar]] = {"True": True, "False": False, "None": None}
_IMPORT_MODULE: Final = "importlib.import_module"
_IMPORT: Final = "__import__"
IMPORTERS: Final = frozenset(
    {
        _IMPORT_MODULE,
        _IMPORT,
        "django.utils.module_loading.import_string",
        "pkgutil.resolve_name",
        "pydoc.locate",
    }
)
"""What imports by a text."""
_IMPORTABLE: Final = re.compile(r"\.*[^\W\d][\w-]*(?:[.:][\w-]+)*")
_FROM_LIST: Final = 3
_NAMESPACE: Final = ".__dict__"
_MODULES: Final = "sys.modules"
_VARS: Final = "vars"
_PACKAGE: Final = "__package__"
_PARTIAL: Final = "functools.partial"
_GETATTR: Final = "getattr"
_FOREIGN: Final = frozenset({"django", *sys.stdlib_module_names})


class Evaluator:
    """Evaluates expressions of one module."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions

    def values(self, node: cst.BaseExpression, scope: Scope, at: Point, depth: int = 0) -> Values:  # noqa: PLR0911 - one return a kind of node
        """What an expression may be, the likeliest first.

        Args:
            node: the expression.
            scope: the body that contains it.
            at: when it is evaluated there.
            depth: how many steps led here.
        """
        if depth > MAX_DEPTH:
            return OPAQUE
        if isinstance(node, cst.Name):
            if node.value in _CONSTANTS:
                return (Const(_CONSTANTS[node.value]),)
            return self.name(node.value, scope, at, depth)
        if isinstance(node, cst.Attribute):
            return self._attribute(node, scope, at, depth)
        if isinstance(node, cst.Call):
            return self._call(node, scope, at, depth)
        if isinstance(node, cst.IfExp | cst.BooleanOperation):
            both = (node.body, node.orelse) if isinstance(node, cst.IfExp) else (node.left, node.right)
            return _distinct([value for one in both for value in self.values(one, scope, at, depth + 1)])
        if isinstance(node, cst.NamedExpr):
            return self.values(node.value, scope, at, depth + 1)
        if isinstance(node, cst.Subscript):
            return self._subscript(node, scope, at, depth)
        return self._literal(node, scope, at, depth)

    def name(self, name: str, scope: Scope, at: Point, depth: int = 0) -> Values:
        """What a name may be at a point of a scope."""
        current = scope
        found: list[Value] = []
        while True:
            bindings, sure = current.lookup(name, at)
            for binding in bindings[:MAX_ALTERNATIVES]:
                found += self.bound(binding, current, depth)
            if sure:
                return _distinct(found)
            if current.parent is None:
                return _distinct([*found, Ref(f"{UNBOUND}{name}")])
            current, at = current.parent, current.entered

    def bound(self, binding: Binding, scope: Scope, depth: int = 0) -> Values:
        """What a name is after a binding."""
        if binding.values is None:
            if binding.expression is None or depth > MAX_DEPTH:
                return OPAQUE
            binding.values = self.values(binding.expression, scope, binding.point, depth + 1)
        return binding.values

    def _attribute(self, node: cst.Attribute, scope: Scope, at: Point, depth: int) -> Values:
        names: list[str] = []
        base: cst.BaseExpression = node
        while isinstance(base, cst.Attribute):
            names.append(base.attr.value)
            base = base.value
        path = "." + ".".join(reversed(names))
        owners = self.values(base, scope, at, depth + 1)
        return _distinct([Ref(one.path + path) if isinstance(one, Ref) else OPAQUE[0] for one in owners])

    def _call(self, node: cst.Call, scope: Scope, at: Point, depth: int) -> Values:
        function = self.values(node.func, scope, at, depth + 1)
        paths = {dotted(one.path) for one in function if isinstance(one, Ref)}
        importer = next(iter(paths & IMPORTERS), None)
        if importer is not None:
            return self._imported(importer, node, scope, at, depth)
        args = node.args
        if _GETATTR in paths and (found := self._named_attribute(args, scope, at, depth)):
            return found
        if _PARTIAL in paths and args and not args[0].star:
            function, args = self.values(args[0].value, scope, at, depth + 1), args[1:]
        if not any(_may_be_ours(one) for one in function):
            return OPAQUE
        arguments = self.arguments(args, node, scope, at, depth)
        return (Call(function, arguments, self._positions.place(node)),)

    def _named_attribute(self, args: Sequence[cst.Arg], scope: Scope, at: Point, depth: int) -> Values:
        """``getattr(module, "name")`` with a literal name; nothing for any other."""
        if len(args) < 2 or any(arg.star or arg.keyword for arg in args):  # noqa: PLR2004 - the owner and the name
            return ()
        owners, names = (self.values(arg.value, scope, at, depth + 1) for arg in args[:2])
        name = names[0].value if len(names) == 1 and isinstance(names[0], Const) else None
        if not isinstance(name, str) or not name.isidentifier():
            return ()
        return _distinct([Ref(f"{one.path}.{name}") for one in owners if isinstance(one, Ref)])

    def _subscript(self, node: cst.Subscript, scope: Scope, at: Point, depth: int) -> Values:
        """An element of a table: what it is decides the table, as a call decides what it returns."""
        owners = tuple(one for one in self._table(node.value, scope, at, depth) if isinstance(one, Ref))
        key = self._key(node, scope, at, depth)
        if key is not None:
            if named := [one.path for one in owners if one.path.endswith(_NAMESPACE)]:
                return _distinct([Ref(f"{path.removesuffix(_NAMESPACE)}.{key}") for path in named])
            if any(dotted(one.path) == _MODULES for one in owners):
                return (Ref(key),)
        if not any(map(_may_be_ours, owners)):
            return OPAQUE
        return (Call(owners, (), self._positions.place(node)),)

    def _table(self, node: cst.BaseExpression, scope: Scope, at: Point, depth: int) -> Values:
        """What is subscripted; ``vars(owner)`` is ``owner.__dict__``."""
        if isinstance(node, cst.Call) and dotted_name(node.func) == _VARS and len(node.args) == 1:
            node = cst.Attribute(node.args[0].value, cst.Name(_NAMESPACE[1:]))
        return self.values(node, scope, at, depth + 1)

    def _key(self, node: cst.Subscript, scope: Scope, at: Point, depth: int) -> str | None:
        """The text in the brackets; None for anything that is no dotted name."""
        index = node.slice[0].slice if len(node.slice) == 1 else None
        if not isinstance(index, cst.Index):
            return None
        keys = self.values(index.value, scope, at, depth + 1)
        key = keys[0].value if len(keys) == 1 and isinstance(keys[0], Const) else None
        return key if isinstance(key, str) and all(one.isidentifier() for one in key.split(".")) else None

    def arguments(
        self, args: Sequence[cst.Arg], call: cst.Call, scope: Scope, at: Point, depth: int = 0
    ) -> tuple[Argument, ...]:
        """The arguments of a call: what each may be, and where it is."""
        return tuple(
            Argument(
                _no_call(self.values(arg.value, scope, at, depth + 1)),
                self._positions.place(arg, within=call),
                arg.keyword.value if arg.keyword else None,
                arg.star,
            )
            for arg in args[:MAX_ELEMENTS]
        )

    def _imported(self, importer: str, node: cst.Call, scope: Scope, at: Point, depth: int) -> Values:
        """``import_module("a.b")``, ``import_module(".b", __package__)``, ``import_string("a.b.c")`` and the like."""
        if not node.args or node.args[0].star:
            return OPAQUE
        path = self._import_path(node.args[0].value, scope, at, depth)
        if not path:
            return OPAQUE
        if importer == _IMPORT:
            return (Ref(path if len(node.args) > _FROM_LIST else path.partition(".")[0]),)
        is_relative = importer == _IMPORT_MODULE and isinstance(node.args[0].value, cst.SimpleString)
        if path.startswith(".") and is_relative:
            return (Ref(path),) if [dotted_name(arg.value) for arg in node.args[1:]] == [_PACKAGE] else OPAQUE
        return (Ref(path),)

    def _import_path(self, node: cst.BaseExpression, scope: Scope, at: Point, depth: int) -> str:
        """A dotted path, relative where it is written as ``__package__ + ".b"``; empty where it is no literal."""
        if isinstance(node, cst.FormattedString):
            return _in_package(node)
        rest = node
        if isinstance(node, cst.BinaryOperation) and dotted_name(node.left) == _PACKAGE:
            rest = node.right
        paths = self.values(rest, scope, at, depth + 1)
        path = paths[0].value if len(paths) == 1 and isinstance(paths[0], Const) else None
        if not isinstance(path, str) or not _IMPORTABLE.fullmatch(path):
            return ""
        return path if rest is node or path.startswith(".") else ""

    def _literal(self, node: cst.BaseExpression, scope: Scope, at: Point, depth: int) -> Values:
        if isinstance(node, cst.SimpleString | cst.ConcatenatedString):
            text = string_value(node)
            return (Const(text),) if isinstance(text, str) and is_storable(text) else OPAQUE
        if isinstance(node, cst.Integer):
            return (Const(node.evaluated_value),) if len(node.value) < MAX_DEPTH else OPAQUE
        if isinstance(node, cst.Tuple | cst.List | cst.Set) and len(node.elements) <= MAX_ELEMENTS:
            scalars: list[Scalar] = []
            for element in node.elements:
                is_starred = isinstance(element, cst.StarredElement)
                first, *others = OPAQUE if is_starred else self.values(element.value, scope, at, depth + 1)
                if others or not isinstance(first, Const) or isinstance(first.value, tuple):
                    return OPAQUE
                scalars.append(first.value)
            return (Const(tuple(scalars)),)
        return OPAQUE


def _in_package(node: cst.FormattedString) -> str:
    """The path of ``f"{__package__}.b"``; empty for any other text."""
    if len(node.parts) != 2:  # noqa: PLR2004 - the package and the rest
        return ""
    package, rest = node.parts
    is_package = isinstance(package, cst.FormattedStringExpression) and (
        dotted_name(package.expression) == _PACKAGE
    )
    path = rest.value if is_package and isinstance(rest, cst.FormattedStringText) else ""
    return path if _IMPORTABLE.fullmatch(path) else ""


def is_foreign(path: str) -> bool:
    """Whether a path leads to Django or the standard library, which do not use our decorators."""
    return dotted(path).partition(".")[0] in _FOREIGN


def _may_be_ours(value: Value) -> bool:
    """Whether a call of this may be a call of our decorators, or of a decorator made by them."""
    if isinstance(value, Ref):
        if value.path.startswith((UNBOUND, LOCAL_CLASS)):
            return last_name(value.path) in (TRACKED, REQUIRED)
        return not is_foreign(value.path)
    # tracked_script(...)(...) is the deepest that means something; more would only make the facts grow.
    return isinstance(value, Call) and not any(isinstance(inner, Call) for inner in value.function)


def _no_call(values: Values) -> Values:
    return _distinct([OPAQUE[0] if isinstance(value, Call) else value for value in values])


def _distinct(values: list[Value]) -> Values:
    return tuple(values if len(values) <= 1 else dict.fromkeys(values))[:MAX_ALTERNATIVES]


# The functions that keep the words of a text, with the number of the argument that is the text.
_KEEPERS: Final = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop", "ugettext", "ugettext_lazy"), 0),
    **dict.fromkeys(("dedent", "cleandoc", "format_lazy", "mark_safe", "str"), 0),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), 1),
}
_METHODS: Final = frozenset(
    {"format", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "expandtabs"}
)
MAX_STEPS: Final = 300
"""How many expressions are looked into: names that stand for names twice each would double the work at every step."""


class _Site(NamedTuple):
    """Where an expression is evaluated: in a body, at a moment, with the docstring of the class around it."""

    scope: Scope
    at: Point
    doc: str | None


class HelpReader:
    """Reads the help texts of one module.

    Args:
        evaluator: the module's.
        module: its tree.
        doc: its docstring.
    """

    def __init__(self, evaluator: Evaluator, module: cst.Module, doc: str | None) -> None:
        self._evaluator = evaluator
        self._code = module.code_for_node
        self._doc = doc
        self._steps = 0

    def read(self, node: cst.BaseExpression, scope: Scope, at: Point, class_doc: str | None) -> Values:
        """The text of the expression that is bound to ``help`` in a class body.

        Args:
            node: the expression.
            scope: the class body.
            at: when it is evaluated there.
            class_doc: the docstring of that class.

        Returns:
            A Const with the text, a Ref to where the text is, or opaque.
        """
        self._steps = 0
        found = self._text(node, _Site(scope, at, class_doc), 0)
        if isinstance(found, str):
            return (Const(cleaned(found)),)
        return OPAQUE if found is None else (found,)

    def _text(self, node: cst.BaseExpression, site: _Site, depth: int) -> str | Ref | None:  # noqa: PLR0911 - one return a kind of node
        self._steps += 1
        if depth > MAX_DEPTH or self._steps > MAX_STEPS:
            return None
        if isinstance(node, cst.SimpleString | cst.ConcatenatedString | cst.FormattedString):
            return self._literal(node)
        if isinstance(node, cst.Name):
            return self._named(node.value, site, depth)
        if isinstance(node, cst.Attribute):
            return _only_ref(self._evaluator.values(node, site.scope, site.at))
        if isinstance(node, cst.BinaryOperation):
            return self._operation(node, site, depth)
        if isinstance(node, cst.BooleanOperation):
            return self._text(node.left, site, depth + 1) or self._text(node.right, site, depth + 1)
        if isinstance(node, cst.IfExp):
            return self._text(node.body, site, depth + 1) or self._text(node.orelse, site, depth + 1)
        if isinstance(node, cst.Call):
            inner = self._kept(node, site)
            return None if inner is None else self._text(inner, site, depth + 1)
        return None

    def _named(self, name: str, site: _Site, depth: int) -> str | Ref | None:
        if name == "__doc__":
            return site.doc or self._doc
        scope, at, doc = site
        while True:
            bindings, _ = scope.lookup(name, at)
            for binding in bindings:
                if binding.expression is None:
                    return _only_ref(binding.values or OPAQUE)
                return self._text(binding.expression, _Site(scope, binding.point, doc), depth + 1)
            if scope.parent is None:
                return None
            # A constant of the module sees the module's docstring alone.
            scope, at, doc = scope.parent, scope.entered, None

    def _operation(self, node: cst.BinaryOperation, site: _Site, depth: int) -> str | Ref | None:
        if isinstance(node.operator, cst.Modulo):
            return self._text(node.left, site, depth + 1)
        terms: list[cst.BaseExpression] = []
        left: cst.BaseExpression = node
        while isinstance(left, cst.BinaryOperation) and isinstance(left.operator, cst.Add):
            terms.append(left.right)
            left = left.left
        if not terms:
            return None
        texts = [self._text(term, site, depth + 1) for term in (left, *reversed(terms))]
        known = [text for text in texts if isinstance(text, str)]
        return "".join(known) if known else None

    def _kept(self, node: cst.Call, site: _Site) -> cst.BaseExpression | None:
        """The expression whose words the call keeps: ``_("...")``, ``dedent(...)``, ``"...".format(...)``."""
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in _METHODS:
            return node.func.value
        values = self._evaluator.values(node.func, site.scope, site.at)
        for name in (dotted_name(node.func), *(one.path for one in values if isinstance(one, Ref))):
            index = _KEEPERS.get(last_name(name))
            if index is not None and len(node.args) > index and not node.args[index].star:
                return node.args[index].value
        return None

    def _literal(self, node: cst.BaseExpression) -> str | None:
        texts = []
        for piece in pieces(node):
            text = self._template(piece) if isinstance(piece, cst.FormattedString) else string_value(piece)
            if not isinstance(text, str):
                return None
            texts.append(text)
        return "".join(texts)

    def _template(self, node: cst.FormattedString) -> str:
        """An f-string as it is written."""
        texts = []
        raw = "r" if "r" in node.start.lower() else ""
        quotes = node.start.lstrip("rRfF")
        for part in node.parts:
            if isinstance(part, cst.FormattedStringText):
                value = string_value(cst.SimpleString(f"{raw}{quotes}{part.value}{quotes}"))
                text = value if isinstance(value, str) else part.value
                texts.append(text.replace("{{", "{").replace("}}", "}"))
            else:
                try:
                    texts.append(self._code(part))
                except RecursionError:
                    texts.append("{...}")
        return "".join(texts)


def _only_ref(values: Values) -> Ref | None:
    return values[0] if isinstance(values[0], Ref) else None
