"""How an attempt ends: the call of handle(), the record of its outcome, both passed on."""

from __future__ import annotations

import contextlib
import logging
import time
import traceback
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction

from scripts_tracker import conf, signals
from scripts_tracker.core import redaction
from scripts_tracker.ledger import database, leases, processes
from scripts_tracker.running.calls import AFTER_SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.dispatch import Signal

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.leases import OpenRun
    from scripts_tracker.running.calls import Call, Ticket

logger = logging.getLogger("scripts_tracker")

INTERRUPTED: Final = "interrupted"
"""The reason of an attempt that Ctrl-C or SIGTERM ended begins with it: whoever waited for the script may try again at once."""


class Unrecorded(CommandError):
    """The script ended, and the ledger could not be told so."""


@contextlib.contextmanager
def _one_transaction() -> Iterator[None]:
    """Two databases cannot commit as one; the script's goes first: better a success unrecorded than one that is none."""
    raised: list[BaseException] = []
    with transaction.atomic(using=database.alias()):
        elsewhere = database.alias() != DEFAULT_DB_ALIAS
        with _committed_first(raised) if elsewhere else contextlib.nullcontext():
            yield
    if raised:
        raise raised[0]


@contextlib.contextmanager
def _committed_first(raised: list[BaseException]) -> Iterator[None]:
    """The transaction of the script's own database; ``raised`` is given what its hooks raise when it is committed."""
    connection = connections[DEFAULT_DB_ALIAS]
    is_outermost = not connection.in_atomic_block and connection.get_autocommit()
    committed: list[bool] = []
    try:
        with transaction.atomic(using=DEFAULT_DB_ALIAS):
            if is_outermost:  # the caller, or his test, counts hooks
                transaction.on_commit(lambda: committed.append(True), using=DEFAULT_DB_ALIAS)
            yield
    except BaseException as error:
        if not committed:
            raise
        raised.append(error)


