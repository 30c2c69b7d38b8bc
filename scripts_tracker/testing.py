"""For the tests of a project: run a script twice, and fail if the second run changes rows.

    class FixTotalsTest(IdempotenceMixin, TestCase):
        def test_twice(self):
            self.assert_idempotent("fix_totals")

With pytest, the fixture ``assert_idempotent`` does the same in a test that may use the database.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management import call_command
from django.db import connections, router

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
