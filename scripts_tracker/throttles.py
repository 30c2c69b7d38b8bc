"""What batched scripts ask between two batches, named in ``SCRIPTS_TRACKER["throttle"]``: why to wait, if they should.

A throttle is a callable. It gets a ``Work``, or nothing if it has no parameter, and returns None, or the reason to wait
in a clause. Each one here stands for itself, and makes another with other limits::

    from scripts_tracker.throttles import replica_lag, window

    SCRIPTS_TRACKER = {"throttle": [window("22:00-06:00"), replica_lag(seconds=5), "shop.ops.quiet_hours"]}

Settings may import this module: it imports only the standard library, and Django inside its functions.
"""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
from typing import TYPE_CHECKING, Any, Final, overload

from scripts_tracker.core.values import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Throttle = Callable[[Work], str | None]
    Row = dict[str, Any]

__all__ = ["Work", "autovacuum_on_table", "replica_lag", "window"]

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = 24 * 60  # minutes
_WINDOW: Final = re.compile(
    r"(?:(?P<days>[a-z]{3}(?:-[a-z]{3})?(?:,[a-z]{3}(?:-[a-z]{3})?)*) )?"
    r"(?P<from_h>\d\d):(?P<from_m>\d\d)-(?P<to_h>\d\d):(?P<to_m>\d\d)"
)


@overload
def replica_lag(work: Work, *, seconds: float = ..., aliases: Iterable[str] | None = ...) -> str | None: ...
@overload
def replica_lag(*, seconds: float = ..., aliases: Iterable[str] | None = ...) -> Throttle: ...
def replica_lag(
    work: Work | None = None, *, seconds: float = 10, aliases: Iterable[str] | None = None
) -> str | Throttle | None:
    """Wait while a replica of the database is too far behind.

    PostgreSQL is asked for its replicas (``pg_stat_replication``, which needs the role ``pg_read_all_stats``), and every
    replica in ``DATABASES`` for itself. MySQL and MariaDB know the lag only on the replica (``SHOW REPLICA STATUS``,
    which needs the privilege REPLICA MONITOR or REPLICATION CLIENT), so that a replica must be in ``DATABASES``.
    A replica that cannot be asked, or does not replicate, is a reason to wait.

    Args:
        work: what is about to change; left out, the function returns a throttle.
        seconds: as far as replicas may be behind.
        aliases: the replicas in ``DATABASES``; by default those with the same NAME on another HOST or PORT, and those
            whose TEST["MIRROR"] is the alias of the database.
    """
    if work is None:
        return functools.partial(replica_lag, seconds=seconds, aliases=aliases)
    from django.db import connections

    vendor = connections[work.database].vendor
    if vendor not in {"postgresql", "mysql"}:
        return None
    named = tuple(_replicas_of(work.database) if aliases is None else aliases)
    lags = [_lag(alias, vendor, must_replicate=aliases is not None) for alias in named]
    if vendor == "postgresql":
        lags += _lags_by_primary(work.database, must_know=not named)
    name, lag = max(lags, key=lambda pair: pair[1], default=("", 0.0))
    if lag == math.inf:
        return f"{name} is behind, by a time that it cannot say"
    return f"{name} is {lag:.0f} s behind (limit: {seconds:.15g} s)" if lag > seconds else None


def _replicas_of(alias: str) -> Iterator[str]:
    """The aliases that seem to be replicas of the same database."""
    from django.db import connections

    settings = connections[alias].settings_dict
    for other in connections:
        if other == alias or connections[other].vendor != connections[alias].vendor:
            continue
        found = connections[other].settings_dict
        is_same = found["NAME"] == settings["NAME"]
        is_elsewhere = any(found[key] != settings[key] for key in ("HOST", "PORT"))
        if found["TEST"].get("MIRROR") == alias or (is_same and is_elsewhere):
            yield other


