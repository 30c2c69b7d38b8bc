"""The database that holds the ledger: its connection, errors, tables and clock."""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sys
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from django.conf import settings
from django.db import (
    DatabaseError,
    Error,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    connections,
    router,
    transaction,
)

from scripts_tracker import conf
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models import QuerySet

P = ParamSpec("P")
R = TypeVar("R")

NEWEST_MIGRATION: Final = "0007_environments"
"""What a project's migration depends on if it calls a tracked command or asks whether one has run."""

# PostgreSQL: serialization_failure, deadlock_detected, lock_not_available.
_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
# MySQL and MariaDB: changed since the last read, lock wait timeout, deadlock, NOWAIT.
_MYSQL_ERRORS = frozenset({1020, 1205, 1213, 3572})
# PostgreSQL: undefined_table, undefined_column.
_MISSING_SQLSTATES = frozenset({"42P01", "42703"})
# MySQL and MariaDB: no such table, unknown column.
_MISSING_MYSQL_ERRORS = frozenset({1146, 1054})
_MISSING_IN_SQLITE = ("no such table", "no such column", "has no column named")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0
# Seconds to retry while others write to the ledger.
_PATIENCE = 5.0


class Collision(DatabaseError):
    """Another process was in the way in a way that is no error of the database; the next transaction sees what it did."""


def patience() -> float:
    """For how long to retry while others write to the ledger. A test does not wait: it may have stopped the clock."""
    return 0 if conf.is_under_test() else _PATIENCE


def alias() -> str:
    """The alias of the ledger's database: the setting ``database``, or else the routers' choice."""
    return conf.tracker_settings().database or router.db_for_write(Script)


def connection() -> BaseDatabaseWrapper:
    """This thread's connection to the ledger."""
    return connections[alias()]


def scripts() -> QuerySet[Script]:
    """All rows of scripts."""
    return Script.objects.using(alias())


def versions() -> QuerySet[ScriptVersion]:
    """All rows of versions."""
    return ScriptVersion.objects.using(alias())


def runs() -> QuerySet[ScriptRun]:
    """All rows of the history."""
    return ScriptRun.objects.using(alias())


def is_in_transaction() -> bool:
    """Whether a write to the ledger now belongs to a transaction of the caller, who will end it."""
    ledger = connection()
    return ledger.in_atomic_block or not ledger.get_autocommit()


def savepoint() -> contextlib.AbstractContextManager[object]:
    """A savepoint inside a transaction of the caller; nothing outside of one."""
    join_transaction()
    return transaction.atomic(using=alias()) if is_in_transaction() else contextlib.nullcontext()


def savepoint_or_transaction() -> contextlib.AbstractContextManager[object]:
    """A savepoint inside a transaction of the caller, or else a transaction."""
    join_transaction()
    return transaction.atomic(using=alias())


def join_transaction() -> None:
    """Begin what SQLite has not begun although autocommit is off: or else our first savepoint would commit at its end."""
    ledger = connection()
    if ledger.vendor == "sqlite" and not ledger.in_atomic_block and not ledger.get_autocommit():
        with ledger.cursor() as cursor:
            if not ledger.connection.in_transaction:
                cursor.execute("BEGIN")


def discard(connection: BaseDatabaseWrapper) -> None:
    """Drop a connection that may be broken or have a transaction open; the next query opens a new one."""
    in_memory = getattr(connection, "is_in_memory_db", None)  # only SQLite has it
    if in_memory is not None and in_memory():
        connection.rollback()  # this connection is the database
        return
    # Django's object stays, as a framework may have chosen a tenant on it; without the blocks that were left open.
    connection.in_atomic_block = connection.closed_in_transaction = False
    connection.atomic_blocks, connection.savepoint_ids = [], []
    if connection.vendor == "sqlite" and connection.connection is not None:
        _close_cursors(connection.connection)
    with contextlib.suppress(Exception):  # a pool would give it to the next one as it is
        connection.connection.close()
    with contextlib.suppress(Exception):  # MySQL's driver raises for what is closed already
        connection.close()
    connection.connection = None


