"""What our commands share: how they fail, what they exit with, how they print.

Exit codes:
    0: done, or nothing to do.
    1: something was tried and failed, or was refused; Django's own code for a ``CommandError``.
    2: nothing was tried (``NOT_STARTED``): wrong use, an unknown script, a ledger that cannot be used.
    1, 3, 4: ``check_scripts --check`` only: a state needs action (``EXIT_CODES`` in ``reporting.report``).
    129, 130, 143: SIGHUP, Ctrl-C or SIGTERM ended the command (``exit_code`` in ``ledger.processes``).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Literal

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from scripts_tracker.core.escaping import escaped, escaped_lines
from scripts_tracker.core.text import encodable, error_text
from scripts_tracker.core.values import NOT_STARTED
from scripts_tracker.exceptions import ScriptsTrackerError
from scripts_tracker.ledger import database
from scripts_tracker.reporting import terminal

if TYPE_CHECKING:
    from django.core.management.base import CommandParser, OutputWrapper


class TrackerCommand(BaseCommand):
    """A command of scripts_tracker: ``perform`` does the work, and every error is a line and an exit code.

    Attributes:
        error_code: what an error of scripts_tracker or of the ledger exits with.
    """

    # The settings are ours to check; models and templates of the project cost more than the scripts.
    requires_system_checks: tuple[str, ...] | Literal["__all__"] = ("scripts_tracker",)
    error_code = NOT_STARTED

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _open_closed_streams()  # before Django wraps them
        super().__init__(*args, **kwargs)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Django's parser, which repeats a wrong argument in a harmless form."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        complain = parser.error
        parser.error = lambda message: complain(escaped(message))  # type: ignore[method-assign]  # Django wants its own class
        return parser

    def perform(self, options: dict[str, Any]) -> int:
        """Do the work and return the exit code."""
        raise NotImplementedError

    def handle(self, *_args: Any, **options: Any) -> None:
        """Perform, and turn errors into one line."""
        self.output = terminal.output_for(
            self.stdout, no_color=options["no_color"], force_color=options["force_color"]
        )
        try:
            code = self.perform(options)
        except CommandError as error:
            error.args = (
                escaped_lines(error_text(error)),
            )  # it may name files, tags and what else people write
            raise
        except Error as error:
            raise CommandError(self.explain(error), returncode=self.error_code) from error
        except ScriptsTrackerError as error:
            raise CommandError(escaped_lines(str(error)), returncode=self.error_code) from error
        if code:
            sys.exit(code)

    def explain(self, error: Error) -> str:
        """Describe an error of the database in a line."""
        return database.unavailable_message(error)

    def write(self, text: str, stream: OutputWrapper | None = None) -> None:
        """Print; a reader that has seen enough (``| head``) is no error."""
        stream = stream or self.stdout
        try:
            put(stream, text, "\n")
        except BrokenPipeError:
            # What is left in the buffer would raise again at exit (docs.python.org/3/library/signal.html).
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _open_closed_streams() -> None:
    """Open the null device for standard streams that the process was started without (``>&-``).

    It takes their numbers too: a library that prints to them must not print into the connection to the database.
    """
    for name, mode, flags in (
        ("stdin", "r", os.O_RDONLY),
        ("stdout", "w", os.O_WRONLY),
        ("stderr", "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            file = os.open(os.devnull, flags)
            os.set_inheritable(file, True)  # noqa: FBT003 - it takes no keywords
            setattr(sys, name, open(file, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - it stays open


def put(stream: OutputWrapper, text: str, ending: str = "") -> None:
    """Write a text with escapes for what the stream cannot encode, and flush it."""
    stream.write(encodable(stream, text), ending=ending)
    stream.flush()


def not_started(text: str) -> CommandError:
    """The error of a command that is used in a wrong way or cannot begin."""
    return CommandError(text, returncode=NOT_STARTED)


def add_names(parser: CommandParser, default: str = "every script") -> None:
    """Declare the scripts that a command is about."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"app.name or name; default: {default}")
