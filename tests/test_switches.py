"""tests/README.md has a table of the environment variables that the tests read."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conftest import ROOT

README = Path(__file__).with_name("README.md")
VARIABLE = re.compile(r"\bSCRIPTS_TRACKER(?:_[A-Z]+)+\b")


def variables_in(*files: Path) -> set[str]:
    return {name for file in files for name in VARIABLE.findall(file.read_text(encoding="utf-8"))}


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
    assert sorted(listed) == sorted(used), "mend the table of tests/README.md"
