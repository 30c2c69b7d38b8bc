"""What a run says of itself, as text: a line a step, a line that waits, the plan, the summary. Pure."""

from __future__ import annotations

import importlib
import os
import traceback
from typing import TYPE_CHECKING

from django.core import management
from django.core.management.base import CommandError

from scripts_tracker.core.states import State
from scripts_tracker.core.text import local_time
from scripts_tracker.reporting.report import why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts_tracker.core.events import Result, RunEvent, Summary
    from scripts_tracker.core.planning import Choice, Plan
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import RunRecord, ScriptId
    from scripts_tracker.reporting.terminal import Output

# What a traceback begins with: the runner, its way through importlib and Django, the decorators.
_NOT_OF_THE_SCRIPT = (
    os.path.join(os.path.dirname(os.path.dirname(__file__)), ""),
    os.path.join(os.path.dirname(importlib.__file__), ""),
    os.path.join(os.path.dirname(management.__file__), ""),
    "<frozen importlib",
)

# Where no terminal shows it anew, how many seconds are between two lines that say who is waited for.
_REMIND = 60.0


def clock(seconds: float) -> str:
    """Elapsed time as m:ss, or h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)  # noqa: PLR2004 - a minute


def _who(run: RunRecord | None) -> str:
    if run is None:
        return "for another transaction"
    process = f", process {run.pid}" if run.pid else ""
    return f"for {run.host}{process}, which has been running it since {local_time(run.started_at)}"


class Progress:
    """Turns the events of a run into text to write as it is, line ends included.

    Args:
        output: where to draw; at a terminal (it has a width) a line that waits is drawn over.
        elapsed: seconds since the run began.
    """

    def __init__(self, output: Output, elapsed: Callable[[], float]) -> None:
        self._output = output
        self._elapsed = elapsed
        self._is_drawn = False
        self._said_at: float | None = None

    def text(self, event: RunEvent) -> str:
        """What to write at an event; empty for nothing."""
        if event.kind == "waiting":
            return self._waiting(event)
        start = "\r\x1b[K" if self._is_drawn else ""
        self._said_at, self._is_drawn = None, False
        if event.kind in {"skipped", "blocked"}:
            return start  # the summary says it
        return f"{start}{self._line(event)}\n"

    def _head(self, event: RunEvent) -> str:
        width = len(str(event.total))
        return f"[{event.number:>{width}}/{event.total} {clock(self._elapsed())}] {event.status.id}"

    def _line(self, event: RunEvent) -> str:
        result = event.result
        if result is None:
            return self._output.style.MIGRATE_LABEL(self._head(event))
        return f"{self._head(event)}: {_ending(result, self._output)}"

    def _waiting(self, event: RunEvent) -> str:
        text = f"{self._head(event)}: waiting {_who(event.holder)}"
        if self._output.width is not None:
            self._is_drawn = True
            line = f"{text} ({clock(event.seconds)})"
            return f"\r\x1b[K{line[: self._output.width - 1]}"
        if self._said_at is not None and event.seconds < self._said_at + _REMIND:
            return ""
        self._said_at = event.seconds
        return f"{text}\n"


def _ending(result: Result, output: Output) -> str:
    words = {
        "done": output.style.SUCCESS(f"done in {_took(result.seconds)}"),
        "elsewhere": output.style.SUCCESS(f"done {result.text}"),
        "uncounted": output.style.WARNING(
            f"ran in {_took(result.seconds)}, but does not count as applied: {result.text}"
        ),
        "failed": output.style.ERROR(f"failed after {_took(result.seconds)}: {result.text}"),
        "held": output.style.ERROR(f"not run: {result.text}"),
        "blocked": output.style.WARNING(f"blocked: {result.text}"),
        "skipped": output.style.WARNING(f"skipped: {result.text}"),
    }
    return words[result.end.value]


def traceback_of(result: Result) -> str:
    """The traceback of a failure as Python prints it, from the script on; empty for an error that explains itself."""
    error = result.error
    if error is None or isinstance(error, CommandError | SystemExit):
        return ""
    told = traceback.TracebackException.from_exception(error)
    own = [not frame.filename.startswith(_NOT_OF_THE_SCRIPT) for frame in told.stack]
    told.stack[:] = told.stack[own.index(True) if True in own else 0 :]
    return "".join(told.format()).rstrip()


def summary(done: Summary, output: Output) -> Iterator[str]:
    """How the run ended: the counts, and a line for everything that did not run well."""
    counts = {name: done.counted(name) for name in ("done", "failed", "blocked", "skipped")}
    style = output.style.SUCCESS if done.is_good else output.style.ERROR
    yield style(", ".join(f"{len(results)} {name}" for name, results in counts.items()) + ".")
    yield from failures(done, output)
    for text in dict.fromkeys(result.text for result in counts["skipped"]):
        same = [str(result.status.id) for result in counts["skipped"] if result.text == text]
        yield output.style.MIGRATE_HEADING(f"Skipped ({len(same)}), as {text}:")
        yield from (f"  {name}" for name in same)


def failures(done: Summary, output: Output) -> Iterator[str]:
    """What failed and what could not run, a line each."""
    for name in ("failed", "blocked"):
        results = done.counted(name)
        if results:
            yield output.style.MIGRATE_HEADING(f"{name.capitalize()} ({len(results)}):")
            yield from (f"  {result.status.id}: {result.text}" for result in results)


def plan(made: Plan, choice: Choice, output: Output) -> Iterator[str]:
    """The order, with the reason for each step, and what cannot run."""
    yield output.style.MIGRATE_HEADING(f"Plan ({len(made.steps)}):")
    chosen = {status.id for status in choice.chosen}
    width = len(str(len(made.steps)))
    for number, status in enumerate(made.steps, start=1):
        yield f"  {number:>{width}}. {output.style.SUCCESS(str(status.id))}: {_reason(status, made, chosen)}"
    if made.blocked:
        yield output.style.MIGRATE_HEADING(f"Blocked ({len(made.blocked)}):")
        yield from (f"  {status.id}: {'; '.join(reasons)}" for status, reasons in made.blocked)
    yield from not_planned(made, choice, output)


def _reason(status: ScriptStatus, made: Plan, chosen: set[ScriptId]) -> str:
    reason = f"{status.state.value}, {why(status)}"
    if status.id not in chosen:
        asking = (one.id for one in made.steps if status.id in _targets(one))
        reason += f"; required by {', '.join(map(str, asking))}"
    required = [str(one.id) for one in made.steps if one.id in _targets(status)]
    return reason + (f"; after {', '.join(required)}" if required else "")


def _targets(status: ScriptStatus) -> Sequence[ScriptId | None]:
    return [one.target for one in status.definition.requires] if status.definition else []


def not_planned(made: Plan, choice: Choice, output: Output) -> Iterator[str]:
    """What is not run although somebody may expect it: named but idle, left to a person; not what blocks others."""
    blocked = {status.id for status, _ in made.blocked}
    for status in choice.idle:
        absent = status.state is State.MISSING
        hint = "" if absent else f"; to run it all the same: manage.py {status.id.name}"
        yield f"{status.id} needs no run: {why(status)}{hint}"
    for status in choice.spared:
        if status.id not in blocked:
            words = f"{status.id} is left to a person by --no-retry: {why(status)}"
            yield output.style.WARNING(words)


def heading(made: Plan, output: Output) -> str:
    """What a run begins with."""
    if not made.steps and not made.blocked:
        return "No management script is to be run."
    return output.style.MIGRATE_HEADING(f"Running management scripts ({len(made.steps)}):")
