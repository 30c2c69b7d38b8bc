"""Batched scripts in words: how far they are, how fast they go on, and why they do not. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.core import names, states
from scripts_tracker.core.progress import progress_of
from scripts_tracker.core.states import State
from scripts_tracker.core.text import (
    by_whom,
    describe_start,
    duration,
    local_time,
    plain_reason,
    sign_of_life,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts_tracker.core.progress import Progress, RangeRecord, WalkRecord
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import RunRecord

_HELD: Final = {"pause": "paused", "cancel": "cancelled"}
STOPPED: Final = "stopped"
"""How the reason of a run begins that ended before its script did, without a failure."""
_LONGEST = 300  # characters of a reason that a line shows


def percent(progress: Progress) -> str:
    """``43.2 %``; where keys do not say how far it is, how many of them are done: ``1,234 keys``."""
    return f"{progress.keys:,} keys" if progress.percent is None else f"{progress.percent:g} %"


def at(progress: Progress) -> str:
    """``at 43.2 %``, or ``after 1,234 keys``."""
    return f"{'after' if progress.percent is None else 'at'} {percent(progress)}"


def counted(number: int, noun: str) -> str:
    """``1 worker``, ``4 workers``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def pieces(progress: Progress) -> Iterator[str]:
    """How far, how fast, how long, who, and what is in the way; what matters most comes first."""
    yield percent(progress)
    if progress.waiting is not None:
        yield f"waiting: {_line(progress.waiting)}"
    elif progress.rows_per_second is not None:
        yield f"{progress.rows_per_second:,.0f} rows/s"
    if progress.eta_seconds is not None and progress.waiting is None:
        yield f"{duration(progress.eta_seconds)} left"
    if progress.workers:
        yield counted(progress.workers, "worker")
    if progress.parked:
        yield f"{counted(progress.parked, 'range')} parked"


def latest_sign(walk: WalkRecord) -> str:
    """When one of the workers gave a sign of life last; empty if that is not known."""
    leases = [one.lease for one in walk.live if one.lease is not None and one.lease.ago is not None]
    return sign_of_life(min(leases, key=lambda lease: lease.ago or 0.0)) if leases else ""


def parked(walk: WalkRecord) -> tuple[RangeRecord, ...]:
    """The ranges that a failing row has stopped."""
    return tuple(one for one in walk.ranges if one.outcome == "parked")


def parked_words(one: RangeRecord) -> str:
    """A parked range and its reason, in a line."""
    return f"range {one.number}: {_line(one.reason) or 'parked'}"


def decision_words(run: RunRecord) -> str:
    """``paused by anna on web-1 on 2026-05-01 12:00: the disk is full``."""
    reason = _line(run.reason)
    words = f"{_HELD.get(run.kind, run.kind)}{by_whom(run.user, run.host)} on {local_time(run.started_at)}"
    words += f" in {run.place}" if run.place else ""
    return f"{words}: {reason}" if reason else words


def is_of_other_code(status: ScriptStatus) -> bool:
    """Whether a walk has begun with other code than the file has now."""
    walk, definition = status.walk, status.definition
    return walk is not None and definition is not None and not states.began_with(definition, walk)


def why_stopped(status: ScriptStatus, typed: Callable[..., str] = names.typed) -> str:
    """Why a walk that has begun is not at work, as half a sentence.

    Args:
        status: of a script with a walk.
        typed: what to type for a command that is about this ledger.
    """
    walk = status.walk
    if walk is None:
        return ""
    progress = progress_of(walk)
    if walk.hold is not None:
        return f"{decision_words(walk.hold)}; {percent(progress)} done"
    if is_of_other_code(status):
        hint = f"{how_to_go_on(status, typed)}; {_anew(status, typed)}"
        return f"begun with other code {at(progress)} ({hint})"
    if (stuck := parked(walk)) and not progress.workers:
        count = counted(len(stuck), "range")
        return f"stopped {at(progress)}, {count} parked: {parked_words(stuck[0])}"
    run = walk.workers[-1].run if walk.workers else None
    if run is not None and status.state is State.LOST:
        return f"the last worker never ended (started {describe_start(run)}), {at(progress)}"
    reason = _line(plain_reason(run.reason)).removeprefix(f"{STOPPED}: ") if run is not None else ""
    return f"stopped {at(progress)}{reason and f': {reason}'}"


def obstacle(status: ScriptStatus, typed: Callable[..., str] = names.typed) -> str:
    """Why ``run_scripts`` cannot go on with a script before a person decides, with what to type; empty if it can."""
    walk = status.walk
    if walk is None or (walk.live and walk.hold is None):
        return ""
    if walk.hold is not None:
        restart = f"; {_anew(status, typed)}" if walk.hold.kind == "cancel" else ""
        return f"{decision_words(walk.hold)} ({how_to_go_on(status, typed)}{restart})"
    return why_stopped(status, typed) if is_of_other_code(status) else ""


def how_to_go_on(status: ScriptStatus, typed: Callable[..., str]) -> str:
    """What to type so that a script that was stopped goes on from where it is."""
    if is_of_other_code(status):
        return f"to go on with the code of now: {typed('resume_script {} --accept-code', status.id)}"
    return f"to go on: {typed('resume_script {}', status.id)}"


def _anew(status: ScriptStatus, typed: Callable[..., str]) -> str:
    return f"to begin anew: {typed('resume_script {} --restart', status.id)}"


def at_work(status: ScriptStatus) -> str:
    """How a walk goes on, as half a sentence."""
    walk = status.walk
    if walk is None:
        return ""
    words = [", ".join(pieces(progress_of(walk)))]
    if walk.hold is not None:
        words.append(f"{decision_words(walk.hold)} (its workers finish their batches)")
    if is_of_other_code(status):
        words.append("its workers go on with the code that it was begun with, the file has changed since")
    words.extend(map(parked_words, parked(walk)[:1]))
    return "; ".join(words)


def given_up(status: ScriptStatus) -> str:
    """What became of a walk whose code has changed since it was cancelled; empty without one."""
    walk = status.record.walk if status.record else None
    if walk is None or walk.hold is None or status.walk is not None:
        return ""
    return f"with other code it was {decision_words(walk.hold)}, {at(progress_of(walk))}"


def _line(text: str) -> str:
    line = " ".join(text[:_LONGEST].split())
    return f"{line}..." if len(text) > _LONGEST else line