def _close_cursors(driver: Any) -> None:
    """Close what still has rows to read: SQLite keeps the lock for them, even if the connection is closed."""
    known = 3  # Django's object, the argument and that of getrefcount; each cursor has the connection, too
    if sys.getrefcount(driver) > known:
        import gc  # only after a script that has left something behind
        import sqlite3

        for one in gc.get_referrers(driver):
            if isinstance(one, sqlite3.Cursor):
                with contextlib.suppress(sqlite3.Error):
                    one.close()


def is_contention(error: BaseException, vendor: str = "") -> bool:
    """Whether the error only means that another process was in the way, so that a retry may succeed.

    Args:
        error: the error.
        vendor: of the database that raised it; empty for that of the ledger.
    """
    if isinstance(error, Collision) or sqlstate(error) in _SQLSTATES:
        return True
    vendor = vendor or connection().vendor
    if vendor == "mysql":
        return bool({*error.args[:1]} & _MYSQL_ERRORS)
    if vendor != "sqlite":
        return False
    from scripts_tracker.core.text import error_text  # for errors alone

    return "locked" in error_text(error)


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code of an error: psycopg calls it ``sqlstate``, psycopg2 ``pgcode``."""
    cause = error.__cause__ or error
    return getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)


def _is_about_missing(error: BaseException) -> bool:
    """Whether a table or column does not exist."""
    vendor = connection().vendor
    if vendor == "mysql":
        return bool({*error.args[:1]} & _MISSING_MYSQL_ERRORS)
    if vendor == "sqlite":
        from scripts_tracker.core.text import error_text  # for errors alone

        return any(text in error_text(error) for text in _MISSING_IN_SQLITE)
    return sqlstate(error) in _MISSING_SQLSTATES


def error_summary(error: BaseException) -> str:
    """An error in one line; a driver may say no more than ``(0, '')`` about a lost connection."""
    from scripts_tracker.core.escaping import escaped  # for errors alone
    from scripts_tracker.core.text import error_text  # for errors alone

    text = escaped(" ".join(error_text(error).split()))
    return text if any(map(str.isalpha, text)) else "the connection was lost"


def unavailable_message(error: BaseException) -> str:
    """That the ledger cannot be used and why, in one line, with what helps."""
    if is_contention(error):
        return f"the ledger in database {alias()!r} is busy: {error_summary(error)}; try again"
    hint = f" (after an upgrade: {migrate_command()})" if _is_about_missing(error) else ""
    return f"the ledger in database {alias()!r} cannot be used: {error_summary(error)}{hint}"


@contextlib.contextmanager
def uncounted() -> Iterator[None]:
    """Hide the ledger's queries from ``assertNumQueries`` in a project's test of a command."""
    ledger = connection()
    before = ledger.force_debug_cursor
    if conf.is_under_test():
        ledger.force_debug_cursor = False
    try:
        yield
    finally:
        ledger.force_debug_cursor = before


def retry(action: Callable[[], R], seconds: float, warn: Callable[[str], None] | None = None) -> R:
    """Do something with the ledger; repeat it while another process is in the way.

    Args:
        action: what to do; inside a transaction of the caller it is done once, as a repetition would not help.
        seconds: for how long.
        warn: repeat it after a lost connection, too, and call this with what is wrong.
    """
    until, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        try:
            return action()
        except Error as error:
            if connection().in_atomic_block or time.monotonic() >= until:
                raise
            if not is_contention(error):
                if warn is None:
                    raise
                _reconnect(error, warn, is_first=pause == _FIRST_PAUSE)
        # Random, so that many waiting processes do not come back at the same moment.
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _reconnect(error: Error, warn: Callable[[str], None], *, is_first: bool) -> None:
    """Drop a connection that may be lost; raise the error if a new one did not help."""
    if not is_first:
        if not isinstance(error, OperationalError | InterfaceError):
            raise error
        warn(error_summary(error))
    discard(connection())


def own_schema() -> str:
    """The schema that has to hold the ledger, where the connection is set to a tenant's; empty where it finds the tables.

    Its search path may go on to another schema with a ledger, which would answer for one that is not there yet.
    """
    ledger = connection()
    schema: str = getattr(ledger, "schema_name", None) or ""  # of django-tenants
    return schema if schema and router.allow_migrate_model(ledger.alias, Script) else ""


def table_names(using: str) -> set[str]:
    """The tables of a database (one query)."""
    with connections[using].cursor() as cursor:
        return set(connections[using].introspection.table_names(cursor))


def tables_exist() -> bool:
    """Whether all tables of the ledger exist (one query)."""
    tables = [model._meta.db_table for model in (Script, ScriptVersion, ScriptRun)]  # noqa: SLF001 - Django's documented Model API
    if connection().vendor != "postgresql":
        return table_names(alias()).issuperset(tables)
    # Wherever the search path finds them: introspection may know one schema only.
    schema, quote = own_schema(), connection().ops.quote_name
    names = [f"{quote(schema)}.{quote(table)}" if schema else quote(table) for table in tables]
    with connection().cursor() as cursor:
        cursor.execute(f"SELECT {' AND '.join(['to_regclass(%s) IS NOT NULL'] * len(names))}", names)
        return bool(cursor.fetchone()[0])


def holds_ledger(using: str) -> bool:
    """Whether this is the ledger's database, and all of its tables exist (at most one query)."""
    return is_ledger_alias(using) and tables_exist()


