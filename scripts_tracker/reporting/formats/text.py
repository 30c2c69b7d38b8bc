"""``check_scripts`` for people: grouped by state, in the words of django-scripts-tracker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.core.states import State
from scripts_tracker.core.text import path_of
from scripts_tracker.reporting.formats._wrapping import wrapped
from scripts_tracker.reporting.report import compared_by_bytes, why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import Finding
    from scripts_tracker.reporting.report import Canvas, Report

_BRIEF = (State.NEW, State.MODIFIED)


def _head(report: Report, canvas: Canvas) -> Iterator[str]:
    counts = report.counts
    yield canvas.style.MIGRATE_HEADING("Checking management scripts:")
    yield from wrapped(
        f"You have {counts[State.NEW]} new and {counts[State.MODIFIED]} modified"
        " management scripts to be applied.",
        "  ",
        canvas,
    )


def _heading_style(state: State, canvas: Canvas) -> Callable[[str], str]:
    if state in {State.FAILED, State.LOST, State.UNREADABLE}:
        return canvas.style.ERROR
    return canvas.style.MIGRATE_HEADING


def _section(
    state: State, group: Sequence[ScriptStatus], canvas: Canvas, note: Callable[[ScriptStatus], str]
) -> Iterator[str]:
    yield _heading_style(state, canvas)(f"{state.label} scripts ({len(group)}):")
    for status in group:
        yield f"  {canvas.style.SUCCESS(path_of(status))}"
        text = status.definition.help if status.definition else ""
        yield from wrapped(text, "    ", canvas)
        yield from wrapped(note(status), "    ", canvas)


def _sections(
    listed: Sequence[ScriptStatus], canvas: Canvas, note: Callable[[ScriptStatus], str]
) -> Iterator[str]:
    for state in (*_BRIEF, *(state for state in State if state not in _BRIEF)):
        group = [status for status in listed if status.state is state]
        if group:
            yield from _section(state, group, canvas, note)


def _unapplied_requirements(status: ScriptStatus, report: Report) -> Sequence[ScriptStatus]:
    from scripts_tracker.core import planning  # for scripts that need action

    return planning.unapplied_requirements(status, report.by_id)


def _note(report: Report) -> Callable[[ScriptStatus], str]:
    def note(status: ScriptStatus) -> str:
        required = _unapplied_requirements(status, report) if status.state.needs_action else ()
        waits = ", ".join(f"{other.id} ({other.state.value})" for other in required)
        return f"{status.id}: {why(status)}" + (f"\nrequires {waits}" if waits else "")

    return note


def _problems(findings: Sequence[Finding], canvas: Canvas) -> Iterator[str]:
    yield canvas.style.WARNING(f"Problems ({len(findings)}):")
    for finding in findings:
        yield from wrapped(f"{finding.location}: {finding.code} {finding.message}", "  ", canvas)
        yield from wrapped(finding.hint, "    ", canvas)


def _rest(report: Report, canvas: Canvas) -> Iterator[str]:
    """What is not listed, in numbers."""
    listed = set(report.listed)
    quiet = [
        f"{sum(status.state is state for status in report.statuses)} {state.value}"
        for state in State
        if any(status.state is state and status not in listed for status in report.statuses)
    ]
    if quiet:
        yield from wrapped(f"Not listed: {', '.join(quiet)}. To list all: check_scripts --all", "", canvas)


def _dependencies(report: Report, canvas: Canvas) -> Iterator[str]:
    yield canvas.style.MIGRATE_HEADING("Script dependencies:")
    if report.unapplied:
        from scripts_tracker.reporting.formats import _tree  # for who asks for it

        yield from (f"  {line}" for line in _tree.lines(report, canvas))
    else:
        yield "  No script is to be applied."


def render(report: Report, canvas: Canvas) -> str:
    """The whole report: sections by state with why, the tree if asked for, problems, what is not listed."""
    lines = [*_head(report, canvas), *_sections(report.listed, canvas, _note(report))]
    if report.dependencies:
        lines.extend(_dependencies(report, canvas))
    if report.findings:
        lines.extend(_problems(report.findings, canvas))
    lines.extend(_rest(report, canvas))
    return "\n".join(lines)


def _brief_note(status: ScriptStatus) -> str:
    is_plain = status.state in _BRIEF and not (status.changed_modules or compared_by_bytes(status))
    return "" if is_plain else f"{status.id}: {why(status)}"


def render_notice(report: Report, canvas: Canvas) -> str:
    """The notice after ``migrate``: what needs action, in the words that people grep for."""
    lines = [
        *_head(report, canvas),
        *_sections(report.unapplied, canvas, _brief_note),
    ]
    if report.findings:
        count = len(report.findings)
        words = "1 problem was" if count == 1 else f"{count} problems were"
        text = f"{words} found in the scripts; to see them: manage.py check_scripts"
        lines.extend(map(canvas.style.WARNING, wrapped(text, "", canvas)))
    return "\n".join(lines)
