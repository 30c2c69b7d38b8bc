"""The table of django-scripts-tracker: its rows, and the scripts at the paths in it. Nothing writes to it."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from scripts_tracker import conf
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import database
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

    from scripts_tracker.core.values import ScriptDefinition, ScriptId

# The package's own name, and that of a copy in the project that is named like this package.
TABLES: Final = (
    "django_scripts_tracker_appliedmanagementscripts",
    "scripts_tracker_appliedmanagementscripts",
)
_COLUMNS: Final = ("file_path", "file_hash", "applied_date")


class Row(NamedTuple):
    """One run, as django-scripts-tracker recorded it.

    Attributes:
        path: of the module with the decorated handle(), mostly relative to where Python imports it; posix.
        digest: MD5 of the file's bytes, in hex.
        applied_at: when it ended; None if the table has no date.
    """

    path: str
    digest: str
    applied_at: datetime | None


def find(aliases: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The first of these databases with such a table, and its tables; an empty name if none has one."""
    for using in aliases:
        present = database.table_names(using) if using in connections else ()
        found = tuple(table for table in TABLES if table in present)
        if found:
            return using, found
    return "", ()


def rows(using: str, tables: Iterable[str]) -> list[Row]:
    """All rows of these tables, one table after the other, oldest first."""
    return [row for table in tables for row in _rows(connections[using], table)]


def _rows(connection: BaseDatabaseWrapper, table: str) -> list[Row]:
    quote = connection.ops.quote_name
    columns = ", ".join(map(quote, _COLUMNS))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(table)} ORDER BY {quote('id')}")  # noqa: S608 - our own names
        found = [_row(connection, *row) for row in cursor.fetchall()]
    return sorted(found, key=lambda row: row.applied_at.timestamp() if row.applied_at else 0.0)


def _row(connection: BaseDatabaseWrapper, path: str, digest: str, moment: Any) -> Row:
    # Paths were joined as the operating system does.
    posix = path.replace("\\", "/").removeprefix("./")
    return Row(posix, digest.strip().lower(), _moment(connection, moment))


def _moment(connection: BaseDatabaseWrapper, value: Any) -> datetime | None:
    """A date as Django's own fields return it: SQLite may store text, most drivers return it without a zone."""
    moment = parse_datetime(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return None
    if settings.USE_TZ and timezone.is_naive(moment):
        return timezone.make_aware(moment, connection.timezone)
    if not settings.USE_TZ and timezone.is_aware(moment):
        return timezone.make_naive(moment)
    return moment


_TAIL_LENGTH = 4  # app/management/commands/name.py


class LegacyPaths:
    """The scripts of the project by every path that django-scripts-tracker may have stored for them."""

    def __init__(self, definitions: Iterable[ScriptDefinition]) -> None:
        self._packages = {os.path.normpath(one.path): one.package for one in scan.commands_dirs()}
        self._by_path: dict[str, ScriptId] = {}
        by_tail: dict[str, set[ScriptId]] = defaultdict(set)
        for definition in definitions:
            for path in self._paths_of(definition):
                self._by_path.setdefault(path, definition.id)
                by_tail[_tail(path)].add(definition.id)
        self._by_tail = {tail: next(iter(ids)) for tail, ids in by_tail.items() if len(ids) == 1}

    def _paths_of(self, definition: ScriptDefinition) -> Iterator[str]:
        shown = definition.location.path
        absolute = scan.absolute_path(shown)
        yield shown
        package = self._packages.get(os.path.normpath(os.path.dirname(absolute)))
        if package:
            yield f"{package.replace('.', '/')}/{definition.id.name}.py"
        yield os.path.relpath(absolute).replace(os.sep, "/")
        # Absolute folders were stored without their first slash.
        yield absolute.replace(os.sep, "/").lstrip("/")

    def script_at(self, path: str) -> ScriptId | None:
        """The script at this path, even if the folder above its app has another name now."""
        return self._by_path.get(path) or self._by_tail.get(_tail(path))


def why_no_script(path: str) -> str:
    """Why there is no script at a path, as half a sentence."""
    if "/management/commands/" not in f"/{path}" or os.path.basename(path).startswith("_"):
        return (
            "probably a base class, so it is unknown which command ran; if you know it:"
            f" {database.typed('check_scripts --mark-applied NAME')}"
        )
    if any(os.path.isfile(os.path.join(root or ".", path)) for root in (conf.base_dir(), "", *sys.path)):
        return "the file has no tracked script: it is ignored, has no decorator, or its folder is not scanned"
    return "the file is gone"


def _tail(path: str) -> str:
    return "/".join(path.split("/")[-_TAIL_LENGTH:])
