"""Rehearsals as text and as JSON: what is said before one, what each script did, how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import duration
from scripts_tracker.reporting.terminal import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.core.events import Summary
    from scripts_tracker.core.reports import RehearsalReport, Sample, TableChanges
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.terminal import Output

_COLUMNS: Final = ("inserted", "updated", "deleted")
_COMMIT_THEMSELVES: Final = ("mysql", "oracle")


def before(vendors: Mapping[str, str], unavailable: Mapping[str, str], *, has_celery: bool) -> Iterator[str]:
    """What a rehearsal does not roll back or refuses, a sentence each.

    Args:
        vendors: of the databases, by alias.
        unavailable: why databases cannot be used, by alias.
        has_celery: whether the project uses Celery.
    """
    locked = "the database stays locked for other writers" if "sqlite" in vendors.values() else ""
    rows = "rows that a script changes stay locked" if {*vendors.values()} - {"sqlite"} else ""
    yield f"All databases are rolled back at the end. Until then, {' and '.join(filter(None, (rows, locked)))}."
    yield "Mail and hooks of on_commit are counted, not executed."
    yield "Not rolled back: HTTP requests, files, caches, other processes, connections past Django."
    if servers := sorted(alias for alias, vendor in vendors.items() if vendor != "sqlite"):
        yield f"Not rolled back: sequences; keys that were taken in {_listed(servers)} are not used again."
    if committing := sorted(alias for alias, vendor in vendors.items() if vendor in _COMMIT_THEMSELVES):
        yield (
            f"Refused in {_listed(committing)}, which commits at such a statement: CREATE, ALTER, DROP, TRUNCATE,"
            " LOCK TABLES, CALL and the like."
        )
    if has_celery:
        yield "Not rolled back: Celery; what a script calls with .delay() or .apply_async() is sent."
    for alias, reason in sorted(unavailable.items()):
        yield f"Database {alias!r} cannot be used in this rehearsal: {reason}."


def _listed(aliases: Sequence[str]) -> str:
    return " and ".join(map(repr, aliases))


def report(found: RehearsalReport, output: Output, indent: str = "  ") -> Iterator[str]:
    """What one script did: the changed rows by table, what was not done, what a sample makes for the whole."""
    for line in sentences(found):
        yield from wrapped(escaped(line), indent, output, hang="  ")
    for warning in found.warnings:
        yield from map(output.style.WARNING, wrapped(escaped(f"Note: {warning}."), indent, output, hang="  "))


def sentences(found: RehearsalReport) -> Iterator[str]:
    """What one script did, a line each."""
    for one in found.changed:
        yield f"{_name(one)}: {_changes(one)} ({_cost(one.statements, one.seconds)})"
    read = [one for one in found.tables if not one.is_changed]
    if read:
        yield f"Only read: {', '.join(f'{_name(one)} ({_cost(one.statements, one.seconds)})' for one in read)}"
    if not found.changed:
        yield "No rows were changed."
    yield f"{_cost(found.statements, found.seconds)} in all{_left_out(found)}."
    if found.sample is not None:
        yield from _of_sample(found.sample)


def _name(one: TableChanges) -> str:
    return one.table if one.alias == "default" else f"{one.alias}:{one.table}"


def _changes(one: TableChanges) -> str:
    counts = {name: getattr(one, name) for name in _COLUMNS}
    known = [f"{count:,} {name}" for name, count in counts.items() if count]
    unknown = [name for name, count in counts.items() if count is None]
    return ", ".join([*known, *([f"not known how many {' or '.join(unknown)}"] if unknown else [])])


def _cost(statements: int, seconds: float) -> str:
    return f"{counted(statements, 'statement')}, {_span(seconds)}"


def _span(seconds: float) -> str:
    """Milliseconds matter for statements."""
    return duration(seconds) if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _left_out(found: RehearsalReport) -> str:
    parts = [
        f"; {counted(found.hooks, 'hook')} of on_commit not called" if found.hooks else "",
        f"; {counted(found.mails, 'mail')} not sent" if found.mails else "",
        f"; {counted(found.jobs, 'job')} not enqueued" if found.jobs else "",
    ]
    return "".join(parts)


def _of_sample(one: Sample) -> Iterator[str]:
    share = "" if one.percent is None else f", {one.percent:.3g} % of the key space"
    batches = f"{one.batches:,} batch{'' if one.batches == 1 else 'es'}"
    yield f"Rehearsed: {batches}, {counted(one.keys, 'key')}{share}, {_span(one.seconds)}"
    if one.is_whole:
        return
    if one.estimated_seconds is None:
        yield "For the whole: not known"
    else:
        rows = (
            "rows not known" if one.estimated_rows is None else f"about {counted(one.estimated_rows, 'row')}"
        )
        yield f"For the whole: about {_span(one.estimated_seconds)}, {rows} changed"
    yield f"Basis: {one.basis}"


def counted(number: int, noun: str) -> str:
    """``1 row``, ``12,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def document(
    done: Summary,
    notes: Sequence[str],
    statements: Mapping[ScriptId, Sequence[str]] | None,
    broken: Sequence[str],
) -> dict[str, Any]:
    """A rehearsal as JSON has it.

    Args:
        done: how the steps ended.
        notes: what was said before.
        statements: of each script, if they are asked for.
        broken: the databases where not everything may have been rolled back.
    """
    scripts = []
    for result in done.results:
        one: dict[str, Any] = {
            "script": result.status.id.dotted,
            "outcome": result.outcome.value,
            "seconds": round(result.seconds, 3),
            "reason": result.text,
            "report": result.report.to_json() if result.report else None,
        }
        if statements is not None:
            one["statements"] = [*statements.get(result.status.id, ())]
        scripts.append(one)
    return {"version": 1, "notes": [*notes], "not_rolled_back": [*broken], "scripts": scripts}
