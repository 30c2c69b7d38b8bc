"""The jobs of ``run_scripts --enqueue``. The queue is an alarm clock, the ledger the truth: a job looks, works, ends.

A job that comes twice, too late or for nothing does no harm, and one that is lost is put again by the next ``--enqueue``.
Importing this module needs the queue of the settings.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import CommandError
from django.db import transaction

from scripts_tracker import conf
from scripts_tracker.core import planning
from scripts_tracker.core.events import Placed, RunOptions, StepOutcome
from scripts_tracker.core.planning import Plan
from scripts_tracker.core.states import State
from scripts_tracker.core.text import describe_holder, duration, error_text
from scripts_tracker.exceptions import UnknownScript
from scripts_tracker.ledger import database, environments, processes
from scripts_tracker.project.status import load_status
from scripts_tracker.running import queue
from scripts_tracker.running.outcome import INTERRUPTED
from scripts_tracker.running.queue import Job, NotEnqueued
from scripts_tracker.running.runner import TIME_IS_OVER, Runner

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping

    from scripts_tracker.core.events import Result, Summary
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId

logger = logging.getLogger("scripts_tracker")

# Seconds until a job looks again at a script that it could not work on: doubled each time.
_FIRST_DELAY: Final = 15.0
_LAST_DELAY: Final = 600.0
# Seconds for the end of a batched script, to which several workers may come at once.
_PATIENCE: Final = 5.0
HEAL: Final = "run_scripts --enqueue"
"""What puts jobs on the queue again that are lost."""

# What a script does to its process is put back after it; two at once would be in each other's way.
_at_work = threading.Lock()
_thread = threading.local()


@queue.task_of
def run_slice(**given: Any) -> str:
    """Work on a script for a while, and put the next jobs on the queue; the task of django.tasks.

    Args:
        given: the fields of a ``Job``.

    Returns:
        What was done, in a line.

    Raises:
        CommandError: the script has failed.
    """
    job = Job.parse(given)
    jobs: list[Job] | None = getattr(_thread, "jobs", None)
    if jobs is not None:  # a backend that runs a job at once, from inside of the one that puts it
        jobs.append(job)
        return f"{job.script} follows"
    _thread.jobs = jobs = [job]
    answers, errors = [], []
    try:
        while jobs:
            try:
                answers.append(_work_off(jobs.pop(0)))
            except CommandError as error:
                errors.append(error)
    finally:
        _thread.jobs = None
    if errors:
        raise errors[0]
    return "; ".join(answers)


def enqueue(plan: Plan, by_id: Mapping[ScriptId, ScriptStatus], request: Job) -> Iterator[Placed]:
    """Put a job on the queue for each step that can begin; the others follow from those jobs.

    Args:
        plan: the steps.
        by_id: every script.
        request: what the jobs carry, but for the script and the newest run.

    Raises:
        NotEnqueued: the queue does not take one.
    """
    newest = max((status.last_run.pk for status in by_id.values() if status.last_run), default=0)
    here = environments.places()
    request = request._replace(since=newest, environment=here.name, database=here.identity)
    waiting = queued()
    for status in plan.steps:
        yield _place(status, plan, by_id, request, waiting)


def queued() -> Counter[str] | None:
    """How many of our jobs wait on the queue, by script; None where the backend cannot say."""
    return queue.queued(run_slice)


def _place(
    status: ScriptStatus,
    plan: Plan,
    by_id: Mapping[ScriptId, ScriptStatus],
    request: Job,
    waiting: Counter[str] | None,
) -> Placed:
    required = planning.awaited(status, plan, by_id, request.since)
    if required:
        return Placed(status, 0, f"follows {', '.join(map(str, required))}")
    present = waiting[status.id.dotted] if waiting is not None else 0
    live = len(status.walk.live) if status.walk else 0
    is_shared = status.is_batched and database.connection().vendor != "sqlite"
    missing = (request.workers if is_shared else 1) - present - live
    if missing <= 0:
        return Placed(
            status, 0, f"{_jobs(present)} queued already" if present else f"{_workers(live)} at work"
        )
    job = request._replace(script=status.id.dotted, tries=0)
    results = [_put(job) for _ in range(missing)]
    failed = next((one for one in results if one is not None and one.is_finished and one.errors), None)
    if failed is not None:
        lines = failed.errors[-1].traceback.strip().splitlines()
        return Placed(status, missing, lines[-1] if lines else "failed", is_failure=True)
    done = [str(one.return_value) for one in results if one is not None and one.is_finished]
    return Placed(status, missing, "; ".join(done))


def _put(job: Job) -> Any:
    """Put a job on the queue when what it needs is committed; gives the backend's result, None if that is later."""
    if not database.is_in_transaction():
        return queue.put(run_slice, job)
    transaction.on_commit(partial(_put_late, job), using=database.alias())
    return None


