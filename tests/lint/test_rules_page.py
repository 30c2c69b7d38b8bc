from __future__ import annotations

from pathlib import Path

import pytest

from scripts_tracker.lint import explaining
from scripts_tracker.lint.rules import all_rules, name_of

PAGE = Path(__file__).parents[2] / "docs" / "rules.md"
COMMAND = "python -m scripts_tracker.lint.explaining > docs/rules.md"


def test_the_page_is_generated_from_the_docstrings() -> None:
    assert PAGE.read_text(encoding="utf-8") == explaining.page(), (
        f"docs/rules.md is out of date; run: {COMMAND}"
    )


def test_the_page_names_the_command_that_generates_it() -> None:
    assert COMMAND in explaining.page()


def test_every_link_on_the_page_leads_to_a_heading() -> None:
    headings = {
        line[3:].lower().replace(" ", "-") for line in explaining.page().split("\n") if line[:3] == "## "
    }
    assert headings == {f"{rule.code.lower()}-{name_of(rule)}" for rule in all_rules().values()}
    assert all(f"](#{heading})" in explaining.page() for heading in headings)


def test_the_list_has_one_line_per_rule_in_columns() -> None:
    lines = explaining.listed().split("\n")
    assert [line[:5] for line in lines] == list(all_rules())
    starts = {
        line.index(explaining.summary_of(rule))
        for line, rule in zip(lines, all_rules().values(), strict=True)
    }
    assert len(starts) == 1


def test_the_list_marks_fixable_rules() -> None:
    fixable = {line[:5] for line in explaining.listed().split("\n") if "  fixable  " in line}
    assert fixable == {"ST014", "ST015", "ST017", "ST022"}
    assert fixable == {code for code, rule in all_rules().items() if rule.is_fixable}


def test_an_explanation_is_the_docstring_without_indentation() -> None:
    lines = explaining.explained("st014").split("\n")
    assert lines[0] == "ST014 handle-noargs (fixable)"
    assert "## Why is this bad?" in lines
    assert not explaining.explained("ST012").split("\n")[0].endswith("(fixable)")


def test_an_unknown_code_is_an_error() -> None:
    with pytest.raises(explaining.UnknownCodeError, match="'ST999'"):
        explaining.explained("ST999")


def test_a_reason_is_one_line() -> None:
    for rule in all_rules().values():
        reason = explaining.reason_of(rule)
        assert "\n" not in reason
        assert "##" not in reason
        assert reason != explaining.summary_of(rule)
