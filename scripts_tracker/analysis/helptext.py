"""The help text of a command as its file writes it, placeholders left as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import libcst as cst

from scripts_tracker.analysis.bindings import dotted_name
from scripts_tracker.analysis.evaluation import MAX_DEPTH
from scripts_tracker.analysis.literals import pieces, string_value
from scripts_tracker.analysis.values import OPAQUE, Const, Ref, Values, cleaned, last_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.analysis.bindings import Scope
    from scripts_tracker.analysis.blocks import Point
    from scripts_tracker.analysis.evaluation import Evaluator

# The functions that keep the words of a text, with the argument that is the text.
_KEEPERS: Final = {
    "_": 0,
    "gettext": 0,
    "gettext_lazy": 0,
    "gettext_noop": 0,
    "ugettext": 0,
    "ugettext_lazy": 0,
    "pgettext": 1,
    "pgettext_lazy": 1,
    "dedent": 0,
    "cleandoc": 0,
    "format_lazy": 0,
    "mark_safe": 0,
    "str": 0,
}
_METHODS: Final = frozenset(
    {"format", "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "expandtabs"}
)


MAX_STEPS: Final = 300
"""Names that stand for names twice each would otherwise double the work at every step."""


class HelpReader:
    """Reads the texts of one module.

    Args:
        evaluator: the module's.
        module: the module, which turns nodes into code.
        doc: the module's docstring.
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
            A Const with the text, Refs to where the text stands, or opaque.
        """
        self._steps = 0
        found = self._text(node, scope, at, class_doc, 0)
        if isinstance(found, str):
            return (Const(cleaned(found)),)
        return (found,) if found is not None else OPAQUE

    def _text(  # noqa: PLR0911 - one return a kind of node
        self, node: cst.BaseExpression, scope: Scope, at: Point, doc: str | None, depth: int
    ) -> str | Ref | None:
        self._steps += 1
        if depth > MAX_DEPTH or self._steps > MAX_STEPS:
            return None
        if isinstance(node, cst.SimpleString | cst.ConcatenatedString | cst.FormattedString):
            return self._literal(node)
        if isinstance(node, cst.Name | cst.Attribute):
            return self._named(node, scope, at, doc, depth)
        if isinstance(node, cst.BinaryOperation):
            return self._operation(node, scope, at, doc, depth)
        if isinstance(node, cst.BooleanOperation | cst.IfExp):
            first = node.left if isinstance(node, cst.BooleanOperation) else node.body
            second = node.right if isinstance(node, cst.BooleanOperation) else node.orelse
            found = self._text(first, scope, at, doc, depth + 1)
            return found or self._text(second, scope, at, doc, depth + 1)
        if isinstance(node, cst.Call):
            inner = self._kept(node, scope, at)
            return None if inner is None else self._text(inner, scope, at, doc, depth + 1)
        return None

    def _named(
        self, node: cst.Name | cst.Attribute, scope: Scope, at: Point, doc: str | None, depth: int
    ) -> str | Ref | None:
        if isinstance(node, cst.Attribute):
            ref = self._evaluator.values(node, scope, at)[0]
            return ref if isinstance(ref, Ref) else None
        if node.value == "__doc__":
            return doc or self._doc
        current = scope
        while True:
            bindings, _ = current.lookup(node.value, at)
            for binding in bindings:
                if binding.expression is not None:
                    # A constant of the module sees the module's docstring alone.
                    inner_doc = doc if current is scope else None
                    return self._text(binding.expression, current, binding.point, inner_doc, depth + 1)
                ref = (binding.values or OPAQUE)[0]
                return ref if isinstance(ref, Ref) else None
            if current.parent is None:
                return None
            current, at = current.parent, current.entered

    def _operation(
        self, node: cst.BinaryOperation, scope: Scope, at: Point, doc: str | None, depth: int
    ) -> str | Ref | None:
        if isinstance(node.operator, cst.Modulo):
            return self._text(node.left, scope, at, doc, depth + 1)
        terms: list[cst.BaseExpression] = []
        left: cst.BaseExpression = node
        while isinstance(left, cst.BinaryOperation) and isinstance(left.operator, cst.Add):
            terms.append(left.right)
            left = left.left
        if not terms:
            return None
        texts = [self._text(term, scope, at, doc, depth + 1) for term in (left, *reversed(terms))]
        known = [text for text in texts if isinstance(text, str)]
        return "".join(known) if known else None

    def _kept(self, node: cst.Call, scope: Scope, at: Point) -> cst.BaseExpression | None:
        """The expression whose words the call keeps: ``_("...")``, ``dedent(...)``, ``"...".format(...)``."""
        if isinstance(node.func, cst.Attribute) and node.func.attr.value in _METHODS:
            return node.func.value
        names = [dotted_name(node.func)]
        names += [one.path for one in self._evaluator.values(node.func, scope, at) if isinstance(one, Ref)]
        for name in names:
            index = _KEEPERS.get(last_name(name))
            if index is not None and len(node.args) > index and not node.args[index].star:
                return node.args[index].value
        return None

    def _literal(self, node: cst.BaseExpression) -> str | None:
        texts = []
        for piece in pieces(node):
            if isinstance(piece, cst.FormattedString):
                texts.append(self._template(piece.parts, piece.start))
            else:
                value = string_value(piece)
                if not isinstance(value, str):
                    return None
                texts.append(value)
        return "".join(texts)

    def _template(self, parts: Sequence[cst.BaseFormattedStringContent], start: str) -> str:
        """An f-string as it is written."""
        texts = []
        raw = "r" if "r" in start.lower() else ""
        quotes = start.lstrip("rRfF")
        for part in parts:
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
