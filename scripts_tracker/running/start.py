"""How an attempt starts: the version of the file, whether the script is held, the row that records the start."""

from __future__ import annotations

import functools
import logging
import time
from typing import TYPE_CHECKING, Protocol

from django.db import Error

from scripts_tracker import conf, signals
from scripts_tracker.core import redaction
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, leases, sessions
from scripts_tracker.project import scan, versions
from scripts_tracker.running.calls import PlainError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.values import ScriptId, ScriptOptions
    from scripts_tracker.ledger.leases import Entry, OpenRun
    from scripts_tracker.ledger.sessions import Level
    from scripts_tracker.ledger.writing import RunFacts, VersionFacts
    from scripts_tracker.project.scan import Identity
    from scripts_tracker.running.calls import HandleCall, PlannedRun

logger = logging.getLogger("scripts_tracker")

# How long to try while others write to the ledger.
_PATIENCE = 5.0
_PAUSE = 0.02
_DRY_RUN = "dry run"


class Held(PlainError):
    """Another process runs the script; ``run`` is its attempt, None where only a lock is seen."""

    def __init__(self, script_id: ScriptId, entry: Entry) -> None:
        from scripts_tracker.core.text import describe_holder  # seldom needed

        self.run, self.lease, self.schema = entry.holder, entry.lease, entry.place.schema
        held = describe_holder(self.run, self.lease)
        follow = f" To follow it: {database.typed('show_script {} --watch', script_id)}" if self.run else ""
        super().__init__(f"{script_id} was not run: {held}. Wait until that ends.{follow}")


class Changed(PlainError):
    """The script was run or marked since its run was planned."""


class Start(NamedTuple):
    """A recorded start.

    Attributes:
        run: the running row.
        reason: why a success does not count as applied; empty where it does.
        inside: whether the rows belong to a transaction of the caller, or the connection to his test.
        levels: what was open on the connections of this thread; None in a test, which ends what is open.
    """

    run: OpenRun
    reason: str
    inside: bool
    levels: Mapping[str, Level] | None

    @property
    def is_dry_run(self) -> bool:
        """Whether this is a dry run: it changes nothing that counts, so it holds nothing."""
        return self.reason == _DRY_RUN

    @property
    def kind(self) -> str:
        """Run or rehearsal."""
        return "rehearsal" if self.is_dry_run else "run"


def record_start(
    call: HandleCall,
    identity: Identity,
    options: ScriptOptions,
    planned: PlannedRun | None,
    begin: Begin | None = None,
) -> Start:
    """Record that an attempt starts; a dry run needs no lease.

    Args:
        call: of the ``handle()``.
        identity: of the script.
        options: of ``@tracked_script``.
        planned: the plan for the run, if there is one.
        begin: adds the running row; ``begin_run`` by default, and for a dry run.

    Raises:
        Held: another process runs the script.
        Changed: the plan is out of date.
        LedgerMissing, Error: the ledger cannot be used.
    """
    inside = database.is_in_transaction() or conf.is_under_test()
    if conf.tracker_settings().renamed_apps:
        from scripts_tracker.ledger import renaming  # few projects have renamed an app
        from scripts_tracker.project import lineage

        renaming.carry_over(lineage.earlier_ids([identity.id]))
    database.join_transaction()
    is_dry_run = any(call.options.get(name) for name in options.unless)
    reason = _DRY_RUN if is_dry_run else _why_not_applied(call, identity)
    given = redaction.arguments_to_json(call.args, call.options, conf.tracker_settings().secret_pattern)
    facts = versions.run_metadata("rehearsal" if is_dry_run else "run", given=given)
    if options.watch:
        from scripts_tracker.core import watches  # few scripts watch anything

        facts = facts._replace(watched=watches.to_text(scan.watched_modules(options.watch)))
    add = begin_run if begin is None or is_dry_run else begin
    run = add(identity, facts, planned, inside=inside)
    if planned is not None:
        planned.run, planned.kind, planned.reason = run.pk, facts.kind, reason
        planned.on_start()
    if (lost := run.lost) is not None:
        where = {"host": lost.host, "pid": lost.pid, "started_at": lost.started_at}
        signals.script_lost.send_robust(type(call.command), script=identity.id, run=lost.pk, **where)
    return Start(run, reason, inside, None if conf.is_under_test() else sessions.levels())


