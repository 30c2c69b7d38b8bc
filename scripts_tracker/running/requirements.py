"""Required scripts: the gate before a run (``@required_preceding_script``) and before a migration (``RequireScripts``)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps as current_apps
from django.core.management.base import CommandError
from django.db import Error, connections, router
from django.db.migrations import Migration

from scripts_tracker import conf
from scripts_tracker.core import names, planning
from scripts_tracker.core.cycles import describe
from scripts_tracker.core.states import State
from scripts_tracker.core.text import as_typed
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Required, ScriptId
from scripts_tracker.exceptions import LedgerMissing, ScriptsTrackerError, UserAbortingExecution
from scripts_tracker.ledger import database
from scripts_tracker.project import scan
from scripts_tracker.project.status import load_status
from scripts_tracker.running import calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FrameType

    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState
    from django.db.models import Model

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.running.calls import AskToAbort

    Statuses = Mapping[ScriptId, ScriptStatus]


class Aborted(UserAbortingExecution, calls.PlainError):
    """The script was not run: its user chose to run the ones it requires first."""


class RequiredScripts(ScriptsTrackerError, calls.PlainError):
    """A migration was not applied: scripts that it requires are not applied."""


class Missing(NamedTuple):
    """Required scripts that are not applied: the known ones, and a line about each, unknown ones included."""

    known: tuple[ScriptStatus, ...]
    lines: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        return ", ".join(self.lines)

    def obstacles(self) -> str:
        """Sentences about what must end or be fixed before anything else can run."""
        running, unreadable = self.in_state(State.RUNNING), self.in_state(State.UNREADABLE)
        wait = f" Wait until it ends: {running}." if running else ""
        held = "".join(f" {script_id}: {reason}." for script_id, reason in self.held.items())
        return wait + held + (f" Fix the file first: {unreadable}." if unreadable else "")

    @property
    def held(self) -> Mapping[ScriptId, str]:
        """The known ones that a person has paused or cancelled, or must decide about, with the reason."""
        return planning.held(self.known, database.typed)

    def runnable(self) -> str:
        """The names of the known ones that can be run, as one types them."""
        states = set(State) - {State.RUNNING, State.UNREADABLE}
        return as_typed(one.id for one in self.known if one.state in states and one.id not in self.held)

    def in_state(self, *states: State) -> str:
        """The names of the known ones in these states."""
        return " ".join(str(status.id) for status in self.known if status.state in states)


def find_missing(required: Iterable[Required], app_label: str, by_id: Statuses) -> Missing:
    """Which of the required scripts are not applied here.

    Args:
        required: as the decorator or the migration names them.
        app_label: the app of names without one.
        by_id: every script.
    """
    known: list[ScriptStatus] = []
    unknown: list[str] = []
    for target in dict.fromkeys(_target(one, app_label) for one in required):
        status = by_id.get(target)
        if status is None:
            near = names.nearest_scripts(str(target), by_id)
            hint = f"; did you mean {near}?" if near else ""
            unknown.append(f"{target} (no such tracked script{hint})")
        elif not status.state.satisfies and target not in (calls.rehearsed() or ()):
            known.append(status)
    return Missing(tuple(known), (*(f"{status.id} ({status.state.value})" for status in known), *unknown))


def _target(required: Required, app_label: str) -> ScriptId:
    if required.is_module:
        return scan.script_of_module(required.name)
    app, _, name = required.name.rpartition(".")
    return ScriptId(app or app_label, name)


# Before a run.


def check_requirements(script_id: ScriptId, required: Sequence[Required], ask: AskToAbort) -> None:
    """Let a script run, or not.

    Args:
        script_id: the script.
        required: what it requires.
        ask: asks a person whether to abort.

    Raises:
        Aborted: a person chose to run the required scripts first.
        CommandError: there is no one to ask.
    """
    by_id = load_status().by_id
    missing = find_missing(required, script_id.app_label, by_id)
    if not missing:
        return
    count, lines = len(missing.lines), "".join(f"    {line}\n" for line in missing.lines)
    warning = (
        f"Warning:\n  You have {count} management scripts that should be applied before applying this script.\n"
        f"{lines}It is advised to abort this script and to apply the ones it requires first."
    )
    answer = ask(warning, "Run it anyway? [y/N] ")
    if answer is None:
        raise CommandError(f"{script_id} was not run: it requires {missing}.{_what_to_run(missing, by_id)}")
    if answer:
        raise Aborted(f"{script_id} was not run, as you chose.{_what_to_run(missing, by_id)}")


def _what_to_run(missing: Missing, by_id: Statuses) -> str:
    """What to type, required scripts of the required ones first."""
    plan = planning.make_plan(missing.known, by_id, planning.held(by_id.values(), database.typed))
    cycles = "".join(f" Circular requirement: {describe(cycle)}." for cycle in plan.cycles)
    steps = as_typed(one.id for one in plan.steps if one.state is not State.RUNNING)
    return (
        cycles
        + missing.obstacles()
        + (f" Run first: {database.typed(f'run_scripts {steps}')}" if steps else "")
    )


# Before a migration.

# What migrate fills by itself, in an unused database.
_FILLED_BY_MIGRATE: Final = frozenset({"contenttypes", "sites", "scripts_tracker"})
_PERMISSIONS: Final = "auth.permission"

# By alias: whether the database was empty when the current migrate began.
_was_empty: dict[str, bool] = {}


def migrate_begins(using: str, apps: Apps) -> None:
    """Look at the database before ``migrate`` changes it."""
    _was_empty[using] = is_empty(using, apps, current_apps)


def migrate_ends(using: str) -> bool:
    """Drop what was seen when it began; gives whether the database was empty then."""
    return _was_empty.pop(using, False)


def is_empty(using: str, *registries: Apps) -> bool:
    """Whether no table of these models holds a row, apart from what ``migrate`` itself fills."""
    present = database.table_names(using)
    name_of = connections[using].introspection.identifier_converter
    models = {model._meta.db_table: model for apps in registries for model in _models(using, apps)}  # noqa: SLF001 - Django's documented Model API
    held = (model for table, model in models.items() if name_of(table) in present)
    return not any(model._base_manager.using(using).exists() for model in held)  # noqa: SLF001 - as above


def _models(using: str, apps: Apps) -> Iterable[type[Model]]:
    for model in apps.get_models(include_auto_created=True):
        options = model._meta  # noqa: SLF001 - as above
        is_filled = options.app_label in _FILLED_BY_MIGRATE or options.label_lower == _PERMISSIONS
        if not is_filled and options.can_migrate(using) and router.allow_migrate_model(using, model):
            yield model


def check_migration(
    scripts: Iterable[str], app_label: str, editor: BaseDatabaseSchemaEditor, state: ProjectState
) -> None:
    """Raise RequiredScripts where a migration may not go on.

    Args:
        scripts: as the operation names them.
        app_label: the migration's app.
        editor: of the database that is migrated.
        state: the models as they are before the operation.
    """
    using = editor.connection.alias
    if not conf.tracker_settings().enabled or conf.is_under_test() or _was_empty.get(using):
        return
    problem = _problem([Required(name, is_module=False) for name in scripts], app_label)
    # Without a migrate (MigrationExecutor, used by itself), the rows that are there now decide.
    if problem and (using in _was_empty or not is_empty(using, state.apps)):
        done = _what_was_done(editor)
        text = f"{problem.rstrip('.')}. {done}" if done else problem
        raise RequiredScripts(
            f"{_current_migration() or f'a migration of {app_label}'} was not applied: {text}"
        )


def _problem(required: Sequence[Required], app_label: str) -> str:
    """What is not applied, and what to type; empty where all is."""
    try:
        missing = find_missing(required, app_label, load_status().by_id)
    except LedgerMissing:
        return database.missing_message(in_migration=True)
    except Error as error:
        return (
            f"the ledger in database {database.alias()!r} cannot be read: {database.error_summary(error)}"
            f" (first: {database.migrate_command()})"
        )
    if not missing:
        return ""
    advice = missing.obstacles()
    if len(missing.lines) > len(missing.known):
        advice += " Restore the file to run it, or remove the name from the migration."
    if scripts := missing.runnable():
        advice += f" Run first: {database.typed(f'run_scripts {scripts}')}"
        advice += f" (or, to skip the run: {database.typed(f'check_scripts --mark-applied {scripts}')})"
    return f"it requires {missing}.{advice}"


def _current_migration() -> Migration | None:
    """The migration that is being applied: Django passes only its app to its operations."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - Django passes the migration nowhere below
    while frame is not None:
        if frame.f_code is Migration.apply.__code__:
            found: Any = frame.f_locals["self"]
            return found if isinstance(found, Migration) else None
        frame = frame.f_back
    return None


def _what_was_done(editor: BaseDatabaseSchemaEditor) -> str:
    """What the author must know where nothing rolls back the operations before the gate."""
    migration = _current_migration()
    if editor.atomic_migration or migration is None or hasattr(migration.operations[0], "scripts"):
        return ""
    return (
        "The operations before RequireScripts in this migration were applied and are not rolled back here:"
        " make it the first operation."
    )
