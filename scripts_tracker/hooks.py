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
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import encodable, error_text
from scripts_tracker.core.values import NOT_STARTED
from scripts_tracker.ledger import database
from scripts_tracker.project.status import load_status
from scripts_tracker.reporting import terminal, text
from scripts_tracker.reporting.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.apps import AppConfig
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
        if settings.enabled and speaks and database.holds_ledger(using):
            runs = settings.auto_run and not conf.is_under_test()
            if settings.notify or runs or was_empty:
                runs = _notify(stdout, was_empty=was_empty) and runs
    except Exception as error:  # nothing here may make migrate fail
        logger.warning("The management scripts could not be checked: %s", _in_a_line(error))
        logger.debug("Traceback of the check", exc_info=True)
    if runs:
        _at_the_end(sender, functools.partial(_run, using, stdout, verbosity))


def _notify(stdout: Any, *, was_empty: bool) -> bool:
    """Print the notice; False where another tracker may have run the scripts already, so that they must wait.

    Args:
        stdout: where to print.
        was_empty: whether the database held no row of the project when migrate began.
    """
    overview = load_status()
    output = terminal.output_for(stdout, sys.argv)
    if was_empty and overview.unapplied and (marked := _mark_baseline(overview)):
        stdout.write(f"{marked}\n")
        overview = load_status()
        if not overview.unapplied:
            return True
    settings = conf.tracker_settings()
    if settings.notify:
        found = overview.statuses, overview.by_id, overview.findings
        report = Report(*found, environment=settings.environment)
        stdout.write(encodable(stdout, text.notice(report, output)) + "\n")
    if not overview.unapplied:
        return True
    from scripts_tracker.adoption import survey  # for what another tracker may have run

    is_pending = survey.is_pending(overview)
    if is_pending:
        stdout.write(output.style.WARNING(encodable(stdout, survey.ADOPT_FIRST)) + "\n")
    return not is_pending


def _mark_baseline(overview: ProjectStatus) -> str:
    """Mark what has nothing to do in a new database; gives a line about it, empty if that is nothing."""
    from scripts_tracker.adoption import survey  # for what another tracker may have run
    from scripts_tracker.project import marks  # a database is new only once

    if survey.is_pending(overview):
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
