"""``manage.py check_scripts``: the state of every script; marks, unmarks and releases."""

from __future__ import annotations

import gc
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.management.base import CommandError

from scripts_tracker import conf
from scripts_tracker.core import names
from scripts_tracker.ledger.database import typed
from scripts_tracker.management.base import Named, TrackerCommand, add_names, named, not_started
from scripts_tracker.reporting import formats

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.project.status import ProjectStatus
    from scripts_tracker.reporting.report import Report

# The options that decide, or that go with one that does.
_DECISIONS = ("mark_all_scripts_as_applied", "mark_applied", "unmark", "release", "reason", "plan")

_TEXT_AND_JSON = ("text", "json")


class Command(TrackerCommand):
    """Show the state of every tracked script; mark, unmark, release, verify."""

    help = "Show which management scripts are new, modified or failed here; mark scripts as applied."

    meant: ClassVar = {
        "--dry-run": "to see what a mark would change: --plan; what would run: manage.py run_scripts --plan",
        "--fake": "did you mean --mark-applied NAME?",
        "--json": "did you mean --format json?",
        "--list": "the list is what check_scripts prints; with applied scripts: --all",
        "--force": "there is none here; what is left out by a mark is listed with the reason",
    }

    def run_from_argv(self, argv: list[str]) -> None:
        """Run as a process that is over soon: nothing of what is loaded becomes garbage before that.

        The collector would walk modules and facts once more at exit, which takes longer than a check with nothing new.
        """
        gc.freeze()
        try:
            super().run_from_argv(argv)
        finally:
            gc.freeze()

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options of the contract."""
        add_names(parser)
        add = parser.add_argument
        add("--all", action="store_true", help="list applied scripts too")
        codes = "exit with 1 for new or modified scripts, 3 for failed or lost, 4 for unreadable ones"
        add("--check", action="store_true", help=codes)
        tree = "draw unapplied scripts with the unapplied scripts that they require"
        add("--show-dependencies", action="store_true", help=tree)
        add("--format", choices=tuple(formats.CHECK_FORMATS), default="text", help="default: text")
        since = "with --format markdown: the git revision to compare with, such as origin/main"
        add("--since", default="", metavar="REV", help=since)
        no_cache = "neither read nor write .scripts_tracker_cache in the project root"
        add("--no-cache", action="store_false", dest="use_cache", help=no_cache)
        untracked = "list the commands of the project that have no @tracked_script"
        add("--untracked", action="store_true", help=untracked)
        decide = parser.add_mutually_exclusive_group().add_argument
        decide(
            "--mark-all-applied",
            action="store_true",
            dest="mark_all_scripts_as_applied",  # django-scripts-tracker's name for call_command()
            help="mark every script that needs action as applied, without running it",
        )
        decide("--mark-applied", nargs="+", metavar="NAME", help="mark these scripts as applied")
        decide("--unmark", nargs="+", metavar="NAME", help="mark these scripts as not applied")
        release = "record runs whose process is dead as lost, and end their leases; needs --reason"
        decide("--release", nargs="+", metavar="NAME", help=release)
        verify = (
            "ask the methods that verify= names whether the work of these scripts is done; changes no state"
        )
        moved = "this database is the environment that its scripts were run in, moved, restored or renamed"
        decide("--environment-moved", action="store_true", help=moved)
        copied = "this database is a copy: what was run in the original is inherited, what was running there is lost"
        decide("--environment-copied", action="store_true", help=copied)
        decide("--verify", nargs="+", metavar="NAME", help=verify)
        add("--plan", action="store_true", help="with one of these: show what would change; change nothing")
        add("--reason", default="", help="the reason for a decision, kept in the ledger")

    def perform(self, options: dict[str, Any]) -> int:
        """Check; decide; report."""
        if options["untracked"]:
            return self._list_untracked(options)
        if options["environment_moved"] or options["environment_copied"]:
            if options["names"]:
                raise not_started("--environment-moved and --environment-copied take no names.")
            return self._place(is_copy=options["environment_copied"], reason=options["reason"])
        if options["since"] or options["format"] == "markdown":
            from scripts_tracker.management import reviewing  # for pull requests alone

            render = formats.renderer(formats.CHECK_FORMATS, "markdown")
            self.write(render(reviewing.reviewed(options), self.output).rstrip("\n"))
            return 0
        from scripts_tracker.project.status import load_status  # --help needs no ledger

        # JSON prints the fingerprint of each script.
        load = partial(
            load_status, use_cache=options["use_cache"], with_fingerprints=options["format"] == "json"
        )
        overview = load()
        if overview.cache.refusal and options["verbosity"] > 1:
            self.write(overview.cache.refusal, self.stderr)
        if options["verify"]:
            return self._verify(named(overview, options["verify"]).statuses)
        chosen = named(overview, options["names"]) if options["names"] else Named(overview.statuses)
        if self._decide(overview, options):
            if options["format"] == "text":
                return 0
            overview = load()
            now = (overview.by_id.get(one.id) for one in chosen.statuses)
            chosen = chosen._replace(statuses=tuple(one for one in now if one is not None))
        report = self._report(chosen, overview, options)
        render = formats.renderer(formats.CHECK_FORMATS, options["format"])
        self.write(render(report, self.output))
        return report.exit_code if options["check"] else 0

    def _report(self, chosen: Named, overview: ProjectStatus, options: dict[str, Any]) -> Report:
        from scripts_tracker.adoption import first_step  # as above
        from scripts_tracker.management.queued import queued_for
        from scripts_tracker.reporting.report import Report

        report = Report(
            chosen.statuses,
            overview.by_id,
            overview.findings,
            options["all"],
            options["show_dependencies"],
            conf.tracker_settings().environment,
            queued=queued_for(chosen.statuses),
            is_full=bool(options["names"]) or options["verbosity"] > 1,
            by_name=chosen.by_name,
            names=tuple(options["names"]),
        )
        if options["format"] != "json":
            return report._replace(advice=first_step(overview) or None)
        from scripts_tracker.ledger import database, successes
        from scripts_tracker.project import git  # where reports of several environments are compared

        revision = git.head_revision(conf.base_dir())
        return report._replace(
            taken_at=database.now(), revision=revision, successes=successes.last_successes()
        )

    def _decide(self, overview: ProjectStatus, options: dict[str, Any]) -> bool:
        """Mark, unmark or release what the options name; a refusal is an error after the rest is done.

        Returns:
            False where the options name nothing.
        """
        if not any(options[name] for name in _DECISIONS):
            return False
        from scripts_tracker.management import deciding  # a check decides nothing

        made = deciding.decision(overview, options)
        if made is None:
            return False
        stream = self.stdout if options["format"] == "text" else self.stderr
        if options["plan"]:
            self.say("\n".join(deciding.plan(made)), stream)
            return True
        result = made.carry_out()
        self.say("\n".join(deciding.outcome(made, result)), stream)
        if result.refused:
            raise CommandError(deciding.refusals(result))
        return True

    def _place(self, *, is_copy: bool, reason: str) -> int:
        """Record whether this database is another environment than the one that its scripts were run in."""
        from scripts_tracker.project import environments  # seldom needed

        decision = environments.decide(is_copy=is_copy, reason=reason)
        if decision is None:
            raise not_started(environments.NOTHING_TO_DECIDE)
        self.write(environments.words(decision, is_copy=is_copy))
        return 0

    def _list_untracked(self, options: dict[str, Any]) -> int:
        """List what nothing is known about; 0, whatever there is."""
        if options["format"] not in _TEXT_AND_JSON or any(
            options[name] for name in (*_DECISIONS, "check", "verify")
        ):
            raise not_started("--untracked goes with NAME and --format text or json alone.")
        from scripts_tracker.project import scan, untracked  # a check does not need them
        from scripts_tracker.reporting import commands

        cache = scan.cache(None if options["use_cache"] else "")
        found = untracked.untracked(one.id for one in scan.scripts(cache))
        listing = typed("check_scripts --untracked")
        chosen = names.resolve_each(options["names"], found, listing, "untracked command")
        listed = {one: found[one] for one in chosen} if options["names"] else found
        render = commands.as_json if options["format"] == "json" else commands.as_text
        self.write(render(listed, self.output))
        return 0

    def _verify(self, statuses: tuple[ScriptStatus, ...]) -> int:
        """Say for each script whether its work is done; 1 if that of any is not."""
        from scripts_tracker.running import verification  # a check runs nothing of the project

        verdicts = verification.verify_again(statuses)
        if not verdicts:
            raise not_started(
                'None of these scripts has a method to ask. Name one: @tracked_script(verify="check_totals")'
            )
        for one in verdicts:
            answer = f"{one.method}() failed: {one.trouble}" if one.trouble else f"{one.method}() holds."
            style = self.output.style.ERROR if one.trouble else self.output.style.SUCCESS
            self.write(f"{one.script_id}: {style(answer)}")
        return int(any(one.trouble for one in verdicts))
