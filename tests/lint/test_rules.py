"""Every rule says what its cases announce, and nothing more; its fix leaves nothing to fix."""

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


def _said(root: Path, wanted: set[str]) -> set[tuple[str, int, str]]:
    found = linted(root).findings
    return {(one.location.path, one.location.line, one.code) for one in found if one.code in wanted}


@pytest.mark.parametrize(("rule", "case"), PASSING)
def test_a_rule_is_silent_where_nothing_is_wrong(rule: Rule, case: str, tmp_path: Path) -> None:
    build(case, tmp_path)
    assert _said(tmp_path, {rule.code}) == expected(case) == set()


@pytest.mark.parametrize(("rule", "case"), FAILING)
def test_a_rule_names_the_lines_that_its_cases_announce(rule: Rule, case: str, tmp_path: Path) -> None:
    build(case, tmp_path)
    wanted = expected(case)
    assert rule.code in {code for _, _, code in wanted}
    assert _said(tmp_path, {code for _, _, code in wanted}) == wanted


@pytest.mark.parametrize(("rule", "before", "after"), FIXING)
def test_a_fix_changes_what_it_says_and_nothing_else(
    rule: Rule, before: str, after: str, tmp_path: Path
) -> None:
    build(before, tmp_path)
    path = tmp_path / ALONE
    mended = fixed(path.read_bytes(), _fixable(tmp_path, rule))
    assert mended.decode() == after
    path.write_bytes(mended)
    assert fixed(mended, _fixable(tmp_path, rule)) == mended, "a second run changes nothing"
    assert not _fixable(tmp_path, rule)


@pytest.mark.parametrize(("rule", "before", "after"), FIXING)
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["plain", "byte order mark"])
def test_a_fix_keeps_line_ends_and_byte_order_mark(
    rule: Rule, before: str, after: str, mark: bytes, tmp_path: Path
) -> None:
    build(before, tmp_path)
    path = tmp_path / ALONE
    path.write_bytes(mark + before.replace("\n", "\r\n").encode())
    mended = fixed(path.read_bytes(), _fixable(tmp_path, rule))
    assert mended == mark + after.replace("\n", "\r\n").encode()


def _fixable(root: Path, rule: Rule) -> list[Finding]:
    return [one for one in linted(root).findings if one.code == rule.code and one.fixable]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_documented_under_four_headings(rule: Rule) -> None:
    doc = type(rule).__doc__ or ""
    assert re.findall(r"^ *## (.+)$", doc, re.MULTILINE) == HEADINGS
    assert re.match(r"[^\n]+\.\n\n", doc), "the first line is a sentence"


def test_every_code_is_a_rule() -> None:
    assert tuple(RULES) == codes.ALL


@pytest.mark.parametrize("code", RULES)
def test_a_rule_has_cases_that_pass_and_cases_that_fail(code: str) -> None:
    assert passing(code), f"write a case into fixtures/lint/{code}/passes/"
    assert failing(code), f"write a case into fixtures/lint/{code}/fails/"


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_that_is_fixable_has_cases_of_its_fix_and_no_other_has(rule: Rule) -> None:
    assert bool(fixing(rule.code)) == rule.is_fixable


def test_every_file_of_the_cases_is_read() -> None:
    read = {CASES / "README.md"}
    for code in RULES:
        read.update(passing(code), failing(code), *fixing(code))
    assert {path for path in CASES.rglob("*") if not path.is_dir()} == read


def test_a_folder_of_cases_belongs_to_a_rule() -> None:
    assert {path.name for path in CASES.iterdir() if path.is_dir()} == {*RULES}
