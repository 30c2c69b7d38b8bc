"""How an attempt ends: ``handle()`` is called, its outcome recorded, both passed on."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, Error, transaction

from scripts_tracker import conf, signals
from scripts_tracker.core.redaction import TEXT_LIMIT, masked_head, masked_tail
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import AFTER_SUCCESS
from scripts_tracker.exceptions import LedgerMissing, Overtaken
from scripts_tracker.ledger import database, leases, processes, sessions
from scripts_tracker.running.calls import PlainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeVar

    from django.dispatch import Signal

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.running.calls import HandleCall, PlannedRun
    from scripts_tracker.running.start import Start

    R = TypeVar("R")


logger = logging.getLogger("scripts_tracker")

INTERRUPTED: Final = "interrupted"
"""How the reason of an attempt begins that Ctrl-C or a signal ended: another process may try again at once."""


class Unrecorded(PlainError):
    """The script has succeeded, and the ledger could not record it."""


class _Unwritten(Exception):
    """The success could not be written into the script's transaction, which is rolled back; its cause says why."""


def _unfinished(script_id: ScriptId, why: str, what_follows: str, hint: str = "") -> CommandError:
    """The error of a script that has returned from ``handle()``, and does not count as succeeded."""
    # No class of its own: Django prints the name of the class before the message.
    return CommandError(f"{script_id} finished, but {why}; {what_follows}.{hint}")


_NOT_RECORDED: Final = "the success was not recorded"
_ROLLED_BACK: Final = "its work was rolled back"


