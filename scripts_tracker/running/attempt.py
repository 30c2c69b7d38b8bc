"""One recorded attempt: what it requires, how it starts (start.py), what it prints (output.py), how it ends (outcome.py)."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError
from django.db import DEFAULT_DB_ALIAS, Error

from scripts_tracker import conf
from scripts_tracker.core.redaction import masked_tail
from scripts_tracker.core.values import ScriptOptions
from scripts_tracker.exceptions import LedgerMissing, Unrenewable
from scripts_tracker.ledger import database, leases, processes
from scripts_tracker.project.scan import identify
from scripts_tracker.running.calls import HandleCall, Refused, planned_run_of, rehearsed
from scripts_tracker.running.outcome import Attempt
from scripts_tracker.running.output import captured
from scripts_tracker.running.start import record_start, warn, warn_if_unseen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts_tracker.core.values import Required, ScriptId
    from scripts_tracker.ledger.heartbeat import Warn
    from scripts_tracker.project.scan import Identity
    from scripts_tracker.running.calls import AskToAbort, PlannedRun
    from scripts_tracker.running.start import Begin, Held, Start

logger = logging.getLogger("scripts_tracker")

# The command objects whose run is being recorded: handle() of a base class, called through super(), is no second run.
_recording: ContextVar[frozenset[int]] = ContextVar("_recording", default=frozenset())
# The requirements that were checked already, by command object.
_checked: ContextVar[frozenset[tuple[int, Required]]] = ContextVar("_checked", default=frozenset())
# The attempts that this call is a part of, by the schema of the ledger and the key.
_around: ContextVar[frozenset[tuple[str, int]]] = ContextVar("_around", default=frozenset())


def run_tracked(
    call: HandleCall,
    options: ScriptOptions,
    ask: AskToAbort,
    begin: Begin | None = None,
    kind: type[Attempt] = Attempt,
) -> Any:
    """Make the call and record it; returns and raises what ``handle()`` does.

    Args:
        call: of the ``handle()``.
        options: of ``@tracked_script``.
        ask: asks whether to abort where a requirement is missing.
        begin: adds the running row, if not as that of a plain script.
        kind: the attempt that calls and records what was begun so.

    Raises:
        Held: another process runs the script.
        Changed: the run was planned, and the script has changed since.
        CommandError: the ledger cannot be used, or a requirement is missing.
    """
    if not conf.tracker_settings().enabled or id(call.command) in _recording.get():
        return call()
    if conf.is_beside_a_test():
        return call()  # a thread of its own would need a connection of its own
    planned = planned_run_of(call.command)
    identity = planned.identity if planned else identify(call.command)
    if inspect.iscoroutinefunction(call.function):
        reason = "handle() is async, which Django does not await; make it a plain def."
        raise CommandError(f"{identity.id}: {reason}")
    if inspect.isgeneratorfunction(call.function) or inspect.isasyncgenfunction(call.function):
        reason = "handle() has a yield, so Django does not run its body; make it a plain function."
        raise CommandError(f"{identity.id}: {reason}")
    required: tuple[Required, ...] = getattr(call.function, "required_scripts", ())
    with _set(_recording, _recording.get() | {id(call.command)}), _require(call, identity.id, required, ask):
        if rehearsed() is not None:
            return _rehearse(call, options, planned)
        start = _start(call, identity, options, planned, begin)
        if start is None:
            return call()
        try:
            return _perform(call, identity.id, start, options, planned=planned, kind=kind)
        finally:
            if planned is None and not start.inside:
                warn_if_unseen(call, identity)


def run_required(call: HandleCall, required: tuple[Required, ...], ask: AskToAbort) -> Any:
    """Make the call if the required scripts are applied, or a person decides to; raises CommandError otherwise."""
    if not conf.tracker_settings().enabled:
        return call()
    with _require(call, identify(call.command).id, required, ask):
        return call()


def record_failure(
    identity: Identity, planned: PlannedRun, error: BaseException, watch: tuple[str, ...] = ()
) -> None:
    """Record the failure of a planned script whose ``handle()`` was not even reached: a broken import, say."""
    call = HandleCall(lambda *_: None, planned.command, (), {})
    with contextlib.suppress(Error, LedgerMissing, CommandError):  # another process was faster; no ledger
        start = record_start(call, identity, ScriptOptions(watch=watch), planned)
        Attempt(call, identity.id, start, planned=planned).fail(error)


def is_around(held: Held) -> bool:
    """Whether this call is a part of the attempt that holds a script, so that waiting for its end would last for ever."""
    return held.run is not None and (held.schema, held.run.pk) in _around.get()


def _start(
    call: HandleCall,
    identity: Identity,
    options: ScriptOptions,
    planned: PlannedRun | None,
    begin: Begin | None,
) -> Start | None:
    """Record the start; None in a test that keeps the ledger from it, which is no reason to fail.

    It may forbid the ledger's database, have no tables, have replaced what we call, or run the script inside itself.
    """
    try:
        with _readable_errors(identity.id), database.uncounted():
            if options.atomic and conf.is_under_test():
                database.check_access(DEFAULT_DB_ALIAS)  # a test may forbid either database
            return record_start(call, identity, options, planned, begin)
    except Refused:
        raise
    except Exception:  # in a test only, where an untracked command would have met none of it
        if planned is not None or not conf.is_under_test():
            raise
        logger.debug("%s runs unrecorded in a test", identity.id, exc_info=True)
        return None


def _rehearse(call: HandleCall, options: ScriptOptions, planned: PlannedRun | None) -> Any:
    """Make the call as a part of a rehearsal, which records its own scripts; others that those call are not recorded."""
    if planned is None or planned.rehearse is None:
        return call()
    planned.on_start()
    with _captured(call.command) as output:
        return planned.rehearse(call, options, output)


def _perform(
    call: HandleCall,
    script_id: ScriptId,
    start: Start,
    options: ScriptOptions,
    *,
    planned: PlannedRun | None,
    kind: type[Attempt],
) -> Any:
    # A command that other code calls leaves the signals to that code.
    is_by_hand = getattr(call.command, "_called_from_command_line", False)
    with (
        processes.signals_raise(ends_process=True) if is_by_hand else contextlib.nullcontext(),
        _set(_around, _around.get() | {(start.run.place.schema, start.run.pk)}),
        _captured(call.command) as output,
        contextlib.ExitStack() as stack,
    ):
        made = Attempt if start.is_dry_run else kind
        said: list[str] = []
        attempt = made(call, script_id, start, options.atomic, planned, output, options.verify, said)
        if not start.is_dry_run and leases.needs_heartbeat():
            _start_heartbeat(attempt, stack, functools.partial(_warn, call, said))
        return attempt.perform()


def _start_heartbeat(attempt: Attempt, stack: contextlib.ExitStack, warn: Warn) -> None:
    """Renew the lease until the stack is left; without a first heartbeat the run is refused, and has failed."""
    from scripts_tracker.ledger.heartbeat import heartbeat, may_keep_output  # not on SQLite

    run, name = attempt.start.run, str(attempt.script_id)
    output = attempt.output if may_keep_output(run, is_atomic=attempt.is_atomic) else None
    try:
        stack.enter_context(heartbeat(run, name, warn, output))
    except Unrenewable as error:
        refused = CommandError(f"{name} was not run: its lease cannot be renewed: {error}")
        attempt.fail(refused)
        raise refused from error
    except BaseException as error:  # Ctrl-C
        attempt.fail(error)
        raise


def _warn(call: HandleCall, said: list[str], level: int, text: str) -> None:
    """Warn in the log and on the command's stderr, which is where Python logs to if the project configures nothing."""
    said.append(text)
    if logger.hasHandlers():
        logger.log(level, text)
    with contextlib.suppress(Exception):  # a closed stream must not end the heartbeat
        warn(call, text)


