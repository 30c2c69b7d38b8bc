"""Scripts that have a record here, and that a check of the files does not see."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

UNSEEN = "check_scripts does not see it"
BASE = """
from django.core.management.base import BaseCommand
from scripts_tracker import tracked_script
class Base(BaseCommand):
    @tracked_script
    def handle(self, *args, **options):
        self.stdout.write("done")
"""


@pytest.fixture
def shop(migrated: Project) -> Project:
    return migrated


def test_a_script_in_plain_sight_ends_without_a_word(shop: Project) -> None:
    shop.command("shop.fix")
    assert UNSEEN not in shop.manage("fix").err


def test_a_script_with_a_tracked_base_ends_without_a_word(shop: Project) -> None:
    shop.write("shop/base.py", BASE)
    shop.write("shop/management/commands/fix.py", "from shop.base import Base\nclass Command(Base): pass\n")
    assert UNSEEN not in shop.manage("fix").err
    assert shop.states() == {"shop.fix": "applied"}


def test_a_dry_run_of_an_ignored_script_is_told_as_well(shop: Project) -> None:
    shop.settings('IGNORED_FILES = ("fix.py",)')
    shop.command("shop.fix")
    assert UNSEEN in shop.manage("fix").err


IGNORED = {
    "by its name": ('IGNORED_FILES = ("fix.py",)', "its file is ignored by IGNORED_FILES"),
    "by a prefix": ('IGNORED_CMD_PREFIXES = ("FI",)', "its file is ignored by IGNORED_CMD_PREFIXES"),
    "by its folder": (
        'COMMANDS_DIRS = ["elsewhere"]',
        "its folder is not scanned: COMMANDS_DIRS does not name it",
    ),
}


@pytest.mark.parametrize(("setting", "reason"), IGNORED.values(), ids=IGNORED)
def test_a_run_of_an_ignored_script_ends_with_a_word(shop: Project, setting: str, reason: str) -> None:
    shop.settings(setting)
    shop.write("elsewhere/__init__.py", "")
    shop.command("shop.fix")
    assert shop.manage("fix").err.count(f"shop.fix ran, but {UNSEEN}: {reason}.") == 1
    report = shop.manage("check_scripts").out
    assert "Missing scripts (1):" in report
    assert reason in " ".join(report.split())


def test_a_failed_run_of_an_ignored_script_ends_with_a_word_too(shop: Project) -> None:
    shop.settings('IGNORED_FILES = ("fix.py",)')
    shop.command("shop.fix", body="raise ValueError")
    assert UNSEEN in shop.manage("fix", code=1).err
    assert "its file is ignored by IGNORED_FILES" in shop.manage("check_scripts", "--check").out


def test_the_word_is_in_the_log_of_a_project_that_has_one(shop: Project) -> None:
    shop.settings(
        "IGNORED_FILES = ('fix.py',)\n"
        "LOGGING = {'version': 1, 'handlers': {'f': {'class': 'logging.FileHandler', 'filename': 'log.txt'}},"
        " 'loggers': {'scripts_tracker': {'handlers': ['f']}}}"
    )
    shop.command("shop.fix")
    assert UNSEEN in shop.manage("fix").err
    assert UNSEEN in (shop.root / "log.txt").read_text()


def test_a_script_that_lost_its_decorator_is_shown(shop: Project) -> None:
    shop.command("shop.fix")
    shop.manage("fix")
    shop.command("shop.fix", decorators="")
    report = " ".join(shop.manage("check_scripts").out.split())
    assert "Missing scripts (1):" in report
    assert "its file is there, but no longer tracked" in report
    shop.path("shop.fix").unlink()
    assert "Not listed: 1 missing" in shop.manage("check_scripts").out


def test_a_failed_script_is_shown_after_its_file_is_deleted_until_it_is_unmarked(shop: Project) -> None:
    shop.command("shop.fix", body="raise ValueError")
    shop.manage("fix", code=1)
    shop.path("shop.fix").unlink()
    report = json.loads(shop.manage("check_scripts", "--check", "--format", "json").out)
    (script,) = report["scripts"]
    assert (script["state"], script["needs_action"], report["needs_action"]) == ("failed", False, False)
    assert "the file is gone" in shop.manage("check_scripts").out
    assert "No scripts to run." in shop.manage("run_scripts").out
    assert "will not run" in shop.manage("run_scripts", "fix").out
    assert "--unmark shop.fix" in shop.manage("show_script", "fix").out
    shop.manage("check_scripts", "--unmark", "fix")
    assert shop.states() == {}
