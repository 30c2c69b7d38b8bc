"""Whether a migration may go on: the scripts that it requires are applied, or there is nothing that they could have changed.

A database is empty if, when this ``migrate`` began, no table of any model of the project held a row, apart from what ``migrate``
itself fills. Asked before it begins, as migrations of a fresh install fill tables too; of all models, as a script may
fill a new table from an old one. Not asked in a project's own tests: they put rows in between two migrations, and nobody
is there who could run a script first.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps as current_apps
from django.core.management.base import CommandError
from django.db import Error, connections, router
from django.db.migrations import Migration

from scripts_tracker import conf, database, environment, names
from scripts_tracker.datatypes import ScriptId
from scripts_tracker.exceptions import LedgerMissing, ScriptsTrackerError
from scripts_tracker.overview import take_stock
from scripts_tracker.states import State
from scripts_tracker.vocabulary import NEWEST_MIGRATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FrameType

    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState
    from django.db.models import Model

    from scripts_tracker.states import ScriptStatus

# What migrate fills by itself, in a database that nobody has used.
_FILLED_BY_MIGRATE: Final = frozenset({"contenttypes", "sites", "scripts_tracker"})
_PERMISSIONS: Final = "auth.permission"

# By alias: whether the database was empty when the migrate that goes on now began.
_was_empty: dict[str, bool] = {}


class RequiredScripts(ScriptsTrackerError, CommandError):
    """A migration was not applied: scripts that it requires are not applied."""

    def __init__(self, message: str) -> None:
        CommandError.__init__(self, message)


def migrate_begins(using: str, apps: Apps) -> None:
    """Look at the database before anything is done to it."""
    _was_empty[using] = is_empty(using, apps, current_apps)


def migrate_ends(using: str) -> None:
    """Forget it."""
    _was_empty.pop(using, None)


def is_empty(using: str, *registries: Apps) -> bool:
    """Whether no table of these models holds a row, apart from what ``migrate`` itself fills."""
    connection = connections[using]
    with connection.cursor() as cursor:
        present = set(connection.introspection.table_names(cursor))
    name_of = connection.introspection.identifier_converter
    models = {model._meta.db_table: model for apps in registries for model in _models(using, apps)}  # noqa: SLF001 - Django's documented Model API
    held = (model for table, model in models.items() if name_of(table) in present)
    return not any(model._base_manager.using(using).exists() for model in held)  # noqa: SLF001 - as above


def _models(using: str, apps: Apps) -> Iterable[type[Model]]:
    for model in apps.get_models(include_auto_created=True):
        options = model._meta  # noqa: SLF001 - as above
        is_filled = options.app_label in _FILLED_BY_MIGRATE or options.label_lower == _PERMISSIONS
        if not is_filled and options.can_migrate(using) and router.allow_migrate_model(using, model):
            yield model


def insist(
    scripts: Sequence[str], app_label: str, editor: BaseDatabaseSchemaEditor, state: ProjectState
) -> None:
    """Raise RequiredScripts where a migration may not go on.

    Args:
        scripts: as the operation names them.
        app_label: the migration's app.
        editor: of the database that is migrated.
        state: the models as they are before the operation.
    """
    using = editor.connection.alias
    if not conf.tracker_settings().enabled or environment.is_under_test() or _was_empty.get(using):
        return
    missing = _missing(scripts, app_label)
    # Where no migrate has begun (MigrationExecutor, used by itself), the rows there are now must do.
    if missing and (using in _was_empty or not is_empty(using, state.apps)):
        stays = _what_stays(editor)
        told = f"{missing.rstrip('.')}. {stays}" if stays else missing
        raise RequiredScripts(f"{_migration(app_label)} was not applied: {told}")


def _missing(scripts: Sequence[str], app_label: str) -> str:
    """What is not applied, and what to type; empty where all is."""
    try:
        by_id = take_stock().by_id
    except LedgerMissing as error:
        return f'{error}; the migration is to depend on ("scripts_tracker", "{NEWEST_MIGRATION}")'
    except Error as error:
        words = database.words(error)
        return f"the ledger in database {database.alias()!r} cannot be read: {words} (first: manage.py migrate scripts_tracker)"
    wanted = dict.fromkeys(_target(name, app_label) for name in scripts)
    known = [by_id[one] for one in wanted if one in by_id and not by_id[one].state.satisfies]
    unknown = [one for one in wanted if one not in by_id]
    if not known and not unknown:
        return ""
    told = [f"{status.id} ({status.state.value})" for status in known]
    told += [f"{one} ({_unknown(one, by_id)})" for one in unknown]
    return f"it requires {', '.join(told)}.{_advice(known, unknown)}"


def _target(name: str, app_label: str) -> ScriptId:
    app, _, short = name.rpartition(".")
    return ScriptId(app or app_label, short)


def _unknown(script_id: ScriptId, by_id: Mapping[ScriptId, ScriptStatus]) -> str:
    near = names.suggestion(str(script_id), by_id.keys())
    return "never applied here, and there is no such tracked script" + (f"; {near}" if near else "")


def _advice(known: Sequence[ScriptStatus], unknown: Sequence[ScriptId]) -> str:
    def those(*states: State) -> str:
        return " ".join(str(status.id) for status in known if status.state in states)

    held, broken = those(State.RUNNING), those(State.UNREADABLE)
    typed = those(*(state for state in State if state not in {State.RUNNING, State.UNREADABLE}))
    marks = f"manage.py check_scripts --mark-applied {typed}"
    return "".join(
        (
            f" Wait until it ends: {held}." if held else "",
            f" Mend the file first: {broken}." if broken else "",
            " Bring the file back to run it, or take the name out of the migration." if unknown else "",
            f" Run first: manage.py run_scripts {typed} (or, where it is not to run: {marks})"
            if typed
            else "",
        )
    )


def _migration(app_label: str) -> str:
    """The migration that is being applied, as Django writes it: it tells its operations only their app."""
    migration = _applied_now()
    return str(migration) if migration else f"a migration of {app_label}"


def _applied_now() -> Migration | None:
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - Django hands the migration to nobody below
    while frame is not None:
        if frame.f_code is Migration.apply.__code__:
            found: Any = frame.f_locals["self"]
            return found if isinstance(found, Migration) else None
        frame = frame.f_back
    return None


def _what_stays(editor: BaseDatabaseSchemaEditor) -> str:
    """What the author is to know where nothing takes back what stood before the gate."""
    migration = _applied_now()
    if editor.atomic_migration or migration is None or hasattr(migration.operations[0], "scripts"):
        return ""
    return (
        "What stands before RequireScripts in this migration has been done, and nothing takes it back here:"
        " let it be the first operation."
    )
