"""[tool.scripts_tracker]: what is wrong is said in one line, what is right is understood."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.core.values import Finding, Location
from scripts_tracker.lint import config
from scripts_tracker.lint.config import Config, WrongUseError
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def _read(root: Path, text: str) -> Config:
    (root / "pyproject.toml").write_text(text)
    return config.read(str(root))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.scripts_tracker\n", "not valid TOML"),
        ("[tool]\nscripts_tracker = 1\n", "is not a table"),
        (
            "[tool.scripts_tracker]\nselekt = []\n",
            "unknown key 'selekt' in [tool.scripts_tracker]; did you mean select?",
        ),
        ("[tool.scripts_tracker]\nqqq = []\n", "known keys: select, extend_select, ignore"),
        ("[tool.scripts_tracker]\nselect = 'ST001'\n", 'a list of strings, for example ["..."]'),
        ("[tool.scripts_tracker]\nignore = [1]\n", "a list of strings"),
        ("[tool.scripts_tracker]\nignore = ['ST999']\n", "unknown rule 'ST999'; see --list-rules"),
        ("[tool.scripts_tracker]\nignore = ['ST0019']\n", "unknown rule 'ST0019'; did you mean ST019?"),
        ("[tool.scripts_tracker]\nignore = ['E501']\n", "--list-rules"),
        ("[tool.scripts_tracker]\nignore = ['']\n", "unknown rule ''"),
        ("[tool.scripts_tracker]\nper_file_ignores = []\n", "must be a table"),
        ("[tool.scripts_tracker.per_file_ignores]\n'a' = ['STX']\n", "unknown rule 'STX'"),
        ("[tool.scripts_tracker]\nroots = ['nowhere']\n", "no such folder: nowhere"),
        ("[tool.scripts_tracker]\ncommands_dirs = ['nowhere']\n", "no such folder: nowhere"),
    ],
)
def test_what_is_not_understood_is_wrong_use(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(WrongUseError) as caught:
        _read(tmp_path, text)
    message = str(caught.value)
    assert words in message
    assert "pyproject.toml" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "text", ["", "[project]\nname = 'x'\n", "this is [[ no TOML and none of our business"]
)
def test_projects_that_say_nothing_get_the_defaults(text: str, tmp_path: Path) -> None:
    assert _read(tmp_path, text) == Config()
    assert config.read(str(tmp_path / "nowhere")) == Config()


def test_everything_is_understood(tmp_path: Path) -> None:
    (tmp_path / "src" / "commands").mkdir(parents=True)
    found = _read(
        tmp_path,
        """
[tool.scripts_tracker]
select = ["st0", "ALL"]
ignore = ["ST016"]
exclude = ["legacy"]
roots = ["src"]
commands-dirs = ["src/commands"]
ignored_files = ["base.py"]
ignored_cmd_prefixes = ["old"]
[tool.scripts_tracker.per-file-ignores]
"shop/*" = ["ST012"]
""",
    )
    assert found == Config(
        select=("ST0", "ALL"),
        ignore=("ST016",),
        per_file_ignores=(("shop/*", ("ST012",)),),
        exclude=("legacy",),
        roots=(str(tmp_path / "src"),),
        commands_dirs=(str(tmp_path / "src" / "commands"),),
        ignored_files=("base.py", "__init__.py"),
        ignored_cmd_prefixes=("old",),
    )


def _finding(path: str, code: str) -> Finding:
    return Finding(Location(path), code, "a fact")


@pytest.mark.parametrize(
    ("settings", "path", "code", "reported"),
    [
        (Config(), "a.py", "ST012", True),
        (Config(select=("ST003",)), "a.py", "ST012", False),
        (Config(select=("ST01",)), "a.py", "ST012", True),
        (Config(), "a.py", "ST034", True),
        (Config(), "a.py", "ST035", False),
        (Config(select=("ALL", "ST03")), "a.py", "ST035", False),
        (Config(extend_select=("ST035",)), "a.py", "ST035", True),
        (Config(select=("ST035",)), "a.py", "ST035", True),
        (Config(extend_select=("ST035",), ignore=("ST035",)), "a.py", "ST035", False),
        (Config(select=("ST01",), ignore=("ST012",)), "a.py", "ST012", False),
        (Config(ignore=("ALL",)), "a.py", "ST012", False),
        (Config(exclude=("shop",)), "shop/a/b.py", "ST012", False),
        (Config(exclude=("shop",)), "shopping/a.py", "ST012", True),
        (Config(per_file_ignores=(("shop/*", ("ST012",)),)), "shop/a/b.py", "ST012", False),
        (Config(per_file_ignores=(("shop/*", ("ST012",)),)), "shop/a/b.py", "ST003", True),
        (Config(per_file_ignores=(("shop/*", ("ST012",)),)), "store/a.py", "ST012", True),
        (Config(per_file_ignores=(("**/b.py", ("ALL",)),)), "shop/a/b.py", "ST012", False),
    ],
)
def test_what_is_reported(*, settings: Config, path: str, code: str, reported: bool) -> None:
    assert settings.reports(_finding(path, code)) is reported


def test_the_project_is_the_nearest_folder_upwards(tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").touch()
    assert config.folder_of_project(str(tmp_path / "a" / "b" / "c")) == str(tmp_path / "a")
    assert config.folder_of_project(str(tmp_path / "a")) == str(tmp_path / "a")


def test_the_example_in_the_docs_is_understood(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "lint.md").read_text(), re.DOTALL)
    (tmp_path / "backend").mkdir()
    found = _read(tmp_path, example)
    assert found.ignore == ("ST016",)
    assert found.per_file_ignores == (("legacy/*", ("ST012", "ST019")),)
