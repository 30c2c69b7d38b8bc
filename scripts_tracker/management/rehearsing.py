"""``run_scripts --rehearse``: its options, what does not go with it, and how it is carried out."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import CommandError

from scripts_tracker import conf
from scripts_tracker.ledger.processes import exit_code, signals_raise
from scripts_tracker.management.base import not_started, put
from scripts_tracker.reporting import progress
from scripts_tracker.reporting.terminal import most_at, wrapped
from scripts_tracker.running.calls import rehearsed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.core.management.base import CommandParser

    from scripts_tracker.core.events import RunEvent, RunOptions, Summary
    from scripts_tracker.core.planning import Choice, Plan
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.management.base import TrackerCommand
    from scripts_tracker.running.rehearsal import Rehearsal

_MOST_BATCHES: Final = 10_000
# What a rehearsal cannot be combined with: the option, its value where it was not given, and why.
_NOT_WITH: Final = (
    ("--plan", "plan", False, "a plan runs nothing"),
    ("--enqueue", "enqueue", False, "what a job does is not rolled back"),
    ("--workers", "workers", 1, "other processes do not see the transaction that is rolled back"),
    ("--for", "duration", None, "use --batches N to rehearse less of a batched script"),
)
_ONLY_WITH: Final = (("--batches", "batches", None), ("--sql", "sql", False), ("--format", "format", "text"))


def add_arguments(parser: CommandParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add(
        "--rehearse",
        action="store_true",
        help="run the scripts, show what they change, and roll back every database; nothing becomes applied",
    )
    add("--batches", metavar="N", help="with --rehearse: how many batches of a batched script; default: 5")
    add("--sql", action="store_true", help="with --rehearse: show every statement")
    add(
        "--format",
        choices=("text", "json"),
        default="text",
        help="with --plan or --rehearse: json prints one document; what scripts print goes to stderr. Default: text",
    )


def validate(options: dict[str, Any]) -> None:
    """Refuse combinations that make no sense, before anything is done."""
    if rehearsed() is not None:
        raise not_started("run_scripts does not go inside of a rehearsal; call the command of the script.")
    if not options["rehearse"]:
        for name, key, default in _ONLY_WITH:
            if options[key] != default and not (key == "format" and options["plan"]):
                others = "--plan or --rehearse" if key == "format" else "--rehearse"
                raise not_started(f"{name} goes with {others}.")
        return
    for name, key, left_out, why in _NOT_WITH:
        if options[key] != left_out:
            raise not_started(f"{name} does not go with --rehearse: {why}.")
    options["batches"] = _batches(options["batches"])


def _batches(given: object) -> int:
    """The number of ``--batches``; ``call_command()`` may pass it as a number, too."""
    if given is None:
        from scripts_tracker.running.sample import DEFAULT_BATCHES  # only here

        return DEFAULT_BATCHES
    number = given
    with contextlib.suppress(ValueError):
        number = int(given) if isinstance(given, str) else given
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MOST_BATCHES:
        raise not_started(f"--batches: expected a number from 1 to {_MOST_BATCHES}, got {conf.shown(given)}.")
    return number


class Rehearsing:
    """One rehearsal from the command line.

    Args:
        command: which prints.
        options: of the command line.
        run_options: how to run the scripts.
    """

    def __init__(self, command: TrackerCommand, options: dict[str, Any], run_options: RunOptions) -> None:
        self._command = command
        self._options = options
        self._is_json = options["format"] == "json"
        self._is_quiet = options["verbosity"] < 1 or self._is_json
        self._most = most_at(options["verbosity"])
        if self._is_json:
            # What a script prints must not get into the document.
            given = {**run_options.given, "stdout": run_options.given.get("stderr")}
            run_options = run_options._replace(given=given)
        self._run_options = run_options
        self._statements: dict[ScriptId, list[str]] = {}

    def carry_out(
        self,
        plan: Plan,
        choice: Choice,
        by_id: Mapping[ScriptId, ScriptStatus],
        report: Callable[[RunEvent], None],
        around: contextlib.AbstractContextManager[object],
    ) -> int:
        """Rehearse a plan; gives the exit code.

        Args:
            plan: what to rehearse.
            choice: what it was made of.
            by_id: every script.
            report: prints an event.
            around: a block to do it in.

        Raises:
            CommandError: a script failed, or a database may not be rolled back.
        """
        from scripts_tracker.running.rehearsal import Rehearsal  # only with --rehearse

        rehearsal = Rehearsal(
            plan,
            by_id,
            self._run_options,
            self._keep if self._is_json else report,
            batches=self._options["batches"],
            shows_sql=self._options["sql"],
            on_begin=self._say_before,
        )
        if not self._is_quiet:
            left = progress.not_planned(plan, choice, self._command.output, self._most)
            self._say(*left, progress.heading(plan, self._command.output, "Rehearsing"))
        with signals_raise(), around, self._own_stdout():
            summary = rehearsal.carry_out()
        return self._sum_up(summary, rehearsal)

    def _say_before(self, vendors: Mapping[str, str], unavailable: Mapping[str, str]) -> None:
        from scripts_tracker.reporting import rehearsals  # only with --rehearse
        from scripts_tracker.running.unsent import has_celery  # as above

        notes = self._notes = tuple(rehearsals.before(vendors, unavailable, has_celery=has_celery()))
        if not self._is_quiet:
            self._say(
                *(line for note in notes for line in wrapped(note, "  ", self._command.output, hang="  "))
            )

    _notes: tuple[str, ...] = ()

    def _keep(self, event: RunEvent) -> None:
        """In JSON, events become a part of the document."""
        if event.kind == "statement":
            self._statements.setdefault(event.status.id, []).append(event.line)
        if event.result and (trace := progress.traceback_of(event.result)):
            put(self._command.stderr, f"{trace}\n")

    @contextlib.contextmanager
    def _own_stdout(self) -> Any:
        if not self._is_json:
            yield
            return
        with contextlib.redirect_stdout(sys.stderr):
            yield

    def _sum_up(self, summary: Summary, rehearsal: Rehearsal) -> int:
        output = self._command.output
        if self._is_json:
            from scripts_tracker.reporting import json, rehearsals  # only here

            statements = self._statements if self._options["sql"] else None
            document = rehearsals.document(summary, self._notes, statements, rehearsal.broken)
            self._command.write(json.document_text(document, output))
        elif summary.results and not self._is_quiet:
            self._say(*progress.summary(summary, output, self._most, is_rehearsal=True))
        if rehearsal.broken:
            where = " and ".join(map(repr, rehearsal.broken))
            raise CommandError(
                f"NOT EVERYTHING MAY HAVE BEEN ROLLED BACK in database {where}: the transaction of the rehearsal was"
                " ended past Django, or its connection was lost. Check the data."
            )
        if summary.interrupt is not None:
            return exit_code(summary.interrupt)
        if not summary.is_good:
            counts = {name: len(summary.counted(name)) for name in progress.NOT_DONE}
            found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            lines = [f"The rehearsal failed: {found}. Everything was rolled back."]
            if self._is_quiet and not self._is_json:
                lines += progress.failures(summary, output, self._most, is_rehearsal=True)
            if step := progress.next_step(summary):
                lines.append(step)
            raise CommandError("\n".join(lines))
        if summary.results and not self._is_quiet:
            self._say("Everything was rolled back; no script was marked as applied.")
        return 0

    def _say(self, *lines: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # the reader has gone
            put(self._command.stdout, "".join(f"{line}\n" for line in lines))
