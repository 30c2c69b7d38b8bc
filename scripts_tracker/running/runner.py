"""Carries out a plan, a script at a time, and tells a callback what happens; prints nothing itself."""

from __future__ import annotations

import importlib
import logging
import os
import random
import time
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import Error, close_old_connections

from scripts_tracker import conf
from scripts_tracker.core.events import Result, RunEvent, StepOutcome, Summary
from scripts_tracker.core.states import State
from scripts_tracker.core.text import describe_holder
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import database, leases, processes, queries
from scripts_tracker.ledger.processes import Terminated
from scripts_tracker.project import scan
from scripts_tracker.project.scan import Identity
from scripts_tracker.project.status import load_status
from scripts_tracker.running import attempt
from scripts_tracker.running.calls import AFTER_SUCCESS, Ticket, planned
from scripts_tracker.running.outcome import INTERRUPTED, Unrecorded
from scripts_tracker.running.start import Changed, Held

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts_tracker.core.events import RunOptions
    from scripts_tracker.core.planning import Plan
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import RunRecord, ScriptId

T = TypeVar("T")

_FIRST_POLL, _LONGEST_POLL = 0.1, 1.0
_LEAST_PATIENCE = 5.0
_NOT_TRIED = "the run was interrupted before"

logger = logging.getLogger("scripts_tracker")


class Runner:
    """One run of a plan.

    Args:
        plan: what to run, in order.
        by_id: every script as the plan saw it.
        options: how to run it.
        report: is told of every event, in order.
    """

    def __init__(
        self,
        plan: Plan,
        by_id: Mapping[ScriptId, ScriptStatus],
        options: RunOptions,
        report: Callable[[RunEvent], None],
    ) -> None:
        self._plan = plan
        self._planned = by_id
        self._now = by_id
        self._options = options
        self._report = report
        self._results: dict[ScriptId, Result] = {}
        self._number = 0
        self._ticket: Ticket | None = None

    def carry_out(self) -> Summary:
        """Run every step that can be run; Ctrl-C and SIGTERM end the run and are told in the summary."""
        for status, reasons in self._plan.blocked:
            self._results[status.id] = Result(status, StepOutcome.BLOCKED, text="; ".join(reasons))
        interrupt: KeyboardInterrupt | None = None
        inside = database.is_in_transaction()
        for number, status in enumerate(self._plan.steps, start=1):
            self._number = number
            obstacle = self._obstacle(status, is_interrupted=interrupt is not None)
            if obstacle is not None:
                self._settle(obstacle)
                continue
            began, self._ticket = time.monotonic(), None
            if not inside:
                close_old_connections()  # one script's broken connection or open transaction is not the next one's
            try:
                result = self._step(status, began)
                self._settle(result)
                interrupt = _interrupt_behind(result.error)
            except KeyboardInterrupt as error:
                interrupt = error
                self._settle(self._interrupted(status, error, time.monotonic() - began))
            except (Error, LedgerMissing) as error:
                words = f"the ledger cannot be used: {database.error_summary(error)}"
                self._settle(Result(status, StepOutcome.FAILED, time.monotonic() - began, words))
        return Summary(tuple(self._results.values()), interrupt)

    def _interrupted(self, status: ScriptStatus, error: KeyboardInterrupt, seconds: float) -> Result:
        """The end of the step that an interrupt hits: where no attempt had begun, the script is as it was."""
        if self._ticket is None or self._ticket.run is None:
            return Result(status, StepOutcome.SKIPPED, text=_NOT_TRIED)
        if self._ticket.is_recorded:
            return _ended_well(status, self._ticket, seconds)
        words = f"{INTERRUPTED}: {'SIGTERM' if isinstance(error, Terminated) else 'Ctrl-C'}"
        return Result(status, StepOutcome.FAILED, seconds, words)

    def _settle(self, result: Result) -> None:
        self._results[result.status.id] = result
        self._tell(result.outcome.value, result.status, result=result, seconds=result.seconds)

    def _tell(self, kind: str, status: ScriptStatus, **facts: Any) -> None:
        self._report(RunEvent(kind, status, self._number, len(self._plan.steps), **facts))

    def _obstacle(self, status: ScriptStatus, *, is_interrupted: bool) -> Result | None:
        """Why a step is not even tried; None where nothing stands in its way."""
        requires = status.definition.requires if status.definition else ()
        for required in requires:
            result = self._results.get(required.target) if required.target else None
            if result is not None and result.outcome.blocks:
                return Result(
                    status,
                    StepOutcome.BLOCKED,
                    text=f"requires {required.target}, which {result.outcome.phrase}",
                )
        if is_interrupted:
            return Result(status, StepOutcome.SKIPPED, text=_NOT_TRIED)
        failed = [
            one for one in self._results.values() if one.outcome in {StepOutcome.FAILED, StepOutcome.HELD}
        ]
        if failed and not self._options.continue_on_error:
            words = f"{failed[0].status.id} {failed[0].outcome.phrase}; --continue-on-error goes on"
            return Result(status, StepOutcome.SKIPPED, text=words)
        return None

    def _step(self, planned_status: ScriptStatus, began: float) -> Result:
        status, until = self._now.get(planned_status.id, planned_status), None
        while True:
            elsewhere = self._done_elsewhere(planned_status, status)
            if elsewhere is not None:
                return elsewhere
            try:
                return self._try(status, began)
            except Changed:
                pass
            except Held as held:
                if attempt.is_around(held.run):
                    return Result(
                        status, StepOutcome.FAILED, time.monotonic() - began, "it is what started this run"
                    )
                until = until or time.monotonic() + self._options.wait
                if not self._wait(status, held.run, until):
                    return Result(
                        status, StepOutcome.HELD, time.monotonic() - began, describe_holder(held.run)
                    )
            left = until - time.monotonic() if until else 0.0
            self._now = _patiently(load_status, left).by_id
            if planned_status.id not in self._now:
                return Result(status, StepOutcome.FAILED, text="its file or its decorator is gone")
            status = self._now[planned_status.id]

    def _done_elsewhere(self, before: ScriptStatus, now: ScriptStatus) -> Result | None:
        """What another process made of the script since it was planned; None where it is still to be run."""
        run = _last_run(now)
        if run is None or run == _last_run(before):
            return None
        if now.state.satisfies and (now.state is not State.RECURRING or run.applies):
            return Result(now, StepOutcome.ELSEWHERE, text=_where(run))
        if now.state is State.FAILED and not run.reason.startswith(INTERRUPTED):
            words = f"failed meanwhile {_where(run)}: {' '.join(run.reason.split())}"
            return Result(now, StepOutcome.FAILED, text=words)
        return None

    def _try(self, status: ScriptStatus, began: float) -> Result:
        run = _last_run(status)
        seen = (run.pk, run.outcome) if run else None
        ticket = Ticket(_identity(status), seen, lambda: self._tell("started", status))
        self._ticket = ticket
        try:
            self._call(status, ticket)
        except (Held, Changed) as error:
            if ticket.run is None:
                raise
            return self._failed(status, ticket, began, error)  # of another script, which this one called
        except SystemExit as error:
            if error.code not in (None, 0) or ticket.run is None:
                return self._failed(status, ticket, began, error)
        except Exception as error:  # noqa: BLE001 - whatever a script raises is its failure, and the next one's turn comes
            return self._failed(status, ticket, began, error)
        return _ended_well(status, ticket, time.monotonic() - began)

    def _call(self, status: ScriptStatus, ticket: Ticket) -> None:
        module = importlib.import_module(scan.module_of(status.id, ticket.identity.path))
        command = ticket.command = module.Command()
        if not isinstance(command, BaseCommand):
            raise CommandError(f"{ticket.identity.path}: Command is no subclass of BaseCommand.")
        with planned(ticket):
            call_command(command, **_options_for(command, self._options))
        if ticket.run is None:
            raise CommandError(f"{ticket.identity.path}: the tracked handle() was never reached.")

    def _failed(self, status: ScriptStatus, ticket: Ticket, began: float, error: BaseException) -> Result:
        if ticket.run is None:
            watch = status.definition.options.watch if status.definition else ()
            attempt.record_failure(ticket.identity, ticket, error, watch)
        words = f"{AFTER_SUCCESS}: {_in_a_line(error)}" if ticket.is_recorded else _in_a_line(error)
        return Result(status, StepOutcome.FAILED, time.monotonic() - began, words, error)

    def _wait(self, status: ScriptStatus, run: RunRecord | None, until: float) -> bool:
        """Wait until nobody holds the script; False where the time is over before."""
        began, pause = time.monotonic(), _FIRST_POLL
        while (left := until - time.monotonic()) > 0:
            self._tell("waiting", status, seconds=time.monotonic() - began, holder=run)
            time.sleep(min(pause * random.uniform(0.7, 1), left))  # noqa: S311 - no secret
            pause = min(pause * 1.3, _LONGEST_POLL)
            if run is None:
                return True
            run = _holder_of(status.id, left)
            if run is None:
                return True
        return False


