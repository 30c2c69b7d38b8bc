from __future__ import annotations

import contextlib
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from tests.conftest import Project, make_project

NOTICE = "Checking management scripts:"


@pytest.fixture
def shop(project: Project) -> Project:
    project.command("shop.first")
    return project


def test_the_first_migrate_ends_with_the_notice(shop: Project) -> None:
    lines = shop.migrate().out.splitlines()
    at = lines.index(NOTICE)
    assert lines[at:] == [
        NOTICE,
        "  You have 1 new and 0 modified management scripts to be applied.",
        "New scripts (1):",
        "  shop/management/commands/first.py",
        "    Does first",
        "  Names: shop.first",
        "Run 'python manage.py run_scripts' to apply them.",
    ]


def test_the_notice_is_printed_once_per_migrate(shop: Project) -> None:
    assert shop.migrate().out.count(NOTICE) == 1
    assert shop.migrate().out.count(NOTICE) == 1


def test_modified_and_failed_scripts_are_named(shop: Project) -> None:
    shop.command("shop.breaks", body="raise ValueError")
    shop.migrate()
    shop.manage("first")
    shop.manage("breaks", code=1)
    shop.command("shop.first", body="print('changed')")
    out = shop.migrate().out
    assert "You have 0 new and 1 modified management scripts" in out
    assert "Modified scripts (1):" in out
    assert "Failed scripts (1):" in out


SILENT = {
    "verbosity 0": ["migrate", "--verbosity", "0"],
    "a plan": ["migrate", "--plan"],
    "backwards to zero": ["migrate", "scripts_tracker", "zero"],
    "flush": ["flush", "--no-input"],
    "another app backwards": ["migrate", "auth", "zero"],
    "another alias": ["migrate", "--database", "other"],
    "another alias again": ["migrate", "--database", "other", "scripts_tracker"],
}

OTHER = """
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", *INSTALLED_APPS]
DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "other.sqlite3"}
"""


@pytest.fixture(scope="module")
def migrated_with_users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of the shop with Django's users after migrate."""
    made = make_project(tmp_path_factory.mktemp("users"), {})
    made.settings(OTHER)
    made.migrate()
    return made.root / "db.sqlite3"


@pytest.mark.parametrize("arguments", SILENT.values(), ids=SILENT)
def test_it_is_silent_after(shop: Project, migrated_with_users: Path, arguments: list[str]) -> None:
    shop.settings(OTHER)
    shutil.copy(migrated_with_users, shop.root / "db.sqlite3")
    result = shop.manage(*arguments)
    assert NOTICE not in result.text
    assert result.err == ""


def test_no_tables_yet_is_silence(shop: Project) -> None:
    shop.settings(OTHER)
    result = shop.migrate("contenttypes")
    assert NOTICE not in result.text
    assert result.err == ""


def test_tables_that_a_dump_left_out_are_named_with_what_creates_them(shop: Project) -> None:
    shop.migrate()
    with contextlib.closing(sqlite3.connect(shop.root / "db.sqlite3")) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE name LIKE 'scripts_tracker_%' AND type = 'table'"
        )
        for (name,) in names.fetchall():
            connection.execute(f'DROP TABLE "{name}"')
    cure = "manage.py migrate scripts_tracker zero --fake && manage.py migrate scripts_tracker"
    words = (
        "the tables of scripts_tracker do not exist in database 'default', although their migrations are recorded as"
        f" applied; create them with: {cure}"
    )
    result = shop.migrate()
    assert result.err.strip() == f"The management scripts could not be checked: {words}"
    assert shop.manage("check_scripts", code=2).err.strip() == words
    for step in cure.split(" && "):
        shop.manage(*step.split()[1:])
    assert "shop.first: never applied here" in shop.manage("check_scripts").out


def test_after_zero_it_can_be_migrated_again(shop: Project) -> None:
    shop.migrate()
    shop.manage("first")
    shop.manage("migrate", "scripts_tracker", "zero")
    assert "You have 1 new" in shop.migrate().out


@pytest.mark.parametrize("key", ["notify", "enabled"])
def test_a_setting_silences_it(shop: Project, key: str) -> None:
    shop.settings(f'SCRIPTS_TRACKER = {{"{key}": False}}')
    assert NOTICE not in shop.migrate().text


