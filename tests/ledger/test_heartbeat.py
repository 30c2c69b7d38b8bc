"""The heartbeat: a script starts after its first one, each that fails is a warning, and it keeps the last words."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

import pytest

from tests.databases.fixtures import SERVERS
from tests.databases.kinds import MariaDB, PostgreSQL
from tests.running.shops import Shop
from tests.waiting import wait_for
from tests.warm.client import Process

ON_SERVERS = pytest.mark.parametrize("kind_name", ["postgresql", "mariadb", "pgbouncer"])


def renewed(shop: Shop, schema: str = "") -> float:
    ((at,),) = shop.project.execute(f"SELECT MAX(lease_renewed) FROM {schema}scripts_tracker_script")  # noqa: S608 - our own words
    return float(at)


def wait_for_heartbeats(shop: Shop, schema: str = "") -> None:
    for _ in range(2):
        before = renewed(shop, schema)
        wait_for(lambda before=before: renewed(shop, schema) > before, "the lease is renewed")  # type: ignore[misc]  # a default that mypy cannot infer


def finish(shop: Shop, runner: Process, name: str = "a") -> int:
    shop.go(name)
    return runner.wait()


@ON_SERVERS
def test_the_lease_is_renewed_while_a_script_runs(shop: Shop) -> None:
    shop.script("shop.a", "hold('a')")
    runner = shop.hold("a", "run_scripts")
    wait_for_heartbeats(shop)
    assert finish(shop, runner) == 0, runner.err
    assert "lease" not in runner.err


def test_the_beginning_of_a_run_is_its_first_sign_of_life(shop: Shop) -> None:
    shop.script("shop.a", "effect('a')")
    assert shop.run("run_scripts").code == 0
    assert renewed(shop) > 0


@contextlib.contextmanager
def one_connection(shop: Shop) -> Iterator[str]:
    """An account that may do everything, and have one connection."""
    project = shop.project
    name = f"one_{project.database[-12:]}"
    if isinstance(project.kind, PostgreSQL):
        grants: tuple[str, ...] = (  # no superuser: the limit would not count
            f"CREATE ROLE {name} LOGIN PASSWORD 'x' CONNECTION LIMIT 1",
            f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {name}",
            f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {name}",
        )
        more = f"ALTER ROLE {name} CONNECTION LIMIT 2"
        drop: tuple[str, ...] = (f"DROP OWNED BY {name}", f"DROP ROLE {name}")
    else:
        account = f"'{name}'@'%'"
        grants = (
            f"CREATE USER {account} IDENTIFIED BY 'x' WITH MAX_USER_CONNECTIONS 1",
            f"GRANT ALL ON {project.database}.* TO {account}",
        )
        more, drop = f"ALTER USER {account} WITH MAX_USER_CONNECTIONS 2", (f"DROP USER {account}",)
    for grant in grants:
        project.execute(grant)
    project.settings(f"DATABASES['default'].update(USER='{name}', PASSWORD='x')")
    try:
        yield more
    finally:
        for statement in drop:
            project.execute(statement)


def assert_it_was_refused(shop: Shop, command: str) -> str:
    result = shop.run(command)
    assert result.code == 1
    line: str = next(one for one in (result.out + result.err).splitlines() if "cannot be renewed" in one)
    assert "shop.a was not run: its lease cannot be renewed: " in line
    assert "Traceback" not in result.err
    ((outcome, reason),) = shop.project.execute(
        "SELECT outcome, reason FROM scripts_tracker_scriptrun ORDER BY id DESC LIMIT 1"
    )
    assert outcome == "failed"
    assert "its lease cannot be renewed" in reason
    assert shop.effects() == {}
    return line


@pytest.mark.parametrize("command", ["run_scripts", "a"])
@SERVERS
def test_a_script_does_not_start_without_a_second_connection(shop: Shop, command: str) -> None:
    shop.script("shop.a", "effect('a')")
    with one_connection(shop) as allow_one_more:
        line = assert_it_was_refused(shop, command)
        assert "let the account have one more connection" in line
        shop.project.execute(allow_one_more)
        assert shop.run(command).code == 0
    assert shop.effects() == {"a": 1}


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_a_pool_of_one_connection_is_refused_and_one_of_two_is_enough(shop: Shop) -> None:
    pytest.importorskip("psycopg_pool")
    shop.script("shop.a", "effect('a'); hold('a')")
    pool = "DATABASES['default'].setdefault('OPTIONS', {{}})['pool'] = {{'min_size': 1, 'max_size': {}, 'timeout': {}}}"
    shop.project.settings(pool.format(1, 0.1))
    line = assert_it_was_refused(shop, "a")
    assert 'Let the pool of DATABASES["default"] have at least two connections ("max_size").' in line
    shop.project.settings(pool.format(2, 30))
    runner = shop.hold("a", "a")
    wait_for_heartbeats(shop)
    assert finish(shop, runner) == 0, runner.err


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_an_account_that_may_not_renew_is_refused(shop: Shop) -> None:
    """The caller has chosen a role that may; on a connection of its own, the login may not choose it."""
    name = f"login_{shop.project.database}"
    shop.project.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    try:
        shop.script("shop.a", "effect('a')")
        shop.project.settings(
            f"from django.db.backends.signals import connection_created\n"
            "import threading\n"
            "def lower(connection, **_):\n"
            "    if threading.current_thread() is not threading.main_thread():\n"
            f"        connection.cursor().execute('SET SESSION AUTHORIZATION {name}')\n"
            "connection_created.connect(lower)"
        )
        assert "permission denied" in assert_it_was_refused(shop, "a")
    finally:
        shop.project.execute(f"DROP ROLE {name}")


# A schema whose name has all that must be quoted.
ODD = '"a ""b%s"'


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_the_second_connection_stands_in_the_schema_of_the_first(shop: Shop) -> None:
    tables = (
        "effect",
        *(f"scripts_tracker_{one}" for one in ("script", "scriptversion", "scriptrun", "scriptenvironment")),
    )
    shop.project.execute(f"CREATE SCHEMA {ODD}")
    for table in tables:
        shop.project.execute(f"CREATE TABLE {ODD}.{table} (LIKE public.{table} INCLUDING ALL)")
        shop.project.execute(f"ALTER TABLE public.{table} RENAME TO gone_{table}")
    shop.script("shop.a", "hold('a')")
    code = (
        "import os, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 'settings'\ndjango.setup()\n"
        "from django.core.management import call_command\nfrom django.db import connection\n"
        f"connection.cursor().execute({f'SET search_path TO {ODD}'!r})\ncall_command('a')\n"
    )
    runner = shop.hold("a", "-c", code)
    wait_for_heartbeats(shop, f"{ODD}.")
    assert finish(shop, runner) == 0, runner.err
    assert shop.project.execute(f"SELECT outcome FROM {ODD}.scripts_tracker_scriptrun") == [("succeeded",)]  # noqa: S608 - our own words


RENAME = "ALTER TABLE {} RENAME TO {}"
TABLE = "scripts_tracker_script"


def wait_for_warning(runner: Process, text: str) -> None:
    wait_for(lambda: text in runner.err, f"the warning {text!r}")


@SERVERS
def test_each_failed_heartbeat_is_a_warning_and_its_recovery_another(shop: Shop) -> None:
    shop.script("shop.a", "hold('a')")
    runner = shop.hold("a", "run_scripts")
    shop.project.execute(RENAME.format(TABLE, "gone"))
    warning = "Warning: The lease of shop.a could not be renewed ("
    wait_for(lambda: runner.err.count(warning) >= 3, "three warnings")
    shop.project.execute(RENAME.format("gone", TABLE))
    wait_for_warning(runner, "Warning: The lease of shop.a is renewed again.")
    assert finish(shop, runner) == 0
    assert "; it ends in " in runner.err
    assert shop.outcomes() == ["succeeded"]


@SERVERS
def test_the_last_heartbeat_before_the_lease_ends_says_what_may_happen_then(shop: Shop) -> None:
    shop.lease(4, sign_of_life=0.5)
    shop.script("shop.a", "hold('a')")
    runner = shop.hold("a", "run_scripts")
    shop.project.execute(RENAME.format(TABLE, "gone"))
    wait_for_warning(runner, "and has ended: another process may run the script now.")
    shop.project.execute(RENAME.format("gone", TABLE))
    wait_for_warning(runner, "The lease of shop.a is renewed again.")
    assert finish(shop, runner) == 0, "no other process was there to take it over"


GONE = {
    "a takeover": (
        "UPDATE scripts_tracker_scriptrun SET outcome = 'lost'",
        "its lease had expired and another process took over",
    ),
    "a release": (
        "UPDATE scripts_tracker_scriptrun SET outcome = 'lost', reason = 'released by ada: the host is gone'",
        "its run was released by ada: the host is gone",
    ),
    "deleted rows": (
        "DELETE FROM scripts_tracker_scriptrun",
        "its row in the ledger was deleted while it ran",
    ),
}


@pytest.mark.parametrize(("how", "why"), GONE.values(), ids=GONE)
@SERVERS
def test_a_heartbeat_that_finds_its_run_ended_says_so_at_once_and_is_the_last(
    shop: Shop, how: str, why: str
) -> None:
    shop.script("shop.a", "hold('a')")
    runner = shop.hold("a", "run_scripts")
    unset = "UPDATE scripts_tracker_script SET last_run_id = NULL"
    # A heartbeat between the two must not find a reason of its own.
    for statement in (unset, how) if how.startswith("DELETE") else (how, unset):
        shop.project.execute(statement)
    wait_for_warning(runner, f"Warning: shop.a is still running, but {why}; a success will not be recorded.")
    assert finish(shop, runner) == 1
    # Who released it, and why, is said once.
    assert ("it was released in the meantime" if "released" in why else why) in runner.out
    assert runner.err.count("is still running") == 1


def output(shop: Shop) -> str:
    ((text,),) = shop.project.execute("SELECT output FROM scripts_tracker_scriptrun ORDER BY id LIMIT 1")
    return str(text)


@ON_SERVERS
@pytest.mark.parametrize("options", ["", "atomic=True"], ids=["plain", "atomic"])
def test_a_killed_run_keeps_its_last_words_without_secrets(shop: Shop, options: str) -> None:
    shop.script("shop.a", "self.stdout.write('token=hunter2 last words'); hold('a')", options=options)
    runner = shop.hold("a", "run_scripts")
    wait_for(lambda: "last words" in output(shop), "the output is stored")
    assert "hunter2" not in output(shop)
    runner.signal(signal.SIGKILL)
    runner.wait()
    shop.expire()
    shop.go("a")
    assert shop.run("run_scripts").code == 0
    assert shop.outcomes() == ["lost", "succeeded"]
    assert "last words" in output(shop)


ISOLATED = {
    "postgresql": "import psycopg\nDATABASES['default']['OPTIONS'] = {'isolation_level': psycopg.IsolationLevel.SERIALIZABLE}",
    "mariadb": "DATABASES['default']['OPTIONS'] = {'isolation_level': 'repeatable read',"
    " 'init_command': 'SET innodb_snapshot_isolation=ON'}",
}


@SERVERS
def test_a_snapshot_of_the_beginning_is_not_disturbed_by_the_output(shop: Shop) -> None:
    shop.project.settings(ISOLATED[shop.project.kind.engine])
    read = "from scripts_tracker.models import ScriptRun; ScriptRun.objects.count()"
    shop.script(
        "shop.a", f"{read}; self.stdout.write('words'); effect('a'); hold('a')", options="atomic=True"
    )
    runner = shop.hold("a", "run_scripts")
    wait_for_heartbeats(shop)
    assert finish(shop, runner) == 0, runner.out + runner.err
    assert shop.outcomes() == ["succeeded"]
    assert "words" in output(shop)


@SERVERS
def test_a_heartbeat_whose_session_ends_goes_on_with_a_new_one(shop: Shop) -> None:
    shop.script("shop.a", "hold('a')")
    runner = shop.hold("a", "run_scripts")
    wait_for_heartbeats(shop)
    end_the_heartbeats_session(shop)
    wait_for_warning(runner, "The lease of shop.a is renewed again.")
    wait_for_heartbeats(shop)
    assert finish(shop, runner) == 0, runner.err


def end_the_heartbeats_session(shop: Shop) -> None:
    """It has come last."""
    project = shop.project
    if isinstance(project.kind, MariaDB):
        find = "SELECT MAX(id) FROM information_schema.processlist WHERE db = '{}' AND id <> connection_id()"
        end = "KILL {}"
    else:
        find = (
            "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()"
            " ORDER BY backend_start DESC LIMIT 1"
        )
        end = "SELECT pg_terminate_backend({})"
    ((session,),) = project.execute(find.format(project.database))
    project.execute(end.format(session))
