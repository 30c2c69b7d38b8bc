"""A run as text: a line for each event, the plan, the summary."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from django.core.management.base import CommandError

from scripts_tracker.core import forecast
from scripts_tracker.core.escaping import escaped, escaped_lines
from scripts_tracker.core.planning import NOT_IN_MIGRATE
from scripts_tracker.core.states import State
from scripts_tracker.core.text import as_typed, describe_holder, describe_lease, duration, error_traceback
from scripts_tracker.reporting.report import question, why
from scripts_tracker.reporting.terminal import MOST, fitting, line_of, more, painted, some, wrapped
from scripts_tracker.reporting.text import QUEUE_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.core.events import Placed, Result, RunEvent, Summary
    from scripts_tracker.core.forecast import Figure
    from scripts_tracker.core.planning import Choice, Plan
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.terminal import Output

NOT_DONE: Final = ("failed", "held", "stopped", "blocked", "skipped")
"""What the summary counts besides what was done."""

_NOTHING: Final = "No scripts to run."

# Only batched scripts and --for stop, and only another process holds.
_SELDOM = ("held", "stopped")
# What lists all that the summary counts so.
_LISTING = {
    **dict.fromkeys(("failed", "held", "stopped"), "check_scripts --verbosity 2"),
    **dict.fromkeys(("blocked", "skipped"), "run_scripts --plan"),
}
# A rehearsal leaves nothing behind that could be listed.
_REHEARSED = dict.fromkeys(NOT_DONE, "run_scripts --rehearse --verbosity 2")
# What to type about the first script that was counted so.
_NEXT = {
    "failed": ("", "see its output and what to type next"),
    "held": (" --watch", "follow it until it ends"),
    "blocked": ("", "see why"),
}
# Seconds between two lines about one wait, where no terminal updates the line.
_REMIND = 60.0


def clock(seconds: float) -> str:
    """Elapsed time as m:ss or h:mm:ss."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class Progress:
    """Turns the events of a run into text to write as it is, line ends included.

    Args:
        output: at a terminal (it has a width) the line of a wait is updated in place.
        elapsed: returns the seconds since the run began.
    """

    def __init__(self, output: Output, elapsed: Callable[[], float]) -> None:
        self._output = output
        self._elapsed = elapsed
        self._is_drawn = False
        self._reminded_at: float | None = None

    def erase(self) -> str:
        """What removes the line that is drawn over; empty where there is none."""
        is_drawn, self._is_drawn = self._is_drawn, False
        return "\r\x1b[K" if is_drawn else ""

    def text(self, event: RunEvent) -> str:
        """What to write at an event; empty for nothing."""
        if event.kind == "waiting":
            return self._waiting(event)
        if event.kind == "printed":
            return self._printed(event)
        if event.kind == "statement":
            return f"  {escaped_lines(event.line)};\n"
        if event.progress is not None:
            from scripts_tracker.core import stops  # only of batched scripts

            return self._advance(event, tuple(stops.pieces(event.progress)))
        start, self._reminded_at = self.erase(), None
        if event.kind in {"skipped", "blocked"}:
            return start  # these are in the summary
        return f"{start}{self._line(event)}\n{self._report(event)}"

    def _report(self, event: RunEvent) -> str:
        """What a rehearsal has found, below the line of its end."""
        if event.result is None or event.result.report is None:
            return ""
        from scripts_tracker.reporting import rehearsals  # only with --rehearse

        return "".join(f"{line}\n" for line in rehearsals.report(event.result.report, self._output))

    def _advance(self, event: RunEvent, pieces: Sequence[str]) -> str:
        """How far a batched script is: in place at a terminal, once in a while elsewhere."""
        if self._output.width is not None:
            self._is_drawn = True
            heads = self._head(event), str(event.status.id), event.status.id.name
            return f"\r\x1b[K{line_of(heads, pieces, self._output.width)}"
        if event.seconds < (self._reminded_at or 0.0) + _REMIND:
            return ""
        self._reminded_at = event.seconds
        return escaped(f"{self._head(event)}: {', '.join(pieces)}") + "\n"

    def _printed(self, event: RunEvent) -> str:
        """A line of a worker, above the line of the progress."""
        return f"{self.erase()}{event.status.id.name} [{event.worker}]: {event.line}\n"

    def _head(self, event: RunEvent) -> str:
        width = len(str(event.total))
        return f"[{event.number:>{width}}/{event.total} {clock(self._elapsed())}] {event.status.id}"

    def _line(self, event: RunEvent) -> str:
        if event.result is None:
            return self._output.style.MIGRATE_LABEL(self._head(event))
        return "\n".join(_outcome(f"{self._head(event)}: ", event.result, self._output))

    def _waiting(self, event: RunEvent) -> str:
        if self._output.width is not None:
            self._is_drawn = True
            return f"\r\x1b[K{fitting(self._drawn_wait(event), self._output.width - 1)}"
        text = f"{self._head(event)}: waiting: {describe_holder(event.holder, event.lease)}"
        if self._reminded_at is not None and event.seconds < self._reminded_at + _REMIND:
            return ""
        self._reminded_at = event.seconds
        return f"{text}\n"

    def _drawn_wait(self, event: RunEvent) -> str:
        """What changes comes first: the terminal may have no room for the rest."""
        sign = describe_lease(event.lease)
        line = f"{self._head(event)}: waiting {clock(event.seconds)}: {sign}"
        if sign and self._output.width is not None and len(line) >= self._output.width:
            return f"{event.status.id}: waiting: {sign}"
        return f"{line}{sign and '; '}{describe_holder(event.holder)}"


