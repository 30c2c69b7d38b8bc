"""A rehearsal: the scripts of a plan run one after the other, and everything that they did is rolled back at the end."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db import Error, connections
from django.db.backends.signals import connection_created

from scripts_tracker import conf
from scripts_tracker.core import sql_masking
from scripts_tracker.core.events import Result, StepOutcome, Summary
from scripts_tracker.core.redaction import arguments_to_json, compiled, mask
from scripts_tracker.core.reports import RehearsalReport
from scripts_tracker.core.states import State
from scripts_tracker.core.text import describe_holder
from scripts_tracker.ledger import database, processes, rehearsals
from scripts_tracker.ledger.rehearsals import EndOfRehearsal
from scripts_tracker.project import scan, versions
from scripts_tracker.project.scan import Identity
from scripts_tracker.running import calls, sample, verification
from scripts_tracker.running.outcome import Attempt, masked_error
from scripts_tracker.running.recording_sql import Recorder
from scripts_tracker.running.rolled_back import Ended, Refused, RolledBack
from scripts_tracker.running.runner import Runner
from scripts_tracker.running.start import Start, begin_run
from scripts_tracker.running.unsent import Unsent, unsent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts_tracker.core.events import RunEvent, RunOptions
    from scripts_tracker.core.planning import Plan
    from scripts_tracker.core.reports import Sample
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId, ScriptOptions
    from scripts_tracker.ledger.leases import OpenRun
    from scripts_tracker.running.calls import HandleCall, PlannedRun

_REASON: Final = "rehearsal"
_DRY_RUN: Final = "dry run"
# From so many on, commits take a share of the time that is worth a word.
_MANY_COMMITS: Final = 10


class Rehearsal(Runner):
    """One rehearsal of a plan; it takes no lease, and nothing becomes applied by it.

    Args:
        plan: what to rehearse, in order; each script sees what the ones before it have changed.
        by_id: every script as the plan saw it.
        options: how to run it.
        report: gets every event, in order.
        batches: how many batches of a batched script.
        shows_sql: whether every statement is an event.
        on_begin: called before the first script, with the vendors of the databases that are rolled back and why others
            cannot be used, by alias.

    Attributes:
        broken: the databases where not everything may have been rolled back.
    """

    def __init__(
        self,
        plan: Plan,
        by_id: Mapping[ScriptId, ScriptStatus],
        options: RunOptions,
        report: Callable[[RunEvent], None],
        *,
        batches: int = sample.DEFAULT_BATCHES,
        shows_sql: bool = False,
        on_begin: Callable[[Mapping[str, str], Mapping[str, str]], None] = lambda *_: None,
    ) -> None:
        super().__init__(plan, by_id, options, report)
        self.broken: tuple[str, ...] = ()
        self._batches = batches
        self._shows_sql = shows_sql
        self._on_begin = on_begin
        self._open: list[RolledBack] = []
        self._unsent = Unsent()
        self._rows: dict[ScriptId, OpenRun] = {}
        self._ends: dict[ScriptId, EndOfRehearsal] = {}
        self._recorder = Recorder()
        self._sample: Sample | None = None
        self._arguments = "{}"
        self._output: Callable[[], str] = str
        self._refused: Refused | None = None
        self._gone: Ended | None = None
        self._is_hurried = False

    def carry_out(self) -> Summary:
        """Rehearse every step that can be run; the ledger gets the reports after everything is rolled back."""
        if not self._plan.steps:
            return super().carry_out()
        try:
            for status in self._plan.steps:
                if status.state is not State.RUNNING:
                    self._rows[status.id] = self._begin_row(status)
            with self._rolled_back(), unsent() as self._unsent, self._no_other_connections():
                return super().carry_out()
        finally:
            with processes.signals_held():
                self._end_rows()

    # The rows of the ledger

    @staticmethod
    def _begin_row(status: ScriptStatus) -> OpenRun:
        facts = versions.run_metadata("rehearsal")._replace(report=rehearsals.BEGUN)
        identity = Identity(status.id, status.path, scan.absolute_path(status.path))
        inside = database.is_in_transaction() or conf.is_under_test()
        return begin_run(identity, facts, None, inside=inside)

    def _end_rows(self) -> None:
        for script_id, run in self._rows.items():
            ended = self._ends.get(script_id)
            end = functools.partial(rehearsals.end, run, ended) if ended else None
            withdraw = functools.partial(rehearsals.withdraw, run)
            database.retry(end or withdraw, database.patience())

    # Everything around the scripts

    @contextlib.contextmanager
    def _rolled_back(self) -> Iterator[None]:
        """Let all that the block changes in any database be undone at its end."""
        unavailable: dict[str, str] = {}
        try:
            for alias in connections:
                self._begin(RolledBack(connections[alias]), unavailable)
            vendors = {one.alias: one.connection.vendor for one in self._open}
            self._on_begin(vendors, unavailable)
            yield
        except BaseException:
            self._is_hurried = True
            raise
        finally:
            with processes.signals_held():
                same = {one.alias: one.end(is_hurried=self._is_hurried) for one in reversed(self._open)}
            self.broken = tuple(alias for alias, is_same in same.items() if not is_same)

    def _begin(self, one: RolledBack, unavailable: dict[str, str]) -> None:
        try:
            one.begin()
        except (Error, AssertionError, ImproperlyConfigured) as error:  # a test may forbid a database
            if one.alias == database.alias():
                raise
            unavailable[one.alias] = database.error_summary(error)
        else:
            self._open.append(one)

    @contextlib.contextmanager
    def _no_other_connections(self) -> Iterator[None]:
        """Refuse connections that are opened by a script: what is done there would stay.

        Other threads of the process that were there before do as they like, and all of them if this is not the main one.
        """
        own, is_main = threading.get_ident(), threading.current_thread() is threading.main_thread()
        before = {thread.ident for thread in threading.enumerate()}

        def refuse(connection: Any, **_facts: object) -> None:
            thread = threading.get_ident()
            if thread != own and (thread in before or not is_main):
                return
            database.discard(connection)
            where = "in another thread" if thread != own else "of its own"
            why = f"a connection {where} to database {connection.alias!r} could not be rolled back"
            error = Refused(f"not possible in a rehearsal, and not done: {why}")
            self._refused = self._refused or error
            raise error

        try:
            connection_created.connect(refuse, weak=False, dispatch_uid=refuse)
            yield
        finally:
            connection_created.disconnect(dispatch_uid=refuse)

    # One step

    def _start_clean(self) -> None:
        """Nothing: the next script sees what the last one has changed."""

    def _obstacle(self, status: ScriptStatus, *, is_interrupted: bool) -> Result | None:
        if self._gone is not None:
            return Result(status, StepOutcome.SKIPPED, text="the transaction of the rehearsal has ended")
        return super()._obstacle(status, is_interrupted=is_interrupted)

    def _step(self, planned_status: ScriptStatus) -> Result:
        status = self._by_id.get(planned_status.id, planned_status)
        if status.state is State.RUNNING:
            lease = status.record.lease if status.record else None
            return self._ended(status, StepOutcome.HELD, describe_holder(status.last_run, lease))
        return self._try(status)

    def _settle(self, result: Result) -> None:
        ended = self._ends.get(result.status.id)
        super()._settle(result._replace(report=ended.report) if ended else result)

    def _succeeded(self, status: ScriptStatus, planned: PlannedRun) -> Result:  # noqa: ARG002 - as the runner calls it
        return self._ended(status, StepOutcome.REHEARSED, "")

    def _record_unreached(self, status: ScriptStatus, planned: PlannedRun, error: BaseException) -> None:
        """Nothing: ``_call_and_put_back`` has kept how it ended."""

    def _plan_for(self, status: ScriptStatus) -> PlannedRun:
        planned = super()._plan_for(status)
        planned.rehearse = functools.partial(self._rehearse, planned)
        return planned

    def _call_and_put_back(self, status: ScriptStatus, planned: PlannedRun) -> None:
        """Call the script, record what it does, and take that back if it fails."""
        self._recorder = Recorder(self._show(status) if self._shows_sql else None)
        self._sample, self._output, self._arguments, self._refused = None, str, "{}", None
        hooks, mails, jobs = self._hooks, self._unsent.mails, self._unsent.jobs
        commits = self._commits
        began, moment, error = time.monotonic(), database.now(), list[BaseException]()
        try:
            with self._taking_back_failures(error):
                for one in self._open:
                    one.begin_script(self._recorder)
                self._call_recorded(status, planned)
        finally:
            recorder = self._recorder
            report = RehearsalReport(
                recorder.tables,
                recorder.statements,
                time.monotonic() - began,
                self._hooks - hooks,
                self._unsent.mails - mails,
                self._unsent.jobs - jobs,
                (*recorder.warnings, *_about_commits(self._commits - commits)),
                self._sample,
            )
            self._ends[status.id] = self._record_of(moment, report, error[0] if error else None)

    @property
    def _commits(self) -> int:
        return sum(one.commits for one in self._open)

    @property
    def _hooks(self) -> int:
        return sum(one.hooks for one in self._open)

    def _record_of(self, moment: Any, report: RehearsalReport, error: BaseException | None) -> EndOfRehearsal:
        outcome, (trace, summary) = "failed", ("", "")
        if error is None:
            outcome = "succeeded"
        else:
            trace, summary = masked_error(error)
        return EndOfRehearsal(
            outcome, moment, database.now(), report, self._arguments, self._output(), trace, summary
        )

    def _call_recorded(self, status: ScriptStatus, planned: PlannedRun) -> None:
        done = frozenset(one for one, result in self._results.items() if not result.outcome.blocks)
        with contextlib.ExitStack() as stack:
            for one in self._open:
                stack.enter_context(self._recorder.watching(one.connection, one.guarding))
            stack.enter_context(calls.rehearsing(done))
            super()._call_and_put_back(status, planned)
        self._check(status)

    def _check(self, status: ScriptStatus) -> None:
        """Raise what the script has swallowed, or left behind."""
        for refused in (self._refused, *(one.refused for one in self._open)):
            if refused is not None:
                raise refused
        left = {one.alias: how for one in self._open if (how := one.left_open())}
        if left:
            where = " and ".join(f"{alias!r} ({how})" for alias, how in left.items())
            raise CommandError(f"{status.id} finished, but left a transaction open in database {where}.")
        for one in self._open:
            one.end_script()

    @contextlib.contextmanager
    def _taking_back_failures(self, raised: list[BaseException]) -> Iterator[None]:
        try:
            yield
        except BaseException as error:
            raised.append(error)
            if processes.interrupt_in(error) is not None:
                self._is_hurried = True  # an answer of a database may be cut in two
                raise
            try:
                for one in self._open:
                    one.undo_script()
            except Ended as ended:
                self._gone, raised[:] = ended, [ended]
                raise ended from error
            raise

    def _show(self, status: ScriptStatus) -> Callable[[str, str], None]:
        secrets = compiled(conf.tracker_settings().secret_pattern)

        def show(alias: str, text: str) -> None:
            where = "" if alias == "default" else f"{alias}: "
            named = sql_masking.masked(text, connections[alias].vendor)
            self._send("statement", status, line=where + mask(named, secrets))

        return show

    # Inside of handle()

    def _rehearse(
        self, planned: PlannedRun, call: HandleCall, options: ScriptOptions, output: Callable[[], str]
    ) -> Any:
        """Make the call of ``handle()``; of a batched script, process some of its batches."""
        self._output = output
        self._arguments = arguments_to_json(call.args, call.options, conf.tracker_settings().secret_pattern)
        run = self._rows[planned.identity.id]
        is_dry_run = any(call.options.get(name) for name in options.unless)
        planned.run, planned.kind = run.pk, "rehearsal"
        planned.reason = _DRY_RUN if is_dry_run else _REASON
        is_batched = getattr(call.command, "is_batched", False) is True
        verify = options.verify
        if is_batched:
            call, verify = call._replace(function=functools.partial(self._process, verify)), None
        start = Start(run, planned.reason, inside=True, levels=None)
        attempt = Attempt(call, planned.identity.id, start, planned=planned, output=output, verify=verify)
        result, _ = attempt.called()
        return result

    def _process(self, verify: str | None, command: Any, *_args: Any, **_options: Any) -> None:
        self._sample = sample.rehearse(command, self._batches, lambda: self._recorder.rows)
        if self._sample.is_whole:
            command.finish()
            if verify is not None:
                verification.verify(command, verify)
        else:
            names = " and ".join(f"{name}()" for name in ("finish", verify) if name)
            self._recorder.warnings[f"{names} not called, as not all batches were processed"] = None


def _about_commits(count: int) -> tuple[str, ...]:
    """A rehearsal is faster than a run that commits often."""
    if count < _MANY_COMMITS:
        return ()
    return (f"{count:,} commits were not made; in a real run, each waits for the disk",)
