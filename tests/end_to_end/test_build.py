"""What is published installs and works outside of this checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, Project, Result
from tests.end_to_end.pages import follow_quickstart
from tests.end_to_end.test_action import INSTALL, LINT, Runner
from tests.switches import FULL, LENGTH

pytestmark = pytest.mark.skipif(not FULL, reason="builds and installs: run at full length")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheel and the sdist, built from a clone: of what git knows."""
    folder = tmp_path_factory.mktemp("built")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder / "clone")], check=True)
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(folder / "clone")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_the_wheel_holds_the_package_and_nothing_else(built: Path) -> None:
    with zipfile.ZipFile(one(built, "*.whl")) as wheel:
        names = wheel.namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"scripts_tracker"}
    for wanted in ("py.typed", "templates/scripts_tracker/script.py-tpl", "migrations/0001_initial.py"):
        assert f"scripts_tracker/{wanted}" in names


def test_the_sdist_holds_what_a_packager_needs(built: Path) -> None:
    with tarfile.open(one(built, "*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "tests/conftest.py"} <= names
    assert {"scripts_tracker/apps.py", "docs/conf.py", "CHANGELOG.md"} <= names


def pythons() -> list[str]:
    """The interpreters of this machine that the package supports, oldest first."""
    found = {}
    for folder in os.get_exec_path():
        for minor in range(10, 16):
            path = os.path.join(folder, f"python3.{minor}")
            # A shim of pyenv answers only for the versions that are switched on.
            if minor not in found and os.access(path, os.X_OK):
                tried = subprocess.run([path, "-c", "import ensurepip"], capture_output=True, check=False)
                if tried.returncode == 0:
                    found[minor] = path
    return [found[minor] for minor in sorted(found)] or [sys.executable]


@dataclass
class Installed(Project):
    """A project of an environment with the package, and nothing of this checkout."""

    interpreter: str = ""

    def run(self, *command: str, **env: str) -> Result:
        path = f"{os.path.dirname(self.interpreter)}{os.pathsep}{os.environ['PATH']}"
        return super().run(*command, **{**env, "PATH": path})

    def manage(self, *arguments: str, code: int | None = 0, **env: str) -> Result:
        result = self.run(self.interpreter, "manage.py", *arguments, **env)
        assert code is None or result.code == code, result
        return result


# Which of the interpreters, which Django, and what is installed; at a tenth of the length, each of these once.
INSTALLED = {
    "the wheel, newest Python and Django": (-1, "django", "*.whl"),
    "the sdist, oldest Python and Django": (0, "django>=5.2,<5.3", "*.tar.gz"),
    "the wheel, oldest Python and Django": (0, "django>=5.2,<5.3", "*.whl"),
    "the sdist, newest Python and Django": (-1, "django", "*.tar.gz"),
}


@pytest.mark.parametrize("name", INSTALLED if LENGTH >= 1 else list(INSTALLED)[:2])
def test_it_installs_and_the_tutorial_can_be_followed_outside_of_the_checkout(
    built: Path, tmp_path: Path, name: str
) -> None:
    which, django, pattern = INSTALLED[name]
    subprocess.run([pythons()[which], "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, str(one(built, pattern)), django], check=True)
    (tmp_path / "empty").mkdir()
    project = Installed(tmp_path / "empty", {"PYTHONPATH": ""}, python)
    follow_quickstart(project)
    where = project.run(python, "-c", "import scripts_tracker; print(scripts_tracker.__file__)")
    assert where.out.startswith(str(tmp_path))


@pytest.mark.skipif(LENGTH < 1, reason="make release-check runs it")
def test_the_action_installs_the_lint_of_its_own_revision(project: Project, tmp_path: Path) -> None:
    runner = Runner(project, tmp_path)
    project.command("shop.fix_totals")
    code, said, _ = runner.step(INSTALL, {}, PYTHONPATH="")
    assert code == 0, said
    assert runner.step(LINT, {}, PYTHONPATH="")[0] == 0
    installed = runner.temp / "scripts-tracker" / "bin" / "scripts-tracker-lint"
    assert str(runner.temp) in installed.read_text()
