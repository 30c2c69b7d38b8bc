"""How an attempt starts: the version that is there, the look whether anybody holds the script, the row that says so."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from django.core.management.base import CommandError
from django.db import Error

from scripts_tracker import conf, signals
from scripts_tracker.core import redaction, watches
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, leases
from scripts_tracker.project import git, scan, versions
from scripts_tracker.project.versions import run_metadata

if TYPE_CHECKING:
    from scripts_tracker.core.values import RunRecord, ScriptId, ScriptOptions
    from scripts_tracker.ledger.leases import Entry, OpenRun
    from scripts_tracker.ledger.writing import RunFacts, VersionFacts
    from scripts_tracker.project.scan import Identity
    from scripts_tracker.running.calls import Call, Ticket

logger = logging.getLogger("scripts_tracker")

# How long to try where others write to the ledger at the same moment.
_PATIENCE = 5.0
_PAUSE = 0.02
_DRY_RUN = "dry run"


class Held(CommandError):
    """Somebody else runs the script; ``run`` is their attempt, None where only a lock of theirs is seen."""

    def __init__(self, script_id: ScriptId, run: RunRecord | None) -> None:
        from scripts_tracker.core.text import describe_holder  # seldom needed

        super().__init__(f"{script_id} was not run: {describe_holder(run)}. Wait until that ends.")
        self.run = run


class Changed(CommandError):
    """The script was run or marked since its run was planned."""


class Start(NamedTuple):
    """A recorded start; ``reason`` says why a success does not count as applied, empty where it does.

    ``inside`` tells whether a transaction of the caller holds the rows, or his test the connection.
    """

    run: OpenRun
    reason: str
    inside: bool

    @property
    def is_rehearsal(self) -> bool:
        """Whether nothing is held, as nothing is going to change that counts."""
        return self.reason == _DRY_RUN


def start(call: Call, identity: Identity, options: ScriptOptions, ticket: Ticket | None) -> Start:
    """Record that an attempt starts; a rehearsal needs no lease, as it changes nothing that counts.

    Raises:
        Held: somebody else runs the script.
        Changed: the ticket is out of date.
        LedgerMissing, Error: the ledger cannot be used.
    """
    inside = database.is_in_transaction() or conf.is_under_test()
    database.join_transaction()
    is_rehearsal = any(call.options.get(name) for name in options.unless)
    reason = _DRY_RUN if is_rehearsal else _why_not_to_apply(call, identity)
    facts = run_metadata(
        "rehearsal" if is_rehearsal else "run",
        given=redaction.arguments_to_json(call.args, call.options, conf.tracker_settings().secret_pattern),
    )
    if options.watch:
        facts = facts._replace(watched=watches.to_text(scan.watched_modules(options.watch)))
    run = _begin(identity, facts, ticket, inside=inside)
    if ticket is not None:
        ticket.run, ticket.kind, ticket.reason = run.pk, facts.kind, reason
        ticket.on_start()
    if run.lost is not None:
        _tell_of_the_lost(type(call.command), identity.id, run.lost)
    return Start(run, reason, inside)


def _patience() -> float:
    """No test is to wait, least of all one that has stopped the clock."""
    return 0 if conf.is_under_test() else _PATIENCE


def _begin(identity: Identity, facts: RunFacts, ticket: Ticket | None, *, inside: bool) -> OpenRun:
    source, content_digest = versions.read_source(identity.file)
    until = time.monotonic() + _patience()
    version: VersionFacts | None = None
    while True:
        entry = _look(identity.id, content_digest, facts, ticket)
        version = version or versions.describe(source, content_digest, entry.version)
        try:
            return _patiently(identity, entry, version, facts)
        except Overtaken as error:
            if inside or time.monotonic() >= until:
                raise Held(identity.id, entry.holder) from error
        time.sleep(_PAUSE)


def _look(script_id: ScriptId, content_digest: str, facts: RunFacts, ticket: Ticket | None) -> Entry:
    entry = database.retry(lambda: leases.look_up(script_id, content_digest), _patience())
    if facts.kind == "run" and (run := entry.holder):
        raise Held(script_id, run)
    last_run = (entry.last_run.pk, entry.last_run.outcome) if entry.last_run else None
    if ticket is not None and ticket.last_run != last_run:
        raise Changed(f"{script_id} was not run: somebody else ran or marked it meanwhile.")
    return entry


def _patiently(identity: Identity, entry: Entry, version: VersionFacts, facts: RunFacts) -> OpenRun:
    try:
        return database.retry(
            lambda: leases.begin(identity.id, identity.path, entry, version, facts), _patience()
        )
    except Error as error:
        if database.is_contention(error):
            raise Held(identity.id, entry.holder) from error
        raise


def _tell_of_the_lost(sender: type, script_id: ScriptId, run: RunRecord) -> None:
    signals.script_lost.send_robust(
        sender, script=script_id, run=run.pk, host=run.host, pid=run.pid, started_at=run.started_at
    )


def _why_not_to_apply(call: Call, identity: Identity) -> str:
    """Why a success is not to count as applied, empty where it is to count (CHECK_SCRIPT_GIT_STATUS)."""
    if not conf.checks_git_status() or conf.is_under_test():
        return ""
    from scripts_tracker.core.git import GitUnavailable  # few projects ask

    try:
        changed = git.has_uncommitted_changes(identity.file)
    except GitUnavailable as error:
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
