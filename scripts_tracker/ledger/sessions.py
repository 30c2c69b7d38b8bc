"""What a script leaves open on the connections of its thread, and how they get clean again.

A connection may have a transaction that Django knows (``atomic()``, ``set_autocommit(False)``) or one that only the
driver or the server knows (``BEGIN``). What is open when a script ends is not committed, and would be lost.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from django.db import DatabaseError, InterfaceError, close_old_connections, connections, transaction

from scripts_tracker import conf
from scripts_tracker.ledger import database

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django.db.backends.base.base import BaseDatabaseWrapper

    Level = tuple[int, bool, bool]
    """What was open on a connection before a script: how many blocks of ``transaction.atomic()``, whether autocommit was
    off, whether a transaction was begun that Django does not know. If any is true, the caller ends it himself."""

# PostgreSQL's driver: no transaction, one statement at work, no connection.
_STATUS = {0: "", 1: "a statement is not finished", 4: ""}
# MySQL and MariaDB: the characteristics of a transaction cannot be set inside it; rows of a cursor are unread.
_INSIDE, _OUT_OF_SYNC = 1568, 2014


def levels() -> Mapping[str, Level]:
    """What is open on each connection of this thread, by alias."""
    return {one.alias: _level(one) for one in connections.all(initialized_only=True)}


def inside(levels: Mapping[str, Level], *aliases: str) -> Mapping[str, Level]:
    """The same after a block of ``transaction.atomic()`` was entered on these."""
    deeper = dict(levels)
    for alias in aliases:
        blocks, is_off, is_begun = levels.get(alias) or _fresh(connections[alias])
        deeper[alias] = (blocks + 1, is_off, is_begun)
    return deeper


def _level(connection: BaseDatabaseWrapper) -> Level:
    if connection.connection is None:
        return _fresh(connection)
    level = len(connection.atomic_blocks), not connection.autocommit
    # What began an attempt has just committed on the connection of the ledger.
    asks = not any(level) and connection.alias != database.alias()
    return (*level, asks and bool(_open_on_server(connection)))


def _fresh(connection: BaseDatabaseWrapper) -> Level:
    return 0, not connection.settings_dict["AUTOCOMMIT"], False


def left_open(levels: Mapping[str, Level]) -> Mapping[str, str]:
    """How what is open now and was not before was opened, by the alias of the connection."""
    found = {
        one.alias: _left_open(one, levels.get(one.alias) or _fresh(one))
        for one in connections.all(initialized_only=True)
    }
    return {alias: how for alias, how in found.items() if how}


def _left_open(connection: BaseDatabaseWrapper, level: Level) -> str:
    if len(connection.atomic_blocks) > level[0]:
        return "transaction.atomic() was entered and not left"
    if any(level) or connection.connection is None:
        return ""
    how = _open_on_server(connection)
    return "set_autocommit(False)" if how and not connection.autocommit else how


def lost_block(*aliases: str) -> str:
    """How a script has undone the ``atomic()`` around it on one of these; empty if it has not."""
    for connection in map(connections.__getitem__, aliases):
        if connection.closed_in_transaction:
            return f"the connection {connection.alias!r} was closed inside it"
        if connection.needs_rollback:
            return f"a rollback was requested on {connection.alias!r}"
    return ""


def put_back(levels: Mapping[str, Level], left: Mapping[str, str]) -> None:
    """Roll back what was not open before, and drop the connections that it was open on.

    Args:
        levels: what was open before.
        left: what ``left_open`` returned.
    """
    for connection in connections.all(initialized_only=True):
        level = levels.get(connection.alias) or _fresh(connection)
        for block in reversed(connection.atomic_blocks[level[0] :]):
            with contextlib.suppress(Exception):  # the connection may be gone
                block.__exit__(DatabaseError, DatabaseError(), None)
        if not any(level) and (connection.alias in left or not _commits_by_itself(connection)):
            database.discard(connection)


@contextlib.contextmanager
def one_transaction(using: str, late: list[BaseException]) -> Iterator[None]:
    """A transaction; what its ``on_commit`` hooks raise once it is committed is no error of the block.

    Args:
        using: the alias.
        late: gets what the hooks raise.
    """
    connection = connections[using]
    is_outermost = not connection.in_atomic_block and connection.get_autocommit()
    committed: list[bool] = []
    try:
        with transaction.atomic(using=using):
            if is_outermost:  # otherwise the caller, or his test, counts hooks
                transaction.on_commit(lambda: committed.append(True), using=using)
            yield
    except BaseException as error:
        if not committed:
            raise
        late.append(error)


def start_clean() -> None:
    """Close this thread's connections, so that what follows has neither the settings nor a transaction of a script.

    What the caller has open stays; and so does the connection of a test.
    """
    if conf.is_under_test():
        close_old_connections()
        return
    for connection in connections.all(initialized_only=True):
        if not any(_level(connection)):
            database.discard(connection)


@contextlib.contextmanager
def same_tenants() -> Iterator[None]:
    """Set each connection back to the tenant that it was set to before the block (django-tenants)."""
    found: list[Any] = [one for one in connections.all(initialized_only=True) if hasattr(one, "set_tenant")]
    before = {one.alias: (one.tenant, one.include_public_schema) for one in found}
    try:
        yield
    finally:
        for alias, (tenant, includes_public) in before.items():
            connection: Any = connections[alias]
            if connection.tenant is not tenant or connection.include_public_schema != includes_public:
                connection.set_tenant(tenant, includes_public)


def _commits_by_itself(connection: BaseDatabaseWrapper) -> bool:
    """Whether autocommit is on, for Django and for the driver, which a script can set past Django."""
    driver: Any = connection.connection
    if driver is None or not connection.autocommit:
        return driver is None
    with contextlib.suppress(Exception):  # a closed connection
        if connection.vendor == "sqlite":
            return driver.isolation_level is None
        if connection.vendor == "mysql":
            return bool(getattr(driver, "get_autocommit", lambda: True)())
        return getattr(driver, "autocommit", True) is not False
    return False


def _open_on_server(connection: BaseDatabaseWrapper) -> str:
    """How a transaction is open that Django may not know; empty if none is."""
    driver: Any = connection.connection
    if connection.vendor == "sqlite":
        with contextlib.suppress(Exception):  # a closed connection
            return "BEGIN" if driver.in_transaction else ""
    if connection.vendor == "postgresql":
        return _STATUS.get(driver.info.transaction_status, "BEGIN")
    return _open_on_mysql(connection) if connection.vendor == "mysql" else ""


def _open_on_mysql(connection: BaseDatabaseWrapper) -> str:
    """Only the server knows; MariaDB alone has a variable for it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ WRITE")
    except (DatabaseError, InterfaceError) as error:
        code = error.args[0] if error.args else 0
        return {_INSIDE: "BEGIN", _OUT_OF_SYNC: "a cursor with unread rows"}.get(code, "")
    return ""


def tables_without_transactions(connection: BaseDatabaseWrapper) -> frozenset[str]:
    """The tables of MySQL or MariaDB whose engine has no transactions."""
    if connection.vendor != "mysql":
        return frozenset()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.table_name FROM information_schema.tables t JOIN information_schema.engines e"
            " ON e.engine = t.engine WHERE t.table_schema = DATABASE() AND e.transactions = 'NO'"
        )
        return frozenset(name for (name,) in cursor.fetchall())
