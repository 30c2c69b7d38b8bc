"""No configuration of a repository makes a question to git run a program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scripts_tracker.core.git import GitUnavailable, NoRepository, ask
from scripts_tracker.lint.git import Repository
from scripts_tracker.project.git import has_uncommitted_changes

HOOKS = ("post-index-change", "fsmonitor-watchman", "post-checkout", "reference-transaction")
FILE = "shop/fix.py"


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


class Trap:
    """A repository whose configuration and attributes name a program wherever git would run one."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "repo"
        self.marker = folder / "it ran"
        self.program = folder / "program"
        self.program.write_text(f"#!/bin/sh\ntouch '{self.marker}'\ncat\n")
        self.program.chmod(0o755)
        (self.root / "shop").mkdir(parents=True)
        git(self.root, "init", "-q")
        (self.root / FILE).write_text("old\n")
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "-m", "one")
        self._arm(folder / "hooks")
        (self.root / FILE).write_text("new\n")

    def _arm(self, hooks: Path) -> None:
        hooks.mkdir()
        for name in HOOKS:
            (hooks / name).symlink_to(self.program)
        attributes = "*.py filter=evil diff=evil\nfix.py filter=a=b.c\n"
        (self.root / ".gitattributes").write_text(attributes)
        (self.root / ".git" / "info" / "attributes").write_text(attributes)
        run = str(self.program)
        settings = {
            **dict.fromkeys(
                ("core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.askPass"), run
            ),
            **dict.fromkeys(("diff.external", "diff.evil.command", "diff.evil.textconv", "gpg.program"), run),
            **dict.fromkeys(("filter.evil.clean", "filter.evil.smudge", "filter.evil.process"), run),
            **dict.fromkeys(("filter.a=b.c.clean", "credential.helper", "alias.status", "pager.log"), run),
            "core.hooksPath": str(hooks),
            "log.showSignature": "true",
            "filter.evil.required": "true",
        }
        for key, value in settings.items():
            git(self.root, "config", "--file", str(self.root / ".git" / "more"), key, value)
        git(self.root, "config", "include.path", "more")


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    return Trap(tmp_path)


def test_the_trap_is_one(trap: Trap) -> None:
    subprocess.run(["git", "status", "--porcelain"], cwd=trap.root, check=False, capture_output=True)
    assert trap.marker.exists()


@pytest.mark.parametrize("name", ["filter.evil.clean", "filter.a=b.c.clean"])
def test_each_filter_of_the_trap_is_one(name: str, trap: Trap) -> None:
    (trap.root / ".git" / "more").write_text("")
    git(trap.root, "config", "--file", str(trap.root / ".git" / "more"), name, str(trap.program))
    subprocess.run(["git", "status", "--porcelain"], cwd=trap.root, check=False, capture_output=True)
    assert trap.marker.exists() == (name != "filter.evil.clean")  # the last line of the attributes counts


def test_asking_for_uncommitted_changes_runs_nothing(trap: Trap) -> None:
    assert has_uncommitted_changes(str(trap.root / FILE))
    assert not trap.marker.exists()


def test_what_the_lint_asks_runs_nothing(trap: Trap) -> None:
    repository = Repository(str(trap.root))
    commit = repository.commit("HEAD")
    assert commit is not None
    assert repository.known([FILE]) == {FILE}
    assert repository.ignored([FILE]) == {}
    assert list(repository.contents(list(repository.blobs([FILE], commit).values()))) == [b"old\n"]
    assert not trap.marker.exists()


def test_reading_the_history_runs_nothing(trap: Trap) -> None:
    shown = ask(str(trap.root), "log", "--format=%s", "--", FILE, environment=os.environ)
    assert shown == b"one\n"
    assert not trap.marker.exists()


def test_an_object_that_a_partial_clone_lacks_is_no_reason_to_run_a_transport(
    trap: Trap, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    git(trap.root, "config", "uploadpack.allowFilter", "true")
    source = f"file://{trap.root}"
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", source, str(clone))
    git(clone, "config", "remote.origin.uploadpack", str(trap.program))
    trap.marker.unlink(missing_ok=True)
    with pytest.raises(GitUnavailable):
        ask(str(clone), "cat-file", "-p", f"HEAD:{FILE}", environment=os.environ)
    assert not trap.marker.exists()


def test_settings_of_the_environment_stay(trap: Trap) -> None:
    given = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "some.key", "GIT_CONFIG_VALUE_0": "kept"}
    answer = ask(str(trap.root), "config", "some.key", environment={**os.environ, **given})
    assert answer == b"kept\n"


def test_no_repository_has_a_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(NoRepository, match="not a git repository"):
        ask(str(tmp_path), "status", environment=os.environ)
