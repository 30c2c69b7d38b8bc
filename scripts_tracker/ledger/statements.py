"""SQL for what every check and every run of a script reads.

The ORM would take longer to build these statements and to turn their rows into values than the database to answer.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from django.db import connections
from django.utils.dateparse import parse_datetime

from scripts_tracker.core import watches
from scripts_tracker.core.values import Fingerprint, Lease, RunRecord, ScriptId
from scripts_tracker.ledger import processes
from scripts_tracker.ledger.database import alias, epoch_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

_QUOTED = re.compile(r'"(\w+)"')
# What ``backslashreplace`` makes of a character that the database lacks.
_ESCAPE = re.compile(r"\\(?:x([89a-f][0-9a-f])|u([0-9a-f]{4})|U([0-9a-f]{8}))")

RUN: Final = (
    *("id", "kind", "outcome", "version__algorithm", "version__digest", "version__content_digest"),
    *("started_at", "ended_at", "host", "pid", "user", "reason", "applies", "process", "watched"),
)
"""What ``run_record`` takes, as a queryset of runs names it."""


def columns(table: str, *names: str) -> str:
    """Some columns of a table in a SELECT; those of its version are in the table of that letter and ``v``."""
    parts = (name.rpartition("__") for name in names)
    return ", ".join(f'{table}{version[:1]}."{name}"' for version, _, name in parts)


# Each script with its last run.
SCRIPTS: Final = """FROM "scripts_tracker_script" s
LEFT JOIN "scripts_tracker_scriptrun" l ON l."id" = s."last_run_id"
LEFT JOIN "scripts_tracker_scriptversion" lv ON lv."id" = l."version_id"
"""
LEASE: Final = (
    """CASE WHEN s."lease_renewed" > 0 THEN {now} - s."lease_renewed" END, s."lease_expires" - {now}"""
)
"""What ``lease_of`` takes: the seconds since the last sign of life, and until the lease runs out."""


def identity_of(script_id: ScriptId) -> str:
    """What the database knows a script by: MySQL and MariaDB would take its name in another case for the same."""
    return hashlib.sha256(str(script_id).encode("utf-8", "surrogatepass")).hexdigest()


def script_id_of(app_label: str, name: str) -> ScriptId:
    """The script of a row, whose label and name are escaped if the database lacks their characters."""
    if "\\" in name or "\\" in app_label:
        app_label, name = (
            _ESCAPE.sub(lambda code: chr(int("".join(filter(None, code.groups())), 16)), one)
            for one in (app_label, name)
        )
    return ScriptId(app_label, name)


def select(statement: str, *params: str | int) -> list[tuple[Any, ...]]:
    """Run a SELECT on the ledger; its rows are as the driver gives them, so read dates with ``moment``.

    Args:
        statement: names in double quotes are quoted as the database needs it; ``{now}`` is its clock.
        params: the values of ``%s``.
    """
    connection = connections[alias()]
    quote = connection.ops.quote_name
    sql = _QUOTED.sub(lambda name: quote(name[1]), statement.replace("{now}", epoch_sql(connection)))
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def lease_of(run: RunRecord | None, ago: float | None, left: float) -> Lease | None:
    """How a script's last run holds it; None if it is not running.

    On SQLite no lease is renewed, as the script itself is the one writer; there, its process is looked for.

    Args:
        run: the last run.
        ago: seconds since its last sign of life, None if none was recorded.
        left: seconds until its lease runs out, by the clock of the database.
    """
    if run is None or run.outcome != "running":
        return None
    if connections[alias()].vendor != "sqlite":
        return Lease(is_live=left > 0, ago=ago, left=left)
    if processes.is_running(run.pid, run.process, run.host, run.started_at):
        return Lease(is_live=True, ago=None, left=None)
    return Lease(is_live=left > 0, ago=None, left=left)


def moment(value: Any, zone: tzinfo | None) -> Any:
    """A date of ``select`` as a model's field would have it, None for None.

    Args:
        value: what the driver gave.
        zone: the connection's ``timezone``; None where dates have no time zone.
    """
    if isinstance(value, str):
        value = parse_datetime(value)
    return value if value is None or zone is None or value.tzinfo else value.replace(tzinfo=zone)


def run_record(row: Sequence[Any], zone: tzinfo | None) -> RunRecord | None:
    """A run, None where all of its columns are NULL: the script has no run.

    Args:
        row: the columns ``RUN``.
        zone: for ``moment``; None for the row of a queryset.
    """
    pk, kind, outcome, algorithm, digest, content, started_at, ended_at, *_ = row
    if pk is None:
        return None
    host, pid, user, reason, applies, process, text = row[8:]
    version = Fingerprint(algorithm, digest) if algorithm else None
    times = moment(started_at, zone), moment(ended_at, zone)
    watched = watches.from_text(text) if text else ()
    return RunRecord(
        pk, kind, outcome, version, content, *times, host, pid, user, reason, bool(applies), process, watched
    )
