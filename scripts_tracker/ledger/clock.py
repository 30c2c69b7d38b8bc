"""The database's clock in a queryset; apart from ``database``, as no run of a script needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import FloatField, Func

from scripts_tracker.ledger.database import epoch_sql

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.models.sql.compiler import SQLCompiler


class DatabaseEpoch(Func):
    """The database's clock in seconds since 1970, as an expression."""

    output_field = FloatField()
    arity = 0

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any) -> Any:  # type: ignore[override]  # the template is ours
        """The clock of this kind of database."""
        return super().as_sql(compiler, connection, template=epoch_sql(connection), **extra)
