"""That the cases in fixtures/fingerprint/ hold every production: each form of each field of CPython's own grammar."""

from __future__ import annotations

import ast
import functools
import io
import keyword
import sys
import token
import tokenize
import types
import typing
from collections.abc import Iterable, Iterator

import pytest

from tests.analysis import oracle
from tests.analysis.fingerprint.test_fingerprint import DIFFERENT, EQUAL, Case

pytestmark = pytest.mark.skipif(
    sys.version_info[:2] != (3, 13), reason="the grammar of Python 3.13 is the measure"
)
FOLDERS = {"equal": EQUAL, "different": DIFFERENT}

# Fields of whole numbers, and the values that a source can give them.
NUMBERS = {
    "AnnAssign.simple": (0, 1),
    "FormattedValue.conversion": (-1, ord("a"), ord("r"), ord("s")),
    "ImportFrom.level": (0, 1, 2),
    "comprehension.is_async": (0, 1),
}
CONSTANTS = (None, True, False, ..., 1, 1.0, 1j, "", b"")
# What the parser never makes: blocks and parts that cannot be empty, and comments it does not read.
IMPOSSIBLE = {
    *(
        f"{name}.{field}: empty"
        for name, field in [
            ("Assign", "targets"),
            ("AsyncFor", "body"),
            ("AsyncFunctionDef", "body"),
            ("AsyncWith", "body"),
            ("AsyncWith", "items"),
            ("BoolOp", "values"),
            ("ClassDef", "body"),
            ("Compare", "comparators"),
            ("Compare", "ops"),
            ("Delete", "targets"),
            ("DictComp", "generators"),
            ("ExceptHandler", "body"),
            ("For", "body"),
            ("FunctionDef", "body"),
            ("GeneratorExp", "generators"),
            ("Global", "names"),
            ("If", "body"),
            ("Import", "names"),
            ("ImportFrom", "names"),
            ("ListComp", "generators"),
            ("Match", "cases"),
            ("MatchOr", "patterns"),
            ("Nonlocal", "names"),
            ("Set", "elts"),
            ("SetComp", "generators"),
            ("Try", "body"),
            ("TryStar", "body"),
            ("TryStar", "handlers"),
            ("While", "body"),
            ("With", "body"),
            ("With", "items"),
            ("match_case", "body"),
        ]
    ),
    "BoolOp.values: one",
    "ImportFrom.level: absent",
    "MatchOr.patterns: one",
    "Starred.ctx: Del",
}
_CHOICES = (ast.boolop, ast.cmpop, ast.expr_context, ast.operator, ast.unaryop)
_SILENT = {"type_comment", "type_ignores"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_form_of_every_syntax_node_has_a_case(folder: str) -> None:
    expected = set(_expected()) - IMPOSSIBLE
    found = {form for tree in _trees(folder) for node in ast.walk(tree) for form in _forms(node)}
    assert sorted(expected - found) == []


def test_the_forms_called_impossible_never_occur() -> None:
    assert set(_expected()) >= IMPOSSIBLE
    found = {
        form for name in FOLDERS for tree in _trees(name) for node in ast.walk(tree) for form in _forms(node)
    }
    assert sorted(found & IMPOSSIBLE) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_keyword_and_operator_has_a_case(folder: str) -> None:
    expected = {*keyword.kwlist, *keyword.softkwlist, *token.EXACT_TOKEN_TYPES}
    found = {lexeme.string for lexeme in _tokens(folder)}
    assert sorted(expected - found) == []


def test_every_string_prefix_has_a_case() -> None:
    expected = {prefix.lower() for prefix in tokenize._all_string_prefixes()}
    found = {
        lexeme.string.rstrip("'\"").partition("'")[0].partition('"')[0].lower()
        for name in FOLDERS
        for lexeme in _tokens(name)
        if lexeme.type in {token.STRING, getattr(token, "FSTRING_START", -1)}
    }
    assert sorted(expected - found) == []


def _judged(cases: Iterable[Case]) -> Iterator[str]:
    return (variant for case in cases if case.judged for variant in case.variants)


@functools.cache
def _trees(folder: str) -> list[ast.Module]:
    return [oracle.parse(variant) for variant in _judged(FOLDERS[folder])]


def _tokens(folder: str) -> Iterator[tokenize.TokenInfo]:
    for variant in _judged(FOLDERS[folder]):
        yield from tokenize.generate_tokens(io.StringIO(variant).readline)


def _forms(node: ast.AST) -> Iterator[str]:
    """The forms that one node has: how long its lists are, what is absent, which operators and flags."""
    name = type(node).__name__
    yield name
    for field, kind in _fields(type(node)):
        value = getattr(node, field)
        for item in value if _is_list(kind) else [value]:
            if isinstance(item, _CHOICES):
                yield f"{name}.{field}: {type(item).__name__}"
        if _is_list(kind):
            yield f"{name}.{field}: {('empty', 'one', 'several')[min(len(value), 2)]}"
            if any(item is None for item in value):
                yield f"{name}.{field}: with a gap"
        elif isinstance(kind, types.UnionType):
            yield f"{name}.{field}: {'absent' if value is None else 'present'}"
        if f"{name}.{field}" in NUMBERS:
            yield f"{name}.{field} = {value}"
        if isinstance(node, ast.Constant) and field == "value":
            yield f"Constant {_constant(value)}"


def _expected() -> Iterator[str]:
    """The forms that the grammar of the abstract syntax gives to its nodes."""
    yield from ("Dict.keys: with a gap", "arguments.kw_defaults: with a gap")
    yield from (f"Constant {_constant(value)}" for value in CONSTANTS)
    yield from (f"{field} = {value}" for field, values in NUMBERS.items() for value in values)
    for node in _reachable():
        yield node.__name__
        for field, kind in _fields(node):
            name = f"{node.__name__}.{field}"
            if _is_list(kind):
                yield from (f"{name}: {length}" for length in ("empty", "one", "several"))
            elif isinstance(kind, types.UnionType):
                yield from (f"{name}: {presence}" for presence in ("absent", "present"))
            choices = (choice for choice in _classes(kind) if issubclass(choice, _CHOICES))
            yield from (f"{name}: {choice.__name__}" for choice in choices)


def _reachable() -> list[type[ast.AST]]:
    """Every concrete node that a module can hold."""
    known: list[type[ast.AST]] = []
    pending: list[type[ast.AST]] = [ast.Module]
    while pending:
        node = pending.pop()
        if node not in known:
            known.append(node)
            pending += [inner for _field, kind in _fields(node) for inner in _classes(kind)]
    return known


def _fields(node: type[ast.AST]) -> list[tuple[str, typing.Any]]:
    types_of: dict[str, typing.Any] = getattr(node, "_field_types", {})
    return [(field, kind) for field, kind in types_of.items() if field not in _SILENT]


def _is_list(kind: typing.Any) -> bool:
    return typing.get_origin(kind) is list


def _classes(kind: typing.Any) -> list[type[ast.AST]]:
    """The concrete nodes that a field may hold; ``ast`` also keeps deprecated ones, which have no field types."""
    parts = typing.get_args(kind) or (kind,)
    bases = [part for part in parts if isinstance(part, type) and issubclass(part, ast.AST)]
    concrete = [
        inner for base in bases for inner in ([base] if not base.__subclasses__() else base.__subclasses__())
    ]
    return [inner for inner in concrete if "_field_types" in vars(inner)]


def _constant(value: object) -> str:
    return repr(value) if value is None or value is ... or isinstance(value, bool) else type(value).__name__