def test_an_error_of_the_tracker_does_not_make_migrate_fail(shop: Project) -> None:
    shop.migrate()
    shop.python(
        "from django.db import connection\n"
        "connection.cursor().execute('ALTER TABLE scripts_tracker_scriptrun RENAME COLUMN host TO lost')"
    )
    result = shop.migrate()
    assert "The management scripts could not be checked" in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_a_router_that_keeps_the_ledger_elsewhere_is_respected(shop: Project) -> None:
    shop.settings(
        OTHER
        + """
class Router:
    def db_for_read(self, model, **hints): return "other" if model._meta.app_label == "scripts_tracker" else None
    db_for_write = db_for_read
    def allow_migrate(self, db, app_label, **hints): return (db == "other") == (app_label == "scripts_tracker")
import sys
sys.modules["routers"] = type(sys)("routers")
sys.modules["routers"].Router = Router
DATABASE_ROUTERS = ["routers.Router"]
"""
    )
    assert NOTICE not in shop.migrate().text
    assert "migrate scripts_tracker --database other" in shop.manage("check_scripts", code=2).err
    assert NOTICE in shop.migrate("--database", "other").out
    shop.manage("first")
    assert shop.states() == {"shop.first": "applied"}
    assert NOTICE not in shop.migrate().text


def test_the_setting_database_names_the_alias(shop: Project) -> None:
    shop.settings(OTHER + 'SCRIPTS_TRACKER = {"database": "other"}')
    assert NOTICE not in shop.migrate().text
    assert NOTICE in shop.migrate("--database", "other").out
    shop.manage("first")
    assert shop.states() == {"shop.first": "applied"}


def test_it_is_connected_once_for_our_app_alone() -> None:
    from django.apps import apps
    from django.db.models.signals import post_migrate

    ours = apps.get_app_config("scripts_tracker")
    others = apps.get_app_config("auth")

    def connected(sender: object) -> list[str]:
        synchronous, _ = post_migrate._live_receivers(sender)
        modules = [receiver.__module__ for receiver in synchronous]
        return [module for module in modules if module.startswith("scripts_tracker")]

    assert connected(ours) == ["scripts_tracker.apps"]
    assert connected(others) == []


TESTS = """
from django.core.management import call_command
from django.test import TestCase, TransactionTestCase
from scripts_tracker.models import Script

class InATransaction(TestCase):
    def test_run(self):
        call_command("first")
        self.assertEqual(Script.objects.count(), 1)

    def test_rolled_back(self):
        self.assertEqual(Script.objects.count(), 0)

class Flushed(TransactionTestCase):
    def test_run(self):
        call_command("first")
        self.assertEqual(Script.objects.count(), 1)

    def test_run_again(self):
        call_command("first")
        self.assertEqual(Script.objects.count(), 1)
"""


@pytest.mark.parametrize("arguments", [[], ["-v", "2"]], ids=["quiet", "verbose"])
def test_a_projects_own_test_suite_runs_undisturbed(shop: Project, arguments: list[str]) -> None:
    shop.write("shop/tests.py", TESTS)
    result = shop.manage("test", *arguments)
    assert "Ran 4 tests" in result.err
    assert result.err.rstrip().splitlines()[-1].startswith(("OK", "Destroying"))


SERVER = """
import sys
sys.argv = ["manage.py", {command!r}]
import django
django.setup()
from django.core.management.base import BaseCommand
BaseCommand(no_color=True).check_migrations()
"""


def test_the_development_server_says_in_a_line_that_scripts_wait(shop: Project) -> None:
    def said(command: str = "runserver") -> str:
        return shop.run(
            sys.executable, "-c", SERVER.format(command=command), DJANGO_SETTINGS_MODULE="settings"
        ).text

    assert "unapplied migration" in said()
    assert "management script" not in said()
    shop.migrate()
    line = "\nYou have 1 new management script. Run 'python manage.py run_scripts' to apply them.\n"
    assert said() == line
    assert said("runserver_plus") == line
    assert said("migrate") == ""
    shop.settings('SCRIPTS_TRACKER = {"notify": False}')
    assert said() == ""
    shop.settings("SCRIPTS_TRACKER = {}")
    shop.manage("first")
    assert said() == ""
    shop.python(
        "from django.db import connection\n"
        "connection.cursor().execute('ALTER TABLE scripts_tracker_scriptrun RENAME COLUMN host TO lost')"
    )
    assert said().startswith("The management scripts could not be checked: ")
