"""How an attempt ends: the call of handle(), the record of its outcome, both passed on."""

from __future__ import annotations

import contextlib
import logging
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction

from scripts_tracker import arguments, database, ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

    from scripts_tracker.datatypes import ScriptId
    from scripts_tracker.ledger import OpenRun

logger = logging.getLogger("scripts_tracker")


@contextlib.contextmanager
def _one_transaction() -> Iterator[None]:
    """Two databases cannot commit as one; the script's goes first: better a success unrecorded than one that is none."""
    with transaction.atomic(using=database.alias()), transaction.atomic(using=DEFAULT_DB_ALIAS):
        yield


def _discard(connection: BaseDatabaseWrapper) -> None:
    """Drop a connection that may be broken, and whatever was left open on it; the next query opens a new one."""
    in_memory = getattr(connection, "is_in_memory_db", None)  # SQLite's alone
    if in_memory is not None and in_memory():
        connection.rollback()  # this connection is the database
        return
    with contextlib.suppress(Exception):  # MySQL's driver raises while closing what is closed already
        connection.close()
    del connections[connection.alias]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt whose running row is there.

    Attributes:
        call: makes the call of ``handle()``.
        script_id: whose.
        run: the running row.
        atomic: whether the call and the record of its success are one transaction.
        reason: why a success does not make the version the applied one; empty where it does.
        inside: whether a transaction of the caller holds the running row.
    """

    call: Callable[[], Any]
    script_id: ScriptId
    run: OpenRun
    atomic: bool
    reason: str
    inside: bool

    def perform(self) -> Any:
        """Call handle(); an exit with code 0 is a success and still raised."""
        try:
            result, clean_exit = self._succeed()
        except BaseException as error:
            self._fail(error)
            raise
        if clean_exit is not None:
            raise clean_exit
        return result

    def _succeed(self) -> tuple[Any, SystemExit | None]:
        result, clean_exit = None, None
        with _one_transaction() if self.atomic else contextlib.nullcontext():
            try:
                result = self.call()
            except SystemExit as error:
                if error.code not in (None, 0):  # a tuple: a code may be unhashable
                    raise
                clean_exit = error
            if not self._record_success():
                raise CommandError(
                    f"{self.script_id} ended, but another process had taken it over: its success is not recorded."
                )
        return result, clean_exit

    def _record_success(self) -> bool:
        """The work is done even if its idle connection was dropped meanwhile: then record it on a new one."""
        self._leave_open_transaction()
        try:
            return ledger.end_run(self.run, "succeeded", applies=not self.reason, reason=self.reason)
        except Error:
            connection = connections[database.alias()]
            if self.inside or connection.in_atomic_block:
                raise
            _discard(connection)
            return ledger.end_run(self.run, "succeeded", applies=not self.reason, reason=self.reason)

    def _leave_open_transaction(self) -> None:
        """A script that switched autocommit off would take the record with it.

        What it did not commit is rolled back, as Django does at the end of an untracked command.
        """
        connection = connections[database.alias()]
        if self.inside or connection.in_atomic_block or connection.get_autocommit():
            return
        try:
            connection.rollback()
            connection.set_autocommit(True)
        except Error:
            _discard(connection)

    def _fail(self, error: BaseException) -> None:
        connection = connections[database.alias()]
        if self.inside and connection.needs_rollback:
            return  # the caller's transaction takes the running row with it
        if not self.inside and (connection.in_atomic_block or not _has_autocommit(connection)):
            _discard(connection)  # what the script left open is not to be kept
        text = arguments.bounded("".join(traceback.format_exception(error)))
        summary = arguments.bounded(traceback.format_exception_only(error)[-1])[:500].strip()
        try:
            ledger.end_run(self.run, "failed", applies=False, traceback=text, reason=summary)
        except Error:
            self._fail_again(text, summary)

    def _fail_again(self, text: str, summary: str) -> None:
        """The script may have lost the connection; without a new one there is nothing left but to say so."""
        if not self.inside:
            _discard(connections[database.alias()])
            with contextlib.suppress(Error):
                ledger.end_run(self.run, "failed", applies=False, traceback=text, reason=summary)
                return
        logger.error("the failure of %s could not be recorded: %s", self.script_id, summary)


def _has_autocommit(connection: BaseDatabaseWrapper) -> bool:
    return connection.connection is None or connection.get_autocommit()
