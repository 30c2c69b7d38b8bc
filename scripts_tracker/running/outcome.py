"""How an attempt ends: ``handle()`` is called, its outcome recorded, both passed on."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction

from scripts_tracker import conf, signals
from scripts_tracker.core.redaction import TEXT_LIMIT, masked_head, masked_tail
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, leases, processes
from scripts_tracker.running.calls import AFTER_SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.dispatch import Signal

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.leases import OpenRun
    from scripts_tracker.running.calls import HandleCall, PlannedRun
    from scripts_tracker.running.start import Start

logger = logging.getLogger("scripts_tracker")

INTERRUPTED: Final = "interrupted"
"""How the reason of an attempt begins that Ctrl-C or SIGTERM ended: another process may try again at once."""


class Unrecorded(CommandError):
    """The script has succeeded, and the ledger could not record it."""


def _taken_over(script_id: ScriptId, run: OpenRun) -> CommandError:
    """The error of a script that has finished after it lost its lease: to another process, or by a person's decision."""
    from scripts_tracker.core.text import escaped  # seldom needed

    # No class of its own: Django prints the name of the class before the message.
    reason = leases.why_lost(run) or ""
    if reason.startswith(leases.RELEASED):
        return CommandError(
            f"{script_id} finished, but its run was {escaped(' '.join(reason.split()))}; the success was not recorded."
            f" If its work is done: manage.py check_scripts --mark-applied {script_id}"
        )
    return CommandError(
        f"{script_id} finished, but its lease had expired and another process took over;"
        " the success was not recorded."
    )


class Attempt(NamedTuple):
    """An attempt whose start is recorded.

    Attributes:
        call: makes the call of ``handle()``.
        script_id: whose attempt.
        start: how it started.
        is_atomic: whether the call and the record of its success are one transaction.
        planned: the runner's plan for it, if there is one.
        output: gives the tail of what was printed so far.
    """

    call: HandleCall
    script_id: ScriptId
    start: Start
    is_atomic: bool = False
    planned: PlannedRun | None = None
    output: Callable[[], str] = str

    def perform(self) -> Any:
        """Call ``handle()``; an exit with code 0 is a success, and raised."""
        began = time.monotonic()
        try:
            self._send(signals.script_started)
            result, pending = self._succeed()
        except Unrecorded:
            raise
        except BaseException as error:
            self.fail(error, time.monotonic() - began)
            raise
        self._announce_success(time.monotonic() - began)
        if pending is not None:
            raise pending
        return result

    def fail(self, error: BaseException, seconds: float = 0.0) -> None:
        """Record that the script failed by this error, after so many seconds.

        What is raised after the success is committed and recorded (by a hook of ``transaction.on_commit``, say) does
        not undo it: it is logged, and kept with the run.
        """
        try:
            has_succeeded = self._record_failure(error)
        except KeyboardInterrupt:  # one more try, without waiting
            has_succeeded = self._record_failure(error, is_hurried=True)
        if has_succeeded:
            self._announce_success(seconds)
        else:
            kind = self.start.kind
            self._send(signals.script_failed, seconds=seconds, error=error, kind=kind, applies=False)

    def _announce_success(self, seconds: float) -> None:
        if self.planned is not None:
            self.planned.is_recorded = True
        kind, applies = self.start.kind, not self.start.reason
        self._send(signals.script_succeeded, seconds=seconds, kind=kind, applies=applies)

    def _send(self, signal: Signal, **facts: Any) -> None:
        """Send a signal; Django logs what a receiver raises."""
        sender = type(self.call.command)
        signal.send_robust(sender, script=self.script_id, run=self.start.run.pk, **facts)

    def _succeed(self) -> tuple[Any, BaseException | None]:
        """Call ``handle()`` and record its success; gives what it returned, and what is still to be raised."""
        pending: BaseException | None = None
        has_returned = False
        try:
            with _one_transaction() if self.is_atomic else contextlib.nullcontext():
                result, pending = self._called()
                has_returned = True
                pending = self._recorded() or pending
        except (Error, Overtaken) as error:  # outside of the transaction, which may not see who took it over
            if has_returned and (isinstance(error, Overtaken) or self._was_taken_over(error)):
                raise _taken_over(self.script_id, self.start.run) from error
            raise
        return result, pending

    def _called(self) -> tuple[Any, BaseException | None]:
        try:
            with processes.children_end_here():
                return self.call(), None
        except (SystemExit, RuntimeError) as error:
            if not _is_good_exit(error):
                raise
            return None, error

    def _was_taken_over(self, error: Error) -> bool:
        """A transaction with a snapshot of its beginning (REPEATABLE READ) raises an error instead of finding no row."""
        with contextlib.suppress(Error):
            return not self.start.inside and database.is_contention(error) and leases.is_lost(self.start.run)
        return False

    def _recorded(self) -> KeyboardInterrupt | None:
        """Record the success; gives the interrupt that came while it waited for the database."""
        try:
            self._close_open_transaction()
            if not self._record_patiently():
                raise Overtaken
        except KeyboardInterrupt as interrupt:
            if self.is_atomic or self.start.inside or not self._record_in_a_hurry(interrupt):
                raise
            return interrupt
        return None

    def _record(self) -> bool:
        run, reason = self.start.run, self.start.reason
        return leases.end(run, "succeeded", applies=not reason, output=self.output(), reason=reason)

    def _record_patiently(self) -> bool:
        try:
            return self._retry(self._record) or conf.is_under_test()  # a script may empty the tables
        except Exception as error:
            if conf.is_under_test():
                return True  # where no record can be made any more, an untracked script would not notice
            if not isinstance(error, Error) or self.start.inside or database.connection().in_atomic_block:
                raise
            raise self._unrecorded(error) from error

    def _record_in_a_hurry(self, interrupt: KeyboardInterrupt) -> bool:
        """Record finished work without waiting: one more try, on a new connection."""
        try:
            database.discard(database.connection())
            with database.uncounted():
                return self._record()
        except BaseException as error:  # noqa: BLE001 - a second Ctrl-C too: finished work has not failed
            raise self._unrecorded(error) from interrupt

    def _unrecorded(self, error: BaseException) -> Unrecorded:
        reason = database.error_summary(error) if isinstance(error, Error) else _summary(error)
        return Unrecorded(
            f"{self.script_id} succeeded, but the result could not be recorded: {reason}."
            f" To mark it as applied: manage.py check_scripts --mark-applied {self.script_id}"
        )

    def _retry(self, record: Callable[[], bool]) -> bool:
        """Record on a new connection if the database was away for a while: the work is done."""
        seconds = 0 if self.start.inside else conf.tracker_settings().lease_seconds

        def warn(trouble: str) -> None:
            text = "%s finished; cannot record the outcome yet, retrying for up to %g s: %s"
            logger.warning(text, self.script_id, seconds, trouble)

        with database.uncounted():
            return database.retry(record, seconds, warn)

    def _close_open_transaction(self) -> None:
        """A script that switched autocommit off would take the record with it.

        What it did not commit is rolled back, as Django does at the end of an untracked command.
        """
        connection = database.connection()
        if self.start.inside or connection.in_atomic_block or connection.get_autocommit():
            return
        try:
            connection.rollback()
            connection.set_autocommit(True)
        except Error:
            database.discard(connection)

    def _record_failure(self, error: BaseException, *, is_hurried: bool = False) -> bool:
        """Record it; gives whether the ledger has a success instead."""
        connection, inside, run = database.connection(), self.start.inside, self.start.run
        if inside and connection.needs_rollback:
            return False  # the caller's transaction takes the running row with it
        is_connected = connection.connection is not None
        if not inside and (connection.in_atomic_block or (is_connected and not connection.get_autocommit())):
            database.discard(connection)  # what the script left open must not be kept
        trace, summary = _masked(error)

        def record() -> bool:
            texts = {"output": self.output(), "traceback": trace}
            if leases.end(run, "failed", applies=False, reason=summary, **texts):
                return False
            return leases.add(run, reason=f"{AFTER_SUCCESS}: {summary}", **texts)

        try:
            has_succeeded = record() if is_hurried else self._retry(record)
        except Exception:  # noqa: BLE001 - the script's own error follows
            # PostgreSQL takes nothing more in a transaction that met an error, and the caller's takes the row with it.
            level = logging.DEBUG if inside else logging.ERROR
            logger.log(level, "the failure of %s could not be recorded: %s", self.script_id, summary)
            return False
        if has_succeeded:
            logger.error("%s %s: %s", self.script_id, AFTER_SUCCESS, summary)
        return has_succeeded


