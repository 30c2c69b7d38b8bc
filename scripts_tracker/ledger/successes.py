"""How long scripts took: the last run of each that succeeded (one query; one more where batched scripts did)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.core.forecast import Success
from scripts_tracker.core.progress import INTEGER, from_text
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.ledger import database, statements
from scripts_tracker.ledger.database import needs_tables
from scripts_tracker.ledger.statements import moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from scripts_tracker.core.values import ScriptId

# A success with a reason does not count (a dry run, a worker that was not the last), unless it was applied nevertheless.
_LAST: Final = """SELECT s."app_label", s."name", u."started_at", u."ended_at", v."algorithm", v."digest", e."name", u."walk_id"
FROM (SELECT MAX("id") AS "id" FROM "scripts_tracker_scriptrun"
WHERE "kind" = 'run' AND "outcome" = 'succeeded' AND ("reason" = '' OR "applies") GROUP BY "script_id") m
JOIN "scripts_tracker_scriptrun" u ON u."id" = m."id" JOIN "scripts_tracker_script" s ON s."id" = u."script_id"
LEFT JOIN "scripts_tracker_scriptversion" v ON v."id" = u."version_id"
LEFT JOIN "scripts_tracker_scriptenvironment" e ON e."id" = u."environment_id" """
# Of each walk: itself with its first and last key, then its runs; one statement for both.
_WALKS: Final = """SELECT w."id", w."started_at", w."ended_at", w."table", w."key",
(SELECT SUM(r."keys") FROM "scripts_tracker_scriptrange" r WHERE r."walk_id" = w."id"),
(SELECT SUM(r."rows") FROM "scripts_tracker_scriptrange" r WHERE r."walk_id" = w."id"),
(SELECT r."lower" FROM "scripts_tracker_scriptrange" r WHERE r."walk_id" = w."id" AND r."number" = 0),
(SELECT r."upper" FROM "scripts_tracker_scriptrange" r WHERE r."walk_id" = w."id" ORDER BY r."number" DESC LIMIT 1),
u."started_at", u."ended_at"
FROM "scripts_tracker_scriptwalk" w LEFT JOIN "scripts_tracker_scriptrun" u
ON u."walk_id" = w."id" AND u."kind" = 'run' AND u."ended_at" IS NOT NULL
WHERE w."outcome" = 'succeeded' AND w."id" IN """
# Databases limit the number of parameters: of more walks than this, the newest are read.
_MOST_WALKS: Final = 500


@needs_tables
def last_successes() -> Mapping[ScriptId, Success]:
    """The last success of every script that had one."""
    zone = database.connection().timezone
    found: dict[ScriptId, Success] = {}
    of_walks: dict[int, ScriptId] = {}
    for label, name, started, ended, algorithm, digest, environment, walk in statements.select(_LAST):
        script = statements.script_id_of(label, name)
        start, end = moment(started, zone), moment(ended, zone)
        if end is None:
            continue
        version = str(Fingerprint(algorithm, digest)) if algorithm else ""
        seconds = max((end - start).total_seconds(), 0.0)
        found[script] = Success(start, seconds, version, environment or "")
        if walk is not None:
            of_walks[walk] = script
    for walk, work in _walks(sorted(of_walks)[-_MOST_WALKS:]).items():
        script = of_walks[walk]
        one = found[script]
        found[script] = work._replace(fingerprint=one.fingerprint, environment=one.environment)
    return found


def _walks(pks: Sequence[int]) -> Mapping[int, Success]:
    if not pks:
        return {}
    zone = database.connection().timezone
    itself: dict[int, tuple[Any, ...]] = {}
    spans: dict[int, list[tuple[datetime, datetime]]] = {}
    for pk, *row in statements.select(f"{_WALKS}({', '.join(['%s'] * len(pks))})", *pks):
        *facts, started, ended = row
        itself[pk] = tuple(facts)
        if started is not None:
            spans.setdefault(pk, []).append((moment(started, zone), moment(ended, zone)))
    return {pk: _success(facts, spans.get(pk, []), zone) for pk, facts in itself.items()}


def _success(facts: Sequence[Any], spans: list[tuple[datetime, datetime]], zone: Any) -> Success:
    started, ended, table, kind, keys, rows, lower, upper = facts
    begin, end = moment(started, zone), moment(ended, zone)
    at_work = spans or ([(begin, end)] if end is not None else [])
    return Success(
        begin,
        _covered(at_work),
        worker_seconds=sum(max((end - start).total_seconds(), 0.0) for start, end in at_work),
        keys=int(keys or 0),
        rows=int(rows or 0),
        table=table,
        key_span=_span(kind, lower, upper),
    )


def _covered(spans: Iterable[tuple[datetime, datetime]]) -> float:
    """The seconds in which at least one worker was at work."""
    seconds, until = 0.0, None
    for start, end in sorted(spans):
        first = start if until is None else max(start, until)
        seconds += max((end - first).total_seconds(), 0.0)
        until = end if until is None else max(end, until)
    return seconds


def _span(kind: str, lower: str | None, upper: str | None) -> int | None:
    first, last = from_text(lower or ""), from_text(upper or "")
    if kind != INTEGER or first is None or last is None:
        return None
    return max(int(last[0]) - int(first[0]), 0)
