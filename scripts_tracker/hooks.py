"""What happens after ``migrate``: a notice, and nothing that could make ``migrate`` fail."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

from django.db import router

from scripts_tracker import conf, database, terminal
from scripts_tracker.formats.text import render_notice
from scripts_tracker.models import Script
from scripts_tracker.overview import take_stock
from scripts_tracker.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.migrations import Migration

logger = logging.getLogger("scripts_tracker")


def notify_after_migrate(
    *,
    using: str,
    verbosity: int = 1,
    plan: Sequence[tuple[Migration, bool]] | None = None,
    **kwargs: Any,
) -> None:
    """Receiver of ``post_migrate``: say what is to be applied, once, in the words of django-scripts-tracker.

    Silent for ``flush`` and the end of every TransactionTestCase (no plan), at verbosity 0, after a
    backwards migration, on another database than the ledger's, and before the tables exist.
    """
    if plan is None or verbosity < 1 or any(backwards for _, backwards in plan):
        return
    try:
        if _is_ours(using):
            _notify(kwargs.get("stdout") or sys.stdout)
    except Exception as error:  # whatever it is: nothing here can make migrate fail
        logger.warning("The management scripts could not be checked: %s", " ".join(str(error).split()))
        logger.debug("Traceback of the check", exc_info=True)


def _is_ours(using: str) -> bool:
    settings = conf.tracker_settings()
    return (
        settings.enabled
        and settings.notify
        and using == database.alias()
        and router.allow_migrate_model(using, Script)
        and database.tables_exist()
    )


def _notify(stdout: Any) -> None:
    overview = take_stock()
    report = Report(overview.statuses, overview.by_id, overview.findings)
    notice = render_notice(report, terminal.canvas(stdout, sys.argv))
    stdout.write(terminal.printable(stdout, notice) + "\n")
