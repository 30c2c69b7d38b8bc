"""What django-scripts-tracker left behind: its table, read as it is, and its import paths. Nothing is written to it."""

from __future__ import annotations

import os
import re
import sys
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings
from django.db import connections
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from scripts_tracker import conf
from scripts_tracker.ledger import database
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

    from scripts_tracker.core.values import ScriptDefinition, ScriptId

# Under its own name, and as a copy in the project that is called as this package is.
TABLES: Final = (
    "django_scripts_tracker_appliedmanagementscripts",
    "scripts_tracker_appliedmanagementscripts",
)
_COLUMNS: Final = ("file_path", "file_hash", "applied_date")

_IMPORT: Final = re.compile(
    rb"^([ \t]*from[ \t]+)((?:django_)?scripts_tracker(?:\.(?:core|dependency)_tracker)?)"
    rb"([ \t]+import[ \t]+\(?[ \t\r\n]*(tracked_script|required_preceding_script)\b)",
    re.MULTILINE,
)
_MODULES: Final = {b"tracked_script": b"core_tracker", b"required_preceding_script": b"dependency_tracker"}


class Row(NamedTuple):
    """One run, as django-scripts-tracker recorded it.

    Attributes:
        path: of the module that holds the decorated handle(), mostly from where Python imports it; posix.
        digest: MD5 of the file's bytes, in hex.
        applied_at: when it ended; None where the table holds no date.
    """

    path: str
    digest: str
    applied_at: datetime | None


def tables(using: str) -> tuple[str, ...]:
    """Which of its tables are in this database (one query)."""
    present = database.table_names(using)
    return tuple(table for table in TABLES if table in present)


def find(aliases: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """The first of these databases that has a table of it, and its tables; no name where none has."""
    for using in aliases:
        found = tables(using) if using in connections else ()
        if found:
            return using, found
    return "", ()


def rows(using: str, table: str) -> list[Row]:
    """All rows of one of them, oldest first."""
    connection = connections[using]
    quote = connection.ops.quote_name
    columns = ", ".join(map(quote, _COLUMNS))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns} FROM {quote(table)} ORDER BY {quote('id')}")  # noqa: S608 - our own names
        found = [_row(connection, *row) for row in cursor.fetchall()]
    return sorted(found, key=lambda row: row.applied_at.timestamp() if row.applied_at else 0.0)


def _row(connection: BaseDatabaseWrapper, path: str, digest: str, moment: Any) -> Row:
    # It joined paths as its operating system does.
    return Row(
        path.replace("\\", "/").removeprefix("./"), digest.strip().lower(), _moment(connection, moment)
    )


def _moment(connection: BaseDatabaseWrapper, value: Any) -> datetime | None:
    """A date as Django's own fields would give it: SQLite may keep text, most drivers give it without a zone."""
    moment = parse_datetime(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        return None
    if settings.USE_TZ and timezone.is_naive(moment):
        return timezone.make_aware(moment, connection.timezone)
    if not settings.USE_TZ and timezone.is_aware(moment):
        return timezone.make_naive(moment)
    return moment


def with_new_imports(source: bytes) -> bytes:
    """The source as ``scripts-tracker-lint --fix`` leaves its imports of the decorators."""
    return _IMPORT.sub(rb"\1scripts_tracker\3", source)


def with_old_imports(source: bytes) -> Iterator[bytes]:
    """What the source may have been before ``scripts-tracker-lint --fix``, by each name of the old package."""
    for package in (b"django_scripts_tracker", b"scripts_tracker"):
        yield _IMPORT.sub(lambda m, name=package: m[1] + name + b"." + _MODULES[m[4]] + m[3], source)  # type: ignore[misc]  # a default binds it


_TAIL_LENGTH = 4  # app/management/commands/name.py


class Owners:
    """The scripts of the project by the paths that may be theirs."""

    def __init__(self, definitions: Iterable[ScriptDefinition]) -> None:
        self._packages = {os.path.normpath(one.path): one.package for one in scan.commands_dirs()}
        self._by_path: dict[str, ScriptId] = {}
        by_tail: dict[str, set[ScriptId]] = defaultdict(set)
        for definition in definitions:
            for name in self._names(definition):
                self._by_path.setdefault(name, definition.id)
                by_tail[_tail(name)].add(definition.id)
        self._by_tail = {tail: next(iter(ids)) for tail, ids in by_tail.items() if len(ids) == 1}

    def _names(self, definition: ScriptDefinition) -> Iterator[str]:
        shown = definition.location.path
        absolute = scan.absolute_path(shown)
        yield shown
        package = self._packages.get(os.path.normpath(os.path.dirname(absolute)))
        if package:
            yield f"{package.replace('.', '/')}/{definition.id.name}.py"
        yield os.path.relpath(absolute).replace(os.sep, "/")
        # An absolute folder lost its first slash.
        yield absolute.replace(os.sep, "/").lstrip("/")

    def of(self, path: str) -> ScriptId | None:
        """The script that was at this path, also where the folder above its app has another name now."""
        return self._by_path.get(path) or self._by_tail.get(_tail(path))

    def why_none(self, path: str) -> str:
        """Why a path is no script's."""
        if _is_there(path) and _is_in_commands(path):
            return "the file is no tracked script: ignored, without the decorator, or in no folder that is looked at"
        if not _is_in_commands(path):
            return (
                "a base class, say: which command ran is not known; for one that did:"
                " manage.py check_scripts --mark-applied NAME"
            )
        return "the file is gone"


def _tail(path: str) -> str:
    return "/".join(path.split("/")[-_TAIL_LENGTH:])


def _is_in_commands(path: str) -> bool:
    return "/management/commands/" in f"/{path}" and not os.path.basename(path).startswith("_")


def _is_there(path: str) -> bool:
    return any(os.path.isfile(os.path.join(root or ".", path)) for root in (conf.base_dir(), "", *sys.path))
