"""The forecast of a plan: for each step what other places say, scaled to the keys of the tables here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.core import forecast
from scripts_tracker.core.forecast import Figure, Here
from scripts_tracker.core.text import duration, local_time
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.ledger import rehearsals
from scripts_tracker.running.keys import key_span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.fleet.snapshots import Entry, Snapshot


def figures(
    steps: Sequence[ScriptStatus], snapshots: Sequence[Snapshot], workers: int = 1
) -> Mapping[ScriptId, tuple[Figure, ...]]:
    """What other places, and rehearsals in this database, say about each step of a plan.

    Args:
        steps: the scripts.
        snapshots: the places, as their files show them.
        workers: how many processes share a batched script.
    """
    spans: dict[str, int | None] = {}
    found = {}
    rehearsed = rehearsals.last_rehearsals()
    for status in steps:
        entries = [(one.environment, one.entries.get(status.id.dotted)) for one in snapshots]
        for table in {one.success.table for _, one in entries if one and one.success}:
            if table and table not in spans:
                spans[table] = key_span(table)
        here = _here(status, spans, workers)
        figures = [_figure(place, entry, here) for place, entry in entries]
        if status.id in rehearsed:
            figures.append(forecast.rehearsed(*rehearsed[status.id], here))
        found[status.id] = tuple(figures)
    return found


def _here(status: ScriptStatus, spans: Mapping[str, int | None], workers: int) -> Here:
    definition, progress = status.definition, status.progress
    fingerprint = str(definition.fingerprint) if definition and definition.fingerprint else ""
    content = str(Fingerprint.of_bytes(definition.content_digest)) if definition else ""
    shared_by = workers if status.is_batched else 1
    return Here(fingerprint, shared_by, progress.percent if progress else None, spans, content)


def _figure(place: str, entry: Entry | None, here: Here) -> Figure:
    if entry is None:
        return Figure(place, None, ("does not know the script",))
    if entry.success is None:
        return Figure(place, None, (_without_success(entry),))
    return forecast.figure(place, entry.success, here, _since_then(entry))


def _without_success(entry: Entry) -> str:
    """Why a place has no figure, as half a sentence."""
    run = entry.last_run
    if run is None:
        return "it never ran there"
    when = f" on {local_time(run.started_at)[:10]}" if run.started_at else ""
    if run.outcome == "running":
        percent = "" if entry.percent is None else f", {entry.percent:g} % is done"
        return f"it is running there{percent}"
    if run.outcome == "lost":
        return f"its run there{when} never ended"
    if run.outcome == "failed":
        after = "" if run.seconds is None else f" after {duration(run.seconds)}"
        return f"it failed there{when}{after}"
    if entry.is_applied:
        return f"it was marked as applied there{when}, without a run"
    return "no run there has succeeded" if run.kind in {"run", "rehearsal"} else "it never ran there"


def _since_then(entry: Entry) -> Iterable[str]:
    """What happened there after the last success."""
    run = entry.last_run
    if run is not None and run.outcome in {"failed", "lost"}:
        when = f" on {local_time(run.started_at)[:10]}" if run.started_at else ""
        yield (
            f"it failed there later{when}"
            if run.outcome == "failed"
            else f"its last run there{when} never ended"
        )
