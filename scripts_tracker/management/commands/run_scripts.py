"""``manage.py run_scripts``: choose, plan, run, sum up."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.management.base import CommandError, OutputWrapper
from django.core.management.color import no_style
from django.db import Error

from scripts_tracker import conf
from scripts_tracker.adoption import first_step
from scripts_tracker.core import planning
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.events import EXIT_STOPPED, RunOptions
from scripts_tracker.core.text import error_text, parsed_duration
from scripts_tracker.exceptions import ScriptsTrackerError
from scripts_tracker.ledger import database
from scripts_tracker.ledger.processes import exit_code, signals_raise
from scripts_tracker.management import plans, rehearsing
from scripts_tracker.management.base import TrackerCommand, add_names, not_started, put
from scripts_tracker.project.status import load_status
from scripts_tracker.reporting import progress
from scripts_tracker.reporting.terminal import Output, most_at
from scripts_tracker.running.output import called_before_output, not_of_the_script
from scripts_tracker.running.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from django.core.management.base import CommandParser

    from scripts_tracker.core.events import RunEvent, Summary, WorkerStart
    from scripts_tracker.core.planning import Choice, Plan
    from scripts_tracker.project.status import ProjectStatus

# More processes than that are a slip of the finger.
_MOST_WORKERS = 1000


class Command(TrackerCommand):
    """Run what needs action, once, in the order of its requirements."""

    help = "Run the management scripts that are new, modified, failed or lost here, required ones first."
    requires_system_checks = "__all__"  # the scripts are the project's
    meant: ClassVar = {
        "--force": "to run a script that is up to date: manage.py NAME",
        "--dry-run": "to see what would run: --plan",
        "--fake": "to mark scripts as applied without a run: manage.py check_scripts --mark-applied NAME",
        "--list": "to list the scripts: manage.py check_scripts",
        "--all": "it runs every script that needs action; to run others too, name them: manage.py NAME",
    }
    # Passed by auto_run: only a script that failed is an error.
    stealth_options = ("only_failures",)

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        add_names(parser, "every script that needs action")
        add = parser.add_argument
        plans.add_arguments(parser)
        add(
            "--tag",
            action="append",
            default=[],
            dest="tags",
            metavar="TAG",
            help="only scripts with this tag",
        )
        add("--continue-on-error", action="store_true", help="after a failure, run what is independent of it")
        add("--no-retry", action="store_false", dest="retries", help="do not run failed or lost scripts")
        waiting = (
            "wait so long for a script that another process runs; default: 600, or the setting wait_seconds"
        )
        add("--wait", metavar="SECONDS", help=waiting)
        add(
            "--workers",
            metavar="N",
            default=1,
            help="let N processes share each batched script; further hosts join by the same command",
        )
        limit = f"begin nothing more after this time, such as 30m or 2h30m; exit with {EXIT_STOPPED} if something is left"
        add("--for", dest="duration", metavar="DURATION", help=limit)
        add(
            "--enqueue",
            action="store_true",
            help="put jobs on the queue of django.tasks (setting queue) instead, and return at once",
        )
        rehearsing.add_arguments(parser)
        # What --workers starts this command with: it is this one of them, and reports to the process that started it.
        add("--as-worker", type=int, default=0, metavar="NUMBER", help=argparse.SUPPRESS)
        no_input = ("--no-input", "--noinput")
        add(*no_input, action="store_false", dest="interactive", help="do not prompt for input")

    def perform(self, options: dict[str, Any]) -> int:
        """Choose, plan, run, sum up."""
        if not conf.tracker_settings().enabled:
            raise not_started(
                'SCRIPTS_TRACKER["enabled"] is False here: no script was run, because runs are not recorded'
            )
        options["wait"] = _seconds(options["wait"])
        options["workers"] = _workers(options["workers"])
        options["duration"] = _duration(options["duration"])
        rehearsing.validate(options)
        if options["enqueue"]:
            _require_queue(options)
        snapshots = plans.read_sources(options)
        if options["as_worker"]:
            self._become_worker()
        overview = load_status(with_fingerprints=bool(snapshots))
        by_id = overview.by_id
        choice = planning.choose(
            by_id,
            options["names"],
            options["tags"],
            retries=options["retries"],
            in_migrate=bool(options.get("only_failures")),
            typed=database.typed,
        )
        plan = planning.make_plan(choice.chosen, by_id, choice.excluded)
        if plan.steps and not choice.is_by_name:
            _require_adoption(overview)
        self._limit_workers(plan, options)
        if options["plan"]:
            if options["format"] == "text":
                self._say_place(overview)
            self._say_lines(plans.shown(plan, choice, snapshots, options, self.output))
            return 0
        if options["enqueue"]:
            return self._enqueue(plan, choice, overview, options)
        if options["rehearse"]:
            return self._rehearse(plan, choice, overview, options)
        try:
            return self._run(plan, choice, overview, options)
        finally:
            if choice.batched and conf.queue_settings() is not None:
                self._enqueue_batched([one.id.dotted for one in choice.batched])

    def _run(self, plan: Plan, choice: Choice, overview: ProjectStatus, options: dict[str, Any]) -> int:
        is_quiet = options["verbosity"] < 1 or bool(options["as_worker"])
        if not is_quiet:
            self._say_place(overview)
            left = progress.not_planned(plan, choice, self.output, most_at(options["verbosity"]))
            self._say_lines([*left, progress.heading(plan, self.output)])
        reporter = _Reporter(self, is_quiet=is_quiet)
        runner = Runner(plan, overview.by_id, self._options(options), reporter)
        without_input = contextlib.nullcontext() if options["interactive"] else _no_input()
        with signals_raise(), without_input, called_before_output(reporter.erase):
            summary = runner.carry_out()
        if summary.results and not is_quiet:
            self._say_lines(progress.summary(summary, self.output, most_at(options["verbosity"])))
        if summary.interrupt is not None:
            return exit_code(summary.interrupt)
        if options["as_worker"]:
            return self._worker_code(summary)
        if not summary.is_good:
            return self._fail(summary, is_quiet=is_quiet, only_failures=bool(options.get("only_failures")))
        return 0

    def _rehearse(self, plan: Plan, choice: Choice, overview: ProjectStatus, options: dict[str, Any]) -> int:
        again = tuple(one for one in choice.up_to_date if one.definition is not None)
        if again:  # whoever names an applied script wants to know what another run would change
            left = tuple(one for one in choice.up_to_date if one not in again)
            choice = choice._replace(chosen=(*choice.chosen, *again), up_to_date=left)
            plan = planning.make_plan(choice.chosen, overview.by_id, choice.excluded)
        one = rehearsing.Rehearsing(self, options, self._options(options))
        around = contextlib.nullcontext() if options["interactive"] else _no_input()
        report = _Reporter(self, is_quiet=options["verbosity"] < 1)
        return one.carry_out(plan, choice, overview.by_id, report, around)

    def _enqueue(self, plan: Plan, choice: Choice, overview: ProjectStatus, options: dict[str, Any]) -> int:
        """Put a job on the queue for every step that can begin."""
        from scripts_tracker.running import jobs  # it imports django.tasks
        from scripts_tracker.running.queue import Job, NotEnqueued

        is_quiet = options["verbosity"] < 1
        if not is_quiet:
            self._say_place(overview)
            left = progress.not_planned(plan, choice, self.output, most_at(options["verbosity"]))
            self._say_lines([*left, progress.heading(plan, self.output, "Enqueuing")])
        wanted = tuple(one.id.dotted for one in choice.chosen) if options["names"] else ()
        request = Job("", wanted, () if wanted else tuple(options["tags"]), options["retries"])
        request = request._replace(workers=options["workers"])
        placed = []
        try:
            for one in jobs.enqueue(plan, overview.by_id, request):
                placed.append(one)
                if not is_quiet:
                    self._say_lines([progress.placed(one, self.output)])
        except NotEnqueued as error:
            raise CommandError(
                f"{error}. When the queue takes jobs again: {database.typed(jobs.HEAL)}"
            ) from error
        if plan.blocked and not is_quiet:
            self._say_lines(progress.blocked(plan, self.output, most_at(options["verbosity"])))
        failed = sum(one.is_failure for one in placed)
        counts = {"failed": failed, "blocked": len(plan.blocked)}
        if any(counts.values()):
            found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
            text = f"Some scripts were not enqueued: {found}."
            if failed or not options.get("only_failures"):
                raise CommandError(text)
            _say(self.stderr, f"{text}\n")
        return 0

    def _enqueue_batched(self, names: list[str]) -> None:
        """Enqueue what never runs inside ``migrate``; a queue that is away must not make that fail."""
        from scripts_tracker.running import queue  # as above

        try:
            if queue.runs_at_once():
                return
            from scripts_tracker.running import jobs  # it imports django.tasks

            by_id = load_status().by_id
            choice = planning.choose(by_id, names, typed=database.typed)
            plan = planning.make_plan(choice.chosen, by_id, choice.excluded)
            for one in jobs.enqueue(plan, by_id, queue.Job("")):
                if one.jobs:
                    _say(self.stdout, f"Enqueued:{progress.placed(one, self.output)[1:]}\n")
        except (Error, ScriptsTrackerError) as error:
            text = escaped(" ".join(error_text(error).split()))
            _say(self.stderr, f"Batched scripts were not enqueued: {text}\n")

    def _become_worker(self) -> None:
        from scripts_tracker.running import workers  # only with --workers

        workers.outlive_reader()
        self.stdout, self.stderr = OutputWrapper(sys.stdout), OutputWrapper(sys.stderr)

    def _worker_code(self, summary: Summary) -> int:
        """The exit code for the process that started this worker; people see its lines."""
        from scripts_tracker.running import workers  # as above

        for result in summary.results:
            if result.outcome.counts_as in {"failed", "held", "blocked"}:
                _say(self.stderr, f"{result.outcome.phrase}: {escaped(result.text)}\n")
        return workers.exit_code(summary)

    def _limit_workers(self, plan: Plan, options: dict[str, Any]) -> None:
        """Leave one worker where more would do nothing, and say so if they were asked for."""
        if options["workers"] == 1 or not any(status.is_batched for status in plan.steps):
            options["workers"] = 1
        elif database.connection().vendor == "sqlite":
            options["workers"] = 1
            _say(self.stderr, "SQLite has one writer at a time, so there is one worker.\n")

    def _options(self, options: dict[str, Any]) -> RunOptions:
        names = ("verbosity", "no_color", "force_color", "traceback")
        given = {name: options[name] for name in names if name in options}
        # The streams below our own wrappers: a script's own wrapper adds the line ends.
        given.update(stdout=self.stdout._out, stderr=self.stderr._out)  # noqa: SLF001 - Django's call_command takes plain streams
        return RunOptions(
            options["wait"],
            options["continue_on_error"],
            options["interactive"],
            given,
            options["workers"],
            options["duration"],
            self._start(options),
        )

    def _start(self, options: dict[str, Any]) -> WorkerStart | None:
        """How to start workers; None where this process works alone, or is one of them."""
        if options["workers"] == 1 or options["as_worker"]:
            return None
        from scripts_tracker.running import workers  # only with --workers

        is_by_hand = bool(getattr(self, "_called_from_command_line", False))
        return workers.worker_start(options, is_by_hand=is_by_hand)

    def _fail(self, summary: Summary, *, is_quiet: bool, only_failures: bool) -> int:
        counts = {name: len(summary.counted(name)) for name in progress.NOT_DONE}
        found = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
        lines = [f"Some scripts did not run: {found}."]
        if summary.is_unfinished:
            lines = [f"Not finished: {found}. Run the same command again to go on."]
        if is_quiet:
            lines += progress.failures(summary, Output(no_style()))
        if not summary.is_unfinished and (step := progress.next_step(summary)):
            lines.append(step)
        text = "\n".join(lines)
        if summary.is_unfinished and not only_failures:
            raise CommandError(text, returncode=EXIT_STOPPED)
        if counts["failed"] or not only_failures:
            raise CommandError(text)
        _say(self.stderr, f"{text}\n")
        return 0

    def _say_place(self, overview: ProjectStatus) -> None:
        environment = conf.tracker_settings().environment
        for line in progress.about_place(environment, overview.statuses, self.output):
            self._say_lines([line])

    def _say_lines(self, lines: Iterable[str]) -> None:
        _say(self.stdout, "\n".join(lines) + "\n")


class _Reporter:
    """Prints progress to stdout, and tracebacks to stderr.

    Args:
        command: whose streams.
        is_quiet: whether only what workers print is shown, and tracebacks.
    """

    def __init__(self, command: Command, *, is_quiet: bool) -> None:
        began = time.monotonic()
        self._out, self._err, self._is_quiet = command.stdout, command.stderr, is_quiet
        self._lines = progress.Progress(command.output, lambda: time.monotonic() - began)

    def __call__(self, event: RunEvent) -> None:
        """Report an event; the run that is at it does not keep that as its output."""
        with not_of_the_script():
            if event.result and (trace := progress.traceback_of(event.result)):
                _say(self._err, f"{trace}\n")
            if event.kind == "printed":
                _say(self._err if event.is_error else self._out, self._lines.text(event))
            elif not self._is_quiet and (text := self._lines.text(event)):
                _say(self._out, text)

    def erase(self) -> None:
        """Make room for what a script prints."""
        if text := self._lines.erase():
            _say(self._out, text)


def _seconds(given: object) -> float:
    """The seconds of ``--wait``; ``call_command()`` passes numbers, a command line passes text."""
    if given is None:
        return conf.tracker_settings().wait_seconds
    seconds = given
    with contextlib.suppress(ValueError):
        seconds = float(given) if isinstance(given, str) else given
    if not conf.is_valid("wait_seconds", seconds):
        raise not_started(f"--wait: expected {conf.words_for('wait_seconds')}, got {conf.shown(given)}.")
    return seconds  # type: ignore[return-value]  # it is a number, being valid


def _workers(given: object) -> int:
    """The number of ``--workers``."""
    number = given
    with contextlib.suppress(ValueError):
        number = int(given) if isinstance(given, str) else given
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= _MOST_WORKERS:
        raise not_started(f"--workers: expected a number from 1 to {_MOST_WORKERS}, got {conf.shown(given)}.")
    return number


def _duration(given: object) -> float | None:
    """The seconds of ``--for``; ``call_command()`` may pass them as a number, too."""
    seconds = parsed_duration(given) if isinstance(given, str) else given
    if given is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise not_started(f"--for: expected a duration such as 90s, 30m or 2h30m, got {conf.shown(given)}.")
    return seconds


def _say(stream: OutputWrapper, text: str) -> None:
    """Print; the run goes on where the reader has gone (``| head``) or a script has closed the stream."""
    with contextlib.suppress(OSError, ValueError):
        put(stream, text)


def _require_queue(options: dict[str, Any]) -> None:
    """Refuse what no job can do, before anything is done."""
    from scripts_tracker.running import queue  # only with --enqueue

    if options["duration"] is not None:
        raise not_started(
            "--for does not go with --enqueue: a job works for the slice_seconds of the setting queue"
        )
    try:
        queue.backend()
    except queue.QueueUnusable as error:
        raise not_started(f"--enqueue: {error}") from error


def _require_adoption(overview: ProjectStatus) -> None:
    """Run nothing that another tracker may have run already."""
    if step := first_step(overview):
        raise not_started(f"Nothing was run: {step}")


@contextlib.contextmanager
def _no_input() -> Iterator[None]:
    """A script that asks gets the end of the input at once instead of waiting for an answer."""
    before = sys.stdin
    with open(os.devnull, encoding="utf-8") as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = before
