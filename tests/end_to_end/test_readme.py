"""The README shows what the demo prints; if this fails, run ``make demo`` and paste its output."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```console\n(.*?)```", README, re.DOTALL)


def normalised(text: str) -> str:
    """Without what differs from run to run: dates, how long something took, the clock of a run."""
    text = re.sub(r"\d{4}-\d\d-\d\d(?: \d\d:\d\d(?: UTC| [+-]\d\d:\d\d)?)?", "DATE", text)
    return re.sub(r" \d+:\d\d\]", " CLOCK]", re.sub(r"\d+\.\d s\b|\b\d+ ms\b", "SECONDS", text))


def insist_on(shown: str, printed: str) -> None:
    """What is shown was printed, in this order; a line of three dots stands for what is left out."""
    text, at = normalised(printed), 0
    for piece in normalised(shown).split("...\n"):
        found = text.find(piece, at)
        assert found >= 0, f"this is not printed (in this order):\n{piece}\nbut this:\n{text}"
        at = found + len(piece)


@pytest.mark.parametrize("block", BLOCKS, ids=[block.splitlines()[0] for block in BLOCKS])
def test_every_console_block_is_what_the_demo_prints(block: str, demo_output: str) -> None:
    insist_on(block, demo_output)


def test_the_readme_has_two_screens() -> None:
    assert len(README.splitlines()) <= 90


def test_the_two_commands_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in ("make demo", "make test"):
        assert command in README
        assert f"\n{command.removeprefix('make ')}:" in makefile


def test_the_states_in_the_reference_are_those_of_the_code() -> None:
    from scripts_tracker.core.states import State

    reference = (ROOT / "docs" / "reference.md").read_text()
    rows = re.findall(r"^\| `([a-z]+)` \|[^|]*\| (yes|no|no, shown) \|$", reference, re.MULTILINE)
    assert dict(rows) == {
        state.value: "yes" if state.needs_action else "no, shown" if state.shown else "no" for state in State
    }


def test_the_number_of_rules_is_that_of_the_lint() -> None:
    from scripts_tracker.lint.rules import all_rules

    lint = (ROOT / "docs" / "lint.md").read_text()
    named, more = re.findall(r"before they are merged: (.*?), and \[(\d+) more\]", lint, re.DOTALL)[0]
    assert len(named.split(",")) + int(more) == len(all_rules())
    assert f"a linter of {len(all_rules())} rules" in (ROOT / "CHANGELOG.md").read_text()
