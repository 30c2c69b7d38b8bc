"""One worker of a batched script: it joins the walk or begins it, takes ranges, goes through them, and may do the end."""

from __future__ import annotations

import functools
import json
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.db import Error

from scripts_tracker import conf
from scripts_tracker.core import stops, watches
from scripts_tracker.core.events import WorkOptions
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, joining, leases, renaming, walks
from scripts_tracker.ledger.joining import NewWalk
from scripts_tracker.project import scan, versions
from scripts_tracker.running import attempt, start, unrecorded
from scripts_tracker.running.calls import HandleCall, Refused, Stopped
from scripts_tracker.running.keys import KeySpace, Sizes
from scripts_tracker.running.outcome import Attempt, masked_error
from scripts_tracker.running.walking import Walker, at_percent, decided, warn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from scripts_tracker.core.values import Required, ScriptOptions
    from scripts_tracker.ledger.joining import OpenWalk
    from scripts_tracker.ledger.leases import Entry, OpenRun
    from scripts_tracker.ledger.walks import Hold
    from scripts_tracker.ledger.writing import RunFacts, VersionFacts
    from scripts_tracker.project.scan import Identity
    from scripts_tracker.running.calls import AskToAbort, PlannedRun

__all__ = ["Refused", "Stopped", "run"]

T = TypeVar("T")

_PAUSE: Final = 0.02
_LONGEST: Final = 200  # characters of arguments that a line shows


def run(
    command: Any,
    tracking: tuple[ScriptOptions, Sequence[Required]],
    args: tuple[Any, ...],
    options: Mapping[str, Any],
    ask: AskToAbort,
) -> None:
    """Work on a batched script, and record it.

    Args:
        command: the object of the command.
        tracking: what the decorators of its ``process()`` say: the options, and the scripts that must run first.
        args: of ``handle()``.
        options: as above.
        ask: asks whether to abort where a requirement is missing.

    Raises:
        Stopped: the script is not finished, and nothing has failed.
        CommandError: a row fails, or as ``attempt.run_tracked``.
    """
    script_options, required = tracking
    worker = Worker(command, required)
    call = HandleCall(worker, command, args, options)
    attempt.run_tracked(call, script_options, ask, worker.begin, WorkerAttempt)


class _Unusable(Exception):
    """``batches()`` has no key space; its cause says why."""


