from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.analysis.project_cases import FIXTURES, Case, described, index_of, read_cases

if TYPE_CHECKING:
    from pathlib import Path

CASES = [
    pytest.param(case, id=f"{path.stem}: {case.title}")
    for path in sorted(FIXTURES.glob("*.case"))
    for case in read_cases(path.name)
]


@pytest.mark.parametrize("case", CASES)
def test_project(case: Case, tmp_path: Path) -> None:
    case.build(tmp_path)
    index = index_of(tmp_path)
    found = {str(one.id): described(one) for one in index.definitions}
    assert {(one.location.path, one.location.line, one.code) for one in index.findings} == case.findings()
    assert list(found) == sorted(case.expect)
    for script, expected in case.expect.items():
        assert {key: found[script][key] for key in expected} == expected


@pytest.mark.parametrize("case", CASES)
def test_messages_are_for_people(case: Case, tmp_path: Path) -> None:
    case.build(tmp_path)
    for finding in index_of(tmp_path).findings:
        assert finding.message[0].islower() or finding.message[0] in "@`" or "." in finding.message
        assert not finding.message.endswith(".")
        assert finding.hint.endswith((".", "?")), "a hint says what to type next"
        assert str(tmp_path) not in finding.message + finding.hint


REFUSED_BY_US = {
    "a source of more than a mebibyte": "#" + "x" * (1 << 20),
    "an expression that is nested too deeply": "x = " + "-" * 4000 + "1",
}


@pytest.mark.parametrize("line", REFUSED_BY_US.values(), ids=REFUSED_BY_US)
def test_what_python_reads_is_not_sent_to_its_compiler(line: str, tmp_path: Path) -> None:
    source = f"from scripts_tracker import tracked_script\n{line}\n"
    case = Case("", {"shop/management/commands/fix.py": source})
    case.build(tmp_path)
    (finding,) = index_of(tmp_path).findings
    assert finding.code == "ST000"
    assert "py_compile" not in finding.hint
    assert "move it into a module" in finding.hint


def test_what_python_refuses_is_sent_to_its_compiler(tmp_path: Path) -> None:
    source = "from scripts_tracker import tracked_script\nclass Command(:\n"
    Case("", {"shop/management/commands/fix.py": source}).build(tmp_path)
    (finding,) = index_of(tmp_path).findings
    assert "py_compile" in finding.hint
