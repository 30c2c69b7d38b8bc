"""Which project a path belongs to, from where reports write paths, and where things end."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.lint.places import ends
from tests.lint.conftest import BROKEN, CLEAN, FIX, OLD, Lint
from tests.lint.rule_cases import build

if TYPE_CHECKING:
    from pathlib import Path

OURS = "[tool.scripts_tracker]\n"
QUIET = f'{OURS}ignore = ["ST020"]\n'  # nothing is committed here


@pytest.fixture
def backend(tmp_path: Path) -> Path:
    """A project below the top of a repository."""
    (tmp_path / "pyproject.toml").unlink(missing_ok=True)
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    folder = tmp_path / "backend"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(QUIET)
    build(BROKEN, folder)
    return folder


@pytest.mark.parametrize(
    ("where", "shown"),
    [(".", f"backend/{FIX}"), ("backend", FIX), ("backend/shop/management", "commands/fix.py")],
)
def test_people_get_paths_from_where_they_stand(
    where: str, shown: str, lint: Lint, backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(backend.parent / where)
    for name in ("text", "concise", "junit"):
        out = lint(str(backend / FIX), "--format", name).out
        assert f"{shown}:6:" in out, name
        assert f"/{shown}" not in out, name


@pytest.mark.parametrize("where", [".", "backend", "backend/shop/management"])
def test_services_get_paths_from_the_top_of_the_repository(
    where: str, lint: Lint, backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(backend.parent / where)
    path = str(backend / FIX)
    assert f"file=backend/{FIX}," in lint(path, "--format", "github").out
    (quality,) = json.loads(lint(path, "--format", "gitlab").out)
    assert quality["location"]["path"] == f"backend/{FIX}"
    (result,) = json.loads(lint(path, "--format", "sarif").out)["runs"][0]["results"]
    artifact = result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": f"backend/{FIX}", "uriBaseId": "%SRCROOT%"}


def test_json_has_paths_from_the_project(lint: Lint, backend: Path) -> None:
    assert lint(str(backend / FIX), "--format", "json").found == [(FIX, 6, "ST003")]


def test_files_of_two_projects_in_one_call(lint: Lint, backend: Path) -> None:
    other = backend.parent / "other"
    other.mkdir()
    (other / "pyproject.toml").write_text(OURS + 'ignore = ["ST003", "ST020"]\n')
    build(BROKEN.replace('help = "Does it"', ""), other)
    both = [str(folder / FIX) for folder in (backend, other)]
    done = lint(*both, "--format", "concise")
    assert [line.split()[:2] for line in done.out.splitlines()[:-1]] == [
        [f"backend/{FIX}:6:32:", "ST003"],
        [f"other/{FIX}:3:1:", "ST016"],
    ]
    assert done.out.splitlines()[-1] == "Found 2 problems."
    assert [path for path, _, _ in lint(*both, "--format", "json").found] == [
        f"backend/{FIX}",
        f"other/{FIX}",
    ]


def test_a_project_without_a_table_of_ours_belongs_to_the_one_around_it(lint: Lint, backend: Path) -> None:
    (backend / "pyproject.toml").write_text("")
    (backend.parent / "pyproject.toml").write_text("")
    found = lint(str(backend / FIX), "--format", "json", "--ignore", "ST020").found
    assert found == [(f"backend/{FIX}", 6, "ST003")]


def test_without_pyproject_the_project_is_where_manage_py_is(
    lint: Lint, backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (backend / "pyproject.toml").unlink()
    (backend / "manage.py").touch()
    needed = BROKEN.replace("gone", "stock.first")
    build(f"--- {FIX}\n{needed}--- stock/management/commands/first.py\n{CLEAN}", backend)
    monkeypatch.chdir(backend / "shop")
    assert lint("--format", "json", "--ignore", "ST020").found == []
    monkeypatch.chdir(backend.parent)
    assert lint(str(backend / FIX), "--format", "json", "--ignore", "ST020").found == []


def test_a_diff_applies_where_one_stands(lint: Lint, backend: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build(OLD, backend)
    monkeypatch.chdir(backend / "shop")
    patch = backend.parent / "patch"
    patch.write_text(lint("--diff").out)
    assert "--- a/management/commands/fix.py\n" in patch.read_text()
    subprocess.run(["git", "apply", str(patch)], check=True)
    assert "from scripts_tracker import" in (backend / FIX).read_text()


def test_a_hint_names_the_file_as_the_place_does(
    lint: Lint, backend: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(BROKEN + "def (\n", backend)
    monkeypatch.chdir(backend.parent)
    assert f"`python -m py_compile backend/{FIX}`" in lint(str(backend / FIX)).out


ENDS = {
    "a string in a call": ('f("gone")\n', (1, 3), (1, 9)),
    "a call": ("x = f(1,\n  2)\n", (1, 5), (2, 5)),
    "the longest of several that start here": ("f(1).g(2).h\n", (1, 1), (1, 12)),
    "characters, not bytes": ('f("é€😀", "gone")\n', (1, 10), (1, 16)),
    "a parameter": ("def f(a, bcd=1): ...\n", (1, 10), (1, 13)),
    "a name in an import": ("from a import bc as d\n", (1, 15), (1, 22)),
    "a statement: its line": ("def f(\n  a):\n    pass   \n", (3, 5), (3, 9)),
    "a comment: its line": ("f()  # noqa: ST003   \n", (1, 6), (1, 19)),
    "a file that is no Python: its line": ("def (\n", (1, 5), (1, 6)),
    "the end of the file": ("f()\n", (2, 1), (2, 1)),
}


@pytest.mark.parametrize("title", ENDS)
def test_where_something_ends(title: str) -> None:
    source, start, end = ENDS[title]
    assert ends(source.encode(), {start}) == {start: end}


def test_another_encoding_and_line_ends_count_the_same_characters() -> None:
    source = '# coding: latin-1\r\nf("é", "gone")\r\n'.encode("latin-1")
    assert ends(source, {(2, 8)}) == {(2, 8): (2, 14)}


def test_a_line_that_does_not_exist_has_no_end() -> None:
    assert ends(b"f()\n", {(9, 1)}) == {}


def test_services_get_the_end_of_what_is_wrong(lint: Lint, backend: Path) -> None:
    path = str(backend / FIX)
    assert ",line=6,col=32,endLine=6,endColumn=38," in lint(path, "--format", "github").out
    (quality,) = json.loads(lint(path, "--format", "gitlab").out)
    assert quality["location"]["positions"] == {
        "begin": {"line": 6, "column": 32},
        "end": {"line": 6, "column": 38},
    }
    (result,) = json.loads(lint(path, "--format", "sarif").out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {
        "startLine": 6, "startColumn": 32, "endLine": 6, "endColumn": 38,
    }  # fmt: skip
