"""A tracked command inside a transaction of the caller, outside tests: no thread, no second connection, and it ends with it."""

from __future__ import annotations

import pytest

from tests.databases.fixtures import HostedProject

SESSIONS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database()",
}
# The body of every script: what it sees, and one row of its own.
BODY = f"""\
import threading, time
        from django.db import connection
        from scripts_tracker.models import Script
        time.sleep(0.3)  # several beats of the heart
        # A parser lives on for a moment where a version is new; it has nothing to do with the database.
        names = [one.name for one in threading.enumerate() if one.name != "scripts_tracker parser"]
        sql = {SESSIONS!r}.get(connection.vendor, "SELECT 1")
        with connection.cursor() as cursor:
            cursor.execute(sql)
            self.stdout.write(f"{{names}} {{cursor.fetchone()[0]}}")
        Script.objects.create(app_label="x", identity="x")
"""
ALONE = "['MainThread'] 1\n"
MIGRATION = """
from django.core.management import call_command
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0007_environments")]
    operations = [migrations.RunPython(lambda apps, editor: call_command("works"))]
"""
SETUP = """
from django.core.management import call_command
from django.db import IntegrityError, transaction
"""


@pytest.fixture
def shop(hosted: HostedProject) -> HostedProject:
    hosted.settings('SCRIPTS_TRACKER = {"heartbeat_seconds": 0.05}')
    hosted.command("shop.works", body=BODY)
    return hosted


def rows(shop: HostedProject) -> int:
    return int(shop.execute("SELECT count(*) FROM scripts_tracker_script WHERE app_label = 'x'")[0][0])


def test_a_rollback_takes_the_run_with_it(shop: HostedProject) -> None:
    code = "with transaction.atomic():\n    call_command('works'); transaction.set_rollback(True)"
    assert shop.python(SETUP + code).text == ALONE
    assert (shop.states(), rows(shop)) == ({"shop.works": "new"}, 0)


def test_a_commit_keeps_it(shop: HostedProject) -> None:
    code = "with transaction.atomic(): call_command('works')"
    assert shop.python(SETUP + code).text == ALONE
    assert (shop.states(), rows(shop)) == ({"shop.works": "applied"}, 1)


def test_autocommit_that_the_caller_switched_off_stays_off(shop: HostedProject) -> None:
    code = (
        "transaction.set_autocommit(False); call_command('works'); print(transaction.get_autocommit())\n"
        "transaction.rollback(); call_command('works'); transaction.commit()"
    )
    assert shop.python(SETUP + code).text == f"{ALONE}False\n{ALONE}"
    assert (shop.states(), rows(shop)) == ({"shop.works": "applied"}, 1)


def test_an_error_of_the_database_is_raised_as_it_is(shop: HostedProject) -> None:
    file = shop.path("shop.works")
    file.write_text(file.read_text() + "        Script.objects.bulk_create([Script(identity='x')])\n")
    code = (
        "try:\n    with transaction.atomic(): call_command('works')\nexcept IntegrityError: print('raised')"
    )
    assert shop.python(SETUP + code).text == f"{ALONE}raised\n"
    assert (shop.states(), rows(shop)) == ({"shop.works": "new"}, 0)


def test_a_data_migration_may_call_it(shop: HostedProject) -> None:
    shop.write("shop/migrations/__init__.py", "")
    shop.write("shop/migrations/0001_data.py", MIGRATION)
    assert ALONE in shop.migrate().out
    assert (shop.states(), rows(shop)) == ({"shop.works": "applied"}, 1)


def test_missing_tables_leave_a_transaction_without_autocommit_usable(shop: HostedProject) -> None:
    code = (
        "from django.core.management import CommandError\nfrom django.db import connection\n"
        "cursor = connection.cursor()\n"
        "for name in ('script', 'scriptrun', 'scriptversion'):\n"
        "    cursor.execute(f'ALTER TABLE scripts_tracker_{name} RENAME TO gone_{name}')\n"
        "transaction.set_autocommit(False)\n"
        "cursor.execute('SELECT 1')\n"
        "try: call_command('works')\n"
        "except CommandError as error: print('do not exist' in str(error))\n"
        "cursor.execute('SELECT 2'); print(cursor.fetchone()[0])"
    )
    assert shop.python(SETUP + code).text == "True\n2\n"
