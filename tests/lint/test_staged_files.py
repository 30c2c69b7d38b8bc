"""What the lint says of a commit that is being made, when it gets the files of that commit alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.lint.conftest import BROKEN, CLEAN, Lint
from tests.lint.rule_cases import build
from tests.lint.test_git import run_git

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = "shop/management/commands"
FIX, FIRST, OTHER = (f"{COMMANDS}/{name}.py" for name in ("fix", "first", "other"))
NEEDS_FIRST = BROKEN.replace("gone", "first")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two committed scripts; fix requires first."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    run_git(tmp_path, "init", "--quiet")
    build(f"--- {FIX}\n{NEEDS_FIRST}--- {FIRST}\n{CLEAN}", tmp_path)
    run_git(tmp_path, "add", "--all")
    run_git(tmp_path, "commit", "--quiet", "-m", "scripts")
    return tmp_path


def test_a_renamed_script_that_nothing_requires_is_fine(lint: Lint, repository: Path) -> None:
    run_git(repository, "mv", FIX, OTHER)
    assert lint(OTHER, "--format", "json").found == []


def test_a_new_script_does_not_bring_the_findings_of_others(lint: Lint, repository: Path) -> None:
    (repository / FIX).write_text(BROKEN)
    build(f"--- {OTHER}\n{CLEAN}", repository)
    run_git(repository, "add", OTHER)
    assert lint(OTHER, "--format", "json").found == []


@pytest.mark.parametrize("name", ["first", "shop.first"])
def test_a_renamed_script_brings_those_that_require_it(name: str, lint: Lint, repository: Path) -> None:
    (repository / FIX).write_text(BROKEN.replace("gone", name))
    run_git(repository, "commit", "--quiet", "--all", "--allow-empty", "-m", "name")
    run_git(repository, "mv", FIRST, OTHER)
    assert lint(OTHER, "--format", "json").found == [(FIX, 6, "ST003")]
    assert lint(OTHER, "--format", "json", "--ignore", "ST003").found == []
    (repository / FIX).write_text(BROKEN.replace("gone", "other"))
    assert lint(OTHER, "--format", "json").found == []


def test_a_committed_script_may_be_required(lint: Lint, repository: Path) -> None:
    build(f"--- {OTHER}\n{NEEDS_FIRST}", repository)
    run_git(repository, "add", OTHER)
    assert lint(OTHER, "--format", "json").found == []


@pytest.mark.parametrize("ignored", [False, True], ids=["never added", "ignored"])
def test_a_script_may_not_require_one_that_stays_behind(
    *, ignored: bool, lint: Lint, repository: Path
) -> None:
    build(f"--- {OTHER}\n{BROKEN.replace('gone', 'late')}--- {COMMANDS}/late.py\n{CLEAN}", repository)
    (repository / ".gitignore").write_text("late.py\n" if ignored else "")
    run_git(repository, "add", OTHER)
    done = lint(OTHER)
    assert f"{OTHER}:6:32: ST020 shop.other requires shop.late, which is" in done.out
    assert lint(OTHER, f"{COMMANDS}/late.py", "--format", "json").found == [
        (f"{COMMANDS}/late.py", 3, "ST020")
    ]
    run_git(repository, "add", "--force", f"{COMMANDS}/late.py")
    assert lint(OTHER, "--format", "json").found == []
