"""Releases: the lease of a run whose process is known to be dead ends at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from django.db import Error

from scripts_tracker.core.text import as_typed
from scripts_tracker.ledger import database, releasing
from scripts_tracker.ledger.marking import nothing_else
from scripts_tracker.project import lineage
from scripts_tracker.project.marks import MarkResult
from scripts_tracker.project.versions import run_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import RunRecord, ScriptId
    from scripts_tracker.ledger.marking import Also
    from scripts_tracker.ledger.writing import RunFacts

WARNING: Final = (
    "If the process is still alive, its work goes on, and only its success is not recorded. Kill it first."
)
"""What a person has to know about a release."""


def why_not_to_release(status: ScriptStatus) -> str:
    """Why a script cannot be released, as half a sentence; empty if it can."""
    if _workers(status):
        return ""
    run = status.last_run
    if run is None or run.outcome != "running":
        return f"it is not running (state: {status.state.value})"
    if status.record is None or not status.record.is_held:
        return (
            f"its lease has run out already; to run it again: {database.typed('run_scripts {}', status.id)}"
        )
    return ""


def release(
    statuses: Iterable[ScriptStatus], reason: str, *, user: str = "", also: Also = nothing_else
) -> MarkResult:
    """Record the running runs of scripts as lost: other processes may run the scripts now.

    Args:
        statuses: the scripts, as a check found them; a run that began later is left alone.
        reason: for the history.
        user: who decides; empty for the user of this process.
        also: is called in the transaction of each release.
    """
    done, refused = [], []
    statuses = tuple(statuses)
    lineage.carry_over(statuses)
    facts = run_metadata("release", reason=reason, user=user)
    for status in statuses:
        why = why_not_to_release(status) or _release(status, facts, also)
        if why:
            refused.append((status.id, why))
        else:
            done.append(status.id)
    return MarkResult(tuple(done), tuple(refused))


def _release(status: ScriptStatus, facts: RunFacts, also: Also) -> str:
    """Release the runs that were seen at work; returns why that was not possible."""
    record = status.record
    runs = _workers(status) or ([status.last_run] if status.last_run else [])
    if record is None or not runs:
        return "it has no run"
    pk = record.pk
    try:
        done = [
            database.retry(partial(releasing.release, pk, run.pk, facts, also), database.patience())
            for run in runs
        ]
    except Error as error:
        if not database.is_contention(error):
            raise
        return f"another transaction has locked it ({database.error_summary(error)}); try again"
    return "" if any(done) else "it has ended in the meantime"


def _workers(status: ScriptStatus) -> list[RunRecord]:
    """The workers of a batched script that are at work."""
    return [worker.run for worker in status.walk.live] if status.walk else []


def next_step(done: Iterable[ScriptId]) -> str:
    """What to type after a release."""
    return f"To run again: {database.typed(f'run_scripts {as_typed(done)}')}"
