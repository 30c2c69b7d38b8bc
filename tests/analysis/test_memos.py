"""A remembered index is as good as a new one, whatever changed meanwhile."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from scripts_tracker.analysis import memos, scanning
from scripts_tracker.analysis.cache import FactCache
from scripts_tracker.analysis.project import analyse
from tests.analysis.project_cases import FIXTURES, folders, read_cases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scripts_tracker.datatypes import ProjectIndex
    from tests.analysis.project_cases import Case

TRACKED = "from scripts_tracker import tracked_script\nclass {name}:\n    @tracked_script\n    def handle(self): pass\n"
INHERITED = "from shop.base import Base\nclass Command(Base): pass\n"
ALL_CASES = [case for path in sorted(FIXTURES.glob("*.case")) for case in read_cases(path.name)]


def _index(root: Path, cache: FactCache | None = None, **options: Any) -> ProjectIndex:
    index = analyse(folders(root), root=str(root), store=cache, memory=cache, **options)
    if cache is not None:
        cache.save()
    return index


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    commands = tmp_path / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    for package in (tmp_path / "shop", commands.parent, commands):
        (package / "__init__.py").touch()
    (tmp_path / "shop" / "base.py").write_text(TRACKED.format(name="Base"))
    (commands / "own.py").write_text(TRACKED.format(name="Command"))
    (commands / "inherits.py").write_text(INHERITED)
    (commands / "other.py").write_text("from shop.plain import Base\nclass Command(Base): pass\n")
    return tmp_path


def _write(path: str, text: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    return change


def _swap(root: Path) -> None:
    commands = root / "shop/management/commands"
    (commands / "own.py").rename(commands / "aside")
    (commands / "inherits.py").rename(commands / "own.py")
    (commands / "aside").rename(commands / "inherits.py")


def _become_a_folder(root: Path) -> None:
    path = root / "shop/management/commands/own.py"
    path.unlink()
    path.mkdir()


def _damage(root: Path) -> None:
    for path in (root / ".scripts_tracker_cache").iterdir():
        path.write_bytes(path.read_bytes()[:-1])


CHANGES: dict[str, Callable[[Path], None]] = {
    "nothing": lambda _root: None,
    "a comment": _write("shop/management/commands/own.py", TRACKED.format(name="Command") + "# a comment\n"),
    "a command loses its decorator": _write("shop/management/commands/own.py", "class Command: pass\n"),
    "a command is new": _write("shop/management/commands/more.py", TRACKED.format(name="Command")),
    "a command goes": lambda root: (root / "shop/management/commands/own.py").unlink(),
    "two commands are swapped": _swap,
    "a command becomes broken": _write("shop/management/commands/own.py", "@tracked_script = \n"),
    "a command becomes a folder": _become_a_folder,
    "a base class loses its decorator": _write("shop/base.py", "class Base: pass\n"),
    "a base class changes its help": _write(
        "shop/base.py", TRACKED.format(name="Base") + "    help = 'other'\n"
    ),
    "a base class becomes broken": _write("shop/base.py", "@tracked_script = \n"),
    "a base class goes": lambda root: (root / "shop/base.py").unlink(),
    "a base class appears": _write("shop/plain.py", TRACKED.format(name="Base")),
    "a package takes a module's place": _write("shop/base/__init__.py", "class Base: pass\n"),
    "a package appears where a module was missing": _write(
        "shop/plain/__init__.py", TRACKED.format(name="Base")
    ),
    "an app is new": _write("stock/management/commands/fix.py", TRACKED.format(name="Command")),
    "the cache is damaged": _damage,
    "the cache goes": lambda root: shutil.rmtree(root / ".scripts_tracker_cache"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_remembered_is_what_is_there(change: Callable[[Path], None], shop: Path) -> None:
    before = _index(shop, FactCache(str(shop)))
    assert len(before.definitions) == 2
    change(shop)
    assert _index(shop, FactCache(str(shop))) == _index(shop)
    assert _index(shop, FactCache(str(shop))) == _index(shop), "and the next time"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"ignored_files": ("own.py",)}, id="an ignored file"),
        pytest.param({"ignored_prefixes": ("inh",)}, id="an ignored prefix"),
        pytest.param({"import_roots": ("elsewhere",)}, id="another folder to import from"),
    ],
)
def test_another_question_gets_another_answer(options: dict[str, Any], shop: Path) -> None:
    _index(shop, FactCache(str(shop)))
    (shop / "elsewhere" / "shop").mkdir(parents=True)
    if "import_roots" in options:
        options = {"import_roots": (str(shop / "elsewhere"),)}
    assert _index(shop, FactCache(str(shop)), **options) == _index(shop, **options)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.title) for case in ALL_CASES])
def test_every_case_is_remembered_as_it_was(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.build(tmp_path)
    fresh = _index(tmp_path, FactCache(str(tmp_path)))
    has_broken = any(finding.code == "ST000" for finding in fresh.findings)
    if not has_broken:
        monkeypatch.setattr(scanning, "scanned", None)
    assert _index(tmp_path, FactCache(str(tmp_path))) == fresh


@pytest.mark.parametrize(
    "content", [None, "", "null", "[]", "{}", "[1, 2, 3, 4]", '["", {}, {}, [[[]], []]]']
)
def test_what_is_no_index_is_not_recalled(content: str | None) -> None:
    assert memos.recalled(content, []) is None


def test_a_file_that_cannot_be_read_is_looked_at_every_time(shop: Path) -> None:
    (shop / "shop" / "plain.py").mkdir()
    os.symlink("nowhere", shop / "shop/management/commands/dangling.py")
    cache = FactCache(str(shop))
    _index(shop, cache)
    (shop / "shop/management/commands/dangling.py").unlink()
    assert _index(shop, FactCache(str(shop))) == _index(shop)
