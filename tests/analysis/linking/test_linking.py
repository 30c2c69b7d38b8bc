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
