"""A script changes the connection that the ledger is on, or the ledger itself: its own run ends, and no other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.running.shops import Shop

TABLES = ("script", "scriptversion", "scriptrun")
SQL = "from django.db import connection, connections; sql = connection.cursor().execute; "


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """One whose connections stay open from script to script."""
    shop.project.settings("DATABASES['default']['CONN_MAX_AGE'] = None")
    return shop


class Twin:
    """A second ledger on the same server with the same keys, where a run of its own is at work."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        engine = shop.project.kind.engine
        self.name = f"{shop.project.database}_twin" if engine == "mariadb" else "twin"
        self.switch = {
            "postgresql": f"sql('SET search_path TO {self.name}')",
            "mariadb": f"sql('USE {self.name}')",
            # The name of a temporary table stands before those of the others.
            "sqlite": (
                "from scripts_tracker.models import Script, ScriptRun, ScriptVersion\n        "
                "for table in (model._meta.db_table for model in (Script, ScriptVersion, ScriptRun)):\n            "
                "sql('CREATE TEMP TABLE ' + table + ' AS SELECT * FROM main.' + table)\n        "
                "ScriptRun.objects.update(token='twin')"
            ),
        }[engine]

    def create(self) -> None:
        engine, execute = self._shop.project.kind.engine, self._shop.project.execute
        if engine == "sqlite":
            return
        execute(f"CREATE {'SCHEMA' if engine == 'postgresql' else 'DATABASE'} {self.name}")
        like = "(LIKE {} INCLUDING ALL)" if engine == "postgresql" else "LIKE {}"
        for table in TABLES:
            name = f"scripts_tracker_{table}"
            execute(f"CREATE TABLE {self.name}.{name} {like.format(name)}")

    def march_in_step(self) -> None:
        """As if the same script was begun there at the same moment."""
        if self._shop.project.kind.engine == "sqlite":
            return
        for table in TABLES:
            name = f"scripts_tracker_{table}"
            self._shop.project.execute(f"INSERT INTO {self.name}.{name} SELECT * FROM {name}")  # noqa: S608 - our own words
        self._shop.project.execute(f"UPDATE {self.name}.scripts_tracker_scriptrun SET token = 'twin'")  # noqa: S608 - our own words

    def outcomes(self) -> list[str]:
        if self._shop.project.kind.engine == "sqlite":
            return ["running"]  # it went with the connection
        rows = self._shop.project.execute(f"SELECT outcome FROM {self.name}.scripts_tracker_scriptrun")  # noqa: S608 - our own words
        return [outcome for (outcome,) in rows]


@pytest.fixture
def twin(shop: Shop) -> Iterator[Twin]:
    made = Twin(shop)
    made.create()
    yield made
    if shop.project.kind.engine == "mariadb":
        shop.project.execute(f"DROP DATABASE {made.name}")


EVERY_WAY = pytest.mark.parametrize("options", ["", "atomic=True"], ids=["plain", "atomic"])


@EVERY_WAY
@pytest.mark.parametrize("end", ["pass", "raise ValueError('boom')"], ids=["success", "failure"])
def test_a_run_that_ends_in_another_ledger_ends_its_own_row(
    shop: Shop, twin: Twin, options: str, end: str
) -> None:
    shop.script("shop.a", f"{SQL}hold('a'); {twin.switch}\n        {end}", options=options)
    shop.script("shop.b", "effect('next')")
    runner = shop.hold("a", "run_scripts", "--continue-on-error")
    twin.march_in_step()
    shop.go("a")
    code = runner.wait()
    outcome = "succeeded" if end == "pass" else "failed"
    assert code == (0 if end == "pass" else 1), runner.out + runner.err
    assert shop.outcomes() == [outcome, "succeeded"]
    assert twin.outcomes() == ["running"]
    assert shop.effects() == {"next": 1}, "the next script stands where the first one stood"


@contextlib.contextmanager
def weak_role(shop: Shop) -> Iterator[str]:
    """A role that may leave effects, and do nothing with the ledger."""
    name = f"weak_{shop.project.database}"
    shop.project.execute(f"CREATE ROLE {name}")
    try:
        shop.project.execute(f"GRANT INSERT ON effect TO {name}")
        yield name
    finally:
        shop.project.execute(f"DROP OWNED BY {name}")
        shop.project.execute(f"DROP ROLE {name}")


CHANGES = {
    "close all": ("connections.close_all()",) * 3,
    "the driver's own close": ("connection.ensure_connection(); connection.connection.close()",) * 3,
    "read-only": (
        "sql('PRAGMA query_only = 1')",
        "sql('SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY')",
        "sql('SET SESSION TRANSACTION READ ONLY')",
    ),
}
ENGINES = ("sqlite", "postgresql", "mariadb")


