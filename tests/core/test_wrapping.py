from __future__ import annotations

import pytest

from scripts_tracker.core.wrapping import wrapped_line

WHOLE = {
    "a command": "manage.py check_scripts --mark-applied shop.fix",
    "a command with python": "python manage.py run_scripts shop.fix",
    "a name in quotes": 'manage.py show_script "shop.fix [b]" --diff',
    "a reason in quotes": 'manage.py check_scripts --release shop.fix --reason "..."',
    "a command of git": "`git add --force shop/management/commands/fix.py`",
    "a module of Python": "`python -m py_compile shop/management/commands/fix.py`",
    "a moment": "2026-05-01 12:00 +02:00",
    "a number and its unit": "12 min",
}


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("width", [20, 25])
def test_it_stays_on_one_line(text: str, width: int) -> None:
    lines = wrapped_line(f"These words come before it: {text}; and others follow.", width)
    assert any(text in line for line in lines), lines
    assert len(lines) > 2


def test_a_command_in_single_quotes_ends_with_its_last_argument() -> None:
    line = "Run 'python manage.py run_scripts \"b.*\"' to apply them, 'as one' of the others does."
    assert wrapped_line(line, 40) == [
        "Run 'python manage.py run_scripts \"b.*\"'",
        "to apply them, 'as one' of the others",
        "does.",
    ]


def test_words_are_wrapped_below_their_indents() -> None:
    assert wrapped_line("one two three four", 10, "- ", "  ") == ["- one two", "  three", "  four"]


def test_code_in_backticks_that_is_no_command_is_wrapped_as_words_are() -> None:
    assert wrapped_line('Write `help = "words about it"` here', 12)[0] == "Write `help"


def test_nothing_is_no_line() -> None:
    assert wrapped_line("", 20) == []
