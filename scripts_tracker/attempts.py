"""One recorded attempt: what it requires, its lease, its running row; how it ends is told in outcomes.py."""

from __future__ import annotations

import contextlib
import inspect
import logging
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError
from django.db import Error, transaction

from scripts_tracker import arguments, conf, database, git, leases, ledger, requirements, versions
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.identity import identify
from scripts_tracker.outcomes import Attempt
from scripts_tracker.provenance import who_and_where
from scripts_tracker.report import local_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts_tracker.datatypes import ScriptId, ScriptOptions
    from scripts_tracker.identity import Identity
    from scripts_tracker.models import Script
    from scripts_tracker.vocabulary import Required

logger = logging.getLogger("scripts_tracker")

# The command objects whose run is being recorded: handle() of a base class, called through super(), is no second run.
_recording: ContextVar[frozenset[int]] = ContextVar("_recording", default=frozenset())
# The requirements that were looked at already, by command object.
_asked: ContextVar[frozenset[tuple[int, Required]]] = ContextVar("_asked", default=frozenset())


@dataclass(frozen=True, slots=True)
class Call:
    """A call of ``handle()`` that is yet to be made."""

    function: Callable[..., Any]
    command: object
    args: tuple[Any, ...]
    options: Mapping[str, Any]

    def __call__(self) -> Any:
        """Make the call."""
        return self.function(self.command, *self.args, **self.options)


def run_tracked(call: Call, options: ScriptOptions) -> Any:
    """Make the call and record it; returns and raises what ``handle()`` does.

    Raises:
        CommandError: the ledger cannot be used, somebody else runs the script, or what it requires is missing.
    """
    if not conf.tracker_settings().enabled or id(call.command) in _recording.get():
        return call()
    identity = identify(call.command)
    if inspect.iscoroutinefunction(call.function):
        raise CommandError(
            f"{identity.id}: handle() is async, which Django does not await; make it a plain def."
        )
    required: tuple[Required, ...] = getattr(call.function, "required_scripts", ())
    with _set(_recording, _recording.get() | {id(call.command)}), _require(call, identity.id, required):
        with _ledger_trouble(identity.id):
            attempt, heartbeat = _start(call, identity, options)
        with heartbeat:
            return attempt.perform()


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
        words = " ".join(str(error).split())
        raise CommandError(
            f"{script_id} was not run: the ledger in database {database.alias()!r} cannot be used: {words}"
            " (after an upgrade: manage.py migrate scripts_tracker)"
        ) from error


@contextlib.contextmanager
def _set(variable: ContextVar[Any], value: object) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@contextlib.contextmanager
def _require(call: Call, script_id: ScriptId, required: tuple[Required, ...]) -> Iterator[None]:
    """Each requirement is looked at once a run, however many decorators name it."""
    keys = {(id(call.command), one): one for one in required}
    fresh = tuple(one for key, one in keys.items() if key not in _asked.get())
    if fresh:
        with _ledger_trouble(script_id):
            requirements.check(script_id, fresh, call.options)
    with _set(_asked, _asked.get() | set(keys)):
        yield


def _start(
    call: Call, identity: Identity, options: ScriptOptions
) -> tuple[Attempt, contextlib.AbstractContextManager[None]]:
    """Record that the attempt starts; a rehearsal needs no lease, as it changes nothing that counts."""
    version = versions.read_version(identity.id, identity.file)
    given = arguments.shown(call.args, call.options)
    inside = database.is_in_transaction()
    script = ledger.script_row(identity.id, identity.path)
    if any(call.options.get(name) for name in options.unless):
        run = ledger.start_run(script.pk, version, who_and_where("rehearsal", given=given), "")
        return Attempt(call, identity.id, run, options.atomic, "rehearsal", inside), contextlib.nullcontext()
    reason = _why_not_to_apply(call, identity)
    facts = who_and_where("run", given=given)
    with transaction.atomic(using=database.alias()):
        token = _take(script, identity.id)
        run = ledger.start_run(script.pk, version, facts, token)
    heartbeat = leases.Heartbeat(script.pk, token, database.alias())
    return Attempt(call, identity.id, run, options.atomic, reason, inside), heartbeat


def _take(script: Script, script_id: ScriptId) -> str:
    using = database.alias()
    token = "" if leases.is_held_unrenewed(script.last_run, using) else leases.take(script.pk, using)
    if not token:
        raise CommandError(f"{script_id} was not run: {_who_runs(script)}. Wait until that ends.")
    return token


def _who_runs(script: Script) -> str:
    script.refresh_from_db()
    run = script.last_run
    if run is None:
        return "it is being run"
    return f"it has been running since {local_time(run.started_at)} on {run.host}, process {run.pid}"


def _why_not_to_apply(call: Call, identity: Identity) -> str:
    """Why a success is not to count as applied, empty where it is to count (CHECK_SCRIPT_GIT_STATUS)."""
    if not conf.checks_git_status():
        return ""
    try:
        changed = git.has_uncommitted_changes(identity.file)
    except git.GitUnavailable as error:
        _tell(call, f"{identity.path}: cannot tell whether it has uncommitted changes ({error}).")
        return ""
    if not changed:
        return ""
    _tell(call, f"{identity.path} has uncommitted changes: this run will not mark {identity.id} applied.")
    return "uncommitted changes"


def _tell(call: Call, text: str) -> None:
    """Warn on the command's own stderr, where its user looks; by log where a bare object has none."""
    stderr = getattr(call.command, "stderr", None)
    if stderr is None:
        logger.warning(text)
    else:
        stderr.write(f"Warning: {text}")
