"""``manage.py adopt_scripts_tracker``: what django-scripts-tracker recorded, taken over into the ledger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, Error, connections

from scripts_tracker.adoption import legacy_table, survey
from scripts_tracker.core.text import printable
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import database
from scripts_tracker.project.status import take_stock
from scripts_tracker.reporting import terminal

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from scripts_tracker.adoption.report import Account

# As check_scripts: it could not be done.
COULD_NOT_ADOPT = 2


class Command(BaseCommand):
    """Read the old table, say what becomes of every script, record it."""

    requires_system_checks = ("scripts_tracker",)
    help = "Takes over which scripts django-scripts-tracker ran here, with their dates; its table stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--plan", action="store_true", help="say what would be recorded; change nothing")
        parser.add_argument(
            "--database", help="where the old table is; default: where the ledger is, else 'default'"
        )
        parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")

    def handle(self, *args: Any, **options: Any) -> None:
        """Judge, record, report; every error is one clear line."""
        try:
            account = self._adopt(options["database"], is_plan=options["plan"])
        except LedgerMissing as error:
            raise CommandError(str(error), returncode=COULD_NOT_ADOPT) from error
        except Error as error:
            raise CommandError(
                f"the databases cannot be used: {' '.join(str(error).split())}", returncode=COULD_NOT_ADOPT
            ) from error
        self._tell(account, options)

    def _adopt(self, wanted: str | None, *, is_plan: bool) -> Account:
        if wanted and wanted not in connections:
            raise CommandError(f"there is no database {wanted!r} in DATABASES", returncode=COULD_NOT_ADOPT)
        places = dict.fromkeys((wanted,) if wanted else (database.alias(), DEFAULT_DB_ALIAS))
        using, tables = legacy_table.find(places)
        if not tables:
            raise CommandError(
                f"there is no table {' or '.join(legacy_table.TABLES)} in database {' or '.join(places)};"
                " to name another: --database ALIAS",
                returncode=COULD_NOT_ADOPT,
            )
        account, marks = survey.survey(take_stock(), using, tables)
        if marks and not is_plan:
            survey.record(marks)
        return account

    def _tell(self, account: Account, options: dict[str, Any]) -> None:
        output = terminal.output_for(
            self.stdout, no_color=options["no_color"], force_color=options["force_color"]
        )
        is_plan = options["plan"]
        if options["format"] == "json":
            text = json.dumps(account.as_json(is_plan=is_plan), indent=2, ensure_ascii=not output.unicode)
        else:
            text = "\n".join(account.as_text(output, is_plan=is_plan))
        self.stdout.write(printable(self.stdout, text))