def _put_late(job: Job) -> None:
    """The caller's transaction is committed: what goes wrong now must not look as if it were not."""
    try:
        queue.put(run_slice, job)
    except NotEnqueued as error:
        logger.warning("%s. Later: %s", error, database.typed(HEAL))


def _work_off(job: Job) -> str:
    if not conf.tracker_settings().enabled:
        return _say(job, "nothing done: runs are not recorded here")
    if not _at_work.acquire(blocking=False):
        return _make_room(job, "another thread of this process runs a script")
    try:
        elsewhere = environments.places().origin_of(job.environment, job.database).label
        if elsewhere:
            return _say(job, f"nothing done: this job was enqueued in {elsewhere}")
        by_id = load_status().by_id
        status = next((one for script, one in by_id.items() if script.dotted == job.script), None)
        if status is None or status.definition is None:
            return _say(job, "nothing done: it has no file here")
        return _work_on(job, status, by_id)
    finally:
        _at_work.release()


def _work_on(job: Job, status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus]) -> str:
    if status.state is State.PAUSED:
        return _make_room(job, "it is paused")
    if status.state.satisfies and (
        status.state is not State.RECURRING or planning.has_run(status, job.since)
    ):
        return _say(job, f"nothing done: it is {status.state.value} already{_enqueue_next(job)}")
    plan = _plan(job, by_id, status)
    obstacle = _obstacle(job, status, plan, by_id)
    if obstacle:
        return _say(job, f"nothing done: {obstacle}")
    if status.state is State.RUNNING and not status.is_batched:
        record = status.record
        return _make_room(job, describe_holder(record.last_run, record.lease) if record else "it is running")
    # A worker that shuts down lets its job end. A batched script can end it early, and gives its range back.
    noted = processes.signals_noted() if status.is_batched else contextlib.nullcontext()
    with noted, processes.signals_raise(ends_process=True):
        return _settle(job, _run(status, by_id, job), is_batched=status.is_batched)


def _plan(job: Job, by_id: Mapping[ScriptId, ScriptStatus], status: ScriptStatus | None = None) -> Plan:
    """The plan that the job belongs to, as of now."""
    known = {script.dotted for script in by_id}
    wanted = [name for name in job.wanted if name in known]
    retries = job.retries or (status is not None and status.walk is not None)
    if job.wanted and not wanted:
        return Plan((), (), ())
    try:
        choice = planning.choose(by_id, wanted, job.tags, retries=retries, typed=database.typed)
    except UnknownScript:  # no script has the tag any more
        return Plan((), (), ())
    return planning.make_plan(choice.chosen, by_id, choice.excluded)


def _obstacle(job: Job, status: ScriptStatus, plan: Plan, by_id: Mapping[ScriptId, ScriptStatus]) -> str:
    """Why there is nothing to do for the job; empty if there is."""
    blocked = next((reasons for other, reasons in plan.blocked if other.id == status.id), ())
    if blocked:
        return "; ".join(blocked)
    if status.id not in {step.id for step in plan.steps}:
        return f"it is {status.state.value}"
    required = planning.awaited(status, plan, by_id, job.since)
    if required:
        return f"it follows {', '.join(map(str, required))}"
    if _has_failed_since(job, status):
        return f"it has failed in the meantime; to try again: {database.typed(HEAL)}"
    live = len(status.walk.live) if status.walk else 0
    return f"{_workers(live)} at work" if live >= job.workers else ""


