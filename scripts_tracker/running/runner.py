"""Carries out a plan, one script at a time, and reports to a callback; never prints."""

from __future__ import annotations

import argparse
import functools
import importlib
import logging
import os
import random
import time
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from scripts_tracker import conf
from scripts_tracker.core.events import EXIT_STOPPED, Result, RunEvent, StepOutcome, Summary, WorkOptions
from scripts_tracker.core.states import State
from scripts_tracker.core.text import as_typed, describe_holder, error_text, plain_reason
from scripts_tracker.core.values import AFTER_SUCCESS
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import database, processes, queries, sessions
from scripts_tracker.project import scan
from scripts_tracker.project.scan import Identity
from scripts_tracker.project.status import load_status
from scripts_tracker.running import process_state
from scripts_tracker.running.attempt import is_around, record_failure
from scripts_tracker.running.calls import PlannedRun, Stopped, running_as_planned
from scripts_tracker.running.outcome import INTERRUPTED, Unrecorded
from scripts_tracker.running.start import Changed, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts_tracker.core.events import RunOptions, WorkerStart
    from scripts_tracker.core.planning import Plan
    from scripts_tracker.core.progress import Progress
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import Lease, RunRecord, ScriptId
    from scripts_tracker.running.workers import End

T = TypeVar("T")

# Seconds between two looks at a held script: at random between the first and a limit that grows from the second to the
# third, so that many runners that started together do not ask together.
_SHORTEST_PAUSE, _FIRST_LIMIT, _LAST_LIMIT = 0.3, 0.5, 5.0
_LONGEST = 2000  # characters of an error that a line shows
_LEAST_PATIENCE = 5.0
_INTERRUPTED = "the run was interrupted"
TIME_IS_OVER = "the time of --for is over"
# How the errors of parsers begin: Django's and the one of django-typer.
_WRONG_ARGUMENTS = ("Error: ", "Missing parameter")
# What keeps a command from prompting: by the name of the option, or of the variable that it sets.
_NO_INPUT = frozenset({"--no-input", "--noinput"})
_SILENT = {"interactive": False, "no_input": True, "noinput": True}

logger = logging.getLogger("scripts_tracker")


