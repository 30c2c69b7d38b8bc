"""A script stays applied if only the place changes that its decorators are imported from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Project

BODY = """
from django.core.management.base import BaseCommand
{imports}
class Command(BaseCommand):
    @tracked_script
    @required_preceding_script("first")
    def handle(self, *args, **options):
        self.stdout.write({text!r})
"""
NEW = "from scripts_tracker import required_preceding_script, tracked_script"
OLD = (
    "from django_scripts_tracker.core_tracker import tracked_script\n"
    "from django_scripts_tracker.dependency_tracker import required_preceding_script"
)
PATHS = {
    "two old paths": OLD,
    "the old modules of the new package": OLD.replace("django_", ""),
    "brackets and comments": "from scripts_tracker import (  # both\n    tracked_script,  # this\n"
    "    required_preceding_script,\n)",
    "one old path, one new": "from scripts_tracker.core_tracker import tracked_script\n"
    "from scripts_tracker import required_preceding_script",
}


def write(project: Project, imports: str, text: str = "done") -> None:
    project.write("shop/management/commands/fix.py", BODY.format(imports=imports, text=text))


@pytest.fixture
def shop(migrated: Project) -> Project:
    migrated.command("shop.first")
    migrated.manage("first")
    return migrated


@pytest.mark.parametrize("old", PATHS.values(), ids=PATHS)
def test_a_changed_path_leaves_a_script_applied_both_ways(shop: Project, old: str) -> None:
    write(shop, old)
    shop.manage("fix")
    write(shop, NEW)
    assert shop.states()["shop.fix"] == "applied"
    assert shop.states()["shop.fix"] == "applied", "from the cache too"
    shop.manage("fix")
    write(shop, old)
    assert shop.states()["shop.fix"] == "applied"


def test_a_changed_path_and_a_changed_text_are_a_change(shop: Project) -> None:
    write(shop, OLD)
    shop.manage("fix")
    write(shop, NEW, "other")
    assert shop.states()["shop.fix"] == "modified"


def test_another_decorator_of_the_same_name_is_a_change(shop: Project) -> None:
    write(shop, NEW)
    shop.manage("fix")
    shop.write("shop/tools.py", NEW)
    write(shop, NEW.replace("scripts_tracker", "shop.tools"))
    assert shop.states()["shop.fix"] == "modified"


def test_the_fix_of_the_lint_leaves_a_script_applied(shop: Project) -> None:
    write(shop, OLD)
    shop.manage("fix")
    shop.run(sys.executable, "-m", "scripts_tracker.lint.cli", "--fix", "--select", "ST015")
    assert "django_scripts_tracker" not in (shop.root / "shop/management/commands/fix.py").read_text()
    assert shop.states()["shop.fix"] == "applied"
