"""The hook as a team gets it: installed by the real pre-commit, from a repository with the files of this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MATRIX, ROOT
from tests.waiting import PATIENCE

GIT = [
    "git",
    "-c",
    "user.name=somebody",
    "-c",
    "user.email=somebody@example.org",
    "-c",
    "init.defaultBranch=main",
]
NEEDED = (
    "scripts_tracker",
    "pyproject.toml",
    "hatch_build.py",
    "README.md",
    "LICENSE",
    ".pre-commit-hooks.yaml",
)
SCRIPT = """\
from django.core.management.base import BaseCommand
from django_scripts_tracker.core_tracker import tracked_script
from scripts_tracker import required_preceding_script


class Command(BaseCommand):
    help = "Does it"

    @tracked_script
    @required_preceding_script("gone")
    def handle(self, *args, **options):
        self.stdout.write("done")
"""
CONFIG = """\
repos:
- repo: {repo}
  rev: {rev}
  hooks:
  - id: scripts-tracker-lint
    args: {args}
"""


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PYTHON"))}
    return {
        **kept,
        "PRE_COMMIT_HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        # The hook runs a few times, and imports a small part of what is installed for it.
        "PIP_NO_COMPILE": "1",
    }


class Repository:
    """A git repository, and the pre-commit that works in it."""

    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self._environment = _environment(home)
        root.mkdir()
        self.git("init", "--quiet")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )

    def git(self, *arguments: str) -> str:
        done = self.run(*GIT, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def hook(self) -> tuple[int, str]:
        self.git("add", "--all")
        done = self.run(sys.executable, "-m", "pre_commit", "run", "--verbose")
        return done.returncode, done.stdout + done.stderr


def _published(root: Path, home: Path) -> tuple[str, str]:
    """A repository with this project as it stands, and its revision."""
    repository = Repository(root, home)
    for name in NEEDED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, root / name)
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "Publish")
    return str(root), repository.git("rev-parse", "HEAD")


@MATRIX
@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_the_hook_fails_passes_and_fixes(tmp_path: Path) -> None:
    home = tmp_path / "pre-commit"
    repo, rev = _published(tmp_path / "published", home)
    work = Repository(tmp_path / "work", home)
    (work.root / ".pre-commit-config.yaml").write_text(CONFIG.format(repo=repo, rev=rev, args="[]"))
    (work.root / "pyproject.toml").touch()
    script = work.root / "shop" / "management" / "commands" / "fix.py"
    script.parent.mkdir(parents=True)
    script.write_text(SCRIPT)

    code, said = work.hook()
    assert code == 1, said
    assert "shop/management/commands/fix.py:10:" in said
    assert "ST003" in said
    assert "ST015" in said

    script.write_text(SCRIPT.replace('    @required_preceding_script("gone")\n', ""))
    code, said = work.hook()
    assert code == 1, said
    assert "ST003" not in said

    (work.root / ".pre-commit-config.yaml").write_text(CONFIG.format(repo=repo, rev=rev, args="[--fix]"))
    code, said = work.hook()
    assert code == 1, "pre-commit stops a commit whose files a hook has changed"
    assert "files were modified by this hook" in said
    assert "from scripts_tracker import tracked_script\n" in script.read_text()

    code, said = work.hook()
    assert code == 0, said
    work.git("commit", "--quiet", "--message", "Add a script")