class Worker:
    """What stands in for the ``handle()`` of a batched script.

    Args:
        command: the object of the command.
        required: the scripts that must run first.

    Attributes:
        reason: why the run does not apply; empty for the one that did the end.
        late: what hooks of ``on_commit`` have raised after their batches, in a line; empty if none did.
        late_traceback: of the first of them.
    """

    def __init__(self, command: Any, required: Sequence[Required]) -> None:
        self._command = command
        self.required_scripts = required
        self.reason = self.late = self.late_traceback = ""
        self._error: BaseException | None = None
        self._work = WorkOptions(wait=conf.tracker_settings().wait_seconds)
        self._run: OpenRun | None = None

    # Begin

    def begin(
        self, identity: Identity, facts: RunFacts, planned: PlannedRun | None, *, inside: bool
    ) -> OpenRun:
        """Join the open walk of the script, or begin one; as ``start.begin_run``."""
        self._id, self._inside = identity.id, inside
        if planned is not None and planned.work is not None:
            self._work = planned.work
        try:
            self._first_size = self._of_command(lambda: Sizes.of(self._command).first)
            self._space = self._of_command(lambda: KeySpace(self._command.batches()))
            self._run = self._begin(identity, facts, planned)
        except _Unusable as error:  # the attempt fails by it
            self._error = error.__cause__
            return start.begin_run(identity, facts, planned, inside=inside)
        return self._run

    @staticmethod
    def _of_command(ask: Callable[[], T]) -> T:
        try:
            return ask()
        except Exception as error:
            raise _Unusable from error

    def _begin(self, identity: Identity, facts: RunFacts, planned: PlannedRun | None) -> OpenRun:
        source, content_digest = versions.read_source(identity.file)
        until = time.monotonic() + database.patience()
        version: VersionFacts | None = None
        has_looked = False
        while True:
            entry = database.retry(lambda: leases.look_up(identity.id, content_digest), database.patience())
            walk = database.retry(functools.partial(joining.open_walk, entry.script_pk), database.patience())
            version = version or versions.describe(source, content_digest, entry.version)
            if walk is None and not has_looked:
                has_looked = True
                if self._is_carried_over(entry, version, facts):
                    continue
            chosen = self._choose(walk, entry, version, facts, planned)
            begin = functools.partial(
                joining.begin, identity.id, identity.path, entry, version, facts, walk=chosen
            )
            try:
                opened = database.retry(begin, database.patience())
            except Overtaken as error:
                if self._inside or time.monotonic() >= until:
                    raise start.Held(identity.id, entry) from error
            except Error as error:
                if database.is_contention(error):
                    raise start.Held(identity.id, entry) from error
                raise
            else:
                self._compare_arguments(chosen, facts)
                return opened
            time.sleep(_PAUSE)

    def _compare_arguments(self, walk: OpenWalk | NewWalk, facts: RunFacts) -> None:
        """Say so if a worker goes on with other arguments than the first one had: they may mean other rows."""
        then = None if isinstance(walk, NewWalk) else walk.arguments
        if then and json.loads(then) != json.loads(facts.arguments):
            again = database.typed("resume_script {} --restart", self._id)
            text = f"it was begun with other arguments ({then[:_LONGEST]}), which the rows that are done were processed with"
            warn(self._command, self._id, f"{text}. To begin again: {again}")

    def _is_carried_over(self, entry: Entry, version: VersionFacts, facts: RunFacts) -> bool:
        """Whether the script goes on under a new name; says so, and where another one whose file is gone may be this one."""
        on_table = functools.partial(joining.open_walks_on, self._space.database, self._space.table)
        left = [one for one in database.retry(on_table, database.patience()) if one.script_id != self._id]
        left = [one for one in left if scan.absence(one.path) is None]
        same = next((one for one in left if _is_same_code(one, version, facts)), None)
        if same is not None and entry.script_pk is None:
            renaming.carry_over([(same.script_id, self._id)])
            warn(
                self._command,
                self._id,
                f"its code is that of {same.script_id}, whose file is gone: it goes on from there{at_percent(same.pk)}",
            )
            return True
        for one in left:
            if one.hold is None or one.hold.kind != "cancel":
                cancel = database.typed('cancel_script {} --reason "..."', one.script_id)
                warn(
                    self._command,
                    self._id,
                    f"{one.script_id} has begun on the same table, has stopped{at_percent(one.pk)}, and its file is gone."
                    f" If this is its new name, its rows are processed again; to end it: {cancel}",
                )
        return False

    def _choose(
        self,
        walk: OpenWalk | None,
        entry: Entry,
        version: VersionFacts,
        facts: RunFacts,
        planned: PlannedRun | None,
    ) -> OpenWalk | NewWalk:
        """The walk to work on; raises if there is none for this code, or not now."""
        is_same = walk is not None and _is_same_code(walk, version, facts)
        if walk is None or (walk.hold and walk.hold.kind == "cancel" and not is_same):
            return self._new_walk(walk, entry, planned)
        if walk.hold is not None:
            raise self._refused(walk.hold)
        if not is_same:
            if walk.live or entry.holder:
                raise start.Held(self._id, entry)
            resume = database.typed("resume_script {}", self._id)
            raise Refused(
                f"{self._id} was not run: it was begun with other code{at_percent(walk.pk)}."
                f" To go on with this code: {resume} --accept-code; from the beginning: {resume} --restart"
            )
        if entry.holder and database.connection().vendor == "sqlite":
            raise start.Held(self._id, entry)
        space = self._space
        if (walk.database, walk.table) != (space.database, space.table):
            raise self._begun_on(
                f"table {walk.table} in database {walk.database!r}",
                f"batches() now returns rows of {space.table} in {space.database!r}",
            )
        if walk.key != space.kind:
            raise self._begun_on(
                f"keys of the kind {walk.key}", f"{space.table} has keys of another kind now"
            )
        return walk

    def _new_walk(self, walk: OpenWalk | None, entry: Entry, planned: PlannedRun | None) -> NewWalk:
        if entry.holder or (walk is not None and walk.live):
            raise start.Held(self._id, entry)
        last_run = (entry.last_run.pk, entry.last_run.outcome) if entry.last_run else None
        if planned is not None and planned.last_run != last_run:
            raise start.Changed(f"{self._id} was not run: another process ran or marked it in the meantime.")
        space = self._space
        ranges = self._of_command(lambda: space.ranges(self._work.workers))
        ends = walk.pk if walk else None
        return NewWalk(space.database, space.table, space.kind, ranges, self._first_size, ends)

    def _refused(self, hold: Hold) -> Refused:
        resume = database.typed("resume_script {}", self._id)
        if hold.kind == "pause":
            return Stopped(self._id, f"{decided(hold)}. To go on: {resume}")
        return Refused(
            f"{self._id} was not run: {decided(hold)}."
            f" To go on from there: {resume}; from the beginning: {resume} --restart"
        )

    def _begun_on(self, then: str, now: str) -> Refused:
        again = database.typed("resume_script {} --restart", self._id)
        return Refused(f"{self._id} was not run: it was begun on {then}, and {now}. To begin again: {again}")

    # Work

    def __call__(self, _command: Any, *_args: Any, **_options: Any) -> None:
        """Work until the script is finished, or raise why it is not."""
        if self._error is not None:
            raise self._error
        if self._run is None:
            unrecorded.walk(self._command)
            return
        walker = Walker(self._command, self._id, self._run, self._space, self._work, inside=self._inside)
        try:
            self.reason = walker.work()
        finally:
            if walker.late is not None:
                self.late_traceback, summary = masked_error(walker.late)
                count = f" (and {walker.late_count - 1} more)" if walker.late_count > 1 else ""
                self.late = f"error after the commit of a batch: {summary}{count}"


