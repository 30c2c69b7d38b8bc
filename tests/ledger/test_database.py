from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    Error,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connection,
    transaction,
)

from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import database
from scripts_tracker.models import Script


def caused(error: Error, **facts: Any) -> Error:
    """As Django's wrappers raise it: from the driver's own."""
    error.__cause__ = type("DriverError", (Exception,), facts)()
    return error


LOCKED = OperationalError("database is locked")
CONTENTION: dict[str, tuple[Error, str]] = {
    "SQLite: another one writes": (LOCKED, "sqlite"),
    "SQLite: a table is locked": (OperationalError("database table is locked: x"), "sqlite"),
    "PostgreSQL: serialization": (caused(OperationalError("x"), sqlstate="40001"), "postgresql"),
    "PostgreSQL: deadlock": (caused(OperationalError("x"), sqlstate="40P01"), "postgresql"),
    "PostgreSQL: lock not available": (caused(OperationalError("x"), sqlstate="55P03"), "postgresql"),
    "MariaDB: changed since the last read": (OperationalError(1020, "x"), "mysql"),
    "MySQL: lock wait timeout": (OperationalError(1205, "x"), "mysql"),
    "MySQL: deadlock": (OperationalError(1213, "x"), "mysql"),
    "PostgreSQL by psycopg2: deadlock": (caused(OperationalError("x"), pgcode="40P01"), "postgresql"),
    "another process was faster": (database.Collision("x"), "sqlite"),
}
TROUBLE: dict[str, tuple[Error, str]] = {
    "SQLite: no such table": (OperationalError("no such table: x"), "sqlite"),
    "SQLite: a full disk": (OperationalError("database or disk is full"), "sqlite"),
    "PostgreSQL: a lost connection": (caused(OperationalError("x"), sqlstate=None), "postgresql"),
    "PostgreSQL: a broken rule": (caused(IntegrityError("x"), sqlstate="23505"), "postgresql"),
    "PostgreSQL: a text that sounds like a lock": (OperationalError("the door is locked"), "postgresql"),
    "MySQL: gone away": (OperationalError(2006, "x"), "mysql"),
    "MySQL: no words": (OperationalError(), "mysql"),
    "PostgreSQL: a number of MySQL's": (OperationalError(1205, "x"), "postgresql"),
}


