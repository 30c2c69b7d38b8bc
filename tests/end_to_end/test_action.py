"""The GitHub Action of this repository: its steps, run by a shell with the environment that a runner gives them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml  # pre-commit brings it

from tests.adoption.old_tracker import commit
from tests.conftest import ENVIRONMENT, NEWCOMER, ROOT, Project

pytestmark = NEWCOMER

ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
INSTALL, LINT = ACTION["runs"]["steps"]


class Runner:
    """What a runner of GitHub is for a composite action."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.temp = folder / "runner temp"
        self.temp.mkdir()

    def step(self, step: dict[str, Any], inputs: dict[str, str], **env: str) -> tuple[int, str, str]:
        """Run a step; the exit code, what it prints, and what it writes as outputs."""
        given = {name: one.get("default", "") for name, one in ACTION["inputs"].items()} | inputs
        own = {
            name: given[value[len("${{ inputs.") : -len(" }}")]]
            for name, value in step.get("env", {}).items()
        }
        output = self.temp / "output"
        output.write_text("")
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=self.project.root / (given["working-directory"] if "working-directory" in step else "."),
            env={
                **ENVIRONMENT,
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_ACTION_PATH": str(ROOT),
                "GITHUB_OUTPUT": str(output),
                **own,
                **env,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr, output.read_text()


@pytest.fixture
def runner(project: Project, tmp_path: Path) -> Runner:
    """After the installation: this environment stands in for it."""
    made = Runner(project, tmp_path)
    (made.temp / "scripts-tracker").mkdir()
    os.symlink(os.path.dirname(sys.executable), made.temp / "scripts-tracker" / "bin")
    project.command("shop.fix_totals")
    commit(project.root, "released")
    return made


def git(project: Project, *words: str) -> str:
    done = project.run("git", *words)
    assert done.code == 0, done
    return done.out.strip()


def test_a_clean_project_passes(runner: Runner) -> None:
    assert runner.step(LINT, {}) == (0, "", "exit-code=0\n")


def test_a_finding_is_an_annotation_and_fails_the_job(runner: Runner) -> None:
    runner.project.command("shop.asks", body="input()")
    commit(runner.project.root, "one that asks")
    code, said, outputs = runner.step(LINT, {})
    assert (code, outputs) == (1, "exit-code=1\n")
    assert re.fullmatch(r"::error file=shop/management/commands/asks\.py,line=\d+,.*title=ST012::.*\n", said)
    assert runner.step(LINT, {"args": "\n  --ignore ST012\n  shop\n"})[0] == 0
    assert runner.step(LINT, {"args": "--ignore $(touch hostile);ST012"})[0] == 2
    assert not (runner.project.root / "hostile").exists()


def test_a_file_that_cannot_be_parsed_is_an_annotation_at_its_line(runner: Runner) -> None:
    runner.project.command("shop.broken", body="tracked_script(")
    commit(runner.project.root, "one that is broken")
    code, said, outputs = runner.step(LINT, {})
    assert (code, outputs) == (1, "exit-code=1\n")
    (line,) = said.splitlines()
    assert re.match(r"::error file=shop/management/commands/broken\.py,line=\d+,.*title=ST\d+::", line)
    assert str(runner.project.root) not in said


def test_a_pull_request_is_compared_with_its_base(runner: Runner) -> None:
    project = runner.project
    git(project, "update-ref", "refs/remotes/origin/main", "HEAD")
    project.command("shop.fix_totals", body="self.stdout.write('other')")
    assert "ST021" in runner.step(LINT, {}, GITHUB_BASE_REF="main")[1]
    assert runner.step(LINT, {"since": "none"}, GITHUB_BASE_REF="main")[0] == 0
    assert "ST021" in runner.step(LINT, {"since": "HEAD"})[1]
    code, said, _ = runner.step(LINT, {}, GITHUB_BASE_REF="gone")
    assert code == 0
    assert "::notice title=scripts-tracker-lint::origin/gone was not fetched" in said


def test_a_project_in_a_folder_is_linted_there_with_paths_from_the_top(runner: Runner) -> None:
    (runner.project.root / "backend").mkdir()
    for name in ("shop", "manage.py"):
        git(runner.project, "mv", name, f"backend/{name}")
    Project(runner.project.root / "backend").command("shop.asks", body="input()")
    code, said, _ = runner.step(LINT, {"working-directory": "backend"})
    assert code == 1
    assert "file=backend/shop/management/commands/asks.py" in said


def test_modules_of_the_project_do_not_get_into_the_lint(runner: Runner) -> None:
    for name in ("json.py", "libcst.py", "scripts_tracker/__init__.py"):
        runner.project.write(name, "raise SystemExit('imported')\n")
    assert runner.step(LINT, {})[0] == 0