def _is_good_exit(error: SystemExit | RuntimeError) -> bool:
    """Whether an exception is an exit with code 0; those of click and typer are RuntimeErrors."""
    if isinstance(error, SystemExit):
        return error.code in (None, 0)  # a tuple: a code may be unhashable
    return type(error).__name__ == "Exit" and getattr(error, "exit_code", None) == 0


@contextlib.contextmanager
def _one_transaction() -> Iterator[None]:
    """Two databases cannot commit as one. The script's commits first: an unrecorded success is better than a false one."""
    using, raised = database.alias(), list[BaseException]()
    first = contextlib.nullcontext() if using == DEFAULT_DB_ALIAS else _committed_first(raised)
    with transaction.atomic(using=using), first:
        yield
    if raised:
        raise raised[0]


@contextlib.contextmanager
def _committed_first(raised: list[BaseException]) -> Iterator[None]:
    """The transaction of the script's own database; ``raised`` gets what its hooks raise after the commit."""
    connection = connections[DEFAULT_DB_ALIAS]
    is_outermost = not connection.in_atomic_block and connection.get_autocommit()
    committed: list[bool] = []
    try:
        with transaction.atomic(using=DEFAULT_DB_ALIAS):
            if is_outermost:  # otherwise the caller, or his test, counts hooks
                transaction.on_commit(lambda: committed.append(True), using=DEFAULT_DB_ALIAS)
            yield
    except BaseException as error:
        if not committed:
            raise
        raised.append(error)


def _masked(error: BaseException) -> tuple[str, str]:
    """The traceback and a line about the error, without secrets."""
    from scripts_tracker.core.text import error_traceback  # for failures alone

    secrets = conf.tracker_settings().secret_pattern
    summary = masked_head(_summary(error), 500, secrets).strip()
    return masked_tail(error_traceback(error), TEXT_LIMIT, secrets), summary


def _summary(error: BaseException) -> str:
    """What failed, in a line."""
    from scripts_tracker.core.text import error_line, error_text  # for failures alone

    interrupt = processes.interrupt_in(error)
    if interrupt is not None:
        return f"{INTERRUPTED}: {error_text(interrupt) or 'Ctrl-C'}"
    return error_line(error).removeprefix(f"{CommandError.__module__}.")
