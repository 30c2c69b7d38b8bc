"""What a script leaves open on its connections: it has failed, what it did not commit is undone, the next starts clean."""

from __future__ import annotations

import importlib.util
import signal

import pytest

from tests.databases.fixtures import SERVERS, WITH_PGBOUNCER
from tests.running.shops import Shop

IMPORT = "from django.db import connection, connections, transaction; "
DRIVER = (
    "raw = connection.connection; connection.ensure_connection(); raw = connection.connection; "
    "setattr(raw, 'isolation_level', '') if connection.vendor == 'sqlite' else "
    "raw.autocommit(False) if connection.vendor == 'mysql' else setattr(raw, 'autocommit', False); "
)
LEFT = {
    "a block": ("transaction.atomic().__enter__(); effect('undone')", "transaction.atomic() was entered"),
    "blocks in blocks": (
        "[transaction.atomic().__enter__() for _ in range(3)]; effect('undone')",
        "transaction.atomic() was entered",
    ),
    "a block on a closed connection": (
        "transaction.atomic().__enter__(); effect('undone'); connection.close()",
        "transaction.atomic() was entered",
    ),
    "raw SQL": ("connection.cursor().execute('BEGIN'); effect('undone')", "BEGIN"),
    "autocommit off": ("transaction.set_autocommit(False); effect('undone')", "set_autocommit(False)"),
    "the driver's autocommit off": (f"{DRIVER}effect('undone')", "BEGIN"),
}

MYSQL_DRIVER_HERE = "MySQLdb" if importlib.util.find_spec("MySQLdb") else "pymysql"


def assert_it_failed(shop: Shop, alias: str, how: str) -> None:
    ((reason,),) = shop.project.execute(
        "SELECT reason FROM scripts_tracker_scriptrun WHERE outcome = 'failed'"
    )
    expected = f"CommandError: shop.a finished, but left a transaction open in database '{alias}' ({how}"
    assert reason.startswith(expected)
    assert "what was not committed is rolled back" in reason


@WITH_PGBOUNCER
@pytest.mark.parametrize(("body", "how"), LEFT.values(), ids=LEFT)
def test_a_script_that_leaves_a_transaction_open_has_failed_and_the_next_one_starts_clean(
    shop: Shop, body: str, how: str
) -> None:
    shop.project.settings("DATABASES['default']['CONN_MAX_AGE'] = None")
    shop.script("shop.a", f"{IMPORT}effect('kept'); {body}")
    shop.script("shop.b", "effect('next')")
    result = shop.run("run_scripts", "--continue-on-error")
    assert result.code == 1, result.out + result.err
    assert "1 done, 1 failed" in result.out
    assert_it_failed(shop, "default", how)
    assert shop.effects() == {"kept": 1, "next": 1}
    assert shop.states() == {"shop.a": "failed", "shop.b": "applied"}


@pytest.mark.parametrize(("body", "how"), LEFT.values(), ids=LEFT)
def test_by_hand_it_has_failed_too(shop: Shop, body: str, how: str) -> None:
    shop.script("shop.a", f"{IMPORT}{body}")
    result = shop.run("a")
    assert result.code == 1
    assert "CommandError: shop.a finished, but left a transaction open in database 'default'" in result.err
    assert_it_failed(shop, "default", how)
    assert shop.effects() == {}


@pytest.mark.parametrize(("body", "how"), LEFT.values(), ids=LEFT)
def test_a_transaction_left_open_in_another_database_is_found_too(shop: Shop, body: str, how: str) -> None:
    shop.project.settings("DATABASES['other'] = {**DATABASES['default']}")
    body = body.replace("connection.", "connections['other'].").replace("effect(", "effect_in('other', ")
    body = body.replace("connections['other'].connections['other']", "connections['other'].connection")
    body = body.replace("atomic()", "atomic('other')").replace(
        "set_autocommit(False)", "set_autocommit(False, 'other')"
    )
    shop.script("shop.a", f"{IMPORT}from shop.doing import effect_in; effect('kept'); {body}")
    shop.script("shop.b", "effect('next')")
    assert shop.run("run_scripts", "--continue-on-error").code == 1
    assert_it_failed(shop, "other", how)
    assert shop.effects() == {"kept": 1, "next": 1}


NOT_LEFT = {
    "autocommit off and nothing done": "transaction.set_autocommit(False)",
    "autocommit off and all committed": "transaction.set_autocommit(False); effect('a'); transaction.commit()",
    "the driver's autocommit off and nothing done": DRIVER,
    "a raw transaction that was committed": (
        "cursor = connection.cursor(); cursor.execute('BEGIN'); effect('a'); cursor.execute('COMMIT')"
    ),
    "a cursor": "cursor = self.cursor = connection.cursor(); cursor.execute('SELECT 1 UNION SELECT 2')",
    "rows that are not all read": (
        "from scripts_tracker.models import Script; "
        "Script.objects.bulk_create(Script(app_label='x', identity=str(n)) for n in range(300)); "
        "self.rows = Script.objects.iterator(chunk_size=2); next(self.rows); "
        "Script.objects.filter(app_label='x')._raw_delete('default')"
    ),
}


