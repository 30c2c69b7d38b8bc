from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts_tracker.analysis.fingerprint import fingerprint
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis import oracle, sources

PATHS = sources.library(400 if sources.FULL else 25, seed=7, largest=60_000 if sources.FULL else 6_000)
MUTANTS_A_FILE = 25 if sources.FULL else 10
OPERATORS = [ast.Add, ast.Sub, ast.Mult, ast.BitOr, ast.FloorDiv]
COMPARISONS = [ast.Eq, ast.NotEq, ast.Lt, ast.GtE, ast.In, ast.Is]
Random = random.Random


def _constant(node: ast.AST, dice: Random) -> bool:
    if not isinstance(node, ast.Constant):
        return False
    others = [None, True, 1, 1.0, 0, "", "a", b"a", 2j, ..., -7]
    node.value = dice.choice(others)
    return True


def _operator(node: ast.AST, dice: Random) -> bool:
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        node.op = dice.choice(OPERATORS)()
    elif isinstance(node, ast.Compare):
        node.ops[0] = dice.choice(COMPARISONS)()
    elif isinstance(node, ast.BoolOp):
        node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    elif isinstance(node, ast.UnaryOp):
        node.op = dice.choice([ast.Not, ast.Invert, ast.USub])()
    else:
        return False
    return True


def _rename(node: ast.AST, dice: Random) -> bool:
    names = [
        (node, field)
        for field in ("id", "attr", "arg", "name")
        if isinstance(getattr(node, field, None), str)
    ]
    for owner, field in names[:1]:
        setattr(owner, field, getattr(owner, field) + "_")
    return bool(names)


def _reorder(node: ast.AST, dice: Random) -> bool:
    lists = [value for _name, value in ast.iter_fields(node) if isinstance(value, list) and len(value) > 1]
    if not lists:
        return False
    chosen = dice.choice(lists)
    first = dice.randrange(len(chosen) - 1)
    chosen[first], chosen[first + 1] = chosen[first + 1], chosen[first]
    return True


def _drop(node: ast.AST, dice: Random) -> bool:
    lists = [
        value
        for name, value in ast.iter_fields(node)
        if isinstance(value, list) and name in _DROPPABLE and value
    ]
    if not lists:
        return False
    chosen = dice.choice(lists)
    del chosen[dice.randrange(len(chosen))]
    return True


_DROPPABLE = {
    "args",
    "keywords",
    "elts",
    "body",
    "orelse",
    "decorator_list",
    "handlers",
    "names",
    "items",
    "bases",
}
MUTATIONS: dict[str, Callable[[ast.AST, Random], bool]] = {
    "a constant": _constant,
    "an operator": _operator,
    "a name": _rename,
    "an order": _reorder,
    "a part": _drop,
}


def _mutants(source: bytes, mutation: Callable[[ast.AST, Random], bool]) -> Iterator[bytes]:
    """Sources that differ from the unparsed source in one place; some differ in nothing that counts."""
    count = len(list(ast.walk(oracle.parse(source))))
    for seed in range(MUTANTS_A_FILE):
        dice = Random(seed)
        tree = oracle.parse(source)
        nodes = list(ast.walk(tree))
        if any(mutation(nodes[(dice.randrange(count) + step) % count], dice) for step in range(50)):
            try:
                text = ast.unparse(tree)
                oracle.parse(text)
            except (SyntaxError, ValueError, AttributeError, TypeError, IndexError):
                continue
            yield text.encode("utf-8", "backslashreplace")


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("path", PATHS, ids=sources.label)
def test_a_changed_part_changes_the_fingerprint(path: Path, name: str) -> None:
    source = path.read_bytes()
    try:
        base_form, base = oracle.normal_form(source), fingerprint(source)
    except (UnreadableSource, SyntaxError, UnicodeDecodeError):
        pytest.skip("not readable here")
    for mutant in _mutants(source, MUTATIONS[name]):
        try:
            same = fingerprint(mutant) == base
        except UnreadableSource:
            continue
        assert same == (oracle.normal_form(mutant) == base_form)


@pytest.mark.parametrize("path", PATHS, ids=sources.label)
def test_unparsing_changes_no_fingerprint(path: Path) -> None:
    source = path.read_bytes()
    unparsed = ast.unparse(oracle.parse(source)).encode("utf-8", "surrogatepass")
    try:
        pair = fingerprint(source), fingerprint(unparsed)
    except UnreadableSource:
        pytest.skip("not readable here")
    assert (pair[0] == pair[1]) == (oracle.normal_form(source) == oracle.normal_form(unparsed))
    if pair[0] == pair[1]:
        assert oracle.code_shape(source) == oracle.code_shape(unparsed)
