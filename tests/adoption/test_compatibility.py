"""A project that used django-scripts-tracker 0.2 only changes its INSTALLED_APPS."""

from __future__ import annotations

import pytest

from tests.conftest import MATRIX, Project

FIRST = """
from django.core.management.base import BaseCommand
from {package}.core_tracker import tracked_script

class Command(BaseCommand):
    help = 'Some sample script help text'

    @tracked_script
    def handle(self, *args, **options):
        self.stdout.write('first done')
"""

SECOND = """
from django.core.management.base import BaseCommand
from shop.management.commands import first
from {package}.core_tracker import tracked_script
from {package}.dependency_tracker import required_preceding_script

class Command(BaseCommand):
    help = 'This is some help'

    def handle(self, *args, **options):
        return self.handle_noargs(**options)

    @tracked_script
    @required_preceding_script(first)
    def handle_noargs(self, **options):
        self.stdout.write('second done')
"""

SETTINGS = """
COMMANDS_DIRS = ['shop/management/commands']
IGNORED_FILES = ('__init__.py', 'helpers.py')
IGNORED_CMD_PREFIXES = ('_', 'dev_')
CHECK_SCRIPT_GIT_STATUS = False
SCRIPTS_TRACKER = {'auto_run': False}
"""


@pytest.fixture(params=["django_scripts_tracker", pytest.param("scripts_tracker", marks=MATRIX)])
def shop(project: Project, request: pytest.FixtureRequest) -> Project:
    project.settings(SETTINGS)
    project.write("shop/management/commands/first.py", FIRST.format(package=request.param))
    project.write("shop/management/commands/second.py", SECOND.format(package=request.param))
    project.write("shop/management/commands/dev_third.py", FIRST.format(package=request.param))
    return project


def test_a_script_is_new_after_migrate_and_applied_after_its_run(shop: Project) -> None:
    out = shop.migrate().out
    assert (
        "Checking management scripts:\n"
        "  You have 2 new and 0 modified management scripts to be applied.\n"
        "New scripts (2):\n"
        "  shop/management/commands/first.py\n"
        "    Some sample script help text\n"
        "  shop/management/commands/second.py\n"
        "    This is some help\n"
    ) in out
    assert shop.check("second")["scripts"][0]["requires"] == ["shop.first"]
    assert "requires shop.first (new)" in shop.manage("second", code=1).err
    assert shop.manage("first").out == "first done\n"
    assert shop.manage("second").out == "second done\n"
    assert shop.states() == {"shop.first": "applied", "shop.second": "applied"}


def test_the_old_options_still_work(shop: Project) -> None:
    shop.migrate()
    assert "└── shop.first" in shop.manage("check_scripts", "--show-dependencies").out
    shop.manage("check_scripts", "--mark-all-applied")
    assert "You have 0 new and 0 modified" in shop.migrate().out


def test_every_old_name_can_be_imported(shop: Project) -> None:
    shop.python(
        "import django_scripts_tracker.core_tracker as core\n"
        "from django_scripts_tracker import dependency_tracker\n"
        "import scripts_tracker\n"
        "assert core.tracked_script is scripts_tracker.tracked_script\n"
        "assert dependency_tracker.required_preceding_script is scripts_tracker.required_preceding_script\n"
        "assert issubclass(dependency_tracker.UserAbortingExecution, Exception)\n"
    )


def test_an_installed_django_scripts_tracker_is_not_used(shop: Project) -> None:
    shop.write("django_scripts_tracker/__init__.py", "raise RuntimeError('the old one was imported')\n")
    shop.migrate()
    shop.manage("first")