@contextlib.contextmanager
def _captured(command: object) -> Iterator[Callable[[], str]]:
    """Keep the tail of what the command prints; gives what the ledger keeps of it so far."""
    settings = conf.tracker_settings()
    if not settings.capture_output:
        yield str
        return
    with captured(command, settings.output_bytes) as tail:
        yield lambda: masked_tail(tail.text(), settings.output_bytes, settings.secret_pattern)


@contextlib.contextmanager
def _readable_errors(script_id: ScriptId) -> Iterator[None]:
    """Turn what keeps the ledger from being used into one line for the user."""
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
def _require(
    call: HandleCall, script_id: ScriptId, required: tuple[Required, ...], ask: AskToAbort
) -> Iterator[None]:
    """Check each requirement once a run, however many decorators name it.

    The runner has checked them all; and tests, in whose database nothing was ever applied, test the script alone.
    """
    keys = {(id(call.command), one): one for one in required}
    fresh = tuple(one for key, one in keys.items() if key not in _checked.get())
    if fresh and planned_run_of(call.command) is None and not conf.is_under_test():
        from scripts_tracker.running.requirements import check_requirements  # planning, every script's status

        with _readable_errors(script_id):
            check_requirements(script_id, fresh, ask)
    with _set(_checked, _checked.get() | set(keys)):
        yield