def _options_for(command: BaseCommand, options: RunOptions) -> dict[str, Any]:
    """The options that this command takes, as ``call_command`` wants them."""
    chosen = dict(options.given)
    if not options.interactive:
        known = {action.dest for action in command.create_parser("manage.py", "")._actions}  # noqa: SLF001 - argparse has no other list of them
        known.update(command.stealth_options)
        silent = {"interactive": False, "no_input": True, "noinput": True}
        chosen.update({name: value for name, value in silent.items() if name in known})
    return chosen


def _patiently(ask: Callable[[], T], seconds: float) -> T:
    """Ask the ledger while waiting: a database that is away for as long as a lease is no reason to give up."""
    patience = max(min(seconds, conf.tracker_settings().lease_seconds), _LEAST_PATIENCE)
    return database.retry(ask, patience, lambda words: logger.warning("Waiting for the ledger: %s", words))


def _ended_well(status: ScriptStatus, ticket: Ticket, seconds: float) -> Result:
    return Result(
        status, StepOutcome.UNCOUNTED if ticket.reason else StepOutcome.DONE, seconds, ticket.reason
    )


def _interrupt_behind(error: BaseException | None) -> KeyboardInterrupt | None:
    """The interrupt that kept a success from its record: it ends the run as any other does."""
    cause = error.__cause__ if isinstance(error, Unrecorded) else None
    return cause if isinstance(cause, KeyboardInterrupt) else None


def _holder_of(script_id: ScriptId, seconds: float) -> RunRecord | None:
    record = _patiently(lambda: queries.record_of(script_id), seconds)
    if record is None or record.last_run is None:
        return None
    is_held = record.lease_live or leases.is_held_unrenewed(record.last_run, database.alias())
    return record.last_run if is_held else None


def _where(run: RunRecord) -> str:
    if (run.pid, run.host) == (os.getpid(), processes.host()):
        return "by another script of this run"
    return f"on {run.host}, process {run.pid}"


def _identity(status: ScriptStatus) -> Identity:
    path = status.definition.location.path if status.definition else ""
    return Identity(status.id, path, scan.absolute_path(path))


def _last_run(status: ScriptStatus) -> RunRecord | None:
    return status.record.last_run if status.record else None


def _in_a_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return (
        text if isinstance(error, CommandError) and text else f"{type(error).__name__}: {text}".rstrip(": ")
    )
