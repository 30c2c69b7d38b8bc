"""What is published installs and works outside of this checkout."""

from __future__ import annotations

import os
import re
import shutil
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


def test_every_file_of_the_package_is_in_the_wheel(built: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "scripts_tracker"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with zipfile.ZipFile(one(built, "*.whl")) as wheel:
        assert {*tracked.stdout.splitlines()} <= {*wheel.namelist()}


def test_the_sdist_holds_what_a_packager_needs_and_nothing_of_servers(built: Path) -> None:
    with tarfile.open(one(built, "*.tar.gz")) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "tests/conftest.py"} <= names
    assert {"scripts_tracker/apps.py", "docs/conf.py", "CHANGELOG.md"} <= names
    # hatchling always adds .gitignore, which says what it left out.
    hidden = {name.partition("/")[0] for name in names if name.startswith(".")}
    assert hidden == {".gitignore", ".pre-commit-hooks.yaml"}
    assert not {name.partition("/")[0] for name in names} & {"screenshots", "dist", "build"}


def build(source: Path, to: Path, *options: str) -> None:
    """Build without an environment of its own: hatchling is here."""
    command = [sys.executable, "-m", "build", "--no-isolation", *options, "--outdir", str(to), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def metadata_of(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return archive.read(name).decode()


def contents_of(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


GITHUB = "https://github.com/owner/scripts-tracker"
# The origin of the clone, and the addresses that its metadata names.
ADDRESSES = {
    "a clone from GitHub": ("git@github.com:owner/scripts-tracker.git", {"Source", "Changelog", "Issues"}),
    "a clone from elsewhere": ("/srv/git/scripts-tracker.git", set()),
    "no clone": ("", set()),
}


@pytest.mark.parametrize(("origin", "labels"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_address_comes_from_the_clone_and_stays_in_the_sdist(
    tmp_path: Path, origin: str, labels: set[str]
) -> None:
    clone, sdist, again = tmp_path / "clone", tmp_path / "sdist", tmp_path / "again"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    settings = (clone / "pyproject.toml").read_text()
    (clone / "pyproject.toml").write_text(
        re.sub(r'^(repository|documentation) = "[^"]*"', r'\1 = ""', settings, flags=re.MULTILINE)
    )
    if origin:
        subprocess.run(["git", "remote", "set-url", "origin", origin], cwd=clone, check=True)
    else:
        shutil.rmtree(clone / ".git")
    build(clone, sdist, "--sdist")
    build(clone, sdist, "--wheel")
    metadata = metadata_of(one(sdist, "*.whl"))
    found = dict(re.findall(r"^Project-URL: (\w+), (\S+)$", metadata, re.MULTILINE))
    assert found.keys() == labels
    assert all(url.startswith(f"{GITHUB}") for url in found.values())
    assert not re.search(r"\]\((?!https://)", metadata)
    # What a packager unpacks is in another repository, and knows no other address for it.
    elsewhere = tmp_path / "packaging"
    subprocess.run(["git", "init", "-q", str(elsewhere)], check=True)
    remote = ["git", "remote", "add", "origin", "https://github.com/distribution/packages"]
    subprocess.run(remote, cwd=elsewhere, check=True)
    with tarfile.open(one(sdist, "*.tar.gz")) as archive:
        archive.extractall(elsewhere, filter="data")
    build(one(elsewhere, "scripts_tracker-*"), again, "--wheel")
    assert contents_of(one(again, "*.whl")) == contents_of(one(sdist, "*.whl"))


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
