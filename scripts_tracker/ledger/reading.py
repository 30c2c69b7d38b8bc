"""The rows of querysets, read with a cursor. Needs no table of the tracker, nor its app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db import connections

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models import QuerySet


def fetch(rows: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    """The rows of a ``values_list()``.

    The ledger reads its tables only in this way and by ``statements.select``, and keys of batched scripts are read so
    too: where the project caches queries, a cache answers in place of the ORM (django-cachalot replaces methods of its
    compilers, django-cacheops those of its querysets), and an old answer would be a wrong one.
    """
    connection = connections[rows.db]
    compiler = rows.query.get_compiler(connection=connection)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return []
    return executed(compiler, connection, sql, params)


Statement = tuple[str, tuple[Any, ...]]
"""SQL and its parameters."""


def executed(
    compiler: Any, connection: BaseDatabaseWrapper, sql: str, params: Any, before: Statement | None = None
) -> list[tuple[Any, ...]]:
    """The rows of a statement, as its compiler reads them.

    Args:
        compiler: of the statement.
        connection: the database.
        sql: the statement.
        params: its parameters.
        before: a SELECT to send with it, where ``takes_two``; its rows are not read.
    """
    with connection.cursor() as cursor:
        if before is None:
            cursor.execute(sql, params)
        else:
            cursor.execute(f"{before[0]}; {sql}", (*before[1], *params))
            if _is_psycopg3():
                cursor.nextset()  # psycopg2 has only the rows of the last statement
        found = cursor.fetchall()
    return [*compiler.results_iter([found], tuple_expected=True)]


def takes_two(connection: BaseDatabaseWrapper) -> bool:
    """Whether the driver sends two statements at once, which saves a round trip: that of PostgreSQL, if it binds itself."""
    if connection.vendor != "postgresql":
        return False
    if not _is_psycopg3():
        return True
    from psycopg import ClientCursor  # what Django uses

    factory = getattr(connection.connection, "cursor_factory", None)
    return isinstance(factory, type) and issubclass(factory, ClientCursor)


def _is_psycopg3() -> bool:
    from django.db.backends.postgresql.psycopg_any import is_psycopg3  # needs the driver

    return bool(is_psycopg3)
