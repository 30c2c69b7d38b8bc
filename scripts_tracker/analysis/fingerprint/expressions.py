"""Expressions and patterns as canonical tokens; each deliberate equality of two spellings is a branch of its own here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import libcst as cst

from scripts_tracker.analysis.fingerprint.literals import number_token
from scripts_tracker.analysis.fingerprint.tokens import (
    Handler,
    Known,
    Stack,
    Tokens,
    constant,
    fields,
    identifier,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

BINARY: Final = Known[str](
    {
        cst.Add: "+",
        cst.Subtract: "-_",
        cst.Multiply: "*",
        cst.Divide: "/",
        cst.FloorDivide: "//",
        cst.Modulo: "%",
        cst.Power: "**_",
        cst.LeftShift: "<<",
        cst.RightShift: ">>",
        cst.BitOr: "|",
        cst.BitAnd: "&",
        cst.BitXor: "^",
        cst.MatrixMultiply: "@",
    }
)
_UNARY: Final = Known[str]({cst.Plus: "u+", cst.Minus: "u-", cst.BitInvert: "u~", cst.Not: "unot"})
_COMPARE: Final = Known[str](
    {
        cst.LessThan: "<",
        cst.GreaterThan: ">",
        cst.Equal: "==",
        cst.LessThanEqual: "<=",
        cst.GreaterThanEqual: ">=",
        cst.NotEqual: "!=",
        cst.In: "in",
        cst.NotIn: "not-in",
        cst.Is: "is",
        cst.IsNot: "is-not",
    }
)
_BOOLEAN: Final = Known[str]({cst.And: "And", cst.Or: "Or"})


def _name(node: cst.Name, out: Tokens, _stack: Stack) -> None:
    out.append("n " + identifier(node.value))


def _number(node: cst.Integer | cst.Float | cst.Imaginary, out: Tokens, _stack: Stack) -> None:
    out.append(number_token(node))


def _attribute(node: cst.Attribute, out: Tokens, stack: Stack) -> None:
    out.append(". " + identifier(node.attr.value))
    stack.append(node.value)


def _call(node: cst.Call, out: Tokens, stack: Stack) -> None:
    out.append("Call")
    stack.append(node.func)
    arguments(node.args, out, stack)


def arguments(args: Sequence[cst.Arg], out: Tokens, stack: Stack) -> None:
    """Arguments of a call or bases of a class: ``f(x=1, *a)`` is ``f(*a, x=1)``, as in CPython's tree."""
    positional = 0
    keywords: list[cst.Arg] = []
    for arg in args:
        if arg.keyword is not None or arg.star == "**":
            keywords.append(arg)
            continue
        positional += 1
        stack.append(arg.value)
        if arg.star:
            stack.append("Starred")
    out.append(f"({positional} {len(keywords)}")
    for arg in keywords:
        out.append("k " + identifier(arg.keyword.value) if arg.keyword is not None else "**")
        stack.append(arg.value)


def _binary(node: cst.BinaryOperation, out: Tokens, stack: Stack) -> None:
    out.append(BINARY[node.operator.__class__])
    stack += (node.left, node.right)


def _unary(node: cst.UnaryOperation, out: Tokens, stack: Stack) -> None:
    out.append(_UNARY[node.operator.__class__])
    stack.append(node.expression)


def _boolean(node: cst.BooleanOperation, out: Tokens, stack: Stack) -> None:
    """``a and b and c`` is one operation, ``(a and b) and c`` are two."""
    operator = node.operator.__class__
    values = [node.right]
    left = node.left
    while left.__class__ is cst.BooleanOperation and left.operator.__class__ is operator and not left.lpar:
        values.append(left.right)
        left = left.left
    values.append(left)
    out.append(f"{_BOOLEAN[operator]} {len(values)}")
    stack += values


def _comparison(node: cst.Comparison, out: Tokens, stack: Stack) -> None:
    targets = node.comparisons
    out.append(f"Compare {len(targets)}")
    stack.append(node.left)
    for target in targets:
        out.append(_COMPARE[target.operator.__class__])
        stack.append(target.comparator)


def _subscript(node: cst.Subscript, out: Tokens, stack: Stack) -> None:
    """``a[1, 2]`` is ``a[(1, 2)]``, and so are ``a[1,]`` and ``a[*b]`` tuples."""
    out.append("Subscript")
    stack.append(node.value)
    elements = node.slice
    first = elements[0]
    if len(elements) > 1 or isinstance(first.comma, cst.Comma) or getattr(first.slice, "star", None):
        out.append(f"Tuple {len(elements)}")
    for element in elements:
        stack.append(element.slice)


def _index(node: cst.Index, out: Tokens, stack: Stack) -> None:
    if node.star:
        out.append("Starred")
    stack.append(node.value)


def _elements(tag: str) -> Handler:
    def handle(node: cst.Tuple | cst.List | cst.Set, out: Tokens, stack: Stack) -> None:
        elements = node.elements
        out.append(f"{tag} {len(elements)}")
        for element in elements:
            stack.append(element.value if element.__class__ is cst.Element else element)

    return handle


def _dict(node: cst.Dict, out: Tokens, stack: Stack) -> None:
    elements = node.elements
    out.append(f"Dict {len(elements)}")
    for element in elements:
        stack += (element.key if isinstance(element, cst.DictElement) else "**", element.value)


def _comprehension(tag: str, *parts: str) -> Handler:
    def handle(node: Any, out: Tokens, stack: Stack) -> None:
        out.append(tag)
        for part in parts:
            stack.append(getattr(node, part))
        _generators(node.for_in, out, stack)

    return handle


