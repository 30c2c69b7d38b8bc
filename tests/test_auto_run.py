"""What migrate does where a project asks for auto_run."""

from __future__ import annotations

import pytest

from tests.conftest import Project

# contenttypes and auth come after us: what scripts may need of their post_migrate is there only at the end.
APPS = """
INSTALLED_APPS = ["scripts_tracker", "django.contrib.contenttypes", "django.contrib.auth", "shop", "stock"]
DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "other.sqlite3"}
SCRIPTS_TRACKER = {"auto_run": True}
"""
RUNNING = "Running management scripts"
RAN = "open('ran', 'w').close()"


@pytest.fixture
def shop(migrated: Project) -> Project:
    migrated.settings(APPS)
    return migrated


def test_it_runs_after_what_other_apps_make_of_a_migrate(shop: Project) -> None:
    count = "from django.contrib.auth.models import Permission; self.stdout.write(f'{Permission.objects.count()} permissions')"
    shop.command("shop.first", body=count)
    lines = shop.migrate().out.splitlines()
    assert lines[lines.index("[1/1 0:00] shop.first") + 1] not in {"0 permissions", ""}
    assert lines.index("Checking management scripts:") < lines.index(f"{RUNNING} (1):")
    assert lines[-1] == "1 done, 0 failed, 0 blocked, 0 skipped."
    assert shop.states() == {"shop.first": "applied"}
    assert RUNNING not in shop.migrate().out


def test_a_failed_script_makes_migrate_fail_after_the_migrations_are_committed(shop: Project) -> None:
    shop.command("shop.breaks", body="raise ValueError('boom')")
    result = shop.manage("migrate", "--no-color", code=1)
    assert "ValueError: boom" in result.err
    assert result.err.splitlines()[-2:] == [
        "CommandError: Some scripts did not run: 1 failed.",
        "Run 'python manage.py show_script shop.breaks' to see its output and what to type next.",
    ]
    assert "[ ]" not in shop.manage("showmigrations").out


def test_a_script_that_cannot_be_run_does_not_make_migrate_fail(shop: Project) -> None:
    shop.command("shop.first")
    shop.write("shop/management/commands/broken.py", "from scripts_tracker import tracked_script\nclass (")
    shop.command("shop.second", decorators="@tracked_script\n    @required_preceding_script('shop.nowhere')")
    result = shop.migrate()
    assert "1 done, 0 failed, 2 blocked, 0 skipped." in result.out
    assert "Some scripts did not run: 2 blocked." in result.err
    assert shop.states()["shop.first"] == "applied"


SILENT = {
    "a plan": ["migrate", "--plan"],
    "verbosity 0": ["migrate", "--verbosity", "0"],
    "another alias": ["migrate", "--database", "other"],
}


@pytest.mark.parametrize("arguments", SILENT.values(), ids=SILENT)
def test_nothing_is_run_at(shop: Project, arguments: list[str]) -> None:
    shop.command("shop.first", body=RAN)
    shop.manage(*arguments)
    assert not (shop.root / "ran").exists()


def test_nothing_is_run_at_a_flush_or_on_the_way_back(shop: Project) -> None:
    shop.migrate()
    shop.command("shop.first", body=RAN)
    shop.manage("flush", "--no-input")
    shop.manage("migrate", "contenttypes", "zero")
    assert not (shop.root / "ran").exists()


@pytest.mark.parametrize("key", ["enabled", "auto_run"])
def test_a_setting_turns_it_off(shop: Project, key: str) -> None:
    shop.settings(f'SCRIPTS_TRACKER["{key}"] = False')
    shop.command("shop.first", body=RAN)
    shop.migrate("contenttypes")
    assert not (shop.root / "ran").exists()


def test_it_runs_without_the_notice_too(shop: Project) -> None:
    shop.settings('SCRIPTS_TRACKER["notify"] = False')
    shop.command("shop.first", body=RAN)
    assert "Checking management scripts" not in shop.migrate().out
    assert (shop.root / "ran").exists()


def test_there_is_no_prompt(shop: Project) -> None:
    shop.command("shop.asks", body="input('name? ')")
    assert "EOFError" in shop.manage("migrate", code=1).err


def test_an_error_of_the_ledger_does_not_make_migrate_fail(shop: Project) -> None:
    shop.python(
        "from django.db import connection\n"
        "connection.cursor().execute('ALTER TABLE scripts_tracker_scriptrun RENAME COLUMN host TO lost')"
    )
    result = shop.migrate()
    assert (
        "The management scripts could not be run: the ledger in database 'default' cannot be used"
        in result.err
    )
    assert "Traceback" not in result.err


TESTS = """
from django.core.management import call_command
from django.test import TestCase
from scripts_tracker.models import Script

class Tests(TestCase):
    def test_nothing_was_run(self):
        self.assertEqual(Script.objects.count(), 0)

    def test_migrate_runs_nothing(self):
        call_command("migrate", verbosity=1)
        self.assertEqual(Script.objects.count(), 0)
"""


def test_nothing_is_run_in_a_test_environment(shop: Project) -> None:
    shop.command("shop.first")
    shop.write("shop/tests.py", TESTS)
    result = shop.manage("test", "-v", "1")
    assert "Ran 2 tests" in result.err
    assert RUNNING not in result.text


def test_nothing_is_run_while_migrations_are_left_out(shop: Project) -> None:
    shop.command("shop.first", body=RAN)
    assert (
        "No management script was run: some migrations are not applied yet"
        in shop.migrate("scripts_tracker").out
    )
    assert not (shop.root / "ran").exists()
    assert "1 done" in shop.migrate().out
    shop.command("shop.second")
    assert "1 done" in shop.migrate("scripts_tracker").out