@pytest.mark.parametrize("body", NOT_LEFT.values(), ids=NOT_LEFT)
def test_what_is_open_without_uncommitted_work_is_a_success_and_put_back(shop: Shop, body: str) -> None:
    shop.project.settings("DATABASES['default']['CONN_MAX_AGE'] = None")
    shop.script("shop.a", f"{IMPORT}{body}")
    shop.script("shop.b", f"{IMPORT}assert transaction.get_autocommit(); effect('next')")
    result = shop.run("run_scripts")
    assert result.code == 0, result.out + result.err
    assert shop.outcomes() == ["succeeded", "succeeded"]
    assert shop.states() == {"shop.a": "applied", "shop.b": "applied"}
    assert shop.effects()["next"] == 1


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_a_statement_that_is_not_finished_is_left_open_too(shop: Shop) -> None:
    read = "self.stream = connection.connection.cursor().stream('SELECT generate_series(1, 9)'); next(self.stream)"
    shop.script("shop.a", f"{IMPORT}connection.ensure_connection(); {read}")
    assert shop.run("run_scripts").code == 1
    assert_it_failed(shop, "default", "a statement is not finished")


@pytest.mark.parametrize("kind_name", ["mariadb"])
def test_unread_rows_on_the_server_do_not_hide_that_all_is_committed(shop: Shop) -> None:
    """PyMySQL reads them before the next statement, mysqlclient refuses it."""
    read = (
        "from MySQLdb.cursors import SSCursor; "
        "self.rows = connection.connection.cursor(SSCursor); self.rows.execute('SELECT 1 UNION SELECT 2')"
    )
    shop.script("shop.a", f"{IMPORT}effect('a'); {read}")
    shop.run("run_scripts")
    assert shop.outcomes() == ["succeeded" if "pymysql" in MYSQL_DRIVER_HERE else "failed"]
    assert shop.effects() == {"a": 1}


COUNT = """
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
with CaptureQueriesContext(connection) as queries:
    call_command('a')
ends = ('BEGIN', 'COMMIT', 'SAVEPOINT', 'RELEASE')
print(len([one for one in queries if not one['sql'].startswith(ends)]))
"""


def test_a_run_takes_at_most_eight_statements_on_each_database(shop: Shop) -> None:
    shop.script("shop.a", "hold('a')")
    killed = shop.hold("a", "a")
    killed.signal(signal.SIGKILL)
    killed.wait()
    shop.expire()
    shop.script("shop.a", "pass")
    assert int(shop.project.python(COUNT).out) <= 8, "it takes a lost run over, and the file was edited"
    assert shop.outcomes() == ["lost", "succeeded"]


BLOCK = {
    "a block": ("transaction.atomic().__enter__()", "left a transaction open in database 'default'"),
    "a closed connection": (
        "connections.close_all()",
        "undid the transaction of atomic=True (the connection '{alias}' was closed inside it)",
    ),
    "a rollback": (
        "transaction.set_rollback(True)",
        "undid the transaction of atomic=True (a rollback was requested on 'default')",
    ),
}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["one database", "the ledger elsewhere"])
@pytest.mark.parametrize(("body", "why"), BLOCK.values(), ids=BLOCK)
def test_a_script_that_breaks_its_one_transaction_has_failed_and_done_nothing(
    shop: Shop, body: str, why: str, *, elsewhere: bool
) -> None:
    if elsewhere and shop.project.kind.engine == "sqlite":
        pytest.skip("one file takes one writer")
    if elsewhere:
        shop.project.settings("DATABASES['ledger'] = {**DATABASES['default']}")
        shop.project.settings("SCRIPTS_TRACKER['database'] = 'ledger'")
    shop.script("shop.a", f"{IMPORT}effect('undone'); {body}", options="atomic=True")
    result = shop.run("run_scripts")
    assert result.code == 1
    alias = "ledger" if elsewhere else "default"
    assert f"shop.a finished, but {why.format(alias=alias)}" in result.out
    assert shop.outcomes() == ["failed"]
    assert shop.effects() == {}


CALLER = """
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
"""


def test_a_block_that_is_left_open_inside_a_transaction_of_the_caller_is_undone_alone(shop: Shop) -> None:
    shop.script("shop.a", f"{IMPORT}effect('kept'); transaction.atomic().__enter__(); effect('undone')")
    code = (
        "with transaction.atomic():\n"
        "    try: call_command('a')\n"
        "    except CommandError as error: print('left a transaction open' in str(error))\n"
        "    print(len(connection.atomic_blocks))"
    )
    assert shop.project.python(CALLER + code).text == "True\n1\n"
    assert shop.effects() == {"kept": 1}
    assert shop.states() == {"shop.a": "failed"}


CALLERS = {
    "a block": "transaction.atomic('other').__enter__()",
    "autocommit off": "transaction.set_autocommit(False, 'other')",
    "raw SQL": "connections['other'].cursor().execute('BEGIN')",
}


@pytest.mark.parametrize("begin", CALLERS.values(), ids=CALLERS)
@SERVERS
def test_what_the_caller_has_open_elsewhere_is_his(shop: Shop, begin: str) -> None:
    shop.project.settings("DATABASES['other'] = {**DATABASES['default']}")
    shop.script("shop.a", "from shop.doing import effect_in; effect_in('other', 'his')")
    end = "connections['other'].connection.commit()"
    assert shop.project.python(f"{CALLER}{begin}\ncall_command('a')\n{end}").text == ""
    assert shop.effects() == {"his": 1}
    assert shop.states() == {"shop.a": "applied"}
