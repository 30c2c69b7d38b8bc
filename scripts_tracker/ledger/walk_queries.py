"""What checks and reports read of the walks of batched scripts: one query, however many there are.

A walk has many ranges and many workers. Joined with both, it would come back as often as both together; so each of its
rows is one part: the walk itself, a range, or a run.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final, cast

from scripts_tracker.core import watches
from scripts_tracker.core.progress import RangeRecord, WalkRecord, WorkerRecord, from_text
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.ledger import database, statements
from scripts_tracker.ledger.database import needs_tables
from scripts_tracker.ledger.statements import RUN, columns, lease_of_worker, moment, run_record

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import tzinfo

    from scripts_tracker.core.environments import Places
    from scripts_tracker.core.values import RunRecord

    Row = Sequence[Any]

# Databases limit the number of parameters; above this, all open walks are read instead of the wanted ones.
_MOST_PARAMETERS: Final = 500

_OF_WALK: Final = (
    *("version__algorithm", "version__digest", "version__content_digest", "script_id", "token", "watched"),
    *("outcome", "started_at", "ended_at", "database", "table", "key", "hold_id"),
)
_OF_RANGE: Final = (
    *("id", "number", "lower", "upper", "cursor", "outcome", "worker_id", "keys", "rows", "batches"),
    *("batch_size", "keys_per_second", "rows_per_second", "reason"),
)
_ITSELF, _RANGE, _RUN = 0, 1, 2
# The runs are those without an end, the one that joined last, and the decision that is in force.
_WALKS: Final = f"""SELECT p."part", w."id", {columns("d", *_OF_WALK)}, {columns("r", *_OF_RANGE)},
u."waiting", u."lease_expires" - {{now}}, {columns("u", *RUN)}
FROM "scripts_tracker_scriptwalk" w JOIN "scripts_tracker_script" s ON s."id" = w."script_id"
CROSS JOIN (SELECT {_ITSELF} AS "part" UNION ALL SELECT {_RANGE} UNION ALL SELECT {_RUN}) p
LEFT JOIN "scripts_tracker_scriptwalk" d ON p."part" = {_ITSELF} AND d."id" = w."id"
LEFT JOIN "scripts_tracker_scriptversion" dv ON dv."id" = d."version_id"
LEFT JOIN "scripts_tracker_scriptrange" r ON p."part" = {_RANGE} AND r."walk_id" = w."id"
LEFT JOIN "scripts_tracker_scriptrun" u ON p."part" = {_RUN} AND u."walk_id" = w."id"
AND (u."outcome" = 'running' OR u."id" = s."last_run_id" OR u."id" = w."hold_id")
LEFT JOIN "scripts_tracker_scriptversion" uv ON uv."id" = u."version_id" WHERE """  # noqa: S608 - our own names
_OPEN: Final = 's."walk_id" = w."id"'


class _Parts:
    """The rows of one walk."""

    def __init__(self) -> None:
        self.itself: Row = ()
        self.ranges: list[RangeRecord] = []
        self.runs: dict[int, tuple[RunRecord, str, float]] = {}


@needs_tables
def walks(pks: Collection[int], places: Places | None = None) -> Mapping[int, WalkRecord]:
    """Walks by key with their ranges and workers, as they are now (one query).

    Args:
        pks: the keys of walks; what is not there any more is left out. Of more than the database takes as parameters,
            those that are open are read.
        places: sees which workers are of another place; None where all are of this one.
    """
    if not pks:
        return {}
    zone = database.connection().timezone
    parts: dict[int, _Parts] = defaultdict(_Parts)
    for part, pk, *row in _rows(pks):
        _add(parts[pk], part, row, zone)
    if places is not None:
        for one in parts.values():
            one.runs = {
                pk: (places.as_seen(run), waiting, left) for pk, (run, waiting, left) in one.runs.items()
            }
    return {pk: _walk(pk, one, zone) for pk, one in parts.items()}


@needs_tables
def walk_of(script_pk: int) -> WalkRecord | None:
    """The open walk of a script with its ranges and workers; None without one (two queries)."""
    rows = statements.select('SELECT "walk_id" FROM "scripts_tracker_script" WHERE "id" = %s', script_pk)
    pk = rows[0][0] if rows else None
    return walks([pk]).get(pk) if pk else None


def _rows(pks: Collection[int]) -> list[tuple[Any, ...]]:
    if len(pks) > _MOST_PARAMETERS:
        return statements.select(_WALKS + _OPEN)
    wanted = ", ".join(["%s"] * len(pks))
    return statements.select(f'{_WALKS}w."id" IN ({wanted})', *pks)


def _add(parts: _Parts, part: int, row: Row, zone: tzinfo | None) -> None:
    """Add a row of a walk: of its columns, only those of one part are filled."""
    rest = row[len(_OF_WALK) :]
    if part == _ITSELF:
        parts.itself = row[: len(_OF_WALK)]
    elif part == _RANGE and rest[0] is not None:
        parts.ranges.append(_range(rest[: len(_OF_RANGE)]))
    elif part == _RUN:
        waiting, left, *columns = rest[len(_OF_RANGE) :]
        run = run_record(columns, zone)
        if run is not None:
            parts.runs[run.pk] = run, waiting, left


def _range(row: Row) -> RangeRecord:
    pk, number, lower, upper, cursor, *rest = row
    return RangeRecord(pk, number, from_text(lower), from_text(upper), from_text(cursor), *rest)


def _walk(pk: int, parts: _Parts, zone: tzinfo | None) -> WalkRecord:
    algorithm, digest, content, script_pk, token, watched, outcome, started_at, ended_at, *place = (
        parts.itself
    )
    *place, hold = place
    workers = [_worker(*one) for one in parts.runs.values() if one[0].kind == "run"]
    return WalkRecord(
        pk,
        script_pk,
        token,
        Fingerprint(algorithm, digest) if algorithm else None,
        content,
        watches.from_text(watched),
        outcome,
        moment(started_at, zone),
        moment(ended_at, zone),
        *cast("tuple[str, str, str]", place),
        hold=parts.runs[hold][0] if hold in parts.runs else None,
        ranges=tuple(sorted(parts.ranges, key=lambda one: one.number)),
        workers=tuple(sorted(workers, key=lambda one: one.run.pk)),
    )


def _worker(run: RunRecord, waiting: str, left: float) -> WorkerRecord:
    lease = lease_of_worker(run, left)
    return WorkerRecord(run, lease is not None and lease.is_live, waiting, lease)
