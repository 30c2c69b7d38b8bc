"""``manage.py adopt_scripts_tracker``: copy django-scripts-tracker's records into the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import DEFAULT_DB_ALIAS, Error, connections

from scripts_tracker.adoption import legacy_table, survey
from scripts_tracker.ledger import database
from scripts_tracker.management.base import TrackerCommand, not_started
from scripts_tracker.project.status import load_status
from scripts_tracker.reporting.json import document_text

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(TrackerCommand):
    """Read the old table, judge every script, record it."""

    help = "Copy from django-scripts-tracker which scripts ran here, and when; its table stays unchanged."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("--plan", action="store_true", help="show what would be recorded; change nothing")
        add("--database", help="the database of the old table; default: the ledger's, then 'default'")
        add("--format", choices=("text", "json"), default="text", help="default: text")

    def perform(self, options: dict[str, Any]) -> int:
        """Judge, record, report."""
        is_plan, output = options["plan"], self.output
        using, tables = _find_tables(options["database"])
        report, marks = survey.survey(load_status(with_fingerprints=True), using, tables)
        if marks and not is_plan:
            report = survey.record(report, marks)
        if options["format"] == "json":
            text = document_text(report.as_json(is_plan=is_plan), output)
        else:
            text = "\n".join(report.as_text(output, is_plan=is_plan))
        self.write(text)
        return 0

    def explain(self, error: Error) -> str:
        """The old table may be in another database than the ledger."""
        if database.is_contention(error):
            return super().explain(error)
        return f"the databases cannot be used: {database.error_summary(error)}"


def _find_tables(wanted: str | None) -> tuple[str, tuple[str, ...]]:
    if wanted and wanted not in connections:
        raise not_started(f"there is no database {wanted!r} in DATABASES")
    places = dict.fromkeys((wanted,) if wanted else (database.alias(), DEFAULT_DB_ALIAS))
    using, tables = legacy_table.find(places)
    if not tables:
        raise not_started(
            f"there is no table {' or '.join(legacy_table.TABLES)} in database {' or '.join(places)};"
            " use --database ALIAS to name another database"
        )
    return using, tables