def _lag(alias: str, vendor: str, *, must_replicate: bool) -> tuple[str, float]:
    """How many seconds a replica is behind, by its own account; none for a server that is no replica."""
    name = f"the replica {alias!r}"
    if vendor == "postgresql":
        (row,) = _ask(
            alias,
            "SELECT pg_is_in_recovery() AS is_replica, CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()"
            " THEN 0 ELSE EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()) END AS lag",
        )
        # A standby that has replayed no commit since it started knows no time.
        is_replica, lag = row["is_replica"], math.inf if row["lag"] is None else row["lag"]
    else:
        row = _replica_status(alias)
        is_replica, lag = bool(row), row.get("seconds_behind_source", row.get("seconds_behind_master"))
        if is_replica and lag is None:
            raise RuntimeError(f"{name} does not replicate now; see SHOW REPLICA STATUS there")
    if must_replicate and not is_replica:
        raise RuntimeError(f"{name} is no replica")
    return name, float(lag) if is_replica else 0.0


def _replica_status(alias: str) -> Row:
    """What MySQL or MariaDB says on a replica; nothing on a server that is none."""
    from django.db import Error

    try:
        rows = _ask(alias, "SHOW REPLICA STATUS")
    except Error as error:
        if not error.args or error.args[0] != _SYNTAX_ERROR:
            raise
        rows = _ask(alias, "SHOW SLAVE STATUS")  # MySQL before 8.0.22, MariaDB before 10.5.1
    return rows[0] if rows else {}


_SYNTAX_ERROR: Final = 1064


def _lags_by_primary(alias: str, *, must_know: bool) -> list[tuple[str, float]]:
    """What PostgreSQL knows of the replicas that are connected to it; a role without the right sees only their number."""
    rows = _ask(
        alias,
        "SELECT application_name AS name, state, EXTRACT(EPOCH FROM replay_lag) AS lag FROM pg_stat_replication",
    )
    if must_know and any(row["state"] is None for row in rows):
        raise PermissionError(
            "the database user may not see pg_stat_replication: GRANT pg_read_all_stats to it,"
            " or name the replicas: replica_lag(aliases=[...])"
        )
    # A base backup is connected as well, and never replays anything.
    found = (row for row in rows if row["state"] in {"streaming", "catchup"})
    return [(f"the replica {row['name'] or 'without a name'!r}", float(row["lag"] or 0)) for row in found]


@overload
def autovacuum_on_table(work: Work, *, dead_share: float | None = ...) -> str | None: ...
@overload
def autovacuum_on_table(*, dead_share: float | None = ...) -> Throttle: ...
def autovacuum_on_table(
    work: Work | None = None, *, dead_share: float | None = None
) -> str | Throttle | None:
    """Wait while PostgreSQL vacuums the table, or until it has; other databases never wait.

    Without the role ``pg_read_all_stats`` only the lock of a vacuum can be seen, which ANALYZE and CREATE INDEX
    CONCURRENTLY take too; they are a reason to wait as well.

    Args:
        work: what is about to change; left out, the function returns a throttle.
        dead_share: wait as well while the table has more dead rows than this share of the live ones, such as 0.2.
            Where autovacuum does not run, that never ends.
    """
    if work is None:
        return functools.partial(autovacuum_on_table, dead_share=dead_share)
    from django.db import connections

    if connections[work.database].vendor != "postgresql":
        return None
    table = connections[work.database].ops.quote_name(work.table)
    (row,) = _ask(work.database, _VACUUM, table, table, table)
    if row["phase"] is not None:
        done = f", {row['percent']} %" if row["percent"] is not None else ""
        return f"a vacuum of {work.table} is running ({row['phase']}{done})"
    if row["is_locked"]:
        return f"a vacuum, ANALYZE or CREATE INDEX CONCURRENTLY on {work.table} is running"
    if dead_share is not None and (row["dead"] or 0) > dead_share * (row["live"] or 0):
        return f"{work.table} has {row['dead']:,} dead rows beside {row['live'] or 0:,} live ones"
    return None


