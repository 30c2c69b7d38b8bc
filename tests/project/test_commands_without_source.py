"""Commands that Django offers although there is no source code to read."""

from __future__ import annotations

import compileall
import shutil
from importlib.machinery import EXTENSION_SUFFIXES
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Project


@pytest.fixture
def shop(migrated: Project) -> Project:
    return migrated


def strip(folder: Path) -> None:
    """Leave only bytecode, as in an image without sources."""
    compileall.compile_dir(folder, quiet=1, legacy=True)
    for file in folder.rglob("*.py"):
        if file.name != "__init__.py":
            file.unlink()


def test_bytecode_beside_its_source_is_no_second_command(shop: Project) -> None:
    path = shop.command("shop.fix")
    compileall.compile_file(path, quiet=1, legacy=True)
    assert shop.states() == {"shop.fix": "new"}


def test_ignored_bytecode_is_ignored(shop: Project) -> None:
    shop.settings('IGNORED_FILES = ("fix.py",)')
    shop.command("shop.fix")
    strip(shop.root / "shop" / "management")
    assert shop.states() == {}
    shop.manage("check_scripts", "--check")


def test_a_command_of_bytecode_alone_is_unreadable(shop: Project) -> None:
    shop.command("shop.fix")
    shop.command("shop.other")
    shop.manage("fix")
    strip(shop.root / "shop" / "management")
    assert shop.states() == {"shop.fix": "unreadable", "shop.other": "unreadable"}
    report = " ".join(shop.manage("check_scripts", "--check", code=4).out.split())
    assert "2 commands have no source code here" in report
    assert "shop.fix, shop.other" in report
    assert "Keep the .py files" in report
    assert "there is no source code" in report
    assert "done" in shop.manage("fix").out


def test_an_extension_module_is_unreadable(shop: Project) -> None:
    suffix = next(one for one in EXTENSION_SUFFIXES)
    shop.write(f"shop/management/commands/fast{suffix}", b"")
    assert shop.states() == {"shop.fast": "unreadable"}
    assert "1 command has no source code here" in " ".join(shop.manage("check_scripts").out.split())


def test_the_commands_of_an_app_in_a_zip_file_are_unreadable(shop: Project) -> None:
    shop.app("zipped")
    shop.command("zipped.fix")
    shutil.make_archive(str(shop.root / "apps"), "zip", shop.root, "zipped")
    shutil.rmtree(shop.root / "zipped")
    shop.settings(
        f'import sys; sys.path.insert(0, {str(shop.root / "apps.zip")!r}); INSTALLED_APPS += ["zipped"]'
    )
    assert shop.states() == {"zipped.fix": "unreadable"}
    shop.manage("check_scripts", "--check", code=4)


def test_a_plan_says_that_there_is_no_source_code(shop: Project) -> None:
    shop.command("shop.fix")
    strip(shop.root / "shop" / "management")
    plan = shop.manage("run_scripts", "--plan", code=None).out
    assert "there is no source code to read" in plan
    assert "parsed" not in plan


def test_a_command_without_source_is_not_marked_for_the_right_reason(shop: Project) -> None:
    shop.command("shop.fix")
    strip(shop.root / "shop" / "management")
    result = shop.manage("check_scripts", "--mark-applied", "fix", "--reason", "x", code=None)
    assert "shop.fix skipped: there is no source code to read" in result.err + result.out