def _generators(first: cst.CompFor, out: Tokens, stack: Stack) -> None:
    """The ``for`` and ``if`` clauses of a comprehension: a list, not a nest."""
    clause: cst.CompFor | None = first
    while clause is not None:
        out.append(f"{'async-for' if clause.asynchronous else 'for'} {len(clause.ifs)}")
        stack += (clause.target, clause.iter)
        for condition in clause.ifs:
            stack.append(condition.test)
        clause = clause.inner_for_in
    out.append("rof")


def _lambda(node: cst.Lambda, out: Tokens, stack: Stack) -> None:
    out.append("Lambda")
    stack.append(node.body)
    parameters(node.params, out, stack)


def parameters(node: cst.Parameters, out: Tokens, stack: Stack) -> None:
    """Parameters of a function or lambda; a bare ``*`` shows in the count of those after it."""
    star = [node.star_arg] if isinstance(node.star_arg, cst.Param) else []
    double = [node.star_kwarg] if node.star_kwarg is not None else []
    groups = (node.posonly_params, node.params, star, node.kwonly_params, double)
    out.append("Parameters " + " ".join([str(len(group)) for group in groups]))
    for group in groups:
        for param in group:
            name = identifier(param.name.value)
            if param.annotation is None and param.default is None:
                out.append("p " + name)
            else:
                out.append("p? " + name)
                stack += (param.annotation and param.annotation.annotation, param.default)


def _yield(node: cst.Yield, out: Tokens, stack: Stack) -> None:
    if isinstance(node.value, cst.From):
        out.append("YieldFrom")
        stack.append(node.value.item)
    else:
        out.append("Yield")
        stack.append(node.value)


def _match(node: cst.Match, out: Tokens, stack: Stack) -> None:
    out.append(f"Match {len(node.cases)}")
    stack.append(node.subject)
    for case in node.cases:
        stack += (case.pattern, case.guard, case.body)


def _match_singleton(node: cst.MatchSingleton, out: Tokens, _stack: Stack) -> None:
    out.append("MatchSingleton " + node.value.value)


def _match_sequence(node: cst.MatchList | cst.MatchTuple, out: Tokens, stack: Stack) -> None:
    """``case [a, b]``, ``case (a, b)`` and ``case a, b`` are one pattern."""
    out.append(f"MatchSequence {len(node.patterns)}")
    for pattern in node.patterns:
        stack.append(pattern if isinstance(pattern, cst.MatchStar) else pattern.value)


def _match_star(node: cst.MatchStar, out: Tokens, _stack: Stack) -> None:
    out.append("MatchStar" + _optional(node.name))


def _match_mapping(node: cst.MatchMapping, out: Tokens, stack: Stack) -> None:
    out.append(f"MatchMapping {len(node.elements)}{_optional(node.rest)}")
    for element in node.elements:
        stack += (element.key, element.pattern)


def _match_class(node: cst.MatchClass, out: Tokens, stack: Stack) -> None:
    out.append(f"MatchClass {len(node.patterns)} {len(node.kwds)}")
    stack.append(node.cls)
    for element in node.patterns:
        stack.append(element.value)
    for keyword in node.kwds:
        out.append("k " + identifier(keyword.key.value))
        stack.append(keyword.pattern)


def _match_as(node: cst.MatchAs, out: Tokens, stack: Stack) -> None:
    out.append("MatchAs" + _optional(node.name))
    stack.append(node.pattern)


def _match_or(node: cst.MatchOr, out: Tokens, stack: Stack) -> None:
    out.append(f"MatchOr {len(node.patterns)}")
    for alternative in node.patterns:
        stack.append(alternative.pattern)


def _optional(name: Any) -> str:
    # The wildcard binds nothing, wherever it is.
    return "" if name is None or name.value == "_" else " " + identifier(name.value)


HANDLERS: Final[dict[type, Handler]] = {
    cst.Name: _name,
    cst.Ellipsis: constant("Ellipsis"),
    cst.Integer: _number,
    cst.Float: _number,
    cst.Imaginary: _number,
    cst.Attribute: _attribute,
    cst.Call: _call,
    cst.BinaryOperation: _binary,
    cst.UnaryOperation: _unary,
    cst.BooleanOperation: _boolean,
    cst.Comparison: _comparison,
    cst.Subscript: _subscript,
    cst.Index: _index,
    cst.Slice: fields("Slice", "lower", "upper", "step"),  # ``a[::]`` is ``a[:]``
    cst.Tuple: _elements("Tuple"),
    cst.List: _elements("List"),
    cst.Set: _elements("Set"),
    cst.StarredElement: fields("Starred", "value"),
    cst.Dict: _dict,
    cst.GeneratorExp: _comprehension("GeneratorExp", "elt"),
    cst.ListComp: _comprehension("ListComp", "elt"),
    cst.SetComp: _comprehension("SetComp", "elt"),
    cst.DictComp: _comprehension("DictComp", "key", "value"),
    cst.Lambda: _lambda,
    cst.Await: fields("Await", "expression"),
    cst.IfExp: fields("IfExp", "test", "body", "orelse"),
    cst.NamedExpr: fields("NamedExpr", "target", "value"),
    cst.Yield: _yield,
    cst.Match: _match,
    cst.MatchValue: fields("MatchValue", "value"),
    cst.MatchSingleton: _match_singleton,
    cst.MatchList: _match_sequence,
    cst.MatchTuple: _match_sequence,
    cst.MatchStar: _match_star,
    cst.MatchMapping: _match_mapping,
    cst.MatchClass: _match_class,
    cst.MatchAs: _match_as,
    cst.MatchOr: _match_or,
}
# Newer than the oldest libcst that works.
if hasattr(cst, "StarredDictComp"):
    HANDLERS[cst.StarredDictComp] = _comprehension("StarredDictComp", "value")
