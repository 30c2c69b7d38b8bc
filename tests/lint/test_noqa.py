"""``# noqa`` comments: what they hide, for which lines they count, and what is no list of codes."""

from __future__ import annotations

from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis import codes
from scripts_tracker.lint import noqa
from scripts_tracker.lint.rules import all_rules, name_of
from tests.lint.conftest import BROKEN, FIX, Lint
from tests.lint.rule_cases import build

if TYPE_CHECKING:
    from pathlib import Path

ALL = None

LISTS: dict[str, tuple[str, tuple[str, ...] | None, str]] = {
    "a reason in place of codes": ("# noqa: because it is old", (), "because it is old"),
    "a colon and nothing": ("# noqa:", (), "nothing"),
    "a name with a slip": ("# noqa: interactive-promt", (), "interactive-promt"),
    "a name with a slip after a code": ("# noqa: ST003, interactive-promt", ("ST003",), "interactive-promt"),
    "a sentence after a list": ("# noqa: ST003, because it is old", ("ST003",), ""),
    "a reason after a code": ("# noqa: ST003 the other app is not ours", ("ST003",), ""),
    "a reason in a comment of its own": ("# noqa: ST003  # not ours", ("ST003",), ""),
    "codes of another tool": ("# noqa: E501,WPS432", ("E501", "WPS432"), ""),
    "blanks in place of commas": ("#noqa:ST003 ST012", ("ST003", "ST012"), ""),
    "small letters": ("# NoQA : st003", ("ST003",), ""),
    "names of rules": ("# noqa: unknown-requirement, Interactive-Prompt", ("ST003", "ST012"), ""),
    "a name and a code": ("# noqa: E501, interactive-prompt", ("E501", "ST012"), ""),
    "a code without a colon": ("# noqa ST003", ("ST003",), ""),
    "nothing more": ("# noqa", ALL, ""),
    "another comment behind it": ("# noqa  # generated", ALL, ""),
    "words without a colon": ("# noqa as everywhere here", ALL, ""),
    "behind another comment": ("# generated  # noqa: ST003", ("ST003",), ""),
}


@pytest.mark.parametrize("title", LISTS)
def test_what_a_comment_hides_and_what_is_no_list(title: str) -> None:
    comment, hidden, wrong = LISTS[title]
    (one,) = noqa.read(f"x = 1  {comment}\n")
    assert (one.codes, one.wrong) == (hidden, wrong)


@pytest.mark.parametrize("comment", ["# noqable", "# flake8: noqa", "# ruff: noqa: ST003", "x = '# noqa'"])
def test_what_only_looks_like_one_hides_nothing(comment: str) -> None:
    assert noqa.read(f"{comment}\n") == ()


# Each with the lines that the comments count for.
SPANS: dict[str, tuple[str, list[tuple[int, int]]]] = {
    "a line inside a call": ("f(\n    a,  # noqa\n    b,\n)\n", [(2, 2)]),
    "two lines inside a call": ("f(\n    a,  # noqa\n    b,  # noqa\n)\n", [(2, 2), (3, 3)]),
    "a line of its own inside a call": ("f(\n    # noqa\n    b,\n)\n", [(2, 2)]),
    "a line of its own before a statement": ("# noqa\nf(\n)\n", [(1, 1)]),
    "a line of its own after a statement": ("f(\n)\n# noqa\n", [(3, 3)]),
    "the statement before": ("f(\n)\ng()  # noqa\n", [(3, 3)]),
    "a block": ("if a:\n    f()\n    g()  # noqa\n", [(3, 3)]),
    "a string inside a call that ends before": ("f(\n    '''\n    ''',\n    b,  # noqa\n)\n", [(4, 4)]),
    "a wrapped statement": ("f(\n    a,\n    b,\n)  # noqa\n", [(1, 4)]),
    "a wrapped decorator": ("@f(\n    a,\n)  # noqa\ndef g(): ...\n", [(1, 3)]),
    "a wrapped head": ("def f(\n    a,\n):  # noqa\n    ...\n", [(1, 3)]),
    "a continued line": ("x = a + \\\n    b + \\\n    c  # noqa\n", [(1, 3)]),
    "a string": ("x = '''\na\n'''  # noqa\n", [(1, 3)]),
    "a string inside a call": ("f(\n    '''\n    ''',  # noqa\n    b,\n)\n", [(2, 3)]),
    "an f-string inside a call": ("f(\n    f'''{a}\n    {b}''',  # noqa\n    b,\n)\n", [(2, 3)]),
    "the last line without an end": ("f(\n)  # noqa", [(1, 2)]),
    "two statements on a line": ("f(\n); g()  # noqa\n", [(1, 2)]),
    "a file that is no Python": ("f(\n  a)))  # noqa\n'''\n", [(2, 2)]),
}


@pytest.mark.parametrize("title", SPANS)
def test_for_which_lines_a_comment_counts(title: str) -> None:
    source, lines = SPANS[title]
    assert [(one.first, one.line) for one in noqa.read(source)] == lines


def test_a_reason_in_place_of_codes_hides_nothing_and_is_a_finding(lint: Lint, tmp_path: Path) -> None:
    build(BROKEN.replace('"gone")', '"gone")  # noqa: not ours'), tmp_path)
    done = lint("--format", "json")
    assert done.found == [(FIX, 6, "ST003"), (FIX, 6, "ST022")]
    assert "`# noqa` with 'not ours', which names no rule, hides nothing" in done.out


WRAPPED = dedent("""\
    @required_preceding_script(
            "gone",
        )  # noqa: unknown-requirement
""")


def test_a_comment_at_the_end_of_a_wrapped_decorator_counts_for_all_of_it(lint: Lint, tmp_path: Path) -> None:
    wrapped = BROKEN.replace('@required_preceding_script("gone")\n', WRAPPED)
    build(wrapped, tmp_path)
    assert lint("--format", "json").found == []
    build(wrapped.replace("  # noqa: unknown-requirement", ""), tmp_path)
    assert lint("--format", "json").found == [(FIX, 7, "ST003")]


def test_a_name_that_hides_nothing_is_removed_like_a_code() -> None:
    line = "x = 1  # noqa: E501, interactive-prompt, ST003 why"
    assert noqa.without(line, 7, ["ST012"]) == (15, "E501, ST003 why")
    assert noqa.without(line, 7, ["ST012", "ST003"]) == (15, "E501 why")
    assert noqa.without("x = 1  # noqa: interactive-prompt", 7, ["ST012"]) == (5, "")


def test_each_code_has_the_name_of_its_rule() -> None:
    assert {code: name_of(rule) for code, rule in all_rules().items()} == codes.NAMES
