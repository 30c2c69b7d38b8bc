"""Which database holds the ledger, and whether its tables are there."""

from __future__ import annotations

import contextlib
import functools
import random
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
from django.db.models import FloatField, Func

from scripts_tracker import conf
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler

P = ParamSpec("P")
R = TypeVar("R")

NEWEST_MIGRATION: Final = "0004_watched"
"""A project's migration depends on it where it calls a tracked command or asks whether one has run."""

# PostgreSQL: serialization_failure, deadlock_detected, lock_not_available.
_SQLSTATES = frozenset({"40001", "40P01", "55P03"})
# MySQL and MariaDB: changed since the last read, lock wait timeout, deadlock, NOWAIT.
_MYSQL_ERRORS = frozenset({1020, 1205, 1213, 3572})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 1.0


def alias() -> str:
    """The database that holds the ledger: the setting ``database``, else what the routers say."""
    return conf.tracker_settings().database or router.db_for_write(Script)


def is_in_transaction() -> bool:
    """Whether what is written to the ledger now belongs to a transaction that somebody else ends."""
    connection = connections[alias()]
    return connection.in_atomic_block or not connection.get_autocommit()


def join_transaction() -> None:
    """Begin what SQLite has not begun although autocommit is off: else the end of our first savepoint would commit."""
    connection = connections[alias()]
    if connection.vendor == "sqlite" and not connection.in_atomic_block and not connection.get_autocommit():
        with connection.cursor() as cursor:
            if not connection.connection.in_transaction:
                cursor.execute("BEGIN")


def discard(connection: BaseDatabaseWrapper) -> None:
    """Drop a connection that may be broken, and whatever was left open on it; the next query opens a new one."""
    in_memory = getattr(connection, "is_in_memory_db", None)  # SQLite's alone
    if in_memory is not None and in_memory():
        connection.rollback()  # this connection is the database
        return
    with contextlib.suppress(Exception):  # MySQL's driver raises while closing what is closed already
        connection.close()
    del connections[connection.alias]


def is_contention(error: BaseException) -> bool:
    """Whether another process only was in the way: the same statement may do in a moment."""
    cause = error.__cause__ or error
    if getattr(cause, "sqlstate", None) in _SQLSTATES:
        return True
    if connections[alias()].vendor == "mysql":
        return bool(error.args) and error.args[0] in _MYSQL_ERRORS
    return connections[alias()].vendor == "sqlite" and "locked" in str(error)


def error_summary(error: BaseException) -> str:
    """An error in a line; a driver whose connection is gone may say no more than ``(0, '')``."""
    text = " ".join(str(error).split())
    return text if any(map(str.isalpha, text)) else "the connection was lost"


def unavailable_message(error: BaseException) -> str:
    """That the ledger cannot be used, in a line, with what helps where an upgrade was not finished."""
    told = f"the ledger in database {alias()!r} cannot be used: {error_summary(error)}"
    return f"{told} (after an upgrade: manage.py migrate scripts_tracker{_database_option()})"


@contextlib.contextmanager
def uncounted() -> Iterator[None]:
    """``assertNumQueries`` in a test of a command is to see the queries of the command, not those of the ledger."""
    connection = connections[alias()]
    before = connection.force_debug_cursor
    if conf.is_under_test():
        connection.force_debug_cursor = False
    try:
        yield
    finally:
        connection.force_debug_cursor = before


def retry(action: Callable[[], R], seconds: float, say: Callable[[str], None] | None = None) -> R:
    """Do something with the ledger, again and again where another process is in the way.

    Args:
        action: may be repeated; inside somebody's transaction it is not, as that would not help.
        seconds: for how long.
        say: where this is given, a lost connection is no reason to give up either; it is told what is wrong.
    """
    until, pause = time.monotonic() + seconds, _FIRST_PAUSE
    while True:
        try:
            return action()
        except Error as error:
            if connections[alias()].in_atomic_block or time.monotonic() >= until:
                raise
            if not is_contention(error):
                if say is None:
                    raise
                _reconnect(error, say, is_first=pause == _FIRST_PAUSE)
        # Many that wait are not to come back all at once.
        time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _reconnect(error: Error, say: Callable[[str], None], *, is_first: bool) -> None:
    """Forget a connection that may be lost; raises the error where a new one was no better."""
    if not is_first and not isinstance(error, OperationalError | InterfaceError):
        raise error
    if not is_first:
        say(error_summary(error))
    discard(connections[alias()])


def table_names(using: str) -> set[str]:
    """The tables of a database (one query)."""
    connection = connections[using]
    with connection.cursor() as cursor:
        return set(connection.introspection.table_names(cursor))


def tables_exist() -> bool:
    """Whether all tables of the ledger are there (one query)."""
    tables = (model._meta.db_table for model in (Script, ScriptVersion, ScriptRun))  # noqa: SLF001 - Django's documented Model API
    return table_names(alias()).issuperset(tables)


def holds_ledger(using: str) -> bool:
    """Whether this is the ledger's database, and all of its tables are there (at most one query)."""
    return using == alias() and router.allow_migrate_model(using, Script) and tables_exist()


def check_access(using: str) -> None:
    """Open a cursor and close it: a test that forbids a database raises its own error here."""
    connections[using].cursor().close()


def needs_tables(function: Callable[P, R]) -> Callable[P, R]:
    """Turn the database's error about missing tables into LedgerMissing; leave its other errors alone."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            # A savepoint: PostgreSQL answers nothing more in a transaction that met a missing table.
            inside = is_in_transaction()
            with transaction.atomic(using=alias()) if inside else contextlib.nullcontext():
                return function(*args, **kwargs)
        except (OperationalError, ProgrammingError) as error:
            if connections[alias()].needs_rollback or _has_tables_after(error):
                raise
            raise LedgerMissing(
                f"the tables of scripts_tracker do not exist in database {alias()!r};"
                f" create them with: manage.py migrate scripts_tracker{_database_option()}"
                + _migration_hint()
            ) from error

    return wrapper


def _has_tables_after(error: DatabaseError) -> bool:
    try:
        return tables_exist()
    except DatabaseError:
        raise error from None  # the database is gone altogether, and the first error says so best


def _migration_hint() -> str:
    """Inside a transaction it is most likely a data migration that calls the command."""
    if not connections[alias()].in_atomic_block:
        return ""
    return f'; a migration that calls a tracked command depends on ("scripts_tracker", "{NEWEST_MIGRATION}")'


def _database_option() -> str:
    return "" if alias() == "default" else f" --database {alias()}"


def now() -> datetime:
    """As ``django.utils.timezone.now()``, which the tests of commands replace: none of their moments is for us."""
    return datetime.now(tz=timezone.utc if settings.USE_TZ else None)


# The seconds since 1970 by the database's clock, as it is while the statement runs.
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


class DatabaseEpoch(Func):
    """The same as an expression for querysets."""

    output_field = FloatField()
    arity = 0

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:  # type: ignore[override]  # the template is ours
        """The clock of this kind of database."""
        return super().as_sql(compiler, connection, template=epoch_sql(connection), **extra)
