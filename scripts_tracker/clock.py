"""The clocks: the database's own, which leases are measured by, and this machine's, which people read."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import FloatField, Func

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler


def now() -> datetime:
    """As ``django.utils.timezone.now()``, which the tests of commands replace: none of their moments is for us."""
    return datetime.now(tz=timezone.utc if settings.USE_TZ else None)


class DatabaseEpoch(Func):
    """Now, as the database sees it while the statement runs (not when its transaction began)."""

    output_field = FloatField()
    arity = 0
    template = "EXTRACT(EPOCH FROM CURRENT_TIMESTAMP)"

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        """CURRENT_TIMESTAMP is the start of the transaction; clock_timestamp() is now."""
        return self.as_sql(
            compiler,
            connection,
            template="CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS double precision)",
            **extra,
        )

    def as_mysql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        """Not UNIX_TIMESTAMP(NOW(6)): in the hour that a local time zone has twice, NOW() does not tell which it is."""
        template = "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        """unixepoch('subsec') needs SQLite 3.42; julianday is there in all."""
        template = "((julianday('now') - 2440587.5) * 86400.0)"
        return self.as_sql(compiler, connection, template=template, **extra)

    def as_oracle(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:
        """The days since 1970 in UTC, as seconds."""
        template = "((CAST(SYS_EXTRACT_UTC(SYSTIMESTAMP) AS DATE) - DATE '1970-01-01') * 86400)"
        return self.as_sql(compiler, connection, template=template, **extra)
