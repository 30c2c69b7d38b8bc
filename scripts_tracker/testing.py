"""For the tests of a project: which rows a script changes, and whether a second run changes any.

    class FixTotalsTest(IdempotenceMixin, TestCase):
        def test_twice(self):
            self.assert_idempotent("fix_totals")

With pytest, the fixture ``assert_idempotent`` does the same in a test that may use the database.

    class FixTotalsTest(RowReportMixin, TestCase):
        def test_rows(self):
            self.assert_changes("fix_totals", {"shop_order": {"inserted": 0, "updated": 3, "deleted": 0}})

``row_report("fix_totals")`` gives that dictionary, and so does the fixture ``row_report``.
"""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management import CommandError, call_command, load_command_class
from django.db import connections, router

from scripts_tracker.core.reports import RehearsalReport, row_counts
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from django.db.models import Model

    Rows = Mapping[tuple[str, str], Mapping[Any, Mapping[str, Any]]]
    """Every row by table (alias and label) and key."""

# How many differences a failure shows.
_SHOWN = 10


class NotIdempotentError(AssertionError):
    """The second run of a script changed rows; the message says which."""


def assert_idempotent(
    command: str, *args: Any, ignore: Collection[str] = (), using: Collection[str] = (), **options: Any
) -> None:
    """Run a command twice, as ``call_command`` does, and compare all rows before and after the second run.

    Args:
        command: its name.
        args: passed to it.
        ignore: what may differ: "app.Model" or "app.Model.field", such as a field with ``auto_now``.
        using: aliases of the databases to look at; the one of each model by default.
        options: passed to it by name.

    Raises:
        NotIdempotentError: the second run added, changed or deleted rows.
        LookupError, FieldDoesNotExist: there is no such thing to ignore.
    """
    ignored = frozenset(map(_label, (ignore,) if isinstance(ignore, str) else ignore))
    models = [model for model in _models() if model._meta.label not in ignored]  # noqa: SLF001 - Django's documented Model API
    call_command(command, *args, **{"stdout": io.StringIO(), **options})
    before = _rows(models, ignored, using)
    call_command(command, *args, **{"stdout": io.StringIO(), **options})
    differences = list(_differences(before, _rows(models, ignored, using)))
    if differences:
        shown = "\n".join(f"  {difference}" for difference in differences[:_SHOWN])
        more = f"\n  and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
        raise NotIdempotentError(f"{command} is not idempotent; its second run\n{shown}{more}")


class ScriptRun(NamedTuple):
    """A run of a script in a test.

    Attributes:
        rows: the changed rows by table, as ``row_report`` gives them.
        report: the same with the statements, seconds, hooks of ``on_commit`` and what could not be counted.
        result: what ``call_command`` returned.
        output: what the command wrote to ``self.stdout``.
    """

    rows: dict[str, dict[str, int | None]]
    report: RehearsalReport
    result: Any
    output: str


def run_script(command: str, *args: Any, **options: Any) -> ScriptRun:
    """Run a command, as ``call_command`` does, and count the rows that its statements change.

    What it changes stays, for the test to look at. Rows that it rolls back itself are not counted.

    Args:
        command: its name, or ``app.name``.
        args: passed to it.
        options: passed to it by name.

    Raises:
        CommandError: there is no such command; and whatever the command raises.
    """
    from scripts_tracker.running.recording_sql import Recorder, recorded

    recorder, output = Recorder(), io.StringIO()
    found: Any = _command(command)
    aliases = list(connections)
    before = sum(len(connections[alias].run_on_commit) for alias in aliases)
    began = time.monotonic()
    with recorded(recorder):
        result = call_command(found, *args, **{"stdout": output, **options})
    report = RehearsalReport(
        recorder.tables,
        recorder.statements,
        time.monotonic() - began,
        max(sum(len(connections[alias].run_on_commit) for alias in aliases) - before, 0),
        warnings=tuple(recorder.warnings),
    )
    return ScriptRun(row_counts(report.tables), report, result, output.getvalue())


def row_report(command: str, *args: Any, **options: Any) -> dict[str, dict[str, int | None]]:
    """Run a command and give the rows that it has changed, by table: a plain value that a test can keep.

    A number is None where it is not known (``ON CONFLICT DO UPDATE``, ``TRUNCATE``). A table of another database than
    "default" has its alias in front: "replica:shop_order". Tables without a changed row are left out.

    Args:
        command: its name, or ``app.name``.
        args: passed to it.
        options: passed to it by name.

    Raises:
        CommandError: there is no such command; and whatever the command raises.
    """
    return run_script(command, *args, **options).rows