def is_ledger_alias(using: str) -> bool:
    """Whether this is the ledger's database, whether or not its tables exist."""
    return using == alias() and router.allow_migrate_model(using, Script)


def check_access(using: str) -> None:
    """Open and close a cursor: a test that forbids the database raises its own error here."""
    connections[using].cursor().close()


def needs_tables(function: Callable[P, R]) -> Callable[P, R]:
    """Turn the database's error about a missing table into LedgerMissing; leave its other errors alone."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            # PostgreSQL rejects everything else in a transaction that met a missing table.
            with savepoint():
                return function(*args, **kwargs)
        except (OperationalError, ProgrammingError) as error:
            if connection().needs_rollback or _has_tables_after(error):
                raise
            # In a transaction, it is most likely a migration that calls the command.
            raise LedgerMissing(missing_message(in_migration=connection().in_atomic_block)) from error

    return wrapper


def _has_tables_after(error: DatabaseError) -> bool:
    try:
        return tables_exist()
    except DatabaseError:
        raise error from None  # the whole database is unavailable; the first error says it best


def typed(command: str, *names: object) -> str:
    """What to type for a command that is about this ledger, with the tenant and the settings that it is about.

    Args:
        command: with ``{}`` where a name belongs.
        names: what belongs there; each is quoted for a shell where that is needed.
    """
    from scripts_tracker.core.text import command_line, quoted  # as late as what to type

    schema, words = _tenant(), command_line(command, *names)
    words = f"tenant_command {words} --schema {quoted(schema)}" if schema else words
    return f"manage.py {words}{_settings_options()}"


def _settings_options() -> str:
    """The options from which this process has its settings: those of another call may name another database."""
    known: dict[str, Sequence[Any]] = {
        "--settings": [settings.SETTINGS_MODULE],
        "--configuration": [os.environ.get("DJANGO_CONFIGURATION")],  # of django-configurations
        "--pythonpath": sys.path,
    }
    words, given = iter(sys.argv[1:]), []
    for word in words:
        name, is_whole, value = word.partition("=")
        if name in known:
            value = value if is_whole else next(words, "")
            given += (
                [name, value] if value in known[name] else []
            )  # or else they are those of another program
    if not given:
        return ""
    from scripts_tracker.core.text import as_typed  # for those who give them

    return f" {as_typed(given)}"


def tenant_arguments() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What comes before and after a command on a command line that is about this ledger, as in ``typed``."""
    schema = _tenant()
    return (("tenant_command",), ("--schema", schema)) if schema else ((), ())


