"""``show_script`` as text: the state and why, what to do next, the facts, then the history or the diff."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import as_typed, describe_start, duration, local_time, reason_line, who
from scripts_tracker.core.values import ScriptOptions
from scripts_tracker.project.detail import next_steps
from scripts_tracker.reporting.report import question, tone, version_notes, why
from scripts_tracker.reporting.terminal import painter, wrapped
from scripts_tracker.reporting.text import problems

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from scripts_tracker.core.history import PastRun, RunText
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.project.detail import ScriptDetail
    from scripts_tracker.reporting.terminal import Output

_LABEL = 13
_OUTPUT_LINES = 20
_PARKED = 10
_DIGITS = 12
_BELOW = " " * 20


def script(detail: ScriptDetail, output: Output) -> str:
    """All about one script, or only the diff if that was asked for."""
    if detail.comparison is not None:
        notes = [line for note in detail.comparison.notes for line in wrapped(note, "", output)]
        return "\n".join([_title(detail.status, output), *notes, *_diff(detail.comparison.lines, output)])
    return "\n".join(
        [
            *_head(detail, output),
            *_facts(detail, output),
            *_walk(detail.status, output),
            *problems(detail.findings, output),
            *([""] if detail.findings else []),
            *_versions(detail, output),
            *_rehearsal(detail, output),
            *_runs(detail, output),
            *_last_output(detail, output),
        ]
    )


def _title(status: ScriptStatus, output: Output) -> str:
    paint = painter(tone(status.state), output)
    return f"{output.style.MIGRATE_LABEL(str(status.id))}: {paint(status.state.value)}"


def _head(detail: ScriptDetail, output: Output) -> Iterator[str]:
    status = detail.status
    yield _title(status, output)
    yield from map(output.style.WARNING, question([status], output.width))
    yield from wrapped(why(status), "  ", output)
    for purpose, command in next_steps(detail).items():
        line = f"  {purpose}: {command}"
        fits = output.width is None or len(line) <= output.width
        # A command stays on one line, to be copied.
        yield from [line] if fits else [f"  {purpose}:", f"    {command}"]
    if status.definition and status.definition.help:
        yield ""
        yield from wrapped(status.definition.help, "  ", output)
    yield ""


def _facts(detail: ScriptDetail, output: Output) -> Iterator[str]:
    facts = {
        "Environment": [detail.environment] if detail.environment else [],
        "Path": [detail.status.path] if detail.status.path else [],
        "Options": [one] if (one := _options(detail.status.definition)) else [],
        "Requires": [
            f"{name} ({status.state.value if status else 'does not exist'})"
            for name, status in detail.required.items()
        ],
        "Required by": [f"{other.id} ({other.state.value})" for other in detail.required_by],
        "Queue": [_jobs(detail)] if detail.queued.is_asked else [],
    }
    for label, lines in facts.items():
        for number, line in enumerate(lines):
            head = f"{'' if number else label:<{_LABEL}}"
            yield from _beside(head, line, output)
    yield ""


def _jobs(detail: ScriptDetail) -> str:
    jobs = detail.queued.of(detail.status.id.dotted)
    return "not known, this queue cannot say" if jobs is None else f"{jobs} job{'' if jobs == 1 else 's'}"


def _beside(head: str, text: str, output: Output) -> Iterator[str]:
    """A text beside its label, and below its own beginning where it is wrapped."""
    for number, line in enumerate(wrapped(text, " " * _LABEL, output)):
        yield line if number else f"{head}{line[_LABEL:]}"


def _walk(status: ScriptStatus, output: Output) -> Iterator[str]:
    """How far a batched script is, who works on it, and the ranges that have stopped."""
    walk = status.walk
    if walk is None:
        return
    from scripts_tracker.core import stops  # few scripts are batched
    from scripts_tracker.core.progress import progress_of

    progress = progress_of(walk)
    yield from _heading(escaped(f"Progress: {', '.join(stops.pieces(progress))}"), output)
    count = stops.counted(len(walk.ranges), "range")
    text = f"{walk.table}: {progress.keys:,} keys walked, {progress.rows:,} rows changed, {count}"
    yield from wrapped(text, "  ", output, hang="  ")
    for worker in walk.live:
        doing = f"waiting: {worker.waiting}" if worker.waiting else "working"
        yield from wrapped(
            escaped(f"worker {worker.run.pk}: {describe_start(worker.run)}: {doing}"), "  ", output, hang="  "
        )
    stuck = stops.parked(walk)
    for one in stuck[:_PARKED]:
        yield from wrapped(escaped(f"parked: {stops.parked_words(one)}"), "  ", output, hang="  ")
    if len(stuck) > _PARKED:
        yield f"  {len(stuck) - _PARKED} more ranges are parked"
    yield ""


def _options(definition: ScriptDefinition | None) -> str:
    """The options that differ from the defaults, as in the decorator."""
    if definition is None:
        return ""
    options = definition.options
    shown = [f'rerun="{options.rerun}"'] if options.rerun != "on-change" else []
    shown += ["atomic=True"] if options.atomic else []
    shown += [f"tags: {', '.join(options.tags)}"] if options.tags else []
    shown += [f"watch: {', '.join(options.watch)}"] if options.watch else []
    shown += [f"arguments: {as_typed(options.arguments)}"] if options.arguments else []
    shown += [f"verify: {options.verify}()"] if options.verify else []
    shown += [f'fresh="{options.fresh}"'] if options.fresh else []
    if options.unless != ScriptOptions().unless:
        shown.append(f"unless: {', '.join(options.unless)}" if options.unless else "unless=()")
    return ", ".join(shown)


def _versions(detail: ScriptDetail, output: Output) -> Iterator[str]:
    """The contents of the file that ran here, the last one first."""
    versions = detail.past.versions
    if not versions:
        return
    yield from _heading(f"Versions that ran or were marked here ({len(versions)}):", output)
    for version in versions:
        fingerprint = f"{version.fingerprint.algorithm}:{version.fingerprint.digest[:_DIGITS]}"
        notes = [
            *version_notes(version, detail.status.definition, detail.status.record),
            f"{version.runs}x, last {local_time(version.last_at)}",
            *(() if version.has_source else ("source not stored",)),
        ]
        yield from wrapped(f"{fingerprint}  {', '.join(notes)}", "  ", output, hang="  ")
    if not any(map(detail.is_now, versions)) and detail.status.definition:
        yield "  The current file is none of them."
    yield ""


def _rehearsal(detail: ScriptDetail, output: Output) -> Iterator[str]:
    """What the last rehearsal has found."""
    found = detail.past.rehearsal
    if found is None:
        return
    from scripts_tracker.reporting import rehearsals  # few scripts have one

    now = detail.status.definition
    is_old = now is not None and found.content_digest != now.content_digest
    text = (
        f"Last rehearsal ({local_time(found.started_at)}, {found.outcome}{', other code' if is_old else ''}):"
    )
    yield from _heading(text, output)
    yield from rehearsals.report(found.report, output)
    yield ""


def _runs(detail: ScriptDetail, output: Output) -> Iterator[str]:
    """The history: a line for each entry, with details below it."""
    past = detail.past
    if not past.total:
        yield "No history here."
        return
    shown = len(past.runs)
    more = f"{shown} of {past.total}; more: --history" if shown < past.total else f"{shown}"
    yield from _heading(f"History, newest first ({more}):", output)
    for run in past.runs:
        yield from _run(run, output)


def _run(run: PastRun, output: Output) -> Iterator[str]:
    record, outcome = run.record, escaped(outcome_words(run))
    by = ", ".join(
        filter(None, (who(record.user, record.host), escaped(f"in {record.place}") if record.place else ""))
    )
    head, paint = f"  #{record.pk}  {local_time(record.started_at)}", outcome_style(run, output)
    room = (
        len(f"{head}  {outcome}, {by}") if output.width is None else output.width - len(f"{head}  {outcome}")
    )
    fits = room >= len(f", {by}")
    if room < 0:
        yield head
        yield from map(paint, wrapped(outcome, _BELOW, output))
    else:
        yield f"{head}  {paint(outcome)}{f', {by}' if by and fits else ''}"
    yield from wrapped("" if fits else by, _BELOW, output)
    yield from wrapped(reason_line(record.reason), _BELOW, output)
    if run.given:
        given = (f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in run.given.items())
        yield from wrapped(escaped(f"with {', '.join(given)}"), _BELOW, output, hang="  ")
    where = [f"process {record.pid}"] if record.pid and run.outcome in {"running", "lost"} else []
    where += [f"git {run.git_revision[:_DIGITS]}"] if run.git_revision else []
    yield from wrapped(escaped(", ".join(where)), _BELOW, output)


def outcome_words(run: PastRun) -> str:
    """What a row of the history is, and how it ended."""
    record = run.record
    words = {
        "mark": "marked as applied",
        "baseline": "marked as applied in a new database",
        "unmark": "unmarked",
        "release": "released",
        "pause": "paused",
        "resume": "resumed",
        "cancel": "cancelled",
        "restart": "begun anew",
        "rehearsal": f"{'rehearsal' if run.is_rehearsal else 'dry run'} {run.outcome}",
    }
    text = words.get(record.kind, run.outcome)
    text += "" if run.seconds is None else f" in {duration(run.seconds)}"
    return text + (", applied" if record.applies and record.kind == "run" else "")


def outcome_style(run: PastRun, output: Output) -> Callable[[str], str]:
    """The colour of that."""
    if run.outcome in {"failed", "lost"}:
        return output.style.ERROR
    return output.style.SUCCESS if run.record.applies else str


def _last_output(detail: ScriptDetail, output: Output) -> Iterator[str]:
    past = detail.past
    for label, text in (("Output", past.output), ("Traceback", past.traceback)):
        if not text.strip():
            continue
        lines = text.rstrip().split("\n")
        cut = len(lines) - _OUTPUT_LINES
        more = f" (last {_OUTPUT_LINES} lines; all: --run -1)" if cut > 0 else ""
        yield ""
        yield from _heading(f"{label} of the last run{more}:", output)
        yield from _quoted(lines[max(cut, 0) :])


def run(found: tuple[ScriptStatus, RunText], output: Output) -> str:
    """One run, with all of its output and its traceback."""
    status, text = found
    lines = [f"{output.style.MIGRATE_LABEL(str(status.id))}: run {text.run.record.pk}"]
    lines += _run(text.run, output)
    for label, kept in (("Output", text.output), ("Traceback", text.traceback)):
        if kept.strip():
            lines += ["", output.style.MIGRATE_HEADING(f"{label}:"), *_quoted(kept.rstrip().split("\n"))]
    if not text.output.strip():
        lines += ["", *wrapped("It printed nothing that the ledger keeps.", "", output)]
    return "\n".join(lines)


def _heading(text: str, output: Output) -> Iterator[str]:
    yield from map(output.style.MIGRATE_HEADING, wrapped(text, "", output, hang="  "))


def _quoted(lines: Iterable[str]) -> Iterator[str]:
    yield from (f"  {escaped(line)}".rstrip() for line in lines)


def _diff(lines: Iterable[str], output: Output) -> Iterator[str]:
    """In git's colours; the first two lines are names, whatever they start with."""
    style = output.style
    by_mark = {"-": style.ERROR, "+": style.SUCCESS, "@": style.MIGRATE_HEADING}
    for number, line in enumerate(lines):
        paint = style.MIGRATE_LABEL if number < 2 else by_mark.get(line[:1], str)  # noqa: PLR2004 - the two names
        yield paint(escaped(line))
