"""Each rule names the functions of other parts that decide it, so that a reader of the rule finds them."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import inspect
from typing import TYPE_CHECKING, Any

import pytest

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import AnalysisRule
from scripts_tracker.lint.rules import all_rules
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.lint.base import Rule

RULES = all_rules()
# Questions about a code, not findings.
ASKING = {"wants", "hides"}


@functools.cache
def _reporting() -> dict[str, set[str]]:
    """The functions outside of the rules that pass a code to a call, by code."""
    found: dict[str, set[str]] = {}
    for folder in ("analysis", "lint"):
        for path in (ROOT / "scripts_tracker" / folder).rglob("*.py"):
            if path.parent.name != "rules":
                module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
                for name, code in _passed_codes(ast.parse(path.read_bytes()), module):
                    found.setdefault(code, set()).add(name)
    return found


def _passed_codes(node: ast.AST, name: str) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        inner = f"{name}.{child.name}" if isinstance(child, ast.FunctionDef | ast.ClassDef) else name
        if isinstance(child, ast.Call) and ast.unparse(child.func).rpartition(".")[2] not in ASKING:
            for argument in map(ast.unparse, child.args):
                code = getattr(codes, argument.removeprefix("codes."), None)
                if argument.startswith("codes.") and isinstance(code, str):
                    yield name, code
        yield from _passed_codes(child, inner)


def _source(path: str) -> str:
    """The source of a function or method."""
    for count in range(1, 3):
        module, *names = path.rsplit(".", count)
        with contextlib.suppress(ModuleNotFoundError):
            found: Any = importlib.import_module(module)
            return inspect.getsource(functools.reduce(getattr, names, found))
    pytest.fail(f"{path} does not exist")


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_names_every_function_that_reports_its_code(rule: Rule) -> None:
    assert _reporting().get(rule.code, set()) <= {*rule.decided_by}
    assert bool(rule.decided_by) or not isinstance(rule, AnalysisRule)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_functions_that_a_rule_names_mention_its_code(rule: Rule) -> None:
    (constant,) = (name for name, value in vars(codes).items() if value == rule.code)
    fixed_by = [rule.fixed_by] if isinstance(rule, AnalysisRule) and rule.fixed_by else []
    for path in (*rule.decided_by, *fixed_by):
        assert f"codes.{constant}" in _source(path)
