"""Mutants: seeded changes of one place, in the syntax tree or in the text; most change what the program does."""

from __future__ import annotations

import ast
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from tests.analysis import oracle

Random = random.Random
Mutation = Callable[[ast.AST, Random], bool]

_OPERATORS = [ast.Add, ast.Sub, ast.Mult, ast.BitOr, ast.FloorDiv]
_COMPARISONS = [ast.Eq, ast.NotEq, ast.Lt, ast.GtE, ast.In, ast.Is]
_CONSTANTS = [None, True, 1, 1.0, 0, "", "a", b"a", 2j, ..., -7]
_SCALARS = {"id", "attr", "arg", "name", "asname", "module", "rest"}
_NUMBERS = {"level": (0, 1, 2), "conversion": (-1, 114, 115, 97), "is_async": (0, 1), "simple": (0, 1)}
_ABSENT_AT_WILL = {
    "annotation",
    "asname",
    "bound",
    "cause",
    "default_value",
    "exc",
    "format_spec",
    "guard",
    "kwarg",
    "lower",
    "msg",
    "name",
    "optional_vars",
    "returns",
    "step",
    "type",
    "upper",
    "value",
    "vararg",
}
_WORDS = re.compile(r"\w+|[^\w\s]")
_TRIES = 50


def constant(node: ast.AST, dice: Random) -> bool:
    if not isinstance(node, ast.Constant):
        return False
    node.value = dice.choice(_CONSTANTS)
    return True


def operator(node: ast.AST, dice: Random) -> bool:
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        node.op = dice.choice(_OPERATORS)()
    elif isinstance(node, ast.Compare):
        node.ops[0] = dice.choice(_COMPARISONS)()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    elif isinstance(node, ast.UnaryOp):
        node.op = dice.choice([ast.Not, ast.Invert, ast.USub])()
    else:
        return False
    return True


def name(node: ast.AST, dice: Random) -> bool:
    names = [field for field in node._fields if field in _SCALARS and isinstance(getattr(node, field), str)]
    if names:
        field = dice.choice(names)
        setattr(node, field, getattr(node, field) + "_")
    return bool(names)


def number(node: ast.AST, dice: Random) -> bool:
    """The level of an import, the conversion of a field, what is asynchronous or annotated."""
    fields = [field for field in node._fields if field in _NUMBERS]
    for field in fields:
        setattr(node, field, dice.choice(_NUMBERS[field]))
    return bool(fields)


def order(node: ast.AST, dice: Random) -> bool:
    lists = [value for value in _lists(node) if len(value) > 1]
    if not lists:
        return False
    chosen = dice.choice(lists)
    first = dice.randrange(len(chosen) - 1)
    chosen[first], chosen[first + 1] = chosen[first + 1], chosen[first]
    return True


def part(node: ast.AST, dice: Random) -> bool:
    """One item less, or one twice."""
    lists = [value for value in _lists(node) if value]
    if not lists:
        return False
    chosen = dice.choice(lists)
    place = dice.randrange(len(chosen))
    if dice.random() < 0.7:
        del chosen[place]
    else:
        chosen.insert(place, chosen[place])
    return True


def option(node: ast.AST, dice: Random) -> bool:
    """Something optional that goes."""
    fields = [field for field in node._fields if field in _ABSENT_AT_WILL and getattr(node, field, None)]
    if fields:
        setattr(node, dice.choice(fields), None)
    return bool(fields)


def exchange(node: ast.AST, dice: Random) -> bool:
    """Two fields of one node change places."""
    fields = [
        field for field in node._fields if isinstance(getattr(node, field, None), (list, ast.expr, ast.stmt))
    ]
    if len(fields) < 2:
        return False
    one, other = dice.sample(fields, 2)
    first, second = getattr(node, one), getattr(node, other)
    setattr(node, one, second)
    setattr(node, other, first)
    return True


def kind(node: ast.AST, dice: Random) -> bool:
    """Another node with the same fields: a list for a tuple, ``async for`` for ``for``, a yield for an await."""
    # Contexts and operators are shared by all trees of the process.
    if not isinstance(node, (ast.expr, ast.stmt)):
        return False
    others = [other for other in _siblings()[_shape(type(node))] if other is not type(node)]
    if not others:
        return False
    node.__class__ = dice.choice(others)
    return True


def place(node: ast.AST, dice: Random) -> bool:
    """The last statement of a block moves behind the block that holds it, or the next one into it."""
    body = getattr(node, "body", None)
    if not isinstance(body, list):
        return False
    for index, block in enumerate(body):
        inner = getattr(block, "body", None)
        if isinstance(inner, list) and len(inner) > 1 and dice.random() < 0.5:
            body.insert(index + 1, inner.pop())
            return True
        if isinstance(inner, list) and index + 1 < len(body):
            inner.append(body.pop(index + 1))
            return True
    return False


IN_TREE: dict[str, Mutation] = {
    "a constant": constant,
    "an operator": operator,
    "a name": name,
    "a number or flag": number,
    "an order": order,
    "a part": part,
    "an optional part": option,
    "two parts exchanged": exchange,
    "a kind of node": kind,
    "a place": place,
}
IN_TEXT = "a word of the text"


def in_tree(source: bytes, mutation: Mutation, dice: Random) -> bytes | None:
    """The unparsed source with one node changed; None where no such change was found that CPython takes."""
    for _try in range(3):
        tree = oracle.parse(source)
        nodes = list(ast.walk(tree))
        start = dice.randrange(len(nodes))
        if not any(mutation(nodes[(start + step) % len(nodes)], dice) for step in range(_TRIES)):
            continue
        try:
            text = ast.unparse(tree)
            oracle.parse(text)
        except (SyntaxError, ValueError, AttributeError, TypeError, IndexError, RecursionError, KeyError):
            continue
        return text.encode("utf-8", "backslashreplace")
    return None


def in_text(source: bytes, dice: Random) -> bytes | None:
    """The source with one word dropped, doubled, or replaced by another of its words."""
    text = source.decode("utf-8")
    words = list(_WORDS.finditer(text))
    for _try in range(_TRIES if words else 0):
        word = dice.choice(words)
        new = dice.choice(["", word.group() * 2, *(dice.choice(words).group() for _ in range(4))])
        edited = text[: word.start()] + new + text[word.end() :]
        try:
            oracle.parse(edited.encode())
        except (SyntaxError, ValueError):
            continue
        if edited != text:
            return edited.encode()
    return None


def _lists(node: ast.AST) -> Iterator[list[Any]]:
    return (value for _name, value in ast.iter_fields(node) if isinstance(value, list))


def _shape(cls: type[ast.expr | ast.stmt]) -> tuple[Any, ...]:
    return (
        issubclass(cls, ast.stmt),
        *(field for field in cls._fields if field not in {"ctx", "type_comment"}),
    )


def _siblings() -> dict[tuple[Any, ...], list[type[ast.expr | ast.stmt]]]:
    if not _SIBLINGS:
        for cls in vars(ast).values():
            if isinstance(cls, type) and cls.__base__ in {ast.expr, ast.stmt}:
                _SIBLINGS[_shape(cls)].append(cls)
    return _SIBLINGS


_SIBLINGS: dict[tuple[Any, ...], list[type[ast.expr | ast.stmt]]] = defaultdict(list)