def missing_message(*, in_migration: bool) -> str:
    """That the tables of the ledger do not exist here, and what to type, in one line.

    Args:
        in_migration: whether a migration needs them, whose dependencies may have to be corrected.
    """
    text = f"the tables of scripts_tracker do not exist in {_here()}"
    if not router.allow_migrate_model(alias(), Script):
        return f"{text}, and a database router keeps them out of it; {_where_else()}"
    if are_dropped():
        text += ", although their migrations are recorded as applied"
        text += f"; create them with: {migrate_command(' zero --fake')} && {migrate_command()}"
        return text
    text += f"; create them with: {migrate_command()}"
    if in_migration:
        text += f'; a migration that needs them must depend on ("scripts_tracker", "{NEWEST_MIGRATION}")'
    return text


def are_dropped() -> bool:
    """Whether no table of the ledger exists though its migrations are recorded, as in a dump that left them out (two queries)."""
    from django.db.migrations.recorder import MigrationRecorder

    label = Script._meta.app_label  # noqa: SLF001 - Django's documented Model API
    if any(name.startswith(f"{label}_") for name in table_names(alias())):
        return False
    return any(app == label for app, _ in MigrationRecorder(connection()).applied_migrations())


def migrate_command(target: str = "") -> str:
    """What creates or upgrades the tables of the ledger; or what migrates it to a target, with a space before it."""
    if _has_schemas():
        return f"manage.py migrate_schemas scripts_tracker{target}{_settings_options()}"
    from scripts_tracker.core.text import quoted  # as late as what to type

    option = "" if alias() == "default" else f" --database {quoted(alias())}"
    return f"manage.py migrate scripts_tracker{target}{option}{_settings_options()}"


def _has_schemas() -> bool:
    """Whether django-tenants, or a package that works like it, chooses the schema of the connection."""
    from django.core.management import get_commands

    return bool(getattr(connection(), "schema_name", "")) and "tenant_command" in get_commands()


def _tenant() -> str:
    """The schema of the tenant that the connection is set to; empty in the shared schema, and without tenants."""
    schema: str = getattr(connection(), "schema_name", None) or ""
    return schema if _has_schemas() and schema != getattr(settings, "PUBLIC_SCHEMA_NAME", "public") else ""


def _here() -> str:
    schema = getattr(connection(), "schema_name", None) or _current_schema()
    return f"schema {schema!r} of database {alias()!r}" if schema else f"database {alias()!r}"


def _current_schema() -> str:
    """The schema that the search path of PostgreSQL begins with, unless it is the usual one."""
    if connection().vendor != "postgresql":
        return ""
    with connection().cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        schema = cursor.fetchone()[0]
    return schema if schema and schema != "public" else ""


def _where_else() -> str:
    """What to type where a router keeps the tables out of this schema or database."""
    if not _has_schemas():
        return "correct DATABASE_ROUTERS, or name another database in SCRIPTS_TRACKER['database']"
    if _tenant():
        return f"create them in the schema that it allows with: {migrate_command()}"
    return "name a tenant: manage.py tenant_command COMMAND --schema NAME"


def now() -> datetime:
    """``django.utils.timezone.now()``, which tests of commands replace, without their replacement."""
    return datetime.now(tz=timezone.utc if settings.USE_TZ else None)


# Seconds since 1970 by the database's clock, while the statement runs.
_EPOCHS = {
    # CURRENT_TIMESTAMP would be the start of the transaction.
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS double precision)",
    # Not UNIX_TIMESTAMP(NOW(6)): NOW() is ambiguous in the hour that a local time zone has twice.
    "mysql": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6)",
    # unixepoch('subsec') needs SQLite 3.42; every version has julianday.
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "oracle": "((CAST(SYS_EXTRACT_UTC(SYSTIMESTAMP) AS DATE) - DATE '1970-01-01') * 86400)",
}


def epoch_sql(connection: BaseDatabaseWrapper) -> str:
    """The database's clock in seconds since 1970, as SQL."""
    return _EPOCHS.get(connection.vendor, "EXTRACT(EPOCH FROM CURRENT_TIMESTAMP)")
