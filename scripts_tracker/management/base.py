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
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from scripts_tracker.core import names
from scripts_tracker.core.escaping import escaped, escaped_lines
from scripts_tracker.core.text import encodable, error_text
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import NOT_STARTED
from scripts_tracker.exceptions import ScriptsTrackerError
from scripts_tracker.ledger import database
from scripts_tracker.ledger.processes import exit_code
from scripts_tracker.reporting import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import NoReturn

    from django.core.management.base import CommandParser, OutputWrapper

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.project.status import ProjectStatus


class TrackerCommand(BaseCommand):
    """A command of scripts_tracker: ``perform`` does the work, and every error is a line and an exit code.

    Attributes:
        error_code: what an error of scripts_tracker or of the ledger exits with.
        meant: what to say about an option that people know from elsewhere.
    """

    # The settings are ours to check; models and templates of the project cost more than the scripts.
    requires_system_checks: tuple[str, ...] | Literal["__all__"] = ("scripts_tracker",)
    error_code = NOT_STARTED
    meant: ClassVar[Mapping[str, str]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _open_closed_streams()  # before Django wraps them
        super().__init__(*args, **kwargs)

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Django's parser, without abbreviations; a wrong argument is repeated in a harmless form, with what was meant."""
        # --force would be one of --force-color.
        parser = super().create_parser(prog_name, subcommand, **{"allow_abbrev": False, **kwargs})
        complain = parser.error

        def error(message: str) -> NoReturn:
            text = escaped(f"{message}{_meant(message, parser, self.meant)}")
            head = f"{parser.prog}: error: "  # argparse puts it before the text
            lines = terminal.wrapped(f"{head}{text}", "", terminal.output_for(sys.stderr), hang=" " * 4)
            complain("\n".join(lines).removeprefix(head.rstrip()).removeprefix(" "))
            raise AssertionError  # it has exited

        parser.error = error  # type: ignore[method-assign]  # Django wants its own class
        return parser

    @property
    def is_process(self) -> bool:
        """Whether the process was started for this command, and ends with it."""
        return getattr(self, "_called_from_command_line", False)

    def perform(self, options: dict[str, Any]) -> int:
        """Do the work and return the exit code."""
        raise NotImplementedError

    def handle(self, *_args: Any, **options: Any) -> None:
        """Perform, and turn errors into one line."""
        self.output = terminal.output_for(
            self.stdout, no_color=options["no_color"], force_color=options["force_color"]
        )
        try:
            code = self._performed(options)
        except CommandError as error:
            if not self.is_process or options["traceback"]:
                raise
            self._complain(error)  # Django would print the name of the class before it
            code = error.returncode
        except KeyboardInterrupt as interrupt:
            if not self.is_process or options["traceback"]:
                raise
            self.say("Interrupted.", self.stderr)
            code = exit_code(interrupt)
        if code:
            sys.exit(code)

    def _performed(self, options: dict[str, Any]) -> int:
        """Perform; raises CommandError alone, and what ends the process."""
        try:
            return self.perform(options)
        except CommandError as error:
            # It may name files, tags and what else people write.
            error.args = (escaped_lines(error_text(error)),)
            raise
        except Error as error:
            raise CommandError(self.explain(error), returncode=self.error_code) from error
        except ScriptsTrackerError as error:
            raise CommandError(escaped_lines(str(error)), returncode=self.error_code) from error

    def _complain(self, error: CommandError) -> None:
        """Print why the command failed."""
        self.say(error_text(error), self.stderr)

    def explain(self, error: Error) -> str:
        """Describe an error of the database in a line."""
        return database.unavailable_message(error)

    def say(self, text: str, stream: OutputWrapper | None = None) -> None:
        """Print sentences and lists, wrapped at a terminal; what a format has made goes to ``write``."""
        output = terminal.output_for(stream or self.stdout)
        self.write("\n".join(terminal.wrapped(text, "", output, hang=" " * 4)), stream)

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


def _meant(message: str, parser: CommandParser, others: Mapping[str, str]) -> str:
    """What to type in place of an option that does not exist, to follow the error of the parser."""
    known = [name for action in parser._actions for name in action.option_strings]  # noqa: SLF001 - argparse has no public list
    what, manage, command = names.option_meant(message, known, others).partition("manage.py ")
    return f"{what}{database.typed(command) if manage else ''}"


def put(stream: OutputWrapper, text: str, ending: str = "") -> None:
    """Write a text with escapes for what the stream cannot encode, and flush it."""
    stream.write(encodable(stream, text), ending=ending)
    stream.flush()


def not_started(text: str) -> CommandError:
    """The error of a command that is used in a wrong way or cannot begin."""
    return CommandError(text, returncode=NOT_STARTED)


NAMES: Final = "app.name, name, an app (all of its scripts), a pattern such as 'orders.*', or a path"
"""What can be typed for scripts, for help texts."""


def add_names(parser: CommandParser, default: str = "every script") -> None:
    """Declare the scripts that a command is about."""
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{NAMES}; default: {default}")


class Named(NamedTuple):
    """The scripts that a person names; ``by_name`` are those that were named by themselves, not as one of a group."""

    statuses: tuple[ScriptStatus, ...]
    by_name: frozenset[ScriptId] = frozenset()

    def fit(self, why_not: Callable[[ScriptStatus], str]) -> tuple[ScriptStatus, ...]:
        """Those to decide about: every one that was named by itself, and of a group those with no reason against it."""
        return tuple(one for one in self.statuses if one.id in self.by_name or not why_not(one))


def named(overview: ProjectStatus, wanted: Iterable[str]) -> Named:
    """Find the scripts that a person names; raises UnknownScript."""
    by_id = overview.by_id
    found = names.resolve_each(wanted, overview.paths, database.typed(names.LISTING))
    return Named(tuple(by_id[one] for one in found), frozenset(one for one in found if found[one]))
