"""SQL for what every check and every run of a script reads.

The ORM would take longer to build these statements and to turn their rows into values than the database to answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from typing import TYPE_CHECKING, Any, Final

from django.db import connections, transaction
from django.utils.dateparse import parse_datetime

from scripts_tracker import conf
from scripts_tracker.core import watches
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint, Lease, RunRecord, ScriptId
from scripts_tracker.ledger import processes
from scripts_tracker.ledger.database import alias, epoch_sql, own_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import tzinfo

    from django.db.backends.base.base import BaseDatabaseWrapper

_QUOTED: Final = r'"(\w+)"'
# What ``backslashreplace`` makes of a character that the database lacks. Few names have one, and compiling takes a while.
_ESCAPE: Final = r"\\(?:x([89a-f][0-9a-f])|u([0-9a-f]{4})|U([0-9a-f]{8}))"

RUN: Final = (
    *("id", "kind", "outcome", "version__algorithm", "version__digest", "version__content_digest"),
    *("started_at", "ended_at", "host", "pid", "user", "reason", "applies", "process", "watched"),
    "environment_id",
)
"""What ``run_record`` takes, as a queryset of runs names it."""


def columns(table: str, *names: str) -> str:
    """Some columns of a table in a SELECT; those of its version are in the table of that letter and ``v``."""
    parts = (name.rpartition("__") for name in names)
    return ", ".join(f'{table}{version[:1]}."{name}"' for version, _, name in parts)


LAST_RUN: Final = """LEFT JOIN "scripts_tracker_scriptrun" l ON l."id" = s."last_run_id"
LEFT JOIN "scripts_tracker_scriptversion" lv ON lv."id" = l."version_id"
"""
# Each script with its last run.
SCRIPTS: Final = f'FROM "scripts_tracker_script" s\n{LAST_RUN}'
LEASE: Final = (
    """CASE WHEN s."lease_renewed" > 0 THEN {now} - s."lease_renewed" END, s."lease_expires" - {now}"""
)
"""What ``lease_of`` takes: the seconds since the last sign of life, and until the lease runs out."""


# Schema of the tables, role, isolation level of transactions, as the columns of a SELECT.
_PLACES: Final = {
    "postgresql": """(SELECT n.nspname FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = pg_catalog.to_regclass('scripts_tracker_script')),
