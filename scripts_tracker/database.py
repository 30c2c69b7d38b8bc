"""Which database holds the ledger, and whether its tables are there."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from django.db import DatabaseError, OperationalError, ProgrammingError, connections, router, transaction

from scripts_tracker import conf
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def alias() -> str:
    """The database that holds the ledger: the setting ``database``, else what the routers say."""
    return conf.tracker_settings().database or router.db_for_write(Script)


def is_in_transaction() -> bool:
    """Whether what is written to the ledger now belongs to a transaction that somebody else ends."""
    connection = connections[alias()]
    return connection.in_atomic_block or not connection.get_autocommit()


def tables_exist() -> bool:
    """Whether all tables of the ledger are there (one query)."""
    connection = connections[alias()]
    with connection.cursor() as cursor:
        names = set(connection.introspection.table_names(cursor))
    return names.issuperset(model._meta.db_table for model in (Script, ScriptVersion, ScriptRun))  # noqa: SLF001 - Django's documented Model API


def needs_tables(function: Callable[P, R]) -> Callable[P, R]:
    """Turn the database's error about missing tables into LedgerMissing; leave its other errors alone."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            # A savepoint: PostgreSQL answers nothing more in a transaction that met a missing table.
            inside = connections[alias()].in_atomic_block
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
    return '; a migration that calls a tracked command depends on ("scripts_tracker", "0001_initial")'


def _database_option() -> str:
    return "" if alias() == "default" else f" --database {alias()}"
