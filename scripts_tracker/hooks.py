"""What happens after ``migrate``: a notice; if the project asks for it, a run. Only a failed script makes ``migrate`` fail."""

from __future__ import annotations

import functools
import logging
import sys
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error, connections
from django.db.models.signals import post_migrate

from scripts_tracker import conf
from scripts_tracker.adoption import first_step
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import encodable, error_text
from scripts_tracker.core.values import NOT_STARTED
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import database
from scripts_tracker.project.status import load_status
from scripts_tracker.reporting import terminal, text
from scripts_tracker.reporting.report import Report, next_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.apps import AppConfig
    from django.core.management.base import BaseCommand
    from django.db.migrations import Migration

    from scripts_tracker.project.status import ProjectStatus

_AT_THE_END = "scripts_tracker.at_the_end"

logger = logging.getLogger("scripts_tracker")


def notify_after_migrate(
    *,
    sender: AppConfig,
    using: str,
    verbosity: int = 1,
    was_empty: bool = False,
    plan: Sequence[tuple[Migration, bool]] | None = None,
    **kwargs: Any,
) -> None:
    """Receiver of ``post_migrate``: print once what is new, in the words of django-scripts-tracker; then run it.

    Silent for ``flush`` and the end of every TransactionTestCase (no plan), at verbosity 0, after a
    backwards migration, on another database than the ledger's, and before the tables exist.
    """
    if plan is None or verbosity < 1 or any(backwards for _, backwards in plan):
        return
    stdout = kwargs.get("stdout") or sys.stdout
    runs = False
    try:
        settings = conf.tracker_settings()
        was_empty = was_empty and not conf.is_under_test()
        speaks = settings.notify or settings.auto_run or was_empty
        speaks = settings.enabled and speaks
        if speaks and not database.holds_ledger(using):
            _warn_if_dropped(using)
        elif speaks:
            runs = settings.auto_run and not conf.is_under_test()
            if settings.notify or runs or was_empty:
                waits = _notify(stdout, was_empty=was_empty, runs=runs, verbosity=verbosity)
                runs = runs and not waits
    except Exception as error:  # nothing here may make migrate fail
        logger.warning("The management scripts could not be checked: %s", _in_a_line(error))
        logger.debug("Traceback of the check", exc_info=True)
    if runs:
        _at_the_end(sender, functools.partial(_run, using, stdout, verbosity))


def _warn_if_dropped(using: str) -> None:
    """Say where the tables of the ledger are gone that migrate believes to be there."""
    if database.is_ledger_alias(using) and database.are_dropped():
        message = database.missing_message(in_migration=False)
        logger.warning("The management scripts could not be checked: %s", message)


def _notify(stdout: Any, *, was_empty: bool, runs: bool, verbosity: int) -> bool:
    """Print the notice; gives whether scripts must wait, as another tracker may have run them already.

    Args:
        stdout: where to print.
        was_empty: whether the database held no row of the project when migrate began.
        runs: whether the scripts are run next.
        verbosity: of migrate; from 2 on every script is listed.
    """
    overview = load_status()
    output = terminal.output_for(stdout, sys.argv)
    if was_empty and overview.unapplied and (marked := _mark_baseline(overview)):
        stdout.write(f"{marked}\n")
        overview = load_status()
        if not overview.unapplied:
            return False
    settings = conf.tracker_settings()
    found = overview.statuses, overview.by_id, overview.findings
    report = Report(*found, environment=settings.environment, is_full=verbosity > 1)
    if settings.notify:
        stdout.write(encodable(stdout, text.notice(report, output)) + "\n")
    if adopt_first := first_step(overview):
        stdout.write(output.style.WARNING(encodable(stdout, adopt_first)) + "\n")
        return True
    if settings.notify and not runs:
        for line in terminal.wrapped(next_step(report), "", output):
            stdout.write(f"{encodable(stdout, line)}\n")
    return False


def notify_of_waiting(command: BaseCommand) -> None:
    """Say in a line which scripts wait, where the development server starts; nothing here keeps it from that."""
    try:
        settings = conf.tracker_settings()
        if not (settings.enabled and settings.notify) or conf.is_under_test():
            return
        overview = load_status()
        report = Report(overview.statuses, overview.by_id, overview.findings)
        if waiting := text.waiting(report):
            line = f"\n{waiting} {first_step(overview) or next_step(report)}"
            command.stdout.write(command.style.NOTICE(encodable(command.stdout, line)))
    except LedgerMissing:
        logger.debug("The ledger is not migrated: the server has just said so")
    except Exception as error:  # as above
        logger.warning("The management scripts could not be checked: %s", _in_a_line(error))
        logger.debug("Traceback of the check", exc_info=True)


def _mark_baseline(overview: ProjectStatus) -> str:
    """Mark what has nothing to do in a new database; gives a line about it, empty if that is nothing."""
    from scripts_tracker.project import marks  # a database is new only once

    if first_step(overview):
        return ""
    count = len(marks.mark_baseline(overview).done)
    return f"Management scripts: {count} marked as applied, because {marks.EMPTY}." if count else ""


def _at_the_end(sender: AppConfig, action: Callable[[], None]) -> None:
    """Act when ``post_migrate`` was sent for the last app: scripts may need what other apps create, such as permissions."""
    last = [config for config in apps.get_app_configs() if config.models_module is not None][-1]
    if last is sender:
        action()
        return

    def once(**_: Any) -> None:
        post_migrate.disconnect(sender=last, dispatch_uid=_AT_THE_END)
        action()

    post_migrate.connect(once, sender=last, weak=False, dispatch_uid=_AT_THE_END)


def _run(using: str, stdout: Any, verbosity: int) -> None:
    try:
        if _is_half_migrated(using):
            stdout.write("No management script was run: some migrations are not applied yet.\n")
            return
        call_command(
            "run_scripts",
            interactive=False,
            verbosity=verbosity,
            only_failures=True,
            stdout=getattr(stdout, "_out", stdout),  # below migrate's own wrapper, which would add line ends
            no_color="--no-color" in sys.argv,
            force_color="--force-color" in sys.argv,
        )
    except (CommandError, Error) as error:
        if isinstance(error, CommandError) and error.returncode != NOT_STARTED:
            raise
        logger.warning("The management scripts could not be run: %s", _in_a_line(error))


def _in_a_line(error: BaseException) -> str:
    return escaped(" ".join(error_text(error).split()))


def _is_half_migrated(using: str) -> bool:
    """Whether some migrations are not applied, as after ``migrate APP``: scripts are written for all of them."""
    from django.db.migrations.executor import MigrationExecutor  # migrate has loaded it

    executor = MigrationExecutor(connections[using])
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
