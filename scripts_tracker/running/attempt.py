"""One recorded attempt: what it requires, how it starts (starts.py), what it prints, how it ends (outcomes.py)."""

from __future__ import annotations

import contextlib
import inspect
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, Error

from scripts_tracker import conf
from scripts_tracker.core import redaction
from scripts_tracker.core.values import ScriptOptions
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import database
from scripts_tracker.ledger.leases import Heartbeat
from scripts_tracker.project.scan import identify
from scripts_tracker.running import output as capture
from scripts_tracker.running import start as starts
from scripts_tracker.running.calls import Call, ticket_of
from scripts_tracker.running.outcome import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts_tracker.core.values import Required, RunRecord, ScriptId
    from scripts_tracker.project.scan import Identity
    from scripts_tracker.running.calls import Ticket
    from scripts_tracker.running.start import Start

logger = logging.getLogger("scripts_tracker")

# The command objects whose run is being recorded: handle() of a base class, called through super(), is no second run.
_recording: ContextVar[frozenset[int]] = ContextVar("_recording", default=frozenset())
# The requirements that were looked at already, by command object.
_asked: ContextVar[frozenset[tuple[int, Required]]] = ContextVar("_asked", default=frozenset())
# The attempts that this very call is a part of.
_around: ContextVar[frozenset[int]] = ContextVar("_around", default=frozenset())


def run_tracked(call: Call, options: ScriptOptions) -> Any:
    """Make the call and record it; returns and raises what ``handle()`` does.

    Raises:
        Held: somebody else runs the script.
        Changed: the run was planned, and the script is not any more what it was then.
        CommandError: the ledger cannot be used, or what the script requires is missing.
    """
    if not conf.tracker_settings().enabled or id(call.command) in _recording.get():
        return call()
    if conf.is_beside_a_test():
        return call()  # a thread of its own would need a connection of its own
    ticket = ticket_of(call.command)
    identity = ticket.identity if ticket else identify(call.command)
    if inspect.iscoroutinefunction(call.function):
        raise CommandError(
            f"{identity.id}: handle() is async, which Django does not await; make it a plain def."
        )
    required: tuple[Required, ...] = getattr(call.function, "required_scripts", ())
    with _set(_recording, _recording.get() | {id(call.command)}), _require(call, identity.id, required):
        start = _start(call, identity, options, ticket)
        return call() if start is None else _perform(call, identity.id, start, options)


def _start(call: Call, identity: Identity, options: ScriptOptions, ticket: Ticket | None) -> Start | None:
    """Record the start; None in a test that keeps the ledger from it, which is no reason to fail.

    It may forbid the ledger's database, have no tables, have replaced what we call, or run the script inside itself.
    """
    try:
        with _ledger_trouble(identity.id), database.uncounted():
            if options.atomic and conf.is_under_test():
                database.check_access(DEFAULT_DB_ALIAS)  # a test may forbid either database
            return starts.start(call, identity, options, ticket)
    except Exception:  # under test alone, where an untracked command would have met none of it
        if ticket is not None or not conf.is_under_test():
            raise
        logger.debug("%s runs unrecorded in a test", identity.id, exc_info=True)
        return None


def _perform(call: Call, script_id: ScriptId, start: Start, options: ScriptOptions) -> Any:
    with _set(_around, _around.get() | {start.run.pk}), _captured(call.command) as output:
        attempt = _attempt(call, script_id, start, options, output)
        if start.is_rehearsal:
            return attempt.perform()
        with Heartbeat(start.run, database.alias()):
            return attempt.perform()


@contextlib.contextmanager
def _captured(command: object) -> Iterator[Callable[[], str]]:
    """Keep the tail of what the command prints; gives what the ledger is to keep of it so far."""
    given = conf.tracker_settings()
    if not given.capture_output:
        yield str
        return
    with capture.captured(command, given.output_bytes) as tail:
        yield lambda: redaction.masked_tail(tail.text(), given.output_bytes, given.secret_pattern)


def _attempt(
    call: Call,
    script_id: ScriptId,
    start: Start,
    options: ScriptOptions,
    output: Callable[[], str] = str,
) -> Attempt:
    return Attempt(
        call=call,
        sender=type(call.command),
        script_id=script_id,
        run=start.run,
        atomic=options.atomic,
        is_rehearsal=start.is_rehearsal,
        reason=start.reason,
        inside=start.inside,
        output=output,
        ticket=ticket_of(call.command),
    )


def is_around(run: RunRecord | None) -> bool:
    """Whether this very call is a part of that attempt, so that waiting for its end would last for ever."""
    return run is not None and run.pk in _around.get()


def record_failure(
    identity: Identity, ticket: Ticket, error: BaseException, watch: tuple[str, ...] = ()
) -> None:
    """Record the failure of a planned script whose ``handle()`` was not even reached: a broken import, say."""
    options = ScriptOptions(watch=watch)
    call = Call(_nothing, ticket.command, (), {})
    with contextlib.suppress(
        Error, LedgerMissing, CommandError
    ):  # somebody else was quicker, or the ledger is the trouble
        start = starts.start(call, identity, options, ticket)
        _attempt(call, identity.id, start, options).fail(error)


def _nothing(*_args: object, **_options: object) -> None:
    """Stand in for a ``handle()`` that cannot be reached."""


def run_required(call: Call, required: tuple[Required, ...]) -> Any:
    """Make the call if the required scripts are applied (or a person says so); raises CommandError otherwise."""
    if not conf.tracker_settings().enabled:
        return call()
    with _require(call, identify(call.command).id, required):
        return call()


@contextlib.contextmanager
def _ledger_trouble(script_id: ScriptId) -> Iterator[None]:
    """Whatever keeps the ledger from being used is one line for the user, before anything was run."""
    try:
        yield
    except LedgerMissing as error:
        raise CommandError(f"{script_id} was not run: {error}") from error
    except Error as error:
        raise CommandError(f"{script_id} was not run: {database.unavailable_message(error)}") from error


@contextlib.contextmanager
def _set(variable: ContextVar[Any], value: object) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@contextlib.contextmanager
def _require(call: Call, script_id: ScriptId, required: tuple[Required, ...]) -> Iterator[None]:
    """Each requirement is looked at once a run, however many decorators name it.

    The runner has looked at them all; and tests, in whose database nothing was ever applied, test the script alone.
    """
    keys = {(id(call.command), one): one for one in required}
    fresh = tuple(one for key, one in keys.items() if key not in _asked.get())
    if fresh and ticket_of(call.command) is None and not conf.is_under_test():
        from scripts_tracker.running import (
            requirements,  # planning, reports, the terminal: for scripts that require something
        )

        with _ledger_trouble(script_id):
            requirements.check(script_id, fresh, call.options)
    with _set(_asked, _asked.get() | set(keys)):
        yield