def _outcome(head: str, result: Result, output: Output) -> Iterator[str]:
    style, seconds, text = output.style, duration(result.seconds), escaped(result.text)
    lines = {
        "done": (style.SUCCESS, f"done in {seconds}"),
        "elsewhere": (style.SUCCESS, f"done {text}"),
        "rehearsed": (style.SUCCESS, f"rehearsed in {seconds}"),
        "uncounted": (style.WARNING, f"ran in {seconds} ({text}: not marked as applied)"),
        "failed": (style.ERROR, f"failed after {seconds}: {text}"),
        "held": (style.WARNING, f"not run: {text}"),
        "stopped": (style.WARNING, f"stopped after {seconds}: {text}" if result.seconds else text),
    }
    paint, line = lines[result.outcome.value]
    yield from painted(head, line, paint, output)


def traceback_of(result: Result) -> str:
    """The traceback of a failure, from the script's first frame on; empty for an error that explains itself."""
    error = result.error
    if error is None or isinstance(error, CommandError | SystemExit):
        return ""
    return escaped_lines(error_traceback(error).rstrip())


def summary(
    done: Summary, output: Output, most: int | None = MOST, *, is_rehearsal: bool = False
) -> Iterator[str]:
    """How the run ended: the counts, then the scripts that did not run well.

    Args:
        done: the run.
        output: where the text goes.
        most: how many of those that ended alike to name; None for all.
        is_rehearsal: whether nothing of it is in the ledger.
    """
    counts = {name: done.counted(name) for name in ("done", *NOT_DONE)}
    for name in _SELDOM:
        if not counts[name]:
            del counts[name]
    styles = output.style
    has_failed = bool(counts["failed"])
    style = styles.SUCCESS if done.is_good else styles.ERROR if has_failed else styles.WARNING
    yield style(", ".join(f"{len(results)} {name}" for name, results in counts.items()) + ".")
    yield from failures(done, output, most, is_rehearsal=is_rehearsal)
    listing = (_REHEARSED if is_rehearsal else _LISTING)["skipped"]
    for text in dict.fromkeys(result.text for result in counts["skipped"]):
        same = [str(result.status.id) for result in counts["skipped"] if result.text == text]
        heading = wrapped(f"Skipped ({len(same)}): {text}", "", output, hang="  ")
        yield from map(output.style.MIGRATE_HEADING, heading)
        yield from (f"  {name}" for name in some(same, most))
        yield from more(same, most, listing, output)


