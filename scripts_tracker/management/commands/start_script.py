"""``manage.py start_script``: write a new tracked command into an app, or track one that is there."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.core.management import get_commands
from django.core.management.base import CommandError

from scripts_tracker import conf
from scripts_tracker.core import names
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import as_typed
from scripts_tracker.core.values import NOT_STARTED, ScriptId
from scripts_tracker.exceptions import NotScaffolded
from scripts_tracker.ledger.database import typed
from scripts_tracker.management.base import NAMES, TrackerCommand, not_started
from scripts_tracker.project import scaffold, scan
from scripts_tracker.project.scaffold import Scaffold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.management.base import CommandParser
    from django.db.models import Model

    from scripts_tracker.core.values import CommandsDir

_NOT_FOR_BATCHES = 'The built-in template is used: "script_template" is for plain scripts; for --batched, set "batched_template".'
_NAME = re.compile(r"[^\W\d_]\w*")


class Command(TrackerCommand):
    """Write the file of a new script, or put the decorator on existing commands."""

    help = (
        "Write a new management script with the decorators of scripts_tracker into an app, or put them on an existing"
        " command (--adopt)."
    )
    meant: ClassVar = {
        "--force": "a file that is there is never overwritten; choose another name, or edit it"
    }

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        add = parser.add_argument
        add("app_label", metavar="APP", nargs="?", help="the label of the app")
        add("name", metavar="NAME", nargs="?", help="the name of the command, such as fix_totals")
        adopt = (
            f"put @tracked_script on these existing commands and change nothing else in their files: {NAMES}"
        )
        add("--adopt", nargs="+", default=[], metavar="NAME", help=adopt)
        required = "a script that must run before"
        add("--require", action="extend", nargs="+", default=[], metavar="APP.NAME", help=required)
        batched = "for a large table: in batches, which can be paused and shared among workers"
        add("--batched", action="store_true", help=batched)
        add("--model", metavar="MODEL", help="with --batched: the rows, as Order or shop.Order")
        add("--help-text", metavar="TEXT", help="its help text, one line; default: its name")

    def perform(self, options: dict[str, Any]) -> int:
        """Write the file and print what to type next."""
        if options["adopt"]:
            return self._adopt(options)
        if not (options["app_label"] and options["name"]):
            raise not_started(
                f"start_script needs the app and the name of the command: {typed('start_script APP NAME')}; for a"
                f" command that is there already: {typed('start_script --adopt NAME')}"
            )
        if options["model"] and not options["batched"]:
            raise not_started("--model goes with --batched.")
        folder = _find_folder(options["app_label"])
        script_id = ScriptId(folder.app_label, options["name"])
        _validate_name(script_id.name)
        about = " ".join((options["help_text"] or scaffold.help_of(script_id.name)).split())
        made = Scaffold(script_id, about, _resolve(options["require"]))
        if options["batched"]:
            model = _find_model(options["app_label"], options["model"])
            made = made._replace(model=model.__name__, models=_module_of(model))
        settings = conf.tracker_settings()
        if options["batched"] and settings.script_template and not settings.batched_template:
            self.write(_NOT_FOR_BATCHES, self.stderr)
        text = scaffold.render(made, _read_template(is_batched=options["batched"]))
        for path in scaffold.write(os.path.join(folder.path, f"{script_id.name}.py"), text):
            self.say(f"created {escaped(scan.shown_path(path))}")
        is_by_plan = made.requires or options["batched"]
        run = (
            typed("run_scripts {} --plan", script_id) if is_by_plan else typed("{} --dry-run", script_id.name)
        )
        self.say(f"Fill it in, then run it: {run}")
        return 0

    def _adopt(self, options: dict[str, Any]) -> int:
        """Decorate existing commands; what is refused makes the command fail after the rest is done."""
        others = ("app_label", "name", "require", "batched", "model", "help_text")
        if any(options[name] for name in others):
            raise not_started("--adopt takes the names of commands, and no other option.")
        from scripts_tracker.project import untracked  # only for --adopt

        tracked = {one.id for one in scan.scripts(scan.cache()) if one.fingerprint}
        commands = untracked.commands()
        listing = typed("check_scripts --untracked")
        wanted = names.resolve_each(options["adopt"], commands, listing, "command")
        done, refused = [], []
        for script_id, is_by_name in wanted.items():
            if script_id in tracked:
                refused += [f"{script_id} is tracked already."] * is_by_name
                continue
            path = commands[script_id]
            try:
                untracked.adopt(path)
            except NotScaffolded as error:
                refused.append(f"{script_id} was not changed: {error}.")
                continue
            done.append(script_id)
            self.say(f"added @tracked_script to {escaped(path)}")
        self.say(_after(done))
        if refused:
            raise CommandError("\n".join(refused), returncode=1 if done else NOT_STARTED)
        return 0


def _after(done: Sequence[ScriptId]) -> str:
    """What to type after commands were decorated."""
    if not done:
        return "Nothing was changed."
    scripts = as_typed(done)
    return (
        f"To see what is new now: {typed(f'check_scripts {scripts}')}\n"
        f"Where it ran already, mark it as applied: {typed(f'check_scripts --mark-applied {scripts}')}"
    )


def _find_folder(app_label: str) -> CommandsDir:
    try:
        app = apps.get_app_config(app_label)
    except LookupError as error:
        labels = [config.label for config in apps.get_app_configs()]
        near = names.nearest(app_label, labels)
        hint = f"did you mean {near}?" if near else f"the apps are: {', '.join(sorted(labels))}"
        raise not_started(f"there is no app {app_label!r}; {hint}") from error
    folder = scan.folder_of(app)
    if not scan.is_scanned(app):
        raise not_started(
            f"{scan.shown_path(folder.path)} is not scanned: the app is not part of this project, or"
            " COMMANDS_DIRS does not list its folder"
        )
    return folder


def _validate_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise not_started(
            f"{name!r} is not a name for a script: use letters, digits and _, and begin with a letter"
        )
    file = f"{name}.py".lower()
    ignored = {pattern.lower() for pattern in conf.ignored_files()}
    if file in ignored or any(file.startswith(prefix.lower()) for prefix in conf.ignored_prefixes()):
        raise not_started(
            f"the settings ignore {name}.py (IGNORED_FILES, IGNORED_CMD_PREFIXES); choose another name"
        )
    owner = get_commands().get(name)
    if owner is not None:
        raise not_started(f"{owner} already has a command {name!r}; choose another name")


def _resolve(wanted: list[str]) -> tuple[ScriptId, ...]:
    known = {one.id: one.location.path for one in scan.scripts(scan.cache())} if wanted else {}
    return names.resolve_all(wanted, known, typed(names.LISTING))


def _find_model(app_label: str, wanted: str | None) -> type[Model]:
    """The model whose rows a batched script processes; the first one of its app by default."""
    label, _, name = (wanted or "").rpartition(".")
    models = {model.__name__: model for model in apps.get_app_config(app_label).get_models()}
    try:
        if label:
            return apps.get_model(label, name)
        return models[name] if name else next(iter(models.values()))
    except StopIteration:
        raise not_started(f"{app_label} has no models; name one: --model shop.Order") from None
    except LookupError:
        near = names.nearest(name, models)
        hint = (
            f"; did you mean {near}?" if near else "; name it as Order, or shop.Order for one of another app"
        )
        raise not_started(f"there is no model {wanted!r}{hint}") from None


def _module_of(model: type[Model]) -> str:
    """Where to import a model from: the package of models, if that has it, too."""
    package = model.__module__.partition(".models.")[0]
    return f"{package}.models" if package != model.__module__ else package


def _read_template(*, is_batched: bool) -> str:
    settings = conf.tracker_settings()
    given = settings.batched_template if is_batched else settings.script_template
    built_in = scaffold.BATCHED_TEMPLATE if is_batched else scaffold.TEMPLATE
    path = os.path.join(conf.base_dir(), given) if given else built_in
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise not_started(f"cannot read the template {path}: {error}") from error
