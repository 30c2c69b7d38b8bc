"""The projects that benchmarks measure are projects that both trackers understand."""

from __future__ import annotations

import ast
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import linting, projects, sites, table, tools
from benchmarks.measuring import BenchmarkError
from benchmarks.rows import Row
from tests.conftest import ROOT, Project

SHAPE = projects.Shape(commands=20, tracked=0.4, seed=7)


def test_a_generated_project_has_the_scripts_it_was_asked_for(tmp_path: Path) -> None:
    projects.generate(str(tmp_path), SHAPE)
    project = Project(
        tmp_path, {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": "project.with_scripts_tracker"}
    )
    project.migrate()
    found = project.check("--all")
    assert [script["state"] for script in found["scripts"]] == ["new"] * 8
    assert found["problems"] == []


def test_an_edit_changes_the_code_of_the_given_number_of_files(tmp_path: Path) -> None:
    planned = projects.generate(str(tmp_path), SHAPE)
    before = {command: ast.dump(ast.parse((tmp_path / command.path).read_text())) for command in planned}
    projects.edit(str(tmp_path), planned, 3)
    after = {command: ast.dump(ast.parse((tmp_path / command.path).read_text())) for command in planned}
    changed = [command for command in planned if before[command] != after[command]]
    assert len(changed) == 3
    assert {command.tracking for command in changed} == {"own"}


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        projects.generate(str(tmp_path / name), SHAPE)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.py"))
    assert len(files) > SHAPE.commands
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_every_generated_file_is_python_of_a_realistic_size(tmp_path: Path) -> None:
    sources = [
        (tmp_path / command.path).read_text()
        for command in projects.generate(str(tmp_path), projects.Shape(300))
    ]
    for source in sources:
        ast.parse(source)
    sizes = sorted(map(len, sources))
    assert sizes[0] > 800
    assert 2_500 < sizes[len(sizes) // 2] < 3_800
    assert sizes[-1] < 13_000


@pytest.mark.parametrize(
    ("ours", "other", "limit", "cell"),
    [(1, 2, 0.5, "yes"), (2, 2, 0.9, "**no**"), (2, None, 0.9, "not measured"), (2, 2, None, "")],
    ids=["within the limit", "past the limit", "nothing to compare with", "no target"],
)
def test_a_row_knows_whether_its_target_is_met(
    ours: float, other: float | None, limit: float | None, cell: str
) -> None:
    row = Row("group", "ours", "theirs", ours, other, limit)
    line = next(line for line in table.render([row], {}).splitlines() if "| group |" in line)
    assert line.split("|")[6].strip() == cell


def test_a_row_that_is_missing_for_want_of_an_old_python_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "_interpreters", lambda: iter(()))
    with pytest.raises(tools.UnavailableError, match="no Python 3"):
        tools.predecessor(str(tmp_path))


def test_a_history_is_as_long_as_it_was_asked_for(migrated: Project) -> None:
    migrated.command("shop.first")
    migrated.command("shop.second")
    migrated.manage("check_scripts", "--mark-all-applied")
    database = str(migrated.root / "db.sqlite3")
    sites.fill(database, 500)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM scripts_tracker_scriptrun").fetchone() == (500,)
    assert Counter(migrated.states().values()) == {"applied": 2}


def test_the_lint_of_another_checkout_is_run_by_its_own_entry_point(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text('[project.scripts]\nscripts-tracker-lint = "scripts_tracker.cli:main"\n')
    _, code, *_ = linting.lint(str(tmp_path))
    assert "from scripts_tracker.cli import main; sys.exit(main())" in code
    assert "from scripts_tracker.lint.cli import process;" in linting.lint()[1]
    file.write_text("[project]\n")
    with pytest.raises(BenchmarkError, match="names no scripts-tracker-lint"):
        linting.lint(str(tmp_path))
