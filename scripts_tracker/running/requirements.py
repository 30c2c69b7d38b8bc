"""The gate of ``@required_preceding_script``: what is missing, and whether to go on all the same."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.apps import apps as current_apps
from django.core.management.base import CommandError
from django.db import Error, connections, router
from django.db.migrations import Migration

from scripts_tracker import conf
from scripts_tracker.core import names, planning
from scripts_tracker.core.states import State
from scripts_tracker.core.text import encodable
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import LedgerMissing, ScriptsTrackerError, UserAbortingExecution
from scripts_tracker.ledger import database
from scripts_tracker.project import scan
from scripts_tracker.project.status import load_status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import FrameType

    from django.apps.registry import Apps
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import ProjectState
    from django.db.models import Model

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import Required
    from scripts_tracker.project.status import ProjectStatus


class Aborted(UserAbortingExecution, CommandError):
    """The script was not run: its user chose to run the ones it requires first."""


class Missing(NamedTuple):
    """Required scripts that are not applied: known ones with their state, the others by name and why."""

    known: tuple[ScriptStatus, ...]
    unknown: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.known or self.unknown)

    def __str__(self) -> str:
        known = (f"{status.id} ({status.state.value})" for status in self.known)
        return ", ".join((*known, *self.unknown))


def _target(required: Required, asking: ScriptId) -> ScriptId:
    if required.is_module:
        return scan.script_of_module(required.name)
    app_label, _, name = required.name.rpartition(".")
    return ScriptId(app_label or asking.app_label, name)


def find_missing(asking: ScriptId, required: Sequence[Required], overview: ProjectStatus) -> Missing:
    """Which of the required scripts are not applied here."""
    by_id = overview.by_id
    known: dict[ScriptId, ScriptStatus] = {}
    unknown: dict[str, None] = {}
    for one in required:
        target = _target(one, asking)
        status = by_id.get(target)
        if status is None:
            near = names.nearest_scripts(str(target), by_id)
            unknown[f"{target} (no such tracked script{f'; did you mean {near}?' if near else ''})"] = None
        elif not status.state.satisfies:
            known[target] = status
    return Missing(tuple(known.values()), tuple(unknown))


def check(asking: ScriptId, required: Sequence[Required], options: Mapping[str, Any]) -> None:
    """Let the script run, or not.

    Raises:
        Aborted: a person at a terminal chose to run the required scripts first.
        CommandError: nobody is there to ask.
    """
    overview = load_status()
    missing = find_missing(asking, required, overview)
    if not missing:
        return
    if not _somebody_is_there(options):
        raise CommandError(f"{asking} was not run: it requires {missing}.{_advice(missing, overview)}")
    _ask(asking, missing, overview)


def _advice(missing: Missing, overview: ProjectStatus) -> str:
    plan = planning.make_plan(missing.known, overview.by_id)
    circles = "".join(f" They require each other: {' -> '.join(map(str, cycle))}." for cycle in plan.cycles)
    held = " ".join(str(status.id) for status in missing.known if status.state is State.RUNNING)
    wait = f" Wait until it ends: {held}." if held else ""
    steps = [status for status in plan.steps if status.state is not State.RUNNING]
    commands = " && ".join(f"manage.py {status.id.name}" for status in steps)
    return circles + wait + (f" Run first: {commands}" if commands else "")


def _somebody_is_there(options: Mapping[str, Any]) -> bool:
    """A terminal on both ends, outside CI, and no option that asks not to be asked."""
    silenced = options.get("interactive") is False or options.get("no_input") or options.get("noinput")
    return not (silenced or os.environ.get("CI")) and sys.stdin.isatty() and sys.stdout.isatty()


def _ask(asking: ScriptId, missing: Missing, overview: ProjectStatus) -> None:
    """Ask as django-scripts-tracker does; the end of input and Ctrl-C are a yes to aborting."""
    count = len(missing.known) + len(missing.unknown)
    lines = [
        "Warning:",
        f"  You have {count} management scripts that should be applied before applying this script.",
        *(f"    {status.id} ({status.state.value})" for status in missing.known),
        *(f"    {text}" for text in missing.unknown),
        "It is advised to abort this script and to apply the ones it requires first.",
    ]
    sys.stdout.write(encodable(sys.stdout, "\n".join(lines)) + "\n")
    if _answer(f"Do you want to abort the execution of {asking}? [Y/N] ") in {"y", "yes"}:
        raise Aborted(f"{asking} was not run, as you chose.{_advice(missing, overview)}")


def _answer(question: str) -> str:
    while True:
        try:
            answer = input(question).strip().lower()
        except (EOFError, KeyboardInterrupt):
            sys.stdout.write("\n")
            return "yes"
        if answer in {"y", "yes", "n", "no"}:
            return answer


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
    if not conf.tracker_settings().enabled or conf.is_under_test() or _was_empty.get(using):
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
        by_id = load_status().by_id
    except LedgerMissing as error:
        return f'{error}; the migration is to depend on ("scripts_tracker", "{database.NEWEST_MIGRATION}")'
    except Error as error:
        words = database.error_summary(error)
        return f"the ledger in database {database.alias()!r} cannot be read: {words} (first: manage.py migrate scripts_tracker)"
    wanted = dict.fromkeys(_gate_target(name, app_label) for name in scripts)
    known = [by_id[one] for one in wanted if one in by_id and not by_id[one].state.satisfies]
    unknown = [one for one in wanted if one not in by_id]
    if not known and not unknown:
        return ""
    told = [f"{status.id} ({status.state.value})" for status in known]
    told += [f"{one} ({_unknown(one, by_id)})" for one in unknown]
    return f"it requires {', '.join(told)}.{_gate_advice(known, unknown)}"


def _gate_target(name: str, app_label: str) -> ScriptId:
    app, _, short = name.rpartition(".")
    return ScriptId(app or app_label, short)


def _unknown(script_id: ScriptId, by_id: Mapping[ScriptId, ScriptStatus]) -> str:
    near = names.nearest_scripts(str(script_id), by_id)
    return "never applied here, and there is no such tracked script" + (
        f"; did you mean {near}?" if near else ""
    )


def _gate_advice(known: Sequence[ScriptStatus], unknown: Sequence[ScriptId]) -> str:
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
