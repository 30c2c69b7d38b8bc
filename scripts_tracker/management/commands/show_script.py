"""``manage.py show_script``: everything known about one script."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts_tracker.core import names
from scripts_tracker.ledger import queries
from scripts_tracker.management.base import TrackerCommand, not_started
from scripts_tracker.project import detail
from scripts_tracker.project.status import load_status
from scripts_tracker.reporting import formats

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(TrackerCommand):
    """Show one script: its state, its runs, what changed in it."""

    help = "Show one management script: its state and why, its runs, what changed since it ran here."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        add = parser.add_argument
        add("name", metavar="NAME", help="app.name or name")
        changes = "show what changed between the version that ran here and the file now, without formatting"
        add("--diff", action="store_true", help=changes)
        add("--raw", action="store_true", help="with --diff: include formatting")
        add("--history", action="store_true", help="show all runs, not only the last ones")
        add("--format", choices=tuple(formats.SCRIPT_FORMATS), default="text", help="default: text")

    def perform(self, options: dict[str, Any]) -> int:
        """Look up and show."""
        if options["raw"] and not options["diff"]:
            raise not_started("--raw goes with --diff.")
        overview = load_status()
        script_id = names.resolve(options["name"], overview.by_id.keys())
        limit = queries.MOST_RUNS if options["history"] else detail.LAST_RUNS
        found = detail.load_detail(overview, script_id, limit=limit)
        if options["diff"]:
            found = detail.with_comparison(found, raw=options["raw"])
        render = formats.renderer(formats.SCRIPT_FORMATS, options["format"])
        self.write(render(found, self.output))
        return 0
