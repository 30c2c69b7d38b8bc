"""``check_scripts`` and the notice after ``migrate`` as text: grouped by state, in the words of django-scripts-tracker."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.states import State, is_cancelled
from scripts_tracker.reporting.report import compared_by_bytes, next_step, question, tone, why
from scripts_tracker.reporting.terminal import MOST, more, painter, some, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import Finding
    from scripts_tracker.reporting.report import Report
    from scripts_tracker.reporting.terminal import Output

QUEUE_UNKNOWN: Final = "The queue cannot say which jobs it has."
_BRIEF = (State.NEW, State.MODIFIED)
# What the notice names although it needs no action.
_NOTED = (State.MOVED, State.RUNNING)
_LISTING = "check_scripts --verbosity 2"


def check(report: Report, output: Output) -> str:
    """The whole report: scripts by state and why, the dependencies if asked for, problems, what is not listed."""
    most = None if report.show_all or report.is_full else MOST
    lines = [
        *_head(report, output),
        *_sections(report.listed, output, lambda status: _note(status, report), most),
    ]
    if report.dependencies:
        lines.extend(_dependencies(report, output))
    lines.extend(problems(report.findings, output, most))
    if report.queued.is_asked and report.queued.jobs is None:
        lines.extend(wrapped(QUEUE_UNKNOWN, "", output))
    lines.extend(_renamed(report, output))
    lines.extend(_rest(report, output))
    lines.extend(wrapped(next_step(report) or _first_step(report), "", output))
    return "\n".join(lines)


def _first_step(report: Report) -> str:
    """What to type in a project that tracks nothing yet, as a sentence; empty in others."""
    if report.by_id:
        return ""
    from scripts_tracker.ledger.database import typed  # needs the models

    return f"No command is tracked yet. Run 'python {typed('check_scripts --untracked')}' to list what can be tracked."


def notice(report: Report, output: Output) -> str:
    """The notice after ``migrate``: what needs action, in the words that people grep for."""
    named = tuple(filter(_is_named, report.statuses))
    most = None if report.is_full else MOST
    lines = [*_head(report, output), *_sections(named, output, _brief_note, most), *_renamed(report, output)]
    if report.findings:
        count = len(report.findings)
        words = "1 problem was" if count == 1 else f"{count} problems were"
        from scripts_tracker.ledger.database import typed  # needs the models

        text = f"{words} found in the scripts; to see them: {typed('check_scripts')}"
        lines.extend(map(output.style.WARNING, wrapped(text, "", output)))
    return "\n".join(lines)


def _is_named(status: ScriptStatus) -> bool:
    """Whether the notice names a script: something must be done, or its file went while it was at work on a table."""
    if status.needs_action or status.state in _NOTED:
        return True
    is_gone = status.definition is None and not status.absence
    has_stopped = status.walk is not None and status.state in {State.FAILED, State.LOST}
    return is_gone and has_stopped and not is_cancelled(status.walk)


def waiting(report: Report) -> str:
    """How many scripts need action, as a sentence: ``You have 2 new and 1 failed management scripts.``; empty for none."""
    counts = Counter(one.state for one in report.unapplied)
    words = [f"{counts[state]} {state.value}" for state in dict.fromkeys((*_BRIEF, *State)) if counts[state]]
    if not words:
        return ""
    joined = " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
    return f"You have {joined} management script{'s'[: len(report.unapplied) != 1]}."


def problems(findings: Sequence[Finding], output: Output, most: int | None = None) -> Iterator[str]:
    """The findings with their hints, below a heading; nothing without findings.

    Args:
        findings: the problems.
        output: where the text goes.
        most: how many to show; None for all.
    """
    if findings:
        yield output.style.WARNING(f"Problems ({len(findings)}):")
    for finding in some(findings, most):
        text = escaped(f"{finding.location}: {finding.code} {finding.message}")
        yield from wrapped(text, "  ", output)
        yield from wrapped(escaped(finding.hint), "    ", output)
    yield from more(findings, most, _LISTING, output)


def _head(report: Report, output: Output) -> Iterator[str]:
    counts = report.counts
    yield output.style.MIGRATE_HEADING("Checking management scripts:")
    yield from wrapped(
        f"You have {counts[State.NEW]} new and {counts[State.MODIFIED]} modified"
        " management scripts to be applied.",
        "  ",
        output,
    )
    if report.environment:
        yield from wrapped(f"Environment: {report.environment}", "  ", output)
    yield from map(output.style.WARNING, question(report.by_id.values(), output.width))


def _sections(
    listed: Sequence[ScriptStatus],
    output: Output,
    note: Callable[[ScriptStatus], str],
    most: int | None,
) -> Iterator[str]:
    for state in (*_BRIEF, *(state for state in State if state not in _BRIEF)):
        group = [status for status in listed if status.state is state]
        if not group:
            continue
        paint = painter(tone(state), output)
        heading = output.style.ERROR if tone(state) == "trouble" else output.style.MIGRATE_HEADING
        yield heading(f"{state.label} scripts ({len(group)}):")
        for status in some(group, most):
            yield f"  {paint(escaped(status.path))}"
            yield from wrapped(_first_line(status), "    ", output)
            yield from wrapped(note(status), "    ", output)
        # Below the others, whose lines people grep for.
        if unnamed := [str(status.id) for status in some(group, most) if not note(status)]:
            yield from wrapped(f"Names: {', '.join(unnamed)}", "  ", output, hang="  ")
        yield from more(group, most, _LISTING, output)


def _first_line(status: ScriptStatus) -> str:
    """The first line of the help text; show_script shows all of it."""
    text = status.definition.help.strip() if status.definition else ""
    return text.splitlines()[0] if text else ""


def _note(status: ScriptStatus, report: Report) -> str:
    note = f"{status.id}: {why(status)}"
    if jobs := report.queued.of(status.id.dotted):
        note += f"\n{jobs} job{'s' if jobs > 1 else ''} on the queue"
    if not status.needs_action:
        return note
    from scripts_tracker.core import planning  # only for scripts that need action

    required = planning.unapplied_requirements(status, report.by_id)
    waits = ", ".join(f"{other.id} ({other.state.value})" for other in required)
    return f"{note}\nrequires {waits}" if waits else note


def _brief_note(status: ScriptStatus) -> str:
    is_plain = status.state in _BRIEF and not (status.changed_modules or compared_by_bytes(status))
    return "" if is_plain else f"{status.id}: {why(status)}"


def _dependencies(report: Report, output: Output) -> Iterator[str]:
    yield output.style.MIGRATE_HEADING("Script dependencies:")
    if report.unapplied:
        from scripts_tracker.reporting.tree import tree  # only if asked for

        yield from (f"  {line}" for line in tree(report, output))
    else:
        yield "  No scripts to apply."


def _renamed(report: Report, output: Output) -> Iterator[str]:
    """The scripts with the history of another app, and a hint where an app seems to be renamed."""
    pairs = Counter(
        (one.renamed_from.app_label, one.id.app_label)
        for one in report.statuses
        if one.renamed_from is not None and one.renamed_from.app_label != one.id.app_label
    )
    for (old, new), count in sorted(pairs.items()):
        scripts = "1 script" if count == 1 else f"{count} scripts"
        yield from wrapped(f"{new} has the history of {old}: {scripts} (renamed_apps).", "", output)
    if any(one.state is State.NEW for one in report.statuses) and any(
        one.state is State.MISSING for one in report.statuses
    ):
        from scripts_tracker.core import renames  # seldom needed

        hint = renames.hint(report.statuses)
        yield from map(output.style.WARNING, wrapped(hint, "", output) if hint else ())


def _rest(report: Report, output: Output) -> Iterator[str]:
    """How many scripts are not listed, by state."""
    unlisted = Counter(status.state for status in report.statuses if not report.lists(status))
    quiet = ", ".join(f"{unlisted[state]} {state.value}" for state in State if unlisted[state])
    if quiet:
        from scripts_tracker.ledger.database import typed  # needs the models

        yield from wrapped(f"Not listed: {quiet}. To list all: {typed('check_scripts --all')}", "", output)