def failures(
    done: Summary, output: Output, most: int | None = MOST, *, is_rehearsal: bool = False
) -> Iterator[str]:
    """The scripts that failed, are held, have stopped or could not run, a line each; as for ``summary``."""
    for name in NOT_DONE[:-1]:
        results = done.counted(name)
        if results:
            paint = output.style.ERROR if name == "failed" else output.style.WARNING
            yield paint(f"{name.capitalize()} ({len(results)}):")
        for result in some(results, most):
            yield from wrapped(f"{result.status.id}: {result.text}", "  ", output, hang="  ")
        listing = (_REHEARSED if is_rehearsal else _LISTING)[name]
        yield from more(results, most, listing, output)


def next_step(done: Summary) -> str:
    """What to type after a run in which a script did not run, as a sentence; empty if nothing helps."""
    from scripts_tracker.ledger.database import typed  # needs the models

    for name, (option, purpose) in _NEXT.items():
        if results := done.counted(name):
            return f"Run 'python {typed(f'show_script {{}}{option}', results[0].status.id)}' to {purpose}."
    return ""


def plan(
    made: Plan,
    choice: Choice,
    output: Output,
    workers: int = 1,
    figures: Mapping[ScriptId, Sequence[Figure]] = MappingProxyType({}),
    *,
    most: int | None = MOST,
) -> Iterator[str]:
    """The scripts in order with the reason for each, then what cannot run or will not run.

    Args:
        made: the plan.
        choice: what it was made of.
        output: where the text goes.
        workers: how many processes share a batched script.
        figures: how long each step may take.
        most: how many to name of those that are not part of the plan, of each kind; None for all.
    """
    if made.steps or made.blocked:
        yield output.style.MIGRATE_HEADING(f"Plan ({len(made.steps)}):")
    else:
        yield _NOTHING
    reasons = _reasons(made, {status.id for status in choice.chosen}, workers)
    width = len(str(len(made.steps)))
    for number, (status, reason) in enumerate(zip(made.steps, reasons, strict=True), start=1):
        head = f"  {number:>{width}}. {status.id}: "
        yield from painted(head, reason, str, output)
        for one in figures.get(status.id, ()):
            yield from wrapped(forecast.words(one), " " * (width + 4), output, "  ")
    if figures:
        yield from wrapped(forecast.total_words(forecast.total(figures)), "", output)
    yield from blocked(made, output)
    yield from not_planned(made, choice, output, most)
    renamed = [status for status in choice.renamed if status.renamed_from is not None]
    if renamed:
        yield output.style.MIGRATE_HEADING(f"Renamed ({len(renamed)}):")
        yield from (f"  {status.id}: has the history of {status.renamed_from}" for status in renamed)
    if choice.hint:
        yield from map(output.style.WARNING, wrapped(choice.hint, "", output, hang="  "))


def blocked(made: Plan, output: Output, most: int | None = None) -> Iterator[str]:
    """The scripts of a plan that cannot run, with the reasons: so many of them, by default all."""
    if made.blocked:
        yield output.style.WARNING(f"Blocked ({len(made.blocked)}):")
    for status, reasons in some(made.blocked, most):
        yield from wrapped(f"{status.id}: {'; '.join(reasons)}", "  ", output, hang="  ")
    yield from more(made.blocked, most, _LISTING["blocked"], output)


def _reasons(made: Plan, chosen: set[ScriptId], workers: int) -> Iterator[str]:
    """Why each step runs, and after which others."""
    required, requiring = made.after, made.before
    for status in made.steps:
        batched = ", batched" if status.is_batched else ""
        reason = f"{status.state.value}{batched}, {why(status)}"
        if status.id not in chosen:
            reason += f"; required by {', '.join(map(str, requiring[status.id]))}"
        if after := ", ".join(map(str, required[status.id])):
            reason += f"; after {after}"
        if status.definition and (arguments := status.definition.options.arguments):
            reason += f"; arguments: {escaped(as_typed(arguments))}"
        if workers > 1 and status.is_batched:
            reason += f"; {workers} workers"
        yield reason


