"""``manage.py show_script``: everything known about one script."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from scripts_tracker import conf
from scripts_tracker.core import names
from scripts_tracker.ledger import queries
from scripts_tracker.ledger.database import typed
from scripts_tracker.ledger.processes import exit_code
from scripts_tracker.management.base import TrackerCommand, not_started, put
from scripts_tracker.management.queued import queued_for
from scripts_tracker.project import detail
from scripts_tracker.project.status import load_status
from scripts_tracker.reporting import formats

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from scripts_tracker.core.states import ScriptStatus


_NUMBER = re.compile(r"-?[0-9]{1,18}")
_MOST = 2**63 - 1


class Command(TrackerCommand):
    """Show one script: its state, its runs, what changed in it."""

    help = "Show one management script: its state and why, its runs, what changed since it ran here."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        add = parser.add_argument
        add("name", metavar="NAME", help="app.name, name, or a path as the reports print it")
        changes = "show what changed between the version that ran here and the file now, without formatting"
        add("--diff", action="store_true", help=changes)
        add("--raw", action="store_true", help="with --diff: include formatting")
        one = "show this run with all of its output: its id, or -1 for the last run, -2 for the one before"
        add("--run", metavar="ID", help=one)
        add("--history", action="store_true", help="show all runs, not only the last ones")
        add(
            "--watch",
            action="store_true",
            help="follow a running script until it ends: its output, its sign of life",
        )
        add("--format", choices=tuple(formats.SCRIPT_FORMATS), default="text", help="default: text")

    def perform(self, options: dict[str, Any]) -> int:
        """Look up and show."""
        if options["raw"] and not options["diff"]:
            raise not_started("--raw goes with --diff.")
        if options["watch"] and (options["diff"] or options["history"] or options["format"] != "text"):
            raise not_started(
                "--watch takes neither --diff, --history nor --format: it shows a run as it goes on."
            )
        which = _which(options)
        overview = load_status()
        script_id = names.resolve(options["name"], overview.paths, typed(names.LISTING))
        if options["watch"]:
            return self._watch(overview.by_id[script_id])
        if which is not None:
            status = overview.by_id[script_id]
            render = formats.renderer(formats.RUN_FORMATS, options["format"])
            self.write(render((status, detail.load_run(status, which)), self.output))
            return 0
        is_whole = options["history"] or options["format"] == "json"
        limit = queries.MOST_RUNS if is_whole else detail.LAST_RUNS
        found = detail.load_detail(overview, script_id, limit=limit)
        found = found._replace(queued=queued_for([found.status]))
        if options["diff"]:
            found = detail.with_comparison(found, raw=options["raw"])
        if options["format"] == "json":
            from scripts_tracker.ledger import successes  # for reports of several environments

            found = found._replace(success=successes.last_successes().get(script_id))
        render = formats.renderer(formats.SCRIPT_FORMATS, options["format"])
        self.write(render(found, self.output))
        return 0

    def _watch(self, status: ScriptStatus) -> int:
        """Follow the run that holds the script; return the exit code of its outcome."""
        if status.walk is not None and status.walk.live:
            return self._watch_walk(status, status.walk.pk)
        if status.last_run is None or status.record is None or not status.record.is_held:
            raise not_started(_not_running(status))
        from scripts_tracker.project.following import follow  # only here
        from scripts_tracker.reporting import following

        follower = following.Follower(status.id, self.output, time.monotonic)
        outcome = "lost"
        try:
            for now in follow(status.last_run.pk):
                outcome = now.run.outcome if now else "lost"
                put(self.stdout, follower.text(now))
        except BrokenPipeError:  # nobody reads any more
            self.write("")
            return 0
        except KeyboardInterrupt as interrupt:
            put(self.stdout, follower.erase())
            return exit_code(interrupt)
        return following.EXIT_CODES[outcome]

    def _watch_walk(self, status: ScriptStatus, walk_pk: int) -> int:
        """Follow the workers of a batched script until none is at it."""
        from scripts_tracker.project.following import follow_walk  # as above
        from scripts_tracker.reporting import following

        follower = following.WalkFollower(status, self.output, time.monotonic)
        try:
            for now in follow_walk(walk_pk):
                put(self.stdout, follower.text(now))
        except BrokenPipeError:  # nobody reads any more
            self.write("")
            return 0
        except KeyboardInterrupt as interrupt:
            put(self.stdout, follower.erase())
            return exit_code(interrupt)
        return follower.exit_code


def _which(options: dict[str, Any]) -> int | None:
    """The run that --run names; None without it."""
    given = options["run"]
    if given is None:
        return None
    if options["diff"] or options["history"] or options["watch"]:
        raise not_started("--run takes neither --diff, --history nor --watch: it shows one run.")
    text = str(given)
    number = int(text) if _NUMBER.fullmatch(text) else 0
    if not -_MOST <= number <= _MOST or not number:
        raise not_started(
            "--run: expected the id of a run, as show_script prints it, or -1 for the last one,"
            f" got {conf.shown(given)}."
        )
    return number


def _not_running(status: ScriptStatus) -> str:
    """Why there is nothing to watch, and what to type instead."""
    from scripts_tracker.reporting.report import why  # only here

    purpose, command = (
        ("run it", "run_scripts") if status.state.needs_action else ("see its last run", "show_script")
    )
    return f"{status.id} is not running: {why(status)}. To {purpose}: {typed(f'{command} {{}}', status.id)}"
