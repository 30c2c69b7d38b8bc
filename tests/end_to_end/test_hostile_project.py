"""All hostile files in one project, through the front door that users take."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.analysis.hostile.places import PLACES
from tests.analysis.hostile.shapes import HERE, LATER, SHAPES, TRACKED
from tests.analysis.hostile.texts import TEXTS
from tests.conftest import Project
from tests.switches import FULL

LARGEST = 20 << 20 if FULL else 30_000
FOLDER = "shop/management/commands"
GIBIBYTE = 1 << 20  # in the KiB of ulimit


@pytest.fixture
def expected(migrated: Project) -> dict[str, tuple[int | None, str]]:
    """Line and word of the finding for each path; writes the files."""
    found: dict[str, tuple[int | None, str]] = {}
    migrated.write(f"{FOLDER}/good.py", TRACKED)
    for number, case in enumerate((*SHAPES.values(), *TEXTS.values())):
        source = case.source()
        if len(source) <= LARGEST and case.code == "ST000":
            found[migrated.write(f"{FOLDER}/text{number}.py", source).name] = case.line, case.reason
    for number, (make, reason) in enumerate(PLACES.values()):
        path = migrated.root / FOLDER / f"place{number}.py"
        make(path)
        found[path.name] = 1, reason
    return found


def test_a_project_of_hostile_files_is_reported_in_full(
    migrated: Project, expected: dict[str, tuple[int | None, str]]
) -> None:
    check = f'ulimit -v {GIBIBYTE}; exec "$0" manage.py check_scripts --check --all --format json'
    result = migrated.run("sh", "-c", check, sys.executable)
    assert (result.code, result.err) == (4, "")
    document = json.loads(result.out)
    states = {script["script"]: script["state"] for script in document["scripts"]}
    assert states["shop.good"] == "new"
    problems: dict[str, dict[str, Any]] = {
        problem["path"].rpartition("/")[2]: problem for problem in document["problems"]
    }
    assert len(problems) == len(document["problems"])
    assert set(problems) == {name for name, (line, _) in expected.items() if line is not None}
    for name, problem in problems.items():
        line, reason = expected[name]
        assert states[f"shop.{name.removesuffix('.py')}"] == "unreadable"
        assert problem["code"] == "ST000"
        assert problem["line"] == line or (line == LATER and problem["line"] >= HERE)
        assert reason in problem["message"]
        assert problem["hint"]