CASE WHEN current_user = session_user THEN '' ELSE current_user END, current_setting('transaction_isolation')""",
    "mysql": "DATABASE(), '', ''",
    "sqlite": "'main', '', ''",
}

HERE: Final = """(SELECT MAX(e."id") FROM "scripts_tracker_scriptenvironment" e WHERE e."name" = %s AND e."identity" = {identity}),
(SELECT MIN(e."id") FROM "scripts_tracker_scriptenvironment" e)"""
"""Columns for ``select_here``: the key of this environment, and of the first one that the ledger has."""

# Each in a subquery of its own, which PostgreSQL evaluates once. Its function may be forbidden or missing: as text, it is
# looked for only where it may be called, so the statement cannot fail.
_IDENTITIES: Final = {
    "postgresql": """(SELECT 'postgresql:' || COALESCE(CASE
WHEN has_function_privilege(to_regprocedure('pg_catalog.pg_control_system()'), 'EXECUTE') THEN
substring(CAST(query_to_xml('SELECT system_identifier FROM pg_catalog.pg_control_system()', true, false, '') AS text)
from '<system_identifier>([0-9]+)<') END, '') || ':' ||
(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()))""",
    # Not @@server_uid, which older versions do not have.
    "mariadb": """(SELECT CONCAT('mysql:', COALESCE((SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_VARIABLES
WHERE VARIABLE_NAME = 'SERVER_UID'), ''), ':', DATABASE()))""",
    "mysql": "CONCAT('mysql:', @@server_uuid, ':', DATABASE())",
}
_LONGEST_PATH: Final = 200
_LONGEST_NAME: Final = 255

# Statements as a kind of database takes them. A worker of a batched script has the same few for each batch; a server of
# many tenants has them for each schema.
_written: dict[tuple[str, str, str, str], str] = {}
_MOST_WRITTEN: Final = 512


class Place(NamedTuple):
    """Where the rows of a run are, whatever its script does to the connection.

    Attributes:
        schema: the schema of the tables, on MySQL and MariaDB the database; empty where it is not known.
        role: the role that ``SET ROLE`` had chosen when the run began; empty for that of the login.
        isolation: the isolation level of a transaction; empty where it is not known.
    """

    schema: str = ""
    role: str = ""
    isolation: str = ""


def identity_of(script_id: ScriptId) -> str:
    """What the database knows a script by: MySQL and MariaDB would take its name in another case for the same."""
    return hashlib.sha256(script_id.dotted.encode("utf-8", "surrogatepass")).hexdigest()


def script_id_of(app_label: str, name: str) -> ScriptId:
    """The script of a row, whose label and name are escaped if the database lacks their characters."""
    if "\\" in name or "\\" in app_label:
        app_label, name = map(unescaped, (app_label, name))
    return ScriptId(app_label, name)


def unescaped(text: str) -> str:
    """A text without the escapes of characters that the database lacks."""
    if "\\" not in text:
        return text
    return re.sub(_ESCAPE, lambda code: chr(int("".join(filter(None, code.groups())), 16)), text)


def select(statement: str, *params: Any, place: Place | None = None) -> list[tuple[Any, ...]]:
    """Run a SELECT on the ledger; its rows are as the driver gives them, so read dates with ``moment``.

    Args:
        statement: names in double quotes are quoted as the database needs it; ``{now}`` is its clock, ``{place}`` the
            columns of ``Place``.
        params: the values of ``%s``.
        place: where the tables are; None for where the connection looks by itself, or in the schema of its tenant.
    """
    connection = connections[alias()]
    with _in_role(connection, place), connection.cursor() as cursor:
        cursor.execute(_sql(statement, connection, place), params)
        return list(cursor.fetchall())


def select_here(statement: str, *params: Any, name_first: bool = True) -> list[tuple[Any, ...]]:
    """Run a SELECT as ``select`` does; ``{identity}`` is what the database says of itself.

    Args:
        statement: has ``HERE`` before all other parameters; ``{identity}`` once.
        params: the other parameters.
        name_first: whether the name of the environment stands before ``{identity}``.
    """
    identity, values = database_identity()
    first = (environment_name(),) if name_first else ()
    return select(statement.replace("{identity}", identity), *first, *values, *params)


def environment_name() -> str:
    """The setting as it is stored: a database that lacks its characters would refuse even to compare it."""
    return conf.tracker_settings().environment.encode("ascii", "backslashreplace").decode()[:_LONGEST_NAME]


def database_identity() -> tuple[str, tuple[str, ...]]:
    """The identity of the ledger's database as SQL, with its parameters.

    A database that a test has made is no place of its own: its clones and reruns are not, either.
    """
    connection = connections[alias()]
    if conf.is_under_test():
        return "''", ()
    if connection.vendor == "sqlite":
        return "%s", (_identity_of_file(connection),)
    kind = "mariadb" if getattr(connection, "mysql_is_mariadb", False) else connection.vendor
    return _IDENTITIES.get(kind, "''"), ()


def _identity_of_file(connection: BaseDatabaseWrapper) -> str:
    name = str(connection.settings_dict["NAME"])
    if name.startswith("file:"):
        from urllib.parse import unquote, urlsplit  # few names are addresses

        name = unquote(urlsplit(name).path)
    path = os.path.realpath(name)
    try:
        inode = os.stat(path).st_ino
    except OSError:  # in memory
        return ""
    if not path.isascii() or len(path) > _LONGEST_PATH:
        path = hashlib.sha256(os.fsencode(path)).hexdigest()
    return f"sqlite:{inode}:{path}"


def update(statement: str, *params: Any, place: Place) -> int:
    """Run an UPDATE, and commit it outside of a transaction of the caller, even if the driver's autocommit is off.

    Args:
        statement: as that of ``select``.
        params: the values of ``%s``.
        place: where the tables are.

    Returns:
        The number of rows that it found.
    """
    connection = connections[alias()]
    with _in_role(connection, place), connection.cursor() as cursor:
        cursor.execute(_sql(statement, connection, place), params)
        rows: int = cursor.rowcount
    if not connection.in_atomic_block and connection.autocommit:
        connection.commit()
    return rows


def _sql(statement: str, connection: BaseDatabaseWrapper, place: Place | None) -> str:
    schema = place.schema if place else own_schema()
    key = statement, connection.vendor, epoch_sql(connection), schema
    if (found := _written.get(key)) is None:
        if len(_written) >= _MOST_WRITTEN:
            _written.clear()
        found = _written[key] = _write(statement, connection, schema)
    return found


def _write(statement: str, connection: BaseDatabaseWrapper, schema: str) -> str:
    quote = connection.ops.quote_name
    prefix = f"{_quoted(connection, schema)}." if schema else ""
    statement = statement.replace("{now}", epoch_sql(connection))
    statement = statement.replace("{place}", _PLACES.get(connection.vendor, "'', '', ''"))
    if not prefix and quote("") == '""':
        return statement  # as it is, without a regular expression

    def name(match: re.Match[str]) -> str:
        return f"{prefix if match[1].startswith('scripts_tracker_') else ''}{quote(match[1])}"

    return re.sub(_QUOTED, name, statement)


def _quoted(connection: BaseDatabaseWrapper, name: str) -> str:
    """A name of the user's in a statement with parameters; Django's quote_name trusts what is in it."""
    mark = connection.ops.quote_name("x")[0]
    return f"{mark}{name.replace(mark, mark * 2).replace('%', '%%')}{mark}"


@contextlib.contextmanager
def _in_role(connection: BaseDatabaseWrapper, place: Place | None) -> Iterator[None]:
    """Run one statement in the role of the place; a transaction of the caller has a role of its own."""
    if not place or not place.role or connection.in_atomic_block or not connection.get_autocommit():
        yield
        return
    with transaction.atomic(using=connection.alias):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {_quoted(connection, place.role)}".replace("%%", "%"))
        yield


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


def lease_of_worker(run: RunRecord, left: float) -> Lease | None:
    """How a worker of a batched script holds what it is at; None if it is not running.

    Its row has the end of the lease alone, which each sign of life sets anew: to the length of a lease from then.

    Args:
        run: the run of the worker.
        left: seconds until its lease runs out, by the clock of the database.
    """
    length = conf.tracker_settings().lease_seconds
    return lease_of(run, length - left if left <= length else None, left)


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
    # fmt: off
    pk, kind, outcome, algorithm, digest, content, begun, ended, host, pid, user, reason, applies, process, text, place = row
    if pk is None:
        return None
    version = Fingerprint(algorithm, digest) if algorithm else None
    begun, ended = moment(begun, zone), moment(ended, zone)
    watched = watches.from_text(text) if text else ()
    return RunRecord(
        pk, kind, outcome, version, content, begun, ended, host, pid, user, reason, bool(applies), process, watched, place
    )
    # fmt: on