@pytest.mark.parametrize(("error", "vendor"), CONTENTION.values(), ids=CONTENTION)
def test_contention_is_recognised(error: Error, vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", vendor)
    assert database.is_contention(error)


@pytest.mark.parametrize(("error", "vendor"), TROUBLE.values(), ids=TROUBLE)
def test_other_errors_are_not_contention(error: Error, vendor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "vendor", vendor)
    assert not database.is_contention(error)


MISSING: dict[str, tuple[Error, str]] = {
    "SQLite: no such table": (OperationalError("no such table: x"), "sqlite"),
    "SQLite: no such column": (OperationalError("no such column: s.x"), "sqlite"),
    "SQLite: no such column to write to": (OperationalError("table x has no column named y"), "sqlite"),
    "PostgreSQL: no such table": (caused(ProgrammingError("x"), sqlstate="42P01"), "postgresql"),
    "PostgreSQL: no such column": (caused(ProgrammingError("x"), sqlstate="42703"), "postgresql"),
    "PostgreSQL by psycopg2": (caused(ProgrammingError("x"), pgcode="42703"), "postgresql"),
    "MySQL: no such table": (ProgrammingError(1146, "x"), "mysql"),
    "MySQL: unknown column": (OperationalError(1054, "x"), "mysql"),
}
HINT = "(after an upgrade: manage.py migrate scripts_tracker)"


@pytest.mark.parametrize(("error", "vendor"), MISSING.values(), ids=MISSING)
def test_where_a_table_or_column_is_missing_the_message_says_what_to_migrate(
    error: Error, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "vendor", vendor)
    assert database.unavailable_message(error).endswith(HINT)


OTHERS = {name: case for name, case in {**CONTENTION, **TROUBLE}.items() if name not in MISSING}


@pytest.mark.parametrize(("error", "vendor"), OTHERS.values(), ids=OTHERS)
def test_for_other_errors_the_message_does_not_speak_of_an_upgrade(
    error: Error, vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "vendor", vendor)
    message = database.unavailable_message(error)
    assert "upgrade" not in message
    assert ("try again" in message) is database.is_contention(error)


class Clock:
    """Time that passes only in sleep()."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("scripts_tracker.ledger.database.time.monotonic", lambda: made.now)
    monkeypatch.setattr("scripts_tracker.ledger.database.time.sleep", made.sleep)
    return made


@pytest.fixture
def discarded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    found: list[object] = []
    monkeypatch.setattr(database, "discard", found.append)
    return found


def raising(*errors: Error | None) -> Callable[[], str]:
    """Raises these one after the other, the last one for ever; answers where there is None."""
    left: Iterator[Error | None] = itertools.chain(errors, itertools.repeat(errors[-1]))

    def action() -> str:
        error = next(left)
        if error is not None:
            raise error
        return "answer"

    return action


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("discarded")
class TestInsist:
    def test_it_tries_again_where_another_process_is_in_the_way(self, clock: Clock) -> None:
        assert database.retry(raising(LOCKED, LOCKED, LOCKED, None), 5) == "answer"
        assert 0 < clock.now < 1

    def test_it_gives_up_when_the_time_is_up(self, clock: Clock) -> None:
        with pytest.raises(OperationalError, match="locked"):
            database.retry(raising(LOCKED), 5)
        assert 5 <= clock.now < 7

    def test_without_time_it_tries_once(self, clock: Clock) -> None:
        with pytest.raises(OperationalError):
            database.retry(raising(LOCKED, None), 0)
        assert clock.now == 0

    def test_any_other_error_is_raised_at_once(self, clock: Clock) -> None:
        with pytest.raises(OperationalError, match="gone"):
            database.retry(raising(OperationalError("gone"), None), 5)
        assert clock.now == 0

    def test_inside_a_transaction_it_tries_once(self, clock: Clock) -> None:
        with transaction.atomic(), pytest.raises(OperationalError):
            database.retry(raising(LOCKED, None), 5)
        assert clock.now == 0

    def test_a_lost_connection_is_replaced_and_reported(self, discarded: list[object]) -> None:
        warnings: list[str] = []
        gone = InterfaceError("connection\nalready closed")
        assert database.retry(raising(gone, gone, None), 5, warnings.append) == "answer"
        assert len(discarded) == 2
        assert warnings == ["connection already closed"], (
            "the first new connection mostly does: no word of it"
        )

    def test_an_error_that_a_new_connection_does_not_fix_is_raised(
        self, clock: Clock, discarded: list[object]
    ) -> None:
        with pytest.raises(DatabaseError, match="no such column"):
            database.retry(raising(DatabaseError("no such column")), 60, lambda _: None)
        assert len(discarded) == 1
        assert clock.now < 1


@pytest.mark.django_db(transaction=True)
def test_discarding_keeps_a_database_in_memory_and_drops_what_was_left_open() -> None:
    transaction.set_autocommit(False)
    Script.objects.create(identity="left")
    database.discard(transaction.get_connection())
    transaction.set_autocommit(True)
    assert Script.objects.count() == 0


@database.needs_tables
def ask(error: Error) -> None:
    raise error


@pytest.mark.django_db
def test_an_error_is_unchanged_if_the_tables_exist() -> None:
    with pytest.raises(ProgrammingError, match="x"):
        ask(ProgrammingError("x"))


@pytest.mark.django_db
def test_missing_tables_are_reported_with_the_command_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "tables_exist", lambda: False)
    with pytest.raises(LedgerMissing) as error:
        ask(OperationalError("no such table"))
    assert "create them with: manage.py migrate scripts_tracker;" in str(error.value)
    assert 'must depend on ("scripts_tracker", "0007_environments")' in str(error.value)


@pytest.mark.django_db
def test_the_error_of_a_missing_database_is_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "tables_exist", raising(OperationalError("second")))
    with pytest.raises(OperationalError, match="first"):
        ask(OperationalError("first"))


class Refusing:
    """A router that keeps the ledger out of every database."""

    def allow_migrate(self, *_: Any, **hints: Any) -> bool:
        return False


@pytest.mark.django_db
def test_where_a_router_keeps_the_tables_out_no_migration_is_recommended(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.DATABASE_ROUTERS = [f"{__name__}.Refusing"]
    monkeypatch.setattr(database, "tables_exist", lambda: False)
    with pytest.raises(LedgerMissing) as error:
        ask(OperationalError("no such table"))
    assert str(error.value) == (
        "the tables of scripts_tracker do not exist in database 'default', and a database router keeps them out of it;"
        " correct DATABASE_ROUTERS, or name another database in SCRIPTS_TRACKER['database']"
    )


TYPED: dict[str, tuple[str, str]] = {
    "nothing": ("manage.py migrate", ""),
    "the settings": ("manage.py check_scripts --settings tests.settings --all", " --settings tests.settings"),
    "in one word": ("manage.py check_scripts --settings=tests.settings", " --settings tests.settings"),
    "a folder": ("manage.py check_scripts --pythonpath /a/b", " --pythonpath /a/b"),
    "a folder with a space": ("manage.py x --pythonpath=/a/b%c", ' --pythonpath "/a/b c"'),
    "those of another program": ("pytest --settings other.settings --pythonpath /elsewhere", ""),
    "no value": ("manage.py check_scripts --settings", ""),
}


@pytest.mark.parametrize(("line", "options"), TYPED.values(), ids=TYPED)
def test_what_to_type_has_the_options_that_choose_the_settings(
    line: str, options: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [word.replace("%", " ") for word in line.split()])
    monkeypatch.setattr("sys.path", ["/a/b", "/a/b c", *sys.path])
    assert database.typed("show_script a.b") == f"manage.py show_script a.b{options}"
    assert database.migrate_command() == f"manage.py migrate scripts_tracker{options}"