_VACUUM: Final = """SELECT p.phase, 100 * p.heap_blks_scanned / NULLIF(p.heap_blks_total, 0) AS percent,
EXISTS (SELECT 1 FROM pg_locks WHERE relation = to_regclass(%s) AND mode = 'ShareUpdateExclusiveLock' AND granted
 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS is_locked,
s.n_dead_tup AS dead, s.n_live_tup AS live
FROM (SELECT 1) one LEFT JOIN pg_stat_progress_vacuum p ON p.relid = to_regclass(%s) AND p.datname = current_database()
LEFT JOIN pg_stat_all_tables s ON s.relid = to_regclass(%s) LIMIT 1"""


def _ask(alias: str, statement: str, *params: str) -> list[Row]:
    """The rows of a statement, by the names of their columns in lower case."""
    from django.db import connections

    with connections[alias].cursor() as cursor:
        cursor.execute(statement, params or None)
        names = [str(column[0]).lower() for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


class window:  # noqa: N801 - it is written like the other throttles
    """Wait outside of hours of the day, by Django's TIME_ZONE.

    Args:
        texts: ``"22:00-06:00"``, if need be after days: ``"mon-fri 22:00-06:00"``, ``"sat,sun 00:00-24:00"``. A window
            over midnight belongs to the day on which it opens. Open while any of them is.

    Attributes:
        problem: what is wrong in the texts; empty if nothing is. A system check shows it: settings cannot.
    """

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.problem = "" if texts else "window() needs a time such as '22:00-06:00'"
        self._openings: list[tuple[int, int]] = []  # minute of the week, and length
        for text in texts:
            try:
                self._openings += _openings(text)
            except ValueError as error:
                self.problem = str(error)

    def __repr__(self) -> str:
        return f"window({', '.join(map(repr, self._texts))})"

    def __call__(self) -> str | None:
        """Why to wait now.

        Raises:
            ValueError: a text is malformed.
        """
        if self.problem:
            raise ValueError(self.problem)
        from django.utils import timezone

        now = timezone.now()  # naive in local time where USE_TZ is off
        return self.reason_at(
            now if timezone.is_naive(now) else timezone.localtime(now, timezone.get_default_timezone())
        )

    def reason_at(self, now: dt.datetime) -> str | None:
        """Why to wait at a local time; None inside the window."""
        minute = now.weekday() * _DAY + now.hour * 60 + now.minute
        week = len(_DAYS) * _DAY
        if any((minute - begin) % week < length for begin, length in self._openings):
            return None
        wait = min((begin - minute) % week for begin, _ in self._openings)
        opens = now + dt.timedelta(minutes=wait)
        day = "" if opens.date() == now.date() else f"{_DAYS[opens.weekday()].capitalize()} "
        return f"the window {' or '.join(self._texts)} opens at {day}{opens:%H:%M}"


def _openings(text: str) -> list[tuple[int, int]]:
    """When a window opens, in minutes of the week, and for how many minutes."""
    found = _WINDOW.fullmatch(str(text).lower())
    if found is None:
        raise ValueError(f"{text!r} is no window such as '22:00-06:00' or 'mon-fri 22:00-06:00'")
    begin, end = (int(found[f"{one}_h"]) * 60 + int(found[f"{one}_m"]) for one in ("from", "to"))
    is_time = int(found["from_m"]) < 60 and int(found["to_m"]) < 60 and begin < _DAY and end <= _DAY  # noqa: PLR2004 - minutes
    if not is_time:
        raise ValueError(f"{text!r} has a time that no clock shows")
    if begin == end:
        raise ValueError(f"the window {text!r} is empty; write 00:00-24:00 for the whole day")
    return [
        (day * _DAY + begin, (end - begin) % _DAY or _DAY) for day in _days(found["days"] or "mon-sun", text)
    ]


def _days(given: str, text: str) -> Iterator[int]:
    for part in given.split(","):
        first, _, last = part.partition("-")
        for name in (first, last or first):
            if name not in _DAYS:
                raise ValueError(f"{text!r}: {name!r} is no day; the days are {', '.join(_DAYS)}")
        begin, end = _DAYS.index(first), _DAYS.index(last or first)
        yield from ((begin + ahead) % len(_DAYS) for ahead in range((end - begin) % len(_DAYS) + 1))