class Begin(Protocol):
    """Adds the running row of an attempt."""

    def __call__(
        self, identity: Identity, facts: RunFacts, planned: PlannedRun | None, *, inside: bool
    ) -> OpenRun:
        """As ``begin_run``."""


def _patience() -> float:
    """A test does not wait: it may have stopped the clock."""
    return 0 if conf.is_under_test() else _PATIENCE


def begin_run(identity: Identity, facts: RunFacts, planned: PlannedRun | None, *, inside: bool) -> OpenRun:
    """Add the running row of an attempt, which holds its script; raises as ``record_start`` does."""
    source, content_digest = versions.read_source(identity.file)
    until = time.monotonic() + _patience()
    version: VersionFacts | None = None
    while True:
        entry = _look_up(identity.id, content_digest, facts, planned)
        version = version or versions.describe(source, content_digest, entry.version)
        try:
            return _take(identity, entry, version, facts)
        except Overtaken as error:
            if inside or time.monotonic() >= until:
                raise Held(identity.id, entry) from error
        time.sleep(_PAUSE)


def _look_up(script_id: ScriptId, content_digest: str, facts: RunFacts, planned: PlannedRun | None) -> Entry:
    entry = database.retry(lambda: leases.look_up(script_id, content_digest), _patience())
    if facts.kind == "run" and entry.holder:
        raise Held(script_id, entry)
    last_run = (entry.last_run.pk, entry.last_run.outcome) if entry.last_run else None
    if planned is not None and planned.last_run != last_run:
        raise Changed(f"{script_id} was not run: another process ran or marked it in the meantime.")
    return entry


def _take(identity: Identity, entry: Entry, version: VersionFacts, facts: RunFacts) -> OpenRun:
    begin = functools.partial(leases.begin, identity.id, identity.path, entry, version, facts)
    try:
        return database.retry(begin, _patience())
    except Error as error:
        if database.is_contention(error):
            raise Held(identity.id, entry) from error
        raise


def _why_not_applied(call: HandleCall, identity: Identity) -> str:
    """Why a success does not count as applied; empty where it does (CHECK_SCRIPT_GIT_STATUS)."""
    if not conf.checks_git_status() or conf.is_under_test():
        return ""
    from scripts_tracker.core.git import GitUnavailable  # few projects ask
    from scripts_tracker.project import git

    try:
        is_changed = git.has_uncommitted_changes(identity.file)
    except GitUnavailable as error:
        warn(call, f"{identity.path}: cannot check for uncommitted changes ({error}).")
        return ""
    if is_changed:
        warn(call, f"{identity.path} has uncommitted changes: this run will not mark {identity.id} applied.")
    return "uncommitted changes" if is_changed else ""


def warn_if_unseen(call: HandleCall, identity: Identity) -> None:
    """Say that a run was recorded of a script that a check does not see; whatever goes wrong here changes no outcome."""
    try:
        reason = scan.why_unseen(identity)
    except Exception:  # a file that vanished, a setting that a script has changed
        logger.debug("%s was not looked up", identity.id, exc_info=True)
        return
    if reason:
        from scripts_tracker.core.escaping import escaped  # seldom needed

        text = f"{identity.id} ran, but check_scripts does not see it: {reason}. No other environment learns of it."
        text = escaped(text)
        if logger.hasHandlers():
            logger.warning(text)
        warn(call, text)


def warn(call: HandleCall, text: str) -> None:
    """Warn on the command's stderr; in the log where the object has none."""
    from scripts_tracker.core.escaping import escaped  # seldom needed

    text = escaped(text)
    stderr = getattr(call.command, "stderr", None)
    if stderr is None:
        logger.warning(text)
    else:
        stderr.write(f"Warning: {text}")