@pytest.mark.parametrize("end", ["pass", "raise ValueError('boom')"], ids=["success", "failure"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_run_ends_on_a_fresh_connection_where_the_scripts_own_is_of_no_use(
    shop: Shop, change: tuple[str, str, str], end: str
) -> None:
    how = change[ENGINES.index(shop.project.kind.engine)]
    shop.script("shop.a", f"{SQL}effect('a'); {how}\n        {end}")
    shop.script("shop.b", "effect('next')")
    result = shop.run("run_scripts", "--continue-on-error")
    assert result.code == (0 if end == "pass" else 1), result.out + result.err
    assert shop.outcomes() == ["succeeded" if end == "pass" else "failed", "succeeded"]
    assert shop.effects() == {"a": 1, "next": 1}


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_a_role_without_rights_at_the_end_of_a_script_keeps_nothing_from_its_record(shop: Shop) -> None:
    with weak_role(shop) as role:
        shop.script("shop.a", f"{SQL}sql('SET ROLE {role}'); effect('a')")
        shop.script("shop.b", "effect('next')")
        result = shop.run("run_scripts")
        assert result.code == 0, result.out + result.err
        assert shop.outcomes() == ["succeeded", "succeeded"]
        assert shop.effects() == {"a": 1, "next": 1}


IN_ONE_TRANSACTION = {
    "postgresql": "sql('SET TRANSACTION READ ONLY')",
    "sqlite": "sql('PRAGMA query_only = 1')",
}


@pytest.mark.parametrize("kind_name", IN_ONE_TRANSACTION)
def test_a_success_that_its_transaction_cannot_record_is_rolled_back_and_has_failed(shop: Shop) -> None:
    how = IN_ONE_TRANSACTION[shop.project.kind.engine]
    shop.script("shop.a", f"{SQL}effect('a'); {how}", options="atomic=True")
    result = shop.run("run_scripts")
    assert result.code == 1
    assert "shop.a finished, but its success could not be recorded: " in result.out
    assert "; its work was rolled back." in result.out
    assert shop.outcomes() == ["failed"]
    assert shop.effects() == {}


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_a_role_in_the_one_transaction_of_a_script_without_rights_is_its_failure(shop: Shop) -> None:
    with weak_role(shop) as role:
        shop.script("shop.a", f"{SQL}effect('a'); sql('SET ROLE {role}')", options="atomic=True")
        result = shop.run("run_scripts")
    assert "shop.a finished, but its success could not be recorded: permission denied" in result.out
    assert shop.outcomes() == ["failed"]
    assert shop.effects() == {}


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_a_run_that_was_begun_in_a_role_is_renewed_and_ends_in_it(shop: Shop) -> None:
    """The login may do nothing with the ledger, the role of the caller may."""
    project = shop.project
    login = f"login_{project.database}"
    project.execute(f"CREATE ROLE {login} LOGIN NOINHERIT PASSWORD 'x'")
    try:
        project.execute(f"GRANT {project.kind.server.user} TO {login}")  # type: ignore[attr-defined]  # PostgreSQL has one
        project.settings(f"DATABASES['default'].update(USER='{login}', PASSWORD='x')")
        shop.script("shop.a", "from django.db import connections; effect('a'); connections.close_all()")
        code = (
            "from django.core.management import call_command\nfrom django.db import connection\n"
            f"connection.cursor().execute('SET ROLE {project.kind.server.user}')\n"  # type: ignore[attr-defined]  # as above
            "call_command('a')"
        )
        assert project.python(code).text == ""
        assert shop.outcomes() == ["succeeded"]
    finally:
        project.execute(f"DROP OWNED BY {login}")
        project.execute(f"DROP ROLE {login}")


DELETED = "its row in the ledger was deleted while it ran"
DELETE = (
    "from scripts_tracker.models import Script; "
    "Script.objects.update(applied_run=None, last_run=None); Script.objects.all().delete()"
)
DROP = (
    "off = {'mysql': 'SET foreign_key_checks = 0', 'sqlite': 'PRAGMA foreign_keys = 0'}; "
    "sql(off.get(connection.vendor, 'SELECT 1')); "
    "all_of_it = ' CASCADE' if connection.vendor == 'postgresql' else ''; "
    f"[sql('DROP TABLE scripts_tracker_' + table + all_of_it) for table in {TABLES}]"
)
GONE = {
    "flush": (
        "from django.core.management import call_command; call_command('flush', interactive=False)",
        DELETED,
    ),
    "deleted rows": (DELETE, DELETED),
    "dropped tables": (DROP, "the tables of scripts_tracker do not exist in database 'default'"),
}


@pytest.mark.parametrize(("how", "why"), GONE.values(), ids=GONE)
def test_a_script_that_removes_its_own_record_is_told_that_and_not_of_a_takeover(
    shop: Shop, how: str, why: str
) -> None:
    shop.script("shop.a", f"{SQL}{how}")
    result = shop.run("a")
    assert result.code == 1
    assert f"shop.a succeeded, but the result could not be recorded: {why}" in result.err
    assert "manage.py check_scripts --mark-applied shop.a" in result.err
    assert "another process" not in result.err


@pytest.mark.parametrize(("how", "why"), GONE.values(), ids=GONE)
def test_a_failure_after_it_has_removed_its_record_is_its_own(shop: Shop, how: str, why: str) -> None:
    shop.script("shop.a", f"{SQL}{how}\n        raise ValueError('boom')")
    result = shop.run("a")
    assert result.code == 1
    assert "ValueError: boom" in result.err


IN_A_TRANSACTION = [
    ("sqlite", "deleted rows"),
    ("postgresql", "deleted rows"),
    ("postgresql", "dropped tables"),
]


@pytest.mark.parametrize(("kind_name", "name"), IN_A_TRANSACTION)
def test_in_one_transaction_the_record_is_there_again_and_says_that_it_failed(shop: Shop, name: str) -> None:
    """MySQL and MariaDB commit before they drop a table."""
    shop.script("shop.a", f"{SQL}effect('a'); {GONE[name][0]}", options="atomic=True")
    result = shop.run("run_scripts")
    assert result.code == 1
    assert "shop.a finished, but " in result.out
    assert "another process" not in result.out
    assert "its work was rolled back." in result.out
    assert shop.outcomes() == ["failed"]
    assert shop.effects() == {}