def not_planned(made: Plan, choice: Choice, output: Output, most: int | None = MOST) -> Iterator[str]:
    """The selected scripts that are not run: up to date, or skipped by --no-retry and not listed as blocked.

    Args:
        made: the plan.
        choice: what it was made of.
        output: where the text goes.
        most: how many of each kind to name; None for all.
    """
    blocked = {status.id for status, _ in made.blocked}
    skipped = tuple(status for status in choice.skipped_by_no_retry if status.id not in blocked)
    held = (*choice.cancelled, *choice.batched)
    kinds = (
        (choice.up_to_date, _up_to_date, str, "check_scripts --all"),
        (choice.moved, _moved, str, _LISTING["failed"]),
        (held, lambda status: _left_alone(status, choice), output.style.WARNING, _LISTING["failed"]),
        (skipped, _not_retried, output.style.WARNING, _LISTING["failed"]),
    )
    for statuses, words, paint, listing in kinds:
        for status in some(statuses, most):
            yield from map(paint, wrapped(words(status), "", output, hang="  "))
        yield from more(statuses, most, listing, output)


def _up_to_date(status: ScriptStatus) -> str:
    from scripts_tracker.ledger.database import typed  # needs the models
    from scripts_tracker.project.scan import is_offered  # as above

    verb = "is up to date" if status.state is State.APPLIED else "will not run"
    can_run = status.definition is not None and is_offered(status.id)
    hint = f" To run it anyway: {typed('{}', status.id.name)}" if can_run else ""
    return f"{status.id} {verb} ({why(status)}).{hint}"


def _moved(status: ScriptStatus) -> str:
    from scripts_tracker.ledger.database import typed  # needs the models

    mark = typed("check_scripts --mark-applied {}", status.id)
    return f"{status.id} is not run: {why(status)}. To mark it under its new name: {mark}"


def _left_alone(status: ScriptStatus, choice: Choice) -> str:
    from scripts_tracker.ledger.database import typed  # needs the models

    reason = choice.held[status.id]
    if reason == NOT_IN_MIGRATE:
        return f"{status.id} {reason}. To run it: {typed('run_scripts {}', status.id)}"
    return f"{status.id} is left alone: {reason}"


def _not_retried(status: ScriptStatus) -> str:
    return f"{status.id} skipped because of --no-retry: {why(status)}"


def about_place(environment: str, statuses: Iterable[ScriptStatus], output: Output) -> Iterator[str]:
    """Where scripts run: the name of the environment, and what a person has to say about its database."""
    if environment:
        yield f"Environment: {escaped(environment)}"
    yield from map(output.style.WARNING, question(statuses, output.width))


def heading(made: Plan, output: Output, verb: str = "Running") -> str:
    """The first line of a run."""
    if not made.steps and not made.blocked:
        return _NOTHING
    return output.style.MIGRATE_HEADING(f"{verb} management scripts ({len(made.steps)}):")


def placed(one: Placed, output: Output) -> str:
    """What became of a script on the queue."""
    number = f"{one.jobs} job{'s' if one.jobs > 1 else ''}" if one.jobs else ""
    text = "; ".join(filter(None, (number, one.text)))
    paint = output.style.ERROR if one.is_failure else output.style.SUCCESS if one.jobs else str
    return "\n".join(painted(f"  {one.status.id}: ", text, paint, output))


def queued(made: Plan, jobs: Mapping[str, int] | None, output: Output) -> Iterator[str]:
    """The jobs that wait on the queue for the steps of a plan."""
    if jobs is None:
        yield QUEUE_UNKNOWN
        return
    found = {step.id: jobs[step.id.dotted] for step in made.steps if jobs.get(step.id.dotted)}
    if found:
        yield output.style.MIGRATE_HEADING(f"On the queue ({len(found)}):")
        yield from (f"  {script}: {count} job{'s' if count > 1 else ''}" for script, count in found.items())
