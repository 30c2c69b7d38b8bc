"""``manage.py run_scripts``: a choice, a plan, one call of the runner, what it says, an exit code."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from argparse import ArgumentTypeError
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from scripts_tracker import conf
from scripts_tracker.core import planning
from scripts_tracker.core.events import COULD_NOT_RUN, RunOptions
from scripts_tracker.core.text import printable
from scripts_tracker.exceptions import LedgerMissing, UnknownScript
from scripts_tracker.ledger import database
from scripts_tracker.ledger.processes import exit_code, sigterm_raises
from scripts_tracker.project.status import take_stock
from scripts_tracker.reporting import progress, terminal
from scripts_tracker.running.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.core.management.base import CommandParser, OutputWrapper

    from scripts_tracker.core.events import RunEvent, Summary
    from scripts_tracker.core.planning import Choice, Plan
    from scripts_tracker.project.status import Overview


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if 0 <= seconds < float("inf"):
            return seconds
    raise ArgumentTypeError(f"a number of seconds, not {text!r}")


class Command(BaseCommand):
    """Run what needs action, once, in the order that the scripts ask for."""

    help = "Runs the management scripts that are new, modified, failed or lost here, required ones first."
    # Of auto_run alone: whether only a script that failed is an error.
    stealth_options = ("only_failures",)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        parser.add_argument(
            "names",
            nargs="*",
            metavar="NAME",
            help="app.name or name; default: every script that needs action",
        )
        parser.add_argument("--plan", action="store_true", help="print what would run, and why; run nothing")
        parser.add_argument(
            "--tag",
            action="append",
            default=[],
            dest="tags",
            metavar="TAG",
            help="only scripts with this tag",
        )
        parser.add_argument(
            "--continue-on-error",
            action="store_true",
            help="after a failure, go on with what does not depend on it",
        )
        parser.add_argument(
            "--no-retry",
            action="store_false",
            dest="retries",
            help="leave failed and lost scripts to a person",
        )
        parser.add_argument(
            "--wait",
            type=_seconds,
            metavar="SECONDS",
            help="how long to wait for a script that another process runs; default: 600, or the setting wait_seconds",
        )
        parser.add_argument(
            "--no-input",
            "--noinput",
            action="store_false",
            dest="interactive",
            help="no script gets an answer from anybody",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Plan, run, sum up; every error is one clear line."""
        self._output = terminal.output_for(
            self.stdout, no_color=options["no_color"], force_color=options["force_color"]
        )
        if not conf.tracker_settings().enabled:
            words = (
                'SCRIPTS_TRACKER["enabled"] is False here: no script was run, as that could not be recorded'
            )
            raise CommandError(words, returncode=COULD_NOT_RUN)
        try:
            overview = take_stock()
            choice = planning.choose(
                overview.by_id, options["names"], options["tags"], retries=options["retries"]
            )
        except (LedgerMissing, UnknownScript) as error:
            raise CommandError(str(error), returncode=COULD_NOT_RUN) from error
        except Error as error:
            raise CommandError(database.unavailable_message(error), returncode=COULD_NOT_RUN) from error
        plan = planning.make_plan(choice.chosen, overview.by_id, choice.left)
        if plan.steps and not options["names"]:
            self._insist_on_adoption(overview)
        if options["plan"]:
            self._write(progress.plan(plan, choice, self._output))
        else:
            self._run(plan, choice, overview, options)

    def _insist_on_adoption(self, overview: Overview) -> None:
        """Run nothing that another tracker may have run already."""
        if not overview.unapplied:
            return
        from scripts_tracker.adoption import survey  # for what another tracker may have run

        if survey.is_waiting(overview):
            raise CommandError(f"Nothing was run: {survey.ADOPT_FIRST}", returncode=COULD_NOT_RUN)

    def _write(self, lines: Iterable[str]) -> None:
        _say(self.stdout, "\n".join(lines) + "\n")

    def _run(self, plan: Plan, choice: Choice, overview: Overview, options: dict[str, Any]) -> None:
        is_quiet = options["verbosity"] < 1
        if not is_quiet:
            left = progress.not_planned(plan, choice, self._output)
            self._write([*left, progress.heading(plan, self._output)])
        reporter = _Reporter(self, is_quiet=is_quiet)
        runner = Runner(plan, overview.by_id, self._options(options), reporter)
        with sigterm_raises(), _nobody_answers() if not options["interactive"] else contextlib.nullcontext():
            summary = runner.carry_out()
        if summary.results and not is_quiet:
            self._write(progress.summary(summary, self._output))
        self._leave(summary, is_quiet=is_quiet, only_failures=bool(options.get("only_failures")))

    def _options(self, options: dict[str, Any]) -> RunOptions:
        wait = options["wait"]
        names = ("verbosity", "no_color", "force_color", "traceback")
        given = {name: options[name] for name in names if name in options}
        # The streams below our own wrappers: a script's own wrapper adds the line ends.
        given.update(stdout=self.stdout._out, stderr=self.stderr._out)  # noqa: SLF001 - Django's call_command takes plain streams
        return RunOptions(
            conf.tracker_settings().wait_seconds if wait is None else wait,
            options["continue_on_error"],
            options["interactive"],
            given,
        )

    def _leave(self, summary: Summary, *, is_quiet: bool, only_failures: bool) -> None:
        if summary.interrupt is not None:
            sys.exit(exit_code(summary.interrupt))
        if not summary.is_good:
            counts = [
                f"{len(summary.counted(name))} {name}"
                for name in ("failed", "blocked", "skipped")
                if summary.counted(name)
            ]
            text = f"Not every management script was run: {', '.join(counts)}."
            told = (
                progress.failures(summary, terminal.output_for(self.stderr, no_color=True))
                if is_quiet
                else ()
            )
            words = "\n".join([text, *told])
            if not only_failures or summary.counted("failed"):
                raise CommandError(words)
            _say(self.stderr, f"{words}\n")


class _Reporter:
    """Writes the events of a run: progress to stdout, tracebacks to stderr."""

    def __init__(self, command: Command, *, is_quiet: bool) -> None:
        began = time.monotonic()
        self._progress = progress.Progress(command._output, lambda: time.monotonic() - began)  # noqa: SLF001 - a part of the command
        self._command = command
        self._is_quiet = is_quiet

    def __call__(self, event: RunEvent) -> None:
        out, err = self._command.stdout, self._command.stderr
        trace = progress.traceback_of(event.result) if event.result else ""
        if trace:
            _say(err, f"{trace}\n")
        text = "" if self._is_quiet else self._progress.text(event)
        if text:
            _say(out, text)


def _say(stream: OutputWrapper, text: str) -> None:
    """Write a text as it is; the reader may be gone (``| head``), or a script has closed the stream: the run goes on."""
    with contextlib.suppress(OSError, ValueError):
        stream.write(printable(stream, text), ending="")
        stream.flush()


@contextlib.contextmanager
def _nobody_answers() -> Iterator[None]:
    """A script that asks gets the end of the input at once, instead of waiting for somebody."""
    before = sys.stdin
    with open(os.devnull, encoding="utf-8") as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before