class WorkerAttempt(Attempt):
    """The attempt of a worker: it applies if it does the end of the walk, and one that stops early has not failed."""

    def called(self) -> tuple[Any, BaseException | None]:
        """As that of a plain script; to stop is no failure."""
        try:
            return super().called()
        except Stopped as stopped:
            self._worker.reason = f"{stops.STOPPED}: {stopped.reason}"
            return None, stopped

    def _verify(self) -> None:
        """Only the worker that does the end asks whether the work is done."""
        if not self._worker.reason:
            super()._verify()

    @property
    def _worker(self) -> Worker:
        worker: Worker = self.call.function  # type: ignore[assignment]  # as ``run`` has made it
        return worker

    def _record(self) -> bool:
        opened, given, worker = self.start.run, self.start.reason, self._worker
        reason = "; ".join(filter(None, (worker.reason or given, worker.late)))
        texts = {"output": self.output(), "reason": reason, "traceback": worker.late_traceback}
        if worker.reason or opened.walk_pk is None:
            return leases.end(opened, "succeeded", applies=False, **texts)
        return walks.succeed(opened, applies=not given, **texts)

    def _applies(self) -> bool:
        return not self._worker.reason and super()._applies()


def _is_same_code(walk: OpenWalk, version: VersionFacts, facts: RunFacts) -> bool:
    """Whether the file and the watched modules are those that a walk was begun with."""
    is_same = walk.version == version.fingerprint or walk.content_digest == version.content_digest
    now = watches.from_text(facts.watched) if facts.watched else ()
    return is_same and not watches.changed(now, walk.watched)
