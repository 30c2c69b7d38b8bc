"""The cache in the project root, as check_scripts and migrate use it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Project

IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
CHECKED = """
import sys
from django.core.management import call_command
call_command('check_scripts', '--all')
print('libcst' in sys.modules)
"""
BASE = """
from django.core.management.base import BaseCommand
from scripts_tracker import tracked_script
class Base(BaseCommand):
    @tracked_script
    def handle(self, *args, **options):
        pass
class Plain(BaseCommand):
    def handle(self, *args, **options):
        pass
"""


@pytest.fixture
def shop(migrated: Project) -> Project:
    migrated.command("shop.first")
    migrated.write("shop/base.py", BASE)
    migrated.write(
        "shop/management/commands/heir.py", "from shop.base import Base\nclass Command(Base): pass\n"
    )
    migrated.write(
        "shop/management/commands/plain.py", "from shop.base import Plain\nclass Command(Plain): pass\n"
    )
    return migrated


def folder_exists(project: Project) -> bool:
    return (project.root / ".scripts_tracker_cache").exists()


def test_with_no_cache_nothing_is_written_or_read(shop: Project) -> None:
    shop.manage("check_scripts", "--no-cache")
    assert not folder_exists(shop)
    shop.manage("check_scripts")
    assert folder_exists(shop)
    assert "You have 2 new" in shop.manage("check_scripts", "--no-cache").out


def test_a_cache_that_cannot_be_written_is_no_error(shop: Project) -> None:
    (shop.root / ".scripts_tracker_cache").write_text("in the way")
    for _ in range(2):
        result = shop.manage("check_scripts", "--check", code=1)
        assert "You have 2 new" in result.out
        assert result.err == ""


def test_a_cache_behind_a_link_is_not_used_which_is_said_once_if_asked_for_more(shop: Project) -> None:
    (shop.root / "elsewhere").mkdir()
    (shop.root / ".scripts_tracker_cache").symlink_to("elsewhere")
    result = shop.manage("check_scripts", "--verbosity", "2")
    assert "You have 2 new" in result.out
    assert result.err == ".scripts_tracker_cache is not used: it is a link. Delete it, or use --no-cache.\n"
    assert shop.manage("check_scripts").err == ""
    shop.manage("run_scripts")
    shop.migrate()
    assert list((shop.root / "elsewhere").iterdir()) == []


def test_scripts_that_are_new_are_analysed_once(shop: Project) -> None:
    first, second = shop.python(CHECKED).out, shop.python(CHECKED).out
    assert first.splitlines()[-1] == "True"
    assert second.splitlines()[:-1] == first.splitlines()[:-1]
    assert second.splitlines()[-1] == "False"


def test_a_notice_fills_the_cache_for_the_next_check(shop: Project) -> None:
    assert "You have 2 new" in shop.migrate().out
    assert shop.python(CHECKED).out.splitlines()[-1] == "False"


def test_an_image_brings_what_the_lint_knows_to_containers_with_other_paths_and_times(
    shop: Project, tmp_path: Path
) -> None:
    shop.run(sys.executable, "-m", "scripts_tracker.lint.cli", "--exit-zero")
    for path in [shop.root, *shop.root.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    container = replace(shop, root=tmp_path / "srv" / "app")
    shutil.copytree(shop.root, container.root, copy_function=shutil.copy)
    before = {path: path.stat().st_mtime_ns for path in container.root.rglob("*")}
    checked = container.python(CHECKED).out
    assert "You have 2 new" in checked
    assert checked.splitlines()[-1] == "False"
    if not IS_ROOT:  # who may write everywhere
        assert {path: path.stat().st_mtime_ns for path in container.root.rglob("*")} == before
    assert "st1:" in shop.root.joinpath(".scripts_tracker_cache/facts").read_text(), "nor for JSON, or a mark"


def _imported(project: Project) -> set[str]:
    """Which of two expensive modules a check imports."""
    checked = project.run(sys.executable, "-X", "importtime", "manage.py", "check_scripts")
    assert checked.code == 0, checked.out
    imported = {line.rpartition("|")[2].strip() for line in checked.err.splitlines()}
    return imported & {"libcst", "scripts_tracker.analysis.linking.linker"}


def test_an_image_that_is_built_with_the_check_of_a_deployment_brings_the_index(shop: Project) -> None:
    shop.manage("check", "--deploy")
    built = shop.root.rename(shop.root.with_name("built"))
    shutil.copytree(built, shop.root, copy_function=shutil.copy)
    assert _imported(shop) == set()
    shop.command("shop.second")
    assert _imported(shop) == {"libcst", "scripts_tracker.analysis.linking.linker"}


def test_an_edit_is_seen_through_the_cache(shop: Project) -> None:
    shop.manage("check_scripts", "--mark-all-applied")
    assert shop.states() == {"shop.first": "applied", "shop.heir": "applied"}
    shop.command("shop.first", body="pass")
    shop.write("shop/base.py", BASE.partition("class Plain")[0] + "class Plain(Base):\n    pass\n")
    assert shop.states() == {"shop.first": "modified", "shop.heir": "applied", "shop.plain": "new"}


def test_many_new_scripts_are_shared_out_beside_an_open_connection(shop: Project) -> None:
    filler = "".join(
        f"    def step_{n}(self, order):\n        return order.total * {n} + {n}\n" for n in range(300)
    )
    for number in range(45):
        file = shop.command(f"shop.big{number}")
        file.write_text(file.read_text() + filler)
    code = (
        "import subprocess\n"
        "started = []\n"
        "popen = subprocess.Popen\n"
        "subprocess.Popen = lambda *args, **options: (started.append(args), popen(*args, **options))[1]\n"
        "from scripts_tracker.project.status import load_status\n"
        "found = load_status()\n"
        "from scripts_tracker.models import Script\n"
        "print(len(started), len(found.statuses), Script.objects.count())"
    )
    shop.env["SCRIPTS_TRACKER_PROCESSES"] = "2"
    assert shop.python(code).out == "1 47 0\n"
