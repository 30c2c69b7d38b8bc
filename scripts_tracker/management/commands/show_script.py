"""``manage.py show_script``: a name, what is known of it, a format."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from scripts_tracker.core import names
from scripts_tracker.core.text import printable
from scripts_tracker.exceptions import LedgerMissing, UnknownScript
from scripts_tracker.ledger import database, queries
from scripts_tracker.project import detail
from scripts_tracker.project.status import take_stock
from scripts_tracker.reporting import formats, terminal

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from scripts_tracker.project.detail import Dossier

# As check_scripts.
COULD_NOT_SHOW = 2


class Command(BaseCommand):
    """Show one script: where it stands, what happened to it, what changed in it."""

    requires_system_checks = ("scripts_tracker",)
    help = "Tells everything about one management script: its state and why, its runs, what changed since."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        parser.add_argument("name", metavar="NAME", help="app.name or name")
        parser.add_argument(
            "--diff",
            action="store_true",
            help="what changed between the version that ran here and the file now; formatting is left out",
        )
        parser.add_argument("--raw", action="store_true", help="with --diff: the text, formatting included")
        parser.add_argument("--history", action="store_true", help="all runs, not only the last ones")
        parser.add_argument(
            "--format", choices=tuple(formats.SCRIPT_FORMATS), default="text", help="default: text"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Look up and show; every error is one clear line."""
        if options["raw"] and not options["diff"]:
            raise CommandError("--raw goes with --diff.", returncode=COULD_NOT_SHOW)
        try:
            found = self._dossier(options)
        except (LedgerMissing, UnknownScript) as error:
            raise CommandError(str(error), returncode=COULD_NOT_SHOW) from error
        except Error as error:
            raise CommandError(database.unavailable_message(error), returncode=COULD_NOT_SHOW) from error
        output = terminal.output_for(
            self.stdout, no_color=options["no_color"], force_color=options["force_color"]
        )
        self._write(formats.renderer(formats.SCRIPT_FORMATS, options["format"])(found, output))

    def _dossier(self, options: dict[str, Any]) -> Dossier:
        overview = take_stock()
        script_id = names.resolve(options["name"], overview.by_id.keys())
        limit = queries.MOST_RUNS if options["history"] else detail.LAST_RUNS
        found = detail.dossier(overview, script_id, limit=limit)
        return detail.with_comparison(found, raw=options["raw"]) if options["diff"] else found

    def _write(self, text: str) -> None:
        """Print, whatever the encoding; a reader that has seen enough (``| head``) is no error."""
        try:
            self.stdout.write(printable(self.stdout, text))
            self.stdout.flush()
        except BrokenPipeError:
            # What is left in the buffer would raise again at exit (docs.python.org/3/library/signal.html).
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())
