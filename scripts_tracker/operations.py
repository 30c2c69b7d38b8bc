"""An operation for a project's migrations: stop until these scripts are applied here.

Every ``migrate`` imports this module, so it imports only Django's operations; the rest follows where a gate is reached.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management.base import CommandError
from django.db import router
from django.db.migrations.operations.base import Operation, OperationCategory

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations import Migration
    from django.db.migrations.state import ProjectState

_NAME = re.compile(r"(\w+\.)?[^.\s/]+")


class RequireScripts(Operation):
    """Stop ``migrate`` here until scripts are applied in this database.

    A database that was empty when ``migrate`` began passes. Nothing happens in reverse.

    Args:
        names: ``app.name``, or ``name`` for a script of the migration's own app.
        scripts: the same as a list, as ``squashmigrations`` writes it.
        elidable: whether ``squashmigrations`` may leave it out.
    """

    reduces_to_sql = False
    reversible = True
    category = OperationCategory.PYTHON

    def __init__(self, *names: Any, scripts: Sequence[Any] = (), elidable: bool = False) -> None:
        self.scripts: tuple[str, ...] = (*names, *scripts)
        self.elidable = elidable  # type: ignore[misc]  # as RunPython's
        if not self.scripts or isinstance(scripts, str):
            raise TypeError('RequireScripts takes names of scripts: RequireScripts("shop.fix_totals")')
        wrong = [one for one in self.scripts if not _NAME.fullmatch(str(one)) or not isinstance(one, str)]
        if wrong:
            raise TypeError(f"RequireScripts takes names such as shop.fix_totals, not {wrong[0]!r}")

    def deconstruct(self) -> tuple[str, Sequence[Any], dict[str, Any]]:
        """All by keyword: Django's writer of migrations does not support ``*names``."""
        kwargs: dict[str, Any] = {"scripts": list(self.scripts)}
        if self.elidable:
            kwargs["elidable"] = True
        return type(self).__name__, (), kwargs

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """No model changes."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,  # noqa: ARG002 - Django's signature
    ) -> None:
        """Raise if a script is not applied."""
        if not router.allow_migrate(schema_editor.connection.alias, app_label):
            return
        if not apps.is_installed(__package__):
            raise CommandError(f"RequireScripts needs {__package__!r} in INSTALLED_APPS")
        from scripts_tracker.running import requirements

        requirements.check_migration(self.scripts, app_label, schema_editor, from_state)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Scripts are not undone."""

    def describe(self) -> str:
        """The line of ``migrate --plan`` and ``sqlmigrate``."""
        return f"Require that scripts are applied: {', '.join(self.scripts)}"

    @property
    def migration_name_fragment(self) -> str:
        """For the names that Django gives to migrations."""
        names = (name.rpartition(".")[2] for name in self.scripts)
        return "require_" + "_".join(re.sub(r"\W", "_", name.lower()) for name in names)


def are_in(plan: Iterable[tuple[Migration, bool]]) -> bool:
    """Whether a plan contains this operation, at any depth of ``SeparateDatabaseAndState``."""
    return any(_has_gate(migration.operations) for migration, backwards in plan if not backwards)


def _has_gate(operations: Iterable[Operation]) -> bool:
    return any(
        isinstance(one, RequireScripts) or _has_gate(getattr(one, "database_operations", ()))
        for one in operations
    )
