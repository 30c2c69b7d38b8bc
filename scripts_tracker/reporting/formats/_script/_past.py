"""A script's versions and runs for people: who did what when, how long it took, and what counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scripts_tracker.core.text import duration, local_time, who
from scripts_tracker.reporting.formats._wrapping import escaped, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts_tracker.core.values import PastRun, PastVersion
    from scripts_tracker.project.detail import Dossier
    from scripts_tracker.reporting.report import Canvas

_DIGITS = 12
_BAD = {"failed", "lost"}
_BELOW = " " * 20


def versions(dossier: Dossier, canvas: Canvas) -> Iterator[str]:
    """The contents of the file that ran here, the one that ran last first."""
    found = dossier.past.versions
    if not found:
        return
    yield canvas.style.MIGRATE_HEADING(f"Versions that ran or were marked here ({len(found)}):")
    for version in found:
        notes = ", ".join(_version_notes(dossier, version))
        yield from wrapped(f"{_short(version)}  {notes}", "  ", canvas, hang="  ")
    if not any(dossier.is_now(version) for version in found) and dossier.status.definition:
        yield "  The file now is none of them."
    yield ""


def _short(version: PastVersion) -> str:
    return f"{version.fingerprint.algorithm}:{version.fingerprint.digest[:_DIGITS]}"


def _version_notes(dossier: Dossier, version: PastVersion) -> Iterator[str]:
    if dossier.is_applied(version):
        yield "applied last"
    elif not version.applied:
        yield "never applied"
    if dossier.is_now(version):
        now = dossier.status.definition
        is_same_layout = now is not None and now.content_digest == version.content_digest
        yield "the file now" if is_same_layout else "the code of the file now"
    yield f"{version.runs}x, last {local_time(version.last_at)}"
    if not version.has_source:
        yield "no source kept"


def runs(dossier: Dossier, canvas: Canvas) -> Iterator[str]:
    """What happened here, a line an entry and what belongs to it below."""
    past = dossier.past
    if not past.total:
        yield "It has no history here."
        return
    shown = len(past.runs)
    more = f"{shown} of {past.total}; more: --history" if shown < past.total else f"{shown}"
    yield canvas.style.MIGRATE_HEADING(f"History, newest first ({more}):")
    for run in past.runs:
        yield from _run(run, canvas)


def _run(run: PastRun, canvas: Canvas) -> Iterator[str]:
    """A line, and below it what does not fit or is not always there."""
    record, ending = run.record, _ending(run)
    by = escaped(who(record))
    line = f"  {local_time(record.started_at)}  {ending}"
    fits = canvas.width is None or len(f"{line}, {by}") <= canvas.width
    coloured = line.replace(ending, _outcome_style(run, canvas)(ending))
    yield f"{coloured}, {by}" if by and fits else coloured
    yield from wrapped("" if fits else by, _BELOW, canvas)
    yield from wrapped("\n".join(record.reason.splitlines()[:1]), _BELOW, canvas)
    if run.given:
        yield from wrapped(f"with {_arguments(run.given)}", _BELOW, canvas, hang="  ")
    where = [f"process {record.pid}"] if record.pid and run.outcome in {"running", "lost"} else []
    where += [f"git {run.git_revision[:_DIGITS]}"] if run.git_revision else []
    yield from wrapped(", ".join(where), _BELOW, canvas)


def _ending(run: PastRun) -> str:
    record = run.record
    words = {"mark": "marked as applied", "unmark": "forgotten", "rehearsal": f"rehearsal {run.outcome}"}
    text = words.get(record.kind, run.outcome)
    text += "" if run.seconds is None else f" in {duration(run.seconds)}"
    return text + (", applied" if record.applies and record.kind == "run" else "")


def _outcome_style(run: PastRun, canvas: Canvas) -> Callable[[str], str]:
    if run.outcome in _BAD:
        return canvas.style.ERROR
    return canvas.style.SUCCESS if run.record.applies else str


def _arguments(given: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in given.items())