def _has_failed_since(job: Job, status: ScriptStatus) -> bool:
    """Whether a job that came twice would repeat a failure; not so for what has stopped before its end."""
    run = status.last_run
    if status.state is not State.FAILED or run is None or run.pk <= job.since:
        return False
    if status.walk is not None:
        return all(one.outcome != "open" for one in status.walk.ranges) and run.outcome == "failed"
    return not run.reason.startswith(INTERRUPTED)


def _run(status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus], job: Job) -> Summary:
    seconds = queue.settings_now().slice_seconds
    options = RunOptions(
        wait=_PATIENCE if status.is_batched else 0.0,
        interactive=False,
        given={"no_color": True},
        workers=job.workers,
        seconds=seconds if status.is_batched else None,
        patient=False,
    )
    runner = Runner(Plan((status,), (), ()), by_id, options, lambda _event: None)
    return runner.carry_out()


def _settle(job: Job, summary: Summary, *, is_batched: bool) -> str:
    """Say how the slice has ended, and put what follows on the queue."""
    (result,) = summary.results
    outcome = result.outcome
    if summary.interrupt is not None and is_batched:
        return _go_on(job, f"stopped by {error_text(summary.interrupt) or 'a signal'}")
    if outcome is StepOutcome.STOPPED:
        if result.text == TIME_IS_OVER:
            return _go_on(job, "not finished")
        return _make_room(job, result.text)
    if outcome in {StepOutcome.DONE, StepOutcome.ELSEWHERE}:
        return _say(job, f"done in {duration(result.seconds)}{_enqueue_next(job)}")
    if outcome is StepOutcome.UNCOUNTED:
        return _say(job, f"ran, but is not marked as applied: {result.text}")
    if outcome is StepOutcome.HELD:
        return _make_room(job, result.text)
    raise _failure(job, result)


def _go_on(job: Job, reason: str) -> str:
    """Put the job on the queue again: its turn is over, and its script is not finished."""
    _put(job._replace(tries=0))
    return _say(job, f"{reason}: enqueued again")


def _failure(job: Job, result: Result) -> CommandError:
    error = CommandError(f"{job.script} failed: {result.text}")
    error.__cause__ = result.error
    return error


def _enqueue_next(job: Job) -> str:
    """Put the jobs of the scripts that waited for this one; gives what to say about it."""
    by_id = load_status().by_id
    plan = _plan(job, by_id)
    ready = [
        status
        for status in plan.steps
        if any(one.target is not None and one.target.dotted == job.script for one in status.requires)
        and not (status.state is State.RECURRING and planning.has_run(status, job.since))
    ]
    if not ready:
        return ""
    waiting = queued()
    try:
        placed = [_place(status, plan, by_id, job, waiting) for status in ready]
    except NotEnqueued as error:
        logger.warning("%s. Later: %s", error, database.typed(HEAL))
        return f"; {error}"
    names = [str(one.status.id) for one in placed if one.jobs]
    return f"; enqueued {', '.join(names)}" if names else ""


def _make_room(job: Job, reason: str) -> str:
    """Let others have the worker: look again later, if the backend can wait and nobody else will."""
    if not getattr(queue.backend(), "supports_defer", False):
        text = f"{reason}; this queue cannot wait, so later: {database.typed(HEAL)}"
        logger.warning("%s: %s", job.script, text)
        return f"{job.script}: {text}"
    waiting = queued()
    if waiting is not None and waiting[job.script] >= job.workers:
        return _say(job, f"{reason}; {_jobs(waiting[job.script])} queued already")
    delay = min(_FIRST_DELAY * 2**job.tries, _LAST_DELAY)
    queue.put(run_slice, job._replace(tries=job.tries + 1), in_seconds=delay)
    return _say(job, f"{reason}; looks again in {duration(delay)}")


def _say(job: Job, text: str) -> str:
    logger.info("%s: %s", job.script, text)
    return f"{job.script}: {text}"


def _jobs(number: int) -> str:
    return "1 job is" if number == 1 else f"{number} jobs are"


def _workers(number: int) -> str:
    return "1 worker is" if number == 1 else f"{number} workers are"
