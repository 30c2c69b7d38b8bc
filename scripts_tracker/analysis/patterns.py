"""The patterns of ``match`` as canonical tokens."""

from __future__ import annotations

from typing import Any, Final

import libcst as cst

from scripts_tracker.analysis.tokens import Handler, Stack, Tokens, identifier


def _match(node: cst.Match, out: Tokens, stack: Stack) -> None:
    out.append(f"Match {len(node.cases)}")
    stack.append(node.subject)
    for case in node.cases:
        stack += (case.pattern, case.guard, case.body)


def _value(node: cst.MatchValue, out: Tokens, stack: Stack) -> None:
    out.append("MatchValue")
    stack.append(node.value)


def _singleton(node: cst.MatchSingleton, out: Tokens, _stack: Stack) -> None:
    out.append("MatchSingleton " + node.value.value)


def _sequence(node: cst.MatchList | cst.MatchTuple, out: Tokens, stack: Stack) -> None:
    """``case [a, b]``, ``case (a, b)`` and ``case a, b`` are one pattern."""
    out.append(f"MatchSequence {len(node.patterns)}")
    for pattern in node.patterns:
        stack.append(pattern if isinstance(pattern, cst.MatchStar) else pattern.value)


def _star(node: cst.MatchStar, out: Tokens, _stack: Stack) -> None:
    out.append("MatchStar" + _optional(node.name))


def _mapping(node: cst.MatchMapping, out: Tokens, stack: Stack) -> None:
    out.append(f"MatchMapping {len(node.elements)}{_optional(node.rest)}")
    for element in node.elements:
        stack += (element.key, element.pattern)


def _class(node: cst.MatchClass, out: Tokens, stack: Stack) -> None:
    out.append(f"MatchClass {len(node.patterns)} {len(node.kwds)}")
    stack.append(node.cls)
    for element in node.patterns:
        stack.append(element.value)
    for keyword in node.kwds:
        out.append("k " + identifier(keyword.key.value))
        stack.append(keyword.pattern)


def _as(node: cst.MatchAs, out: Tokens, stack: Stack) -> None:
    out.append("MatchAs" + _optional(node.name))
    stack.append(node.pattern)


def _or(node: cst.MatchOr, out: Tokens, stack: Stack) -> None:
    out.append(f"MatchOr {len(node.patterns)}")
    for alternative in node.patterns:
        stack.append(alternative.pattern)


def _optional(name: Any) -> str:
    # The wildcard binds nothing, wherever it stands.
    return "" if name is None or name.value == "_" else " " + identifier(name.value)


HANDLERS: Final[dict[type, Handler]] = {
    cst.Match: _match,
    cst.MatchValue: _value,
    cst.MatchSingleton: _singleton,
    cst.MatchList: _sequence,
    cst.MatchTuple: _sequence,
    cst.MatchStar: _star,
    cst.MatchMapping: _mapping,
    cst.MatchClass: _class,
    cst.MatchAs: _as,
    cst.MatchOr: _or,
}