class Attempt(NamedTuple):
    """An attempt whose start is recorded.

    Attributes:
        call: makes the call of ``handle()``.
        script_id: whose attempt.
        start: how it started.
        is_atomic: whether the call and the record of its success are one transaction.
        planned: the runner's plan for it, if there is one.
        output: gives the tail of what was printed so far.
        verify: the name of a method of the command that must agree before the success is recorded.
        said: gets the warnings that were printed while it ran.
    """

    call: HandleCall
    script_id: ScriptId
    start: Start
    is_atomic: bool = False
    planned: PlannedRun | None = None
    output: Callable[[], str] = str
    verify: str | None = None
    said: Sequence[str] = ()

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

        Raises:
            KeyboardInterrupt: it came while another failure was being recorded.
        """
        late: KeyboardInterrupt | None = None
        if self.planned is not None:
            self.planned.failure = error
        try:
            has_succeeded = self._record_failure(error)
        except KeyboardInterrupt as interrupt:  # one more try, without waiting
            late = interrupt
            with processes.signals_held():
                has_succeeded = self._record_failure(error, is_hurried=True)
        if has_succeeded:
            self._announce_success(seconds)
        else:
            kind = self.start.kind
            self._send(signals.script_failed, seconds=seconds, error=error, kind=kind, applies=False)
        if late is not None and processes.interrupt_in(error) is None:
            raise late from error

    def _announce_success(self, seconds: float) -> None:
        if self.planned is not None:
            self.planned.is_recorded = True
        kind, applies = self.start.kind, self._applies()
        self._send(signals.script_succeeded, seconds=seconds, kind=kind, applies=applies)

    def _applies(self) -> bool:
        return not self.start.reason

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
                result, pending = self.called()
                has_returned = True
                self._check_transactions()
                pending = self._recorded() or pending
        except (Error, Overtaken, _Unwritten) as raised:
            error = raised.__cause__ if isinstance(raised, _Unwritten) else raised
            # Asked outside of the transaction, which may not see what became of the run.
            if has_returned and (isinstance(error, Overtaken) or self._was_taken_over(error)):
                raise self._not_recorded() from error
            if error is not raised:
                why = f"its success could not be recorded: {_reason(error)}"
                raise _unfinished(self.script_id, why, _ROLLED_BACK) from error
            raise
        return result, pending

    def called(self) -> tuple[Any, BaseException | None]:
        """Call ``handle()`` and ask whether the work is done; gives what it returned, and a good exit to be raised."""
        try:
            with processes.children_end_here():
                ended = self._handled()
                self._verify()
                return ended
        finally:
            if self.planned is not None:
                self.planned.on_end()

    def _verify(self) -> None:
        """Ask the script whether its work is done; raises if it is not."""
        if self.verify is not None and not self.start.is_dry_run:
            from scripts_tracker.running import verification  # few scripts name a method

            verification.verify(self.call.command, self.verify)

    def _handled(self) -> tuple[Any, BaseException | None]:
        try:
            return self.call(), None
        except (SystemExit, RuntimeError) as error:
            if not _is_good_exit(error):
                raise
            return None, error

    def _check_transactions(self) -> None:
        """Raise CommandError if the script has left a transaction open: what is in it is not committed."""
        levels, aliases = self.start.levels, _aliases() if self.is_atomic else ()
        if levels is None:
            return  # in a test, which ends what is open
        if aliases and not self.start.inside and (how := sessions.lost_block(*aliases)):
            raise _unfinished(self.script_id, f"undid the transaction of atomic=True ({how})", _ROLLED_BACK)
        if left := sessions.left_open(sessions.inside(levels, *aliases)):
            where = " and ".join(f"{alias!r} ({how})" for alias, how in left.items())
            why = f"left a transaction open in database {where}"
            hint = ' Commit it, or use "with transaction.atomic():".'
            raise _unfinished(self.script_id, why, "what was not committed is rolled back", hint)

    def _was_taken_over(self, error: BaseException | None) -> bool:
        """A transaction with a snapshot of its beginning (REPEATABLE READ) raises an error instead of finding no row."""
        if self.start.inside or not isinstance(error, Error) or not database.is_contention(error):
            return False
        with contextlib.suppress(Error):
            return leases.is_lost(self.start.run)
        return False

    def _recorded(self) -> KeyboardInterrupt | None:
        """Record the success; gives the interrupt that came while it waited for the database."""
        try:
            if not self.is_atomic and self.start.levels is not None:
                sessions.put_back(self.start.levels, {})  # autocommit
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
            if not isinstance(error, Error | LedgerMissing) or self.start.inside:
                raise
            if database.connection().in_atomic_block:
                raise _Unwritten from error
            raise self._unrecorded(_reason(error)) from error

    def _not_recorded(self) -> CommandError:
        """The error of a success that the ledger does not take: the run has ended otherwise, or is not there."""
        try:
            why, is_there = leases.why_unrecorded(self.start.run)
        except (Error, LedgerMissing) as error:
            why, is_there = _reason(error), False
        if is_there and any(why in text for text in self.said):
            why = "it was released in the meantime" if leases.RELEASED in why else why
        if is_there:
            hint = f" If its work is done: {self._how_to_mark}" if leases.RELEASED in why else ""
            return _unfinished(self.script_id, why, _NOT_RECORDED, hint)
        if self.is_atomic or self.start.inside:
            return _unfinished(self.script_id, why, _ROLLED_BACK if self.is_atomic else _NOT_RECORDED)
        return self._unrecorded(why)

    def _record_in_a_hurry(self, interrupt: KeyboardInterrupt) -> bool:
        """Record finished work without waiting: one more try, on a new connection."""
        try:
            database.discard(database.connection())
            with database.uncounted(), processes.signals_held():
                return self._record()
        except BaseException as error:  # noqa: BLE001 - a second Ctrl-C too: finished work has not failed
            raise self._unrecorded(_reason(error)) from interrupt

    def _unrecorded(self, reason: str) -> Unrecorded:
        return Unrecorded(
            f"{self.script_id} succeeded, but the result could not be recorded: {reason}."
            f" To mark it as applied: {self._how_to_mark}"
        )

    @property
    def _how_to_mark(self) -> str:
        return database.typed("check_scripts --mark-applied {}", self.script_id)

    def _retry(self, record: Callable[[], R]) -> R:
        """Record on a new connection if the database was away for a while, or the script's does not find the run.

        Args:
            record: returns something false if the ledger does not take the outcome.

        Raises:
            LedgerMissing: the tables are gone.
        """
        seconds = 0 if self.start.inside else conf.tracker_settings().lease_seconds
        is_fresh = False

        def warn(trouble: str) -> None:
            text = "%s finished; cannot record the outcome yet, retrying for up to %g s: %s"
            logger.warning(text, self.script_id, seconds, trouble)

        def try_once() -> R:
            nonlocal is_fresh
            is_first, is_fresh = not is_fresh, True
            if not is_first:
                return database.needs_tables(record)()
            recorded = record()
            if not recorded and not self.start.inside and not database.is_in_transaction():
                database.discard(database.connection())
                recorded = database.needs_tables(record)()
            return recorded

        with database.uncounted():
            return database.retry(try_once, seconds, warn)

    def _record_failure(self, error: BaseException, *, is_hurried: bool = False) -> bool:
        """Record it; gives whether the ledger has a success instead."""
        inside, run = self.start.inside, self.start.run
        if (levels := self.start.levels) is not None:  # what the script left open must not be kept
            sessions.put_back(levels, sessions.left_open(levels))
        if inside and database.connection().needs_rollback:
            return False  # the caller's transaction takes the running row with it
        if is_hurried and not inside:
            database.discard(database.connection())  # the interrupt may have cut an answer in two
        trace, summary = masked_error(error)
        from scripts_tracker.core.escaping import escaped  # for failures alone

        def record() -> str:
            texts = {"output": self.output(), "traceback": trace}
            if leases.end(run, "failed", applies=False, reason=summary, **texts):
                return "failed"
            return "succeeded" if leases.add(run, reason=f"{AFTER_SUCCESS}: {summary}", **texts) else ""

        try:
            recorded = record() if is_hurried else self._retry(record)
        except Exception as trouble:  # noqa: BLE001 - the script's own error follows
            # PostgreSQL takes nothing more in a transaction that met an error, and the caller's takes the row with it.
            level = logging.DEBUG if inside else logging.ERROR
            text = "the failure of %s could not be recorded (%s): %s"
            logger.log(level, text, self.script_id, _reason(trouble), escaped(summary))
            return False
        if recorded == "succeeded":
            logger.error("%s %s: %s", self.script_id, AFTER_SUCCESS, escaped(summary))
        elif not recorded and not inside:
            text = "the failure of %s was not recorded, as another process or a person ended its run: %s"
            logger.warning(text, self.script_id, escaped(summary))
        return recorded == "succeeded"


def _aliases() -> tuple[str, ...]:
    """The databases that ``atomic=True`` has a transaction on."""
    return tuple(dict.fromkeys((database.alias(), DEFAULT_DB_ALIAS)))


def _is_good_exit(error: SystemExit | RuntimeError) -> bool:
    """Whether an exception is an exit with code 0; those of click and typer are RuntimeErrors."""
    if isinstance(error, SystemExit):
        return error.code in (None, 0)  # a tuple: a code may be unhashable
    return type(error).__name__ == "Exit" and getattr(error, "exit_code", None) == 0


@contextlib.contextmanager
def _one_transaction() -> Iterator[None]:
    """Two databases cannot commit as one. The script's commits first: an unrecorded success is better than a false one."""
    using, raised = database.alias(), list[BaseException]()
    is_one = using == DEFAULT_DB_ALIAS
    first = contextlib.nullcontext() if is_one else sessions.one_transaction(DEFAULT_DB_ALIAS, raised)
    with transaction.atomic(using=using), first:
        yield
    if raised:
        raise raised[0]