class Attempt(NamedTuple):
    """An attempt whose running row is there.

    Attributes:
        call: makes the call of ``handle()``.
        sender: the command's class, for the signals.
        script_id: whose.
        run: the running row.
        atomic: whether the call and the record of its success are one transaction.
        is_rehearsal: whether it changes nothing that counts.
        reason: why a success does not make the version the applied one; empty where it does.
        inside: whether a transaction of the caller holds the running row, or his test the connection.
        output: gives the tail of what was printed so far.
        ticket: of the runner that planned the attempt, if one did.
    """

    call: Call
    sender: type
    script_id: ScriptId
    run: OpenRun
    atomic: bool
    is_rehearsal: bool
    reason: str
    inside: bool
    output: Callable[[], str]
    ticket: Ticket | None = None

    def perform(self) -> Any:
        """Call handle(); an exit with code 0 is a success and still raised."""
        began = time.monotonic()
        try:
            self._send(signals.script_started)
            result, left = self._succeed()
        except Unrecorded:
            raise
        except BaseException as error:
            self.fail(error, time.monotonic() - began)
            raise
        self._tell_success(time.monotonic() - began)
        if left is not None:
            raise left
        return result

    def _tell_success(self, seconds: float) -> None:
        if self.ticket is not None:
            self.ticket.is_recorded = True
        self._send(signals.script_succeeded, seconds=seconds, kind=self._kind, applies=not self.reason)

    @property
    def _kind(self) -> str:
        return "rehearsal" if self.is_rehearsal else "run"

    def _send(self, signal: Signal, **facts: Any) -> None:
        """Django logs what a receiver raises, and goes on."""
        signal.send_robust(self.sender, script=self.script_id, run=self.run.pk, **facts)

    def _succeed(self) -> tuple[Any, BaseException | None]:
        """Call handle() and record its success; gives what it returned, and what is still to be raised."""
        left: BaseException | None = None
        has_ended = False
        try:
            with _one_transaction() if self.atomic else contextlib.nullcontext():
                result, left = self._called()
                has_ended = True
                left = self._recorded() or left
        except Error as error:
            if has_ended and self._was_taken_over(error):
                raise self._taken_over() from error
            raise
        return result, left

    def _called(self) -> tuple[Any, SystemExit | None]:
        try:
            with processes.children_end_here():
                return self.call(), None
        except SystemExit as error:
            if error.code not in (None, 0):  # a tuple: a code may be unhashable
                raise
            return None, error

    def _taken_over(self) -> CommandError:
        return CommandError(
            f"{self.script_id} ended, but another process had taken it over: its success is not recorded."
        )

    def _was_taken_over(self, error: Error) -> bool:
        """A transaction that sees what was there when it began (REPEATABLE READ) meets no row, but an error."""
        if self.inside or not database.is_contention(error):
            return False
        with contextlib.suppress(Error):
            return leases.is_lost(self.run)
        return False

    def _recorded(self) -> KeyboardInterrupt | None:
        """Record the success; gives the interrupt that came while it waited for the database."""
        try:
            is_ours = self._record_success()
        except KeyboardInterrupt as interrupt:
            if self.atomic or self.inside or not self._record_in_a_hurry(interrupt):
                raise
            return interrupt
        if not is_ours:
            raise self._taken_over()
        return None

    def _record(self) -> bool:
        output, applies = self.output(), not self.reason
        return leases.end(self.run, "succeeded", applies=applies, output=output, reason=self.reason)

    def _record_success(self) -> bool:
        self._leave_open_transaction()
        try:
            return self._insist(self._record) or conf.is_under_test()  # a script may empty the tables
        except Exception as error:
            if conf.is_under_test():
                return True  # where no record can be made any more, an untracked script would not notice
            if not isinstance(error, Error) or self.inside or connections[database.alias()].in_atomic_block:
                raise
            raise self._unrecorded(error) from error

    def _record_in_a_hurry(self, interrupt: KeyboardInterrupt) -> bool:
        """The work is done, and it is not to wait any longer: once more, on a connection that nothing was begun on."""
        try:
            database.discard(connections[database.alias()])
            with database.uncounted():
                return self._record()
        except BaseException as error:  # noqa: BLE001 - a second Ctrl-C too: what is done has not failed
            raise self._unrecorded(error) from interrupt

    def _unrecorded(self, error: BaseException) -> Unrecorded:
        words = database.error_summary(error) if isinstance(error, Error) else _summary(error)
        return Unrecorded(
            f"{self.script_id} ended well, but that could not be recorded: {words}. If its work is done:"
            f" manage.py check_scripts --mark-applied {self.script_id}"
        )

    def _insist(self, record: Callable[[], bool]) -> bool:
        """The work is done even if the database was away for a while: record that on a new connection."""
        seconds = 0 if self.inside else conf.tracker_settings().lease_seconds
        with database.uncounted():
            return database.retry(record, seconds, self._say_that_it_waits)

    def _say_that_it_waits(self, trouble: str) -> None:
        logger.warning(
            "%s ended; its outcome cannot be recorded yet, trying again for up to %g seconds: %s",
            self.script_id,
            conf.tracker_settings().lease_seconds,
            trouble,
        )

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
            database.discard(connection)

    def fail(self, error: BaseException, seconds: float = 0.0) -> None:
        """Record that the script failed by this error, after so many seconds.

        What is raised when the success is committed and recorded (by a hook of ``transaction.on_commit``, say) does
        not undo it: that is told, and kept with the run.
        """
        try:
            has_succeeded = self._record_failure(error)
        except KeyboardInterrupt:  # somebody is impatient: once more, and not for long
            has_succeeded = self._record_failure(error, is_hurried=True)
        if has_succeeded:
            self._tell_success(seconds)
        else:
            self._send(signals.script_failed, seconds=seconds, error=error, kind=self._kind, applies=False)

    def _record_failure(self, error: BaseException, *, is_hurried: bool = False) -> bool:
        """Record it; gives whether the ledger has a success instead."""
        connection = connections[database.alias()]
        if self.inside and connection.needs_rollback:
            return False  # the caller's transaction takes the running row with it
        if not self.inside and (connection.in_atomic_block or not _has_autocommit(connection)):
            database.discard(connection)  # what the script left open is not to be kept
        text, summary = _told(error)

        def record() -> bool:
            told = {"output": self.output(), "traceback": text}
            if leases.end(self.run, "failed", applies=False, reason=summary, **told):
                return False
            return leases.add(self.run, reason=f"{AFTER_SUCCESS}: {summary}", **told)

        try:
            has_succeeded = record() if is_hurried else self._insist(record)
        except Exception:  # noqa: BLE001 - the script's own error follows
            # PostgreSQL takes nothing more in a transaction that met an error, and the caller's takes the row with it.
            level = logging.DEBUG if self.inside else logging.ERROR
            logger.log(level, "the failure of %s could not be recorded: %s", self.script_id, summary)
            return False
        if has_succeeded:
            logger.error("%s: %s: %s", self.script_id, AFTER_SUCCESS, summary)
        return has_succeeded


def _told(error: BaseException) -> tuple[str, str]:
    """The traceback, and what failed in a line, as they are kept."""
    secrets = conf.tracker_settings().secret_pattern
    trace = "".join(traceback.format_exception(error))
    summary = redaction.masked_tail(_summary(error), redaction.TEXT_LIMIT, secrets)[:500].strip()
    return redaction.masked_tail(trace, redaction.TEXT_LIMIT, secrets), summary


def _summary(error: BaseException) -> str:
    """What failed, in a line."""
    if isinstance(error, KeyboardInterrupt):
        return f"{INTERRUPTED}: {str(error) or 'Ctrl-C'}"
    told = traceback.TracebackException(type(error), error, None)
    told.__notes__ = None  # they would come last
    return list(told.format_exception_only())[-1].removeprefix(f"{CommandError.__module__}.")


def _has_autocommit(connection: BaseDatabaseWrapper) -> bool:
    return connection.connection is None or connection.get_autocommit()
