"""What is published installs and works outside of this checkout."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, ROOT, make_project
from tests.switches import FULL

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
    assert {"pyproject.toml", "README.md", "LICENSE", "tests/conftest.py", "scripts_tracker/apps.py"} <= names


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_it_installs_and_works_outside_of_the_checkout(built: Path, tmp_path: Path, pattern: str) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    beside = tmp_path / "venv" / "bin"
    python = str(beside / "python")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, str(one(built, pattern))], check=True)
    project = make_project(tmp_path / "a project", {"PYTHONPATH": ""})
    project.command("shop.first")

    def run(*command: str) -> str:
        done = subprocess.run(
            command,
            cwd=project.root,
            env={**ENVIRONMENT, "PYTHONPATH": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "You have 1 new" in run(python, "manage.py", "migrate")
    assert "1 done, 0 failed" in run(python, "manage.py", "run_scripts")
    assert run(str(beside / "scripts-tracker-lint")) == "All checks passed.\n"
    run(python, "manage.py", "start_script", "shop", "second")
    where = run(python, "-c", "import scripts_tracker; print(scripts_tracker.__file__)")
    assert where.startswith(str(tmp_path))