def masked_error(error: BaseException) -> tuple[str, str]:
    """The traceback and a line about an error, without secrets, as the ledger keeps them."""
    from scripts_tracker.core.text import error_traceback  # for failures alone

    secrets = conf.tracker_settings().secret_pattern
    return masked_tail(error_traceback(error), TEXT_LIMIT, secrets), error_summary(error)


def error_summary(error: BaseException) -> str:
    """A line about an error, without secrets, as the ledger keeps it."""
    return masked_head(_summary(error), 500, conf.tracker_settings().secret_pattern).strip()


def _reason(error: BaseException | None) -> str:
    """Why something could not be recorded, in a line."""
    if isinstance(error, Error):
        return database.error_summary(error)
    from scripts_tracker.core.escaping import escaped  # for failures alone

    return (
        "" if error is None else str(error) if isinstance(error, LedgerMissing) else escaped(_summary(error))
    )


def _summary(error: BaseException) -> str:
    """What failed, in a line."""
    from scripts_tracker.core.text import error_line, error_text  # for failures alone

    interrupt = processes.interrupt_in(error)
    if interrupt is not None:
        return f"{INTERRUPTED}: {error_text(interrupt) or 'Ctrl-C'}"
    if isinstance(error, PlainError):
        return error_text(error)
    return error_line(error).removeprefix(f"{CommandError.__module__}.")
