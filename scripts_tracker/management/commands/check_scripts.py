"""``manage.py check_scripts``: options, one call, a format, an exit code."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from scripts_tracker.core import names
from scripts_tracker.core.text import printable
from scripts_tracker.exceptions import LedgerMissing, UnknownScript
from scripts_tracker.ledger import database
from scripts_tracker.project.status import take_stock
from scripts_tracker.reporting import formats, terminal
from scripts_tracker.reporting.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.management.base import CommandParser, OutputWrapper

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.project.marks import Outcome
    from scripts_tracker.project.status import Overview

# Not one of the codes that --check promises for states: the check itself could not be made.
COULD_NOT_CHECK = 2


class Command(BaseCommand):
    """Tell where every tracked script stands; mark and unmark."""

    # The settings are ours to check; models and templates of the project cost more than the scripts.
    requires_system_checks = ("scripts_tracker",)
    help = "Tells which management scripts are new, modified or failed here, and marks them as applied."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="app.name or name; default: every script"
        )
        parser.add_argument("--all", action="store_true", help="list applied scripts too")
        parser.add_argument(
            "--check",
            action="store_true",
            help="exit with 1 for new or modified scripts, 3 for failed or lost, 4 for unreadable ones",
        )
        parser.add_argument(
            "--show-dependencies",
            action="store_true",
            help="draw unapplied scripts with the unapplied scripts that they require",
        )
        parser.add_argument(
            "--format", choices=tuple(formats.CHECK_FORMATS), default="text", help="default: text"
        )
        decisions = parser.add_mutually_exclusive_group()
        decisions.add_argument(
            "--mark-all-applied",
            action="store_true",
            dest="mark_all_scripts_as_applied",  # django-scripts-tracker's name for call_command()
            help="record every script that needs action as applied, without running it",
        )
        decisions.add_argument(
            "--mark-applied", nargs="+", metavar="NAME", help="record these scripts as applied"
        )
        decisions.add_argument(
            "--unmark", nargs="+", metavar="NAME", help="forget that these scripts were applied"
        )
        parser.add_argument(
            "--no-cache",
            action="store_false",
            dest="use_cache",
            help="neither read nor write .scripts_tracker_cache in the project root",
        )
        parser.add_argument("--reason", default="", help="kept in the ledger beside a mark")

    def handle(self, *args: Any, **options: Any) -> None:
        """Check, decide, report; every error is one clear line."""
        try:
            code = self._check(options)
        except (LedgerMissing, UnknownScript) as error:
            raise CommandError(str(error), returncode=COULD_NOT_CHECK) from error
        except Error as error:
            raise CommandError(database.unavailable_message(error), returncode=COULD_NOT_CHECK) from error
        if code:
            sys.exit(code)

    def _write(self, stream: OutputWrapper, text: str) -> None:
        """Print, whatever the encoding; a reader that has seen enough (``| head``) is no error."""
        try:
            stream.write(printable(stream, text))
            stream.flush()
        except BrokenPipeError:
            # What is left in the buffer would raise again at exit (docs.python.org/3/library/signal.html).
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

    def _check(self, options: dict[str, Any]) -> int:
        overview = take_stock(use_cache=options["use_cache"])
        chosen = _chosen(overview, options["names"])
        is_decision = self._decide(overview, options)
        if is_decision and options["format"] == "text":
            return 0
        if is_decision:
            overview = take_stock(use_cache=options["use_cache"])
            chosen = _chosen(overview, [str(status.id) for status in chosen])
        report = Report(
            chosen, overview.by_id, overview.findings, options["all"], options["show_dependencies"]
        )
        output = terminal.output_for(
            self.stdout, no_color=options["no_color"], force_color=options["force_color"]
        )
        self._write(self.stdout, formats.renderer(formats.CHECK_FORMATS, options["format"])(report, output))
        return report.exit_code if options["check"] else 0

    def _decide(self, overview: Overview, options: dict[str, Any]) -> bool:
        """Carry out --mark-all-applied, --mark-applied or --unmark; False where none was asked for."""
        if not (options["mark_all_scripts_as_applied"] or options["mark_applied"] or options["unmark"]):
            if options["reason"]:
                raise CommandError(
                    "--reason goes with --mark-all-applied, --mark-applied or --unmark.",
                    returncode=COULD_NOT_CHECK,
                )
            return False
        if options["mark_all_scripts_as_applied"] and options["names"]:
            raise CommandError(
                "--mark-all-applied takes no names; to mark some: --mark-applied NAME ...",
                returncode=COULD_NOT_CHECK,
            )
        self._carry_out(overview, options)
        return True

    def _carry_out(self, overview: Overview, options: dict[str, Any]) -> None:
        from scripts_tracker.project import marks  # a check marks nothing

        reason = options["reason"]
        if options["unmark"]:
            statuses = _chosen(overview, options["unmark"])
            self._tell(marks.unmark(statuses, reason), "Forgotten", options)
            return
        if options["mark_applied"]:
            statuses = _chosen(overview, options["mark_applied"])
        else:
            statuses = tuple(status for status in overview.statuses if status.state.needs_action)
        self._tell(marks.mark_applied(statuses, reason, overview.facts), "Marked as applied", options)

    def _tell(self, outcome: Outcome, words: str, options: dict[str, Any]) -> None:
        """Say what was done; what was refused makes the command fail after the rest is done."""
        stream = self.stdout if options["format"] == "text" else self.stderr
        lines = [f"{words} ({len(outcome.done)}):", *(f"  {script_id}" for script_id in outcome.done)]
        self._write(stream, "\n".join(lines) if outcome.done else "Nothing was changed.")
        if outcome.refused:
            raise CommandError(
                "\n".join(f"{script_id} was left alone: {why}" for script_id, why in outcome.refused)
            )


def _chosen(overview: Overview, wanted: Sequence[str]) -> tuple[ScriptStatus, ...]:
    by_id = overview.by_id
    return (
        tuple(by_id[script_id] for script_id in names.resolve_all(wanted, by_id.keys())) or overview.statuses
    )
