"""tests/README.md has a table of the environment variables that the tests read."""

from __future__ import annotations

import itertools
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, ROOT
from tests.switches import turn

README = Path(__file__).with_name("README.md")
VARIABLE = re.compile(r"\bSCRIPTS_TRACKER(?:_[A-Z]+)+\b")


def variables_in(*files: Path) -> set[str]:
    return {name for file in files for name in VARIABLE.findall(file.read_text(encoding="utf-8"))}


@CHECKOUT
def test_the_table_of_switches_has_every_variable_that_is_read_or_set_and_no_other() -> None:
    rows = [
        line
        for line in README.read_text(encoding="utf-8").splitlines()
        if line.startswith("| `SCRIPTS_TRACKER")
    ]
    listed = [name for row in rows for name in VARIABLE.findall(row.split("|")[1])]
    used = variables_in(
        *(ROOT / name for name in (".ci/run", "Makefile", "tox.ini")), *Path(__file__).parent.rglob("*.py")
    )
    assert sorted(listed) == sorted(used), "correct the table of tests/README.md"


@pytest.mark.parametrize("kinds", [2, 3, 4])
def test_neighbouring_pairs_of_python_and_django_test_on_different_kinds_of_database(kinds: int) -> None:
    series = [(5, 2), (6, 0), (6, 1), (6, 2), (7, 0)]
    for python in range(10, 16):
        for older, newer in itertools.pairwise(series):
            assert turn(python, older) % kinds != turn(python, newer) % kinds
            assert turn(python, newer) % kinds != turn(python + 1, newer) % kinds


def test_make_full_runs_every_test_that_has_a_length() -> None:
    done = subprocess.run(["make", "-n", "full"], cwd=ROOT, capture_output=True, text=True, check=True)
    run = [ROOT / word.replace("tests.", "tests/", 1) for word in re.findall(r"\btests[./]\S+", done.stdout)]
    long = [
        file
        for file in Path(__file__).parent.rglob("*.py")
        if re.search(
            r"^from tests\.switches import .*\b(FULL|LENGTH|at_length)\b",
            file.read_text(encoding="utf-8"),
            re.MULTILINE,
        )
        and file.name != "conftest.py"
    ]
    assert len(long) > 10
    missing = [file for file in long if not any(file.is_relative_to(one) for one in run)]
    assert missing == [], "make full in the Makefile does not name them"


@CHECKOUT
def test_ci_leaves_to_make_full_what_that_runs() -> None:
    (waiting,) = re.findall(
        r'^waiting="([\w ]+)"', (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert waiting in (ROOT / "Makefile").read_text(encoding="utf-8")
