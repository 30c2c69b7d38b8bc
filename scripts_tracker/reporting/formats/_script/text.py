"""``show_script`` for people: the state and why first, what to do next, then the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.core.states import State
from scripts_tracker.core.text import path_of
from scripts_tracker.core.values import ScriptOptions
from scripts_tracker.project.detail import next_steps
from scripts_tracker.reporting.formats._script._past import runs, versions
from scripts_tracker.reporting.formats._wrapping import escaped, wrapped
from scripts_tracker.reporting.report import why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.project.detail import Comparison, Dossier
    from scripts_tracker.reporting.report import Canvas

_LABEL = 13
_OUTPUT_LINES = 20


def render(dossier: Dossier, canvas: Canvas) -> str:
    """The dossier, or the diff where that was asked for."""
    if dossier.comparison is not None:
        return "\n".join(_diff(dossier.status, dossier.comparison, canvas))
    return "\n".join(
        [
            *_head(dossier, canvas),
            *_facts(dossier),
            *_problems(dossier, canvas),
            *versions(dossier, canvas),
            *runs(dossier, canvas),
            *_output(dossier, canvas),
        ]
    )


def _head(dossier: Dossier, canvas: Canvas) -> Iterator[str]:
    status = dossier.status
    yield f"{canvas.style.MIGRATE_LABEL(str(status.id))}: {_state_style(status.state, canvas)(status.state.value)}"
    yield from wrapped(why(status), "  ", canvas)
    for words, command in next_steps(dossier).items():
        line = f"  {words}: {command}"
        fits = canvas.width is None or len(line) <= canvas.width
        # A command that is to be copied stands on one line.
        yield from [line] if fits else [f"  {words}:", f"    {command}"]
    if status.definition and status.definition.help:
        yield ""
        yield from wrapped(status.definition.help, "  ", canvas)
    yield ""


def _state_style(state: State, canvas: Canvas) -> Callable[[str], str]:
    if state in {State.FAILED, State.LOST, State.UNREADABLE}:
        return canvas.style.ERROR
    return canvas.style.WARNING if state.needs_action else canvas.style.SUCCESS


def _facts(dossier: Dossier) -> Iterator[str]:
    facts = {
        "Path": path_of(dossier.status),
        "Options": _options(dossier.status.definition),
        "Requires": "\n".join(_required(dossier.required)),
        "Required by": "\n".join(f"{other.id} ({other.state.value})" for other in dossier.required_by),
    }
    for label, text in facts.items():
        for number, line in enumerate(text.splitlines()):
            yield f"{'' if number else label:<{_LABEL}}{escaped(line)}"
    yield ""


def _options(definition: ScriptDefinition | None) -> str:
    """What differs from the defaults, as it is written in the decorator."""
    if definition is None:
        return ""
    options = definition.options
    told = [f'rerun="{options.rerun}"'] if options.rerun != "on-change" else []
    told += ["atomic=True"] if options.atomic else []
    told += [f"tags: {', '.join(options.tags)}"] if options.tags else []
    told += [f"watch: {', '.join(options.watch)}"] if options.watch else []
    if options.unless != ScriptOptions().unless:
        told.append(f"unless: {', '.join(options.unless)}" if options.unless else "unless=()")
    return ", ".join(told)


def _required(required: Mapping[str, ScriptStatus | None]) -> Iterator[str]:
    for name, status in required.items():
        yield f"{name} ({status.state.value if status else 'does not exist'})"


def _problems(dossier: Dossier, canvas: Canvas) -> Iterator[str]:
    if not dossier.findings:
        return
    yield canvas.style.WARNING(f"Problems ({len(dossier.findings)}):")
    for found in dossier.findings:
        yield from wrapped(f"{found.location}: {found.code} {found.message}", "  ", canvas)
        yield from wrapped(found.hint, "    ", canvas)
    yield ""


def _output(dossier: Dossier, canvas: Canvas) -> Iterator[str]:
    past = dossier.past
    for label, text in (("Output", past.output), ("Traceback", past.traceback)):
        lines = text.rstrip().split("\n")
        if not text.strip():
            continue
        cut = len(lines) - _OUTPUT_LINES
        more = f", its last {_OUTPUT_LINES} lines; all: --format json" if cut > 0 else ""
        yield ""
        yield canvas.style.MIGRATE_HEADING(f"{label} of the last run{more}:")
        yield from (f"  {escaped(line)}".rstrip() for line in lines[max(cut, 0) :])


def _diff(status: ScriptStatus, comparison: Comparison, canvas: Canvas) -> Iterator[str]:
    """The diff alone, below what it is of; a note is no part of it."""
    yield f"{canvas.style.MIGRATE_LABEL(str(status.id))}: {_state_style(status.state, canvas)(status.state.value)}"
    for note in comparison.notes:
        yield from wrapped(note, "", canvas)
    yield from _coloured(comparison.lines, canvas)


def _coloured(lines: Iterable[str], canvas: Canvas) -> Iterator[str]:
    """In git's colours; the first two lines are the names, whatever they begin with."""
    style = canvas.style
    by_mark = {"-": style.ERROR, "+": style.SUCCESS, "@": style.MIGRATE_HEADING}
    for number, line in enumerate(lines):
        paint = style.MIGRATE_LABEL if number < 2 else by_mark.get(line[:1], str)  # noqa: PLR2004 - the two names
        yield paint(escaped(line))