class Runner:
    """One run of a plan.

    Args:
        plan: what to run, in order.
        by_id: every script as the plan saw it.
        options: how to run it.
        report: gets every event, in order.
    """

    def __init__(
        self,
        plan: Plan,
        by_id: Mapping[ScriptId, ScriptStatus],
        options: RunOptions,
        report: Callable[[RunEvent], None],
    ) -> None:
        self._plan = plan
        self._by_id = by_id
        self._options = options
        self._report = report
        self._results: dict[ScriptId, Result] = {}
        self._first_failure: Result | None = None
        self._number = 0
        self._began = 0.0
        seconds = options.seconds
        self._until = None if seconds is None else time.monotonic() + seconds
        self._planned: PlannedRun | None = None
        self._interrupt: KeyboardInterrupt | None = None
        self._inside = False
        # Who holds the script that the current step waits for, as of the last look.
        self._holder: tuple[RunRecord | None, Lease | None] = (None, None)

    def carry_out(self) -> Summary:
        """Run every step that can be run; Ctrl-C and signals end the run, and the summary has them."""
        for status, reasons in self._plan.blocked:
            self._results[status.id] = Result(status, StepOutcome.BLOCKED, text="; ".join(reasons))
        interrupt: KeyboardInterrupt | None = None
        self._inside = database.is_in_transaction()
        for number, status in enumerate(self._plan.steps, start=1):
            self._number = number
            self._began, self._planned = time.monotonic(), None
            obstacle = self._obstacle(status, is_interrupted=interrupt is not None)
            if obstacle is not None:
                self._settle(obstacle)
                continue
            try:
                if number > 1:
                    self._start_clean()
                result = self._step(status)
                self._settle(result)
                interrupt = _interrupt_behind(result.error) or self._late_interrupt()
            except KeyboardInterrupt as error:
                interrupt = error
                self._settle(self._interrupted(status, error))
            except (Error, LedgerMissing) as error:
                text = f"the ledger cannot be used: {database.error_summary(error)}"
                self._settle(self._ended(status, StepOutcome.FAILED, text))
                interrupt = self._late_interrupt()
        self._start_clean()  # migrate goes on after auto_run
        return Summary(tuple(self._results.values()), interrupt)

    def _start_clean(self) -> None:
        """Drop the connections, with what a script has left on them."""
        if not self._inside:
            sessions.start_clean()

    def _late_interrupt(self) -> KeyboardInterrupt | None:
        """The interrupt that the script has blocked or swallowed, or that came at its end."""
        return self._interrupt or processes.arrived()

    def _ended(
        self, status: ScriptStatus, outcome: StepOutcome, text: str, error: BaseException | None = None
    ) -> Result:
        return Result(status, outcome, time.monotonic() - self._began, text, error)

    def _succeeded(self, status: ScriptStatus, planned: PlannedRun) -> Result:
        outcome = StepOutcome.UNCOUNTED if planned.reason else StepOutcome.DONE
        return self._ended(status, outcome, planned.reason)

    def _interrupted(self, status: ScriptStatus, error: KeyboardInterrupt) -> Result:
        """The end of the step that was interrupted: without an attempt, the script is unchanged."""
        if self._planned is None or self._planned.run is None:
            return Result(status, StepOutcome.SKIPPED, text=_INTERRUPTED)
        if self._planned.is_recorded:
            return self._succeeded(status, self._planned)
        failure = self._planned.failure
        if failure is not None and processes.interrupt_in(failure) is None:  # the interrupt came after it
            return self._ended(status, StepOutcome.FAILED, _in_a_line(failure), failure)
        return self._ended(status, StepOutcome.FAILED, f"{INTERRUPTED}: {error_text(error) or 'Ctrl-C'}")

    def _settle(self, result: Result) -> None:
        self._results[result.status.id] = result
        if self._first_failure is None and result.outcome.counts_as in {"failed", "held"}:
            self._first_failure = result
        self._send(result.outcome.value, result.status, result=result, seconds=result.seconds)

    def _send(self, kind: str, status: ScriptStatus, **facts: Any) -> None:
        self._report(RunEvent(kind, status, self._number, len(self._plan.steps), **facts))

    def _obstacle(self, status: ScriptStatus, *, is_interrupted: bool) -> Result | None:
        """Why a step is not tried; None if it is."""
        for required in status.requires:
            result = self._results.get(required.target) if required.target else None
            if result is not None and result.outcome.blocks:
                text = f"requires {required.target}, which {result.outcome.phrase}"
                return Result(status, StepOutcome.BLOCKED, text=text)
        if is_interrupted:
            return Result(status, StepOutcome.SKIPPED, text=_INTERRUPTED)
        if self._is_time_over():
            return Result(status, StepOutcome.STOPPED, text=f"not started: {TIME_IS_OVER}")
        first = self._first_failure
        if first is None or self._options.continue_on_error:
            return None
        text = f"{first.status.id} {first.outcome.phrase} (use --continue-on-error to keep going)"
        return Result(status, StepOutcome.SKIPPED, text=text)

    def _is_time_over(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until

    def _step(self, planned_status: ScriptStatus) -> Result:
        """Run a script as soon as it is free; look at it again whenever another process had it."""
        status, until = self._by_id.get(planned_status.id, planned_status), None
        while True:
            elsewhere = _done_elsewhere(planned_status, status)
            if elsewhere is not None:
                return elsewhere
            try:
                start = self._start_of(status)
                return self._share(status, start) if start else self._try(status)
            except Changed:
                pass
            except Held as held:
                if is_around(held):
                    return self._ended(status, StepOutcome.FAILED, "this script started the current run")
                until = until or time.monotonic() + self._options.wait
                if not self._wait(status, held, until if self._until is None else min(until, self._until)):
                    text = describe_holder(*self._holder)
                    if self._is_time_over():
                        return self._ended(
                            status, StepOutcome.STOPPED, f"not started: {TIME_IS_OVER}; {text}"
                        )
                    return self._ended(status, StepOutcome.HELD, text)
            self._by_id = _ask_patiently(load_status, until - time.monotonic() if until else 0.0).by_id
            now = self._by_id.get(planned_status.id)
            if now is None or now.definition is None:
                text = "its file or @tracked_script decorator was removed"
                return Result(status, StepOutcome.FAILED, text=text)
            status = now

    def _try(self, status: ScriptStatus) -> Result:
        planned = self._planned = self._plan_for(status)
        try:
            self._call_and_put_back(status, planned)
        except (Held, Changed) as error:
            if planned.run is None:
                # Nothing waits any more for a script if an interrupt came meanwhile.
                raise self._late_interrupt() or error  # noqa: B904 - as a rule it is the error itself
            return self._failed(status, planned, error)  # of another script, which this one called
        except Stopped as stopped:
            return self._ended(status, StepOutcome.STOPPED, stopped.reason)
        except SystemExit as error:
            if error.code not in (None, 0) or planned.run is None:
                return self._failed(status, planned, error)
        except BaseException as error:  # noqa: BLE001 - whatever a script raises is its failure, and the next one's turn comes
            interrupt = processes.interrupt_in(error)
            if interrupt is not None:
                raise interrupt  # noqa: B904 - as a rule it is the error itself
            return self._failed(status, planned, error)
        return self._succeeded(status, planned)

    def _plan_for(self, status: ScriptStatus) -> PlannedRun:
        run, path = status.last_run, status.path
        planned = PlannedRun(
            Identity(status.id, path, scan.absolute_path(path)),
            (run.pk, run.outcome) if run else None,
            lambda: self._send("started", status),
        )
        if status.is_batched:
            planned.work = self._work_on(status)
        return planned

    def _work_on(self, status: ScriptStatus) -> WorkOptions:
        """How to work on a batched script in this process; of several, the one that started them reports."""
        options, began = self._options, self._began

        def report(progress: Progress) -> None:
            self._send("progress", status, progress=progress, seconds=time.monotonic() - began)

        report_or_none = None if options.workers > 1 else report
        return WorkOptions(options.workers, self._until, options.wait, report_or_none, options.patient)

    def _start_of(self, status: ScriptStatus) -> WorkerStart | None:
        """How to start processes for a script; None where this one runs it.

        Other processes do not see the database of a test, nor an open transaction.
        """
        if not status.is_batched or conf.is_under_test() or database.is_in_transaction():
            return None
        return self._options.start

    def _share(self, status: ScriptStatus, start: WorkerStart) -> Result:
        """Let several processes work on a script; the ledger knows what came of it."""
        from scripts_tracker.running.workers import Workers  # only with --workers

        self._send("started", status)
        send = functools.partial(self._send, status=status)
        count, until = self._options.workers, self._until
        end = Workers(status.id, start, count, until, send).carry_out()
        self._interrupt = end.interrupt or self._interrupt
        now = _ask_patiently(load_status, 0.0).by_id.get(status.id, status)
        return self._end_of(status, now, end)

    def _end_of(self, before: ScriptStatus, now: ScriptStatus, end: End) -> Result:
        """How the workers have left a script."""
        run = now.last_run if now.last_run != before.last_run else None
        if run is not None and run.outcome == "succeeded" and now.state.satisfies:
            return self._ended(now, StepOutcome.DONE, "")
        if end.interrupt is not None:
            text = f"{INTERRUPTED}: {error_text(end.interrupt) or 'Ctrl-C'}"
            return self._ended(now, StepOutcome.FAILED, text)
        if now.state is State.RUNNING:
            return self._ended(now, StepOutcome.HELD, describe_holder(now.last_run))
        from scripts_tracker.core import stops  # only of batched scripts

        reason = stops.why_stopped(now, database.typed) or (
            _one_line(plain_reason(run.reason)) if run else ""
        )
        if now.state is State.PAUSED or set(end.codes) == {EXIT_STOPPED}:
            return self._ended(now, StepOutcome.STOPPED, reason)
        return self._ended(now, StepOutcome.FAILED, reason or end.error or "every worker was killed")

    def _call_and_put_back(self, status: ScriptStatus, planned: PlannedRun) -> None:
        """Call the script; the state of the process is put back before its outcome is recorded, and when all is over."""
        state = process_state.ProcessState()

        def put_back() -> None:
            try:
                self._interrupt = state.restore(status.id) or self._interrupt
            except KeyboardInterrupt as interrupt:
                self._interrupt = interrupt

        planned.on_end = put_back
        try:
            process_state.call_with_own_context(self._call, status, planned)
        finally:
            put_back()
            state.close()

    def _call(self, status: ScriptStatus, planned: PlannedRun) -> None:
        path = planned.identity.path
        command = importlib.import_module(scan.module_of(status.id, path)).Command()
        planned.command = command
        if not isinstance(command, BaseCommand):
            raise CommandError(f"{path}: Command is not a subclass of BaseCommand.")
        with running_as_planned(planned), sessions.same_tenants():
            arguments = status.definition.options.arguments if status.definition else ()
            call_command(command, *arguments, **_options_for(command, self._options))
        if planned.run is None:
            raise CommandError(f"{path}: the tracked handle() was never called.")

    def _failed(self, status: ScriptStatus, planned: PlannedRun, error: BaseException) -> Result:
        is_unreached = planned.run is None
        if is_unreached:
            self._record_unreached(status, planned, error)
        text = _in_a_line(error)
        if is_unreached and isinstance(error, CommandError) and text.startswith(_WRONG_ARGUMENTS):
            passed = as_typed(status.definition.options.arguments) if status.definition else ""
            text = (
                f"{text} (run_scripts passes {passed or 'no arguments'}; add what is missing to"
                f" @tracked_script(arguments=...), or run it by hand: {database.typed('{} ...', status.id.name)})"
            )
        if planned.is_recorded:
            text = f"{AFTER_SUCCESS}: {text}"
        return self._ended(status, StepOutcome.FAILED, text, error)

    def _record_unreached(self, status: ScriptStatus, planned: PlannedRun, error: BaseException) -> None:
        watch = status.definition.options.watch if status.definition else ()
        record_failure(planned.identity, planned, error, watch)

    def _wait(self, status: ScriptStatus, held: Held, until: float) -> bool:
        """Wait until the script is free; False if it is still held when the time is over."""
        began, limit = time.monotonic(), _FIRST_LIMIT
        run, lease = self._holder = held.run, held.lease
        while (left := until - time.monotonic()) > 0:
            self._send("waiting", status, seconds=time.monotonic() - began, holder=run, lease=lease)
            time.sleep(min(random.uniform(_SHORTEST_PAUSE, limit), left))  # noqa: S311 - no secret
            limit = min(limit * 2, _LAST_LIMIT)
            record = _ask_patiently(lambda: queries.record_of(status.id), left) if run else None
            if record is None or not record.is_held:
                return True
            run, lease = self._holder = record.last_run, record.lease
        return False


def _options_for(command: BaseCommand, options: RunOptions) -> dict[str, Any]:
    """The options for ``call_command``: of those that we give to every command, the ones that this one takes."""
    name = type(command).__module__.rpartition(".")[2]
    actions = list(_actions(command.create_parser("", name)))
    known = {action.dest for action in actions}.union(command.base_stealth_options, command.stealth_options)
    chosen = {name: value for name, value in options.given.items() if name in known}
    if not options.interactive:
        chosen.update({name: value for name, value in _SILENT.items() if name in known})
        # An option of that name may set any variable to any value.
        silent = (action for action in actions if not _NO_INPUT.isdisjoint(action.option_strings))
        chosen.update({action.dest: action.const for action in silent if action.nargs == 0})
    return chosen


def _actions(parser: Any) -> Iterator[Any]:
    """The actions of a parser and of its subparsers, as ``call_command`` looks them up; argparse has no public list."""
    for action in parser._actions:  # noqa: SLF001 - as above
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            for subparser in action.choices.values():
                yield from _actions(subparser)
        else:
            yield action


def _done_elsewhere(before: ScriptStatus, now: ScriptStatus) -> Result | None:
    """How another process has run the script since it was planned; None if it must still be run."""
    run = now.last_run
    if run is None or run == before.last_run:
        return None
    is_ours = (run.pid, run.host) == (os.getpid(), processes.host())
    where = "by another script of this run" if is_ours else f"on {run.host}, process {run.pid}"
    if now.state.satisfies and (now.state is not State.RECURRING or run.applies):
        return Result(now, StepOutcome.ELSEWHERE, text=where)
    if now.state is State.FAILED and not run.reason.startswith(INTERRUPTED):
        text = f"failed in the meantime {where}: {' '.join(plain_reason(run.reason).split())}".rstrip(": ")
        return Result(now, StepOutcome.FAILED, text=text)
    return None


def _ask_patiently(ask: Callable[[], T], seconds: float) -> T:
    """Ask the ledger while waiting: a database that is away for as long as a lease is no reason to give up."""
    patience = max(min(seconds, conf.tracker_settings().lease_seconds), _LEAST_PATIENCE)
    return database.retry(
        ask, patience, lambda trouble: logger.warning("Waiting for the ledger: %s", trouble)
    )


def _interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that kept a success from its record: it ends the run as any other does."""
    cause = error.__cause__ if isinstance(error, Unrecorded) else None
    return cause if isinstance(cause, KeyboardInterrupt) else None


def _one_line(text: str) -> str:
    return " ".join(text[:_LONGEST].split()) + ("..." if len(text) > _LONGEST else "")


def _in_a_line(error: BaseException) -> str:
    text = _one_line(error_text(error))
    if text and isinstance(error, CommandError):
        return text
    return f"{type(error).__name__}: {text}".rstrip(": ")
