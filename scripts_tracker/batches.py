"""``BatchedCommand``: the base class of scripts that go through a large table in batches."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.management.base import BaseCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet


class BatchedCommand(BaseCommand):
    """A script that processes the rows of a table in batches, each in a transaction of its own.

    ``@tracked_script`` goes on ``process()``. How far the script has come is committed with each batch, so it goes on
    from there after whatever has ended it: each batch takes effect exactly once, if rows and ledger are in one database.

    Attributes:
        batch_size: how many keys the first batch has.
        batch_seconds: how long a batch should take; its size follows. 0 keeps the size as it is.
        batch_max: the largest size.
        batch_options: the options of this run, as ``handle()`` gets them.
        is_batched: how the decorators know such a command.
    """

    batch_size: ClassVar[int] = 1000
    batch_seconds: ClassVar[float] = 1.0
    batch_max: ClassVar[int] = 50_000
    batch_options: Mapping[str, Any] = MappingProxyType({})
    is_batched: ClassVar[bool] = True

    def batches(self) -> QuerySet[Any, Any]:
        """The rows to process: a queryset, neither sliced nor ordered; a row that ``process()`` has changed may drop out."""
        raise NotImplementedError(f"{type(self).__module__}.{type(self).__qualname__} has no batches()")

    def process(self, batch: QuerySet[Any, Any]) -> int | None:
        """Process one batch, inside its transaction.

        Args:
            batch: the rows of ``batches()`` in one range of keys.

        Returns:
            How many rows it has changed; None if that is not known.
        """
        raise NotImplementedError(f"{type(self).__module__}.{type(self).__qualname__} has no process()")

    def finish(self) -> None:
        """What follows the last batch, once."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Process all batches that are left; other processes may do the same at the same time.

        Raises:
            CommandError: a row fails, or the script cannot be run now; the message says what to do.
        """
        from scripts_tracker import decorators  # the engine only when a command runs

        self.batch_options = options
        decorators.run_batched(self, args, options)
