"""Every rule reports exactly what its cases expect; its fix leaves nothing to fix."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis import codes
from scripts_tracker.lint.base import RunRule
from scripts_tracker.lint.fixing import fixed
from scripts_tracker.lint.rules import all_rules
from tests.lint.rule_cases import (
    ALONE,
    CASES,
    build,
    expected,
    failing,
    fixing,
    linted,
    parameters,
    passing,
    read_text,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.base import Rule

RULES = all_rules()
OVER_FILES = [rule for rule in RULES.values() if not isinstance(rule, RunRule)]
PASSING = parameters(OVER_FILES, passing)
FAILING = parameters(OVER_FILES, failing)
FIXING = [
    pytest.param(rule, read_text(before), read_text(after), id=f"{rule.code}-{before.stem}")
    for rule in RULES.values()
    for before, after in fixing(rule.code)
]
HEADINGS = ["What it does", "Why is this bad?", "Example", "Use instead"]


def _reported(root: Path, wanted: set[str]) -> set[tuple[str, int, str]]:
    found = linted(root).findings
    return {(one.location.path, one.location.line, one.code) for one in found if one.code in wanted}


@pytest.mark.parametrize(("rule", "case"), PASSING)
def test_a_rule_reports_nothing_in_a_passing_case(rule: Rule, case: str, tmp_path: Path) -> None:
    build(case, tmp_path)
    assert _reported(tmp_path, {rule.code}) == expected(case) == set()


@pytest.mark.parametrize(("rule", "case"), FAILING)
def test_a_rule_reports_exactly_the_marked_lines_of_a_failing_case(
    rule: Rule, case: str, tmp_path: Path
) -> None:
    build(case, tmp_path)
    wanted = expected(case)
    assert rule.code in {code for _, _, code in wanted}
    assert _reported(tmp_path, {code for _, _, code in wanted}) == wanted


@pytest.mark.parametrize(("rule", "before", "after"), FIXING)
def test_a_fix_makes_exactly_the_expected_change_and_a_second_run_none(
    rule: Rule, before: str, after: str, tmp_path: Path
) -> None:
    build(before, tmp_path)
    path = tmp_path / ALONE
    repaired = fixed(path.read_bytes(), _fixable(tmp_path, rule))
    assert repaired.decode() == after
    path.write_bytes(repaired)
    assert fixed(repaired, _fixable(tmp_path, rule)) == repaired, "a second run changes nothing"
    assert not _fixable(tmp_path, rule)


@pytest.mark.parametrize(("rule", "before", "after"), FIXING)
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "byte order mark"])
def test_a_fix_keeps_line_endings_and_byte_order_mark(
    rule: Rule, before: str, after: str, mark: bytes, tmp_path: Path
) -> None:
    build(before, tmp_path)
    path = tmp_path / ALONE
    path.write_bytes(mark + before.replace("\n", "\r\n").encode())
    repaired = fixed(path.read_bytes(), _fixable(tmp_path, rule))
    assert repaired == mark + after.replace("\n", "\r\n").encode()


def _fixable(root: Path, rule: Rule) -> list[Finding]:
    return [one for one in linted(root).findings if one.code == rule.code and one.fixable]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_documentation_of_a_rule_has_four_headings(rule: Rule) -> None:
    doc = type(rule).__doc__ or ""
    assert re.findall(r"^ *## (.+)$", doc, re.MULTILINE) == HEADINGS
    assert re.match(r"[^\n]+\.\n\n", doc), "the first line is a sentence"


def test_every_code_has_a_rule() -> None:
    assert tuple(RULES) == codes.ALL


@pytest.mark.parametrize("code", RULES)
def test_a_rule_has_passing_and_failing_cases(code: str) -> None:
    assert passing(code), f"write a case into fixtures/lint/{code}/passes/"
    assert failing(code), f"write a case into fixtures/lint/{code}/fails/"


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_exactly_the_fixable_rules_have_cases_of_a_fix(rule: Rule) -> None:
    assert bool(fixing(rule.code)) == rule.is_fixable


def test_every_case_file_is_read_by_a_test() -> None:
    read = {CASES / "README.md"}
    for code in RULES:
        read.update(passing(code), failing(code), *fixing(code))
    assert {path for path in CASES.rglob("*") if not path.is_dir()} == read


def test_a_folder_of_cases_belongs_to_a_rule() -> None:
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == {*RULES}
