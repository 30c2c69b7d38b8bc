"""One recorded attempt: lease, running row, handle(), outcome."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import inspect
import json
import logging
import os
import socket
import traceback
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError
from django.db import DatabaseError, connections, transaction

from scripts_tracker import arguments, conf, database, git, leases, ledger, requirements, scan
from scripts_tracker.datatypes import Fingerprint
from scripts_tracker.exceptions import LedgerMissing, UnreadableSource
from scripts_tracker.identity import identify
from scripts_tracker.ledger import OpenRun, RunFacts, VersionFacts
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
        CommandError: the ledger has no tables, somebody else runs the script, or what it requires is missing.
    """
    if not conf.tracker_settings().enabled or id(call.command) in _recording.get():
        return call()
    identity = identify(call.command)
    if inspect.iscoroutinefunction(call.function):
        raise CommandError(
            f"{identity.id}: handle() is async, which Django does not await; make it a plain def."
        )
    with _clear_words(), _set(_recording, _recording.get() | {id(call.command)}):
        required: tuple[Required, ...] = getattr(call.function, "required_scripts", ())
        with _require(call, identity.id, required):
            return _record(call, identity, options)


def run_required(call: Call, required: tuple[Required, ...]) -> Any:
    """Make the call if the required scripts are applied (or a person says so); raises CommandError otherwise."""
    if not conf.tracker_settings().enabled:
        return call()
    with _clear_words(), _require(call, identify(call.command).id, required):
        return call()


@contextlib.contextmanager
def _clear_words() -> Iterator[None]:
    """A missing table is one line for the user, not a traceback."""
    try:
        yield
    except LedgerMissing as error:
        raise CommandError(f"{error}") from error


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
        requirements.check(script_id, fresh, call.options)
    with _set(_asked, _asked.get() | set(keys)):
        yield


def read_version(script_id: ScriptId, file: str) -> VersionFacts:
    """The file as it stands now; what cannot be analysed is known by its bytes alone ("raw")."""
    try:
        with open(file, "rb") as stream:
            source = stream.read()
    except OSError:
        source = b""  # only compiled code is there: nothing to compare, but the run still counts
    return version_of(script_id, source)


def version_of(script_id: ScriptId, source: bytes) -> VersionFacts:
    """The version that these bytes are; libcst is not needed where the ledger has seen them."""
    content_digest = hashlib.sha256(source).hexdigest()
    kept = source if conf.tracker_settings().store_source else None
    known = ledger.known_version(script_id, content_digest)
    if known is not None:
        return VersionFacts(known[0], content_digest, known[1], kept)
    try:
        facts = scan.facts_of(source)
    except UnreadableSource:
        return VersionFacts(Fingerprint("raw", content_digest), content_digest, "", kept)
    if facts.fingerprint is None:
        return VersionFacts(Fingerprint("raw", content_digest), content_digest, "", kept)
    return VersionFacts(
        Fingerprint.parse(facts.fingerprint), content_digest, json.dumps(facts.to_json()), kept
    )


def who_and_where(kind: ledger.Kind, call: Call | None = None, reason: str = "") -> RunFacts:
    """One row's worth of who does something, where, and from which checkout."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such uid in this container, or no pwd module
        user = str(os.getuid()) if hasattr(os, "getuid") else ""
    return RunFacts(
        kind=kind,
        host=socket.gethostname()[:255],
        pid=os.getpid(),
        user=user[:255],
        arguments=arguments.shown(call.args, call.options) if call else "{}",
        git_revision=git.head_revision(conf.base_dir()),
        reason=reason,
    )


def _record(call: Call, identity: Identity, options: ScriptOptions) -> Any:
    version = read_version(identity.id, identity.file)
    if any(call.options.get(name) for name in options.unless):
        script = ledger.script_row(identity.id, identity.path)
        run = ledger.start_run(script.pk, version, who_and_where("rehearsal", call), "")
        return _Attempt(call, identity.id, run, atomic=options.atomic, reason="rehearsal").perform()
    reason = _why_not_to_apply(call, identity)
    script = ledger.script_row(identity.id, identity.path)
    facts = who_and_where("run", call)
    with transaction.atomic(using=database.alias()):
        token = _take(script, identity.id)
        run = ledger.start_run(script.pk, version, facts, token)
    with leases.Heartbeat(script.pk, token, database.alias()):
        return _Attempt(call, identity.id, run, atomic=options.atomic, reason=reason).perform()


def _take(script: Script, script_id: ScriptId) -> str:
    last = script.last_run
    holder = leases.Holder(last.host, last.pid) if last and last.outcome == "running" else None
    unseen = (
        connections[database.alias()].vendor == "sqlite" and holder is not None and holder.is_alive_here()
    )
    token = "" if unseen else leases.take(script.pk, database.alias())
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


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt whose running row is there: make the call, record the outcome, pass both on."""

    call: Call
    script_id: ScriptId
    run: OpenRun
    atomic: bool
    reason: str

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
        with transaction.atomic(using=database.alias()) if self.atomic else contextlib.nullcontext():
            try:
                result = self.call()
            except SystemExit as error:
                if error.code not in {None, 0}:
                    raise
                clean_exit = error
            if not ledger.end_run(self.run, "succeeded", applies=not self.reason, reason=self.reason):
                raise CommandError(
                    f"{self.script_id} ended, but another process had taken it over: its success is not recorded."
                )
        return result, clean_exit

    def _fail(self, error: BaseException) -> None:
        connection = connections[database.alias()]
        if connection.in_atomic_block and connection.needs_rollback:
            return  # the outer transaction takes the running row with it
        text = arguments.bounded("".join(traceback.format_exception(error)))
        for is_last_try in (False, True):
            try:
                ledger.end_run(self.run, "failed", applies=False, traceback=text)
            except DatabaseError:
                if is_last_try or connection.in_atomic_block:
                    logger.exception("the failure of %s could not be recorded", self.script_id)
                    return
                connection.close()  # the script may have lost it; the next query opens a new one
            else:
                return
