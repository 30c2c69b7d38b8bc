"""``manage.py run_all_scripts``: django-scripts-tracker's name for ``run_scripts``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts_tracker.management.commands import run_scripts

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(run_scripts.Command):
    """The same command under its old name."""

    help = "Run the management scripts that need action; the same as run_scripts."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of run_scripts, and the old one."""
        super().add_arguments(parser)
        parser.add_argument("--verbose", action="store_true", help="same as --verbosity 2")

    def perform(self, options: dict[str, Any]) -> int:
        """Run what needs action."""
        if options.pop("verbose"):
            options["verbosity"] = max(options["verbosity"], 2)
        return super().perform(options)
