"""``manage.py start_script``: a new tracked command in an app, ready to be filled in."""

from __future__ import annotations

import difflib
import os
import re
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management import get_commands
from django.core.management.base import BaseCommand, CommandError

from scripts_tracker import conf
from scripts_tracker.core import names
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import NotScaffolded, UnknownScript
from scripts_tracker.project import scaffold, scan
from scripts_tracker.project.scaffold import Scaffold

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from scripts_tracker.core.values import CommandsDir

_NAME = re.compile(r"[^\W\d_]\w*")


class Command(BaseCommand):
    """Write the file of a new script."""

    requires_system_checks = ("scripts_tracker",)
    help = "Writes a new management script with the decorators of scripts_tracker into an app."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        parser.add_argument("app_label", metavar="APP", help="the label of the app")
        parser.add_argument("name", metavar="NAME", help="the name of the command, such as fix_totals")
        parser.add_argument(
            "--require",
            action="extend",
            nargs="+",
            default=[],
            metavar="APP.NAME",
            help="a script that must run before",
        )
        parser.add_argument("--help-text", metavar="TEXT", help="what it does, in a line; default: its name")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file, or say in one line why not."""
        folder = _folder(options["app_label"])
        script_id = ScriptId(folder.app_label, options["name"])
        _insist_on_a_good_name(script_id)
        about = " ".join((options["help_text"] or scaffold.help_of(script_id.name)).split())
        try:
            made = Scaffold(script_id, about, _required(options["require"]))
            text = scaffold.render(made, _template())
            created = scaffold.write(os.path.join(folder.path, f"{script_id.name}.py"), text)
        except (NotScaffolded, UnknownScript) as error:
            raise CommandError(str(error)) from error
        for path in created:
            self.stdout.write(f"created {scan.shown_path(path)}")
        rehearsal = f"run_scripts {script_id} --plan" if made.requires else f"{script_id.name} --dry-run"
        self.stdout.write(f"Fill it in, then run it: manage.py {rehearsal}")


def _folder(app_label: str) -> CommandsDir:
    try:
        app = apps.get_app_config(app_label)
    except LookupError as error:
        labels = [config.label for config in apps.get_app_configs()]
        near = difflib.get_close_matches(app_label, labels, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the apps are: {', '.join(sorted(labels))}"
        raise CommandError(f"there is no app {app_label!r}; {hint}") from error
    folder = scan.folder_of(app)
    if not scan.is_scanned(app):
        raise CommandError(
            f"the tracker does not look into {scan.shown_path(folder.path)}: the app is not of this project, or"
            " COMMANDS_DIRS does not name its folder"
        )
    return folder


def _insist_on_a_good_name(script_id: ScriptId) -> None:
    name = script_id.name
    if not _NAME.fullmatch(name):
        raise CommandError(
            f"{name!r} is no name for a script: use letters, digits and _, and begin with a letter"
        )
    file = f"{name}.py".lower()
    ignored = {one.lower() for one in conf.ignored_files()}
    if file in ignored or any(file.startswith(one.lower()) for one in conf.ignored_prefixes()):
        raise CommandError(
            f"the settings ignore {name}.py (IGNORED_FILES, IGNORED_CMD_PREFIXES); choose another name"
        )
    owner = get_commands().get(name)
    if owner is not None:
        raise CommandError(f"there is a command {name!r} already, of {owner}; choose another name")


def _required(wanted: list[str]) -> tuple[ScriptId, ...]:
    if not wanted:
        return ()
    known = [found.id for found in scan.scan().definitions]
    return names.resolve_all(wanted, known)


def _template() -> str:
    given = conf.tracker_settings().script_template
    path = os.path.join(conf.base_dir(), given) if given else scaffold.TEMPLATE
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"the template {path} cannot be read: {error}") from error