def _command(name: str) -> Any:
    """What ``call_command`` runs: a name, or the object of the command of one app."""
    app_label, _, command = name.rpartition(".")
    if not app_label:
        return command
    try:
        return load_command_class(apps.get_app_config(app_label).name, command)
    except (LookupError, ImportError) as error:
        raise CommandError(f"there is no command {command!r} in an app {app_label!r}: {error}") from error


class RowReportMixin:
    """For a ``TestCase`` of Django: the rows that a script changes, as an expectation."""

    maxDiff: int | None = None

    def row_report(self, command: str, *args: Any, **options: Any) -> dict[str, dict[str, int | None]]:
        """The function of that name."""
        return row_report(command, *args, **options)

    def assert_changes(
        self, command: str, expected: Mapping[str, Mapping[str, int | None]], *args: Any, **options: Any
    ) -> None:
        """Run a command, and fail if it has not changed just these rows."""
        test: Any = self
        test.assertEqual(row_report(command, *args, **options), expected)  # noqa: PT009 - it shows what differs


class IdempotenceMixin:
    """For a ``TestCase`` of Django: the check as a method."""

    def assert_idempotent(self, command: str, *args: Any, **options: Any) -> None:
        """The function of that name."""
        assert_idempotent(command, *args, **options)


def _models() -> Iterator[type[Model]]:
    """What has a table of its own, except the tracker's ledger."""
    for model in apps.get_models(include_auto_created=True):
        if not model._meta.proxy and model._meta.app_label != "scripts_tracker":  # noqa: SLF001 - as above
            yield model


def _label(name: str) -> str:
    """What to ignore, as the tables have it: a field of a parent is in the parent's table."""
    app_label, _, rest = name.partition(".")
    model_name, _, field_name = rest.partition(".")
    model = apps.get_model(app_label, model_name)  # raises LookupError with a good message
    if not field_name:
        return str(model._meta.label)  # noqa: SLF001 - as above
    field = model._meta.get_field(field_name)  # noqa: SLF001 - as above
    if not field.concrete or field.many_to_many:
        raise LookupError(f"{name} is not a column of that table; use the name of the model with the rows")
    return f"{field.model._meta.label}.{field.name}"  # noqa: SLF001 - as above


def _rows(models: Collection[type[Model]], ignored: Collection[str], using: Collection[str]) -> Rows:
    found: dict[tuple[str, str], dict[Any, Mapping[str, Any]]] = {}
    for alias, model in _places(models, using):
        meta = model._meta  # noqa: SLF001 - as above
        fields = meta.local_concrete_fields
        names = [field.attname for field in fields if f"{meta.label}.{field.name}" not in ignored]
        rows = model._base_manager.using(alias).values_list("pk", *names)  # noqa: SLF001 - as above
        found[alias, meta.label] = {
            key: dict(zip(names, values, strict=True)) for key, *values in rows.iterator(chunk_size=2_000)
        }
    return found


def _places(models: Collection[type[Model]], using: Collection[str]) -> Iterator[tuple[str, type[Model]]]:
    """Where each model has a table."""
    tables: dict[str, set[str]] = {}
    for model in models:
        for alias in using or (router.db_for_read(model),):
            if alias not in tables:
                tables[alias] = set(connections[alias].introspection.table_names())
            if model._meta.db_table in tables[alias]:  # noqa: SLF001 - as above
                yield alias, model


def _differences(before: Rows, after: Rows) -> Iterator[str]:
    for table in sorted(before.keys() | after.keys()):
        old, new = before.get(table, {}), after.get(table, {})
        for key in sorted(old.keys() | new.keys(), key=str):
            row = f"{table[1]} {key}"
            if key not in new:
                yield f"deleted {row}"
            elif key not in old:
                yield f"added {row}"
            elif old[key] != new[key]:
                was, now = old[key], new[key]
                changes = (
                    f"{name}: {was[name]!r} -> {now[name]!r}" for name in was if was[name] != now[name]
                )
                yield f"changed {row} ({', '.join(changes)})"
