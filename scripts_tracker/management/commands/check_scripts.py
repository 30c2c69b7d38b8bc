"""``manage.py check_scripts``: the state of every script; marks, unmarks and releases."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from scripts_tracker import conf
from scripts_tracker.core import names
from scripts_tracker.management.base import TrackerCommand, add_names, not_started
from scripts_tracker.management.queued import queued_for
from scripts_tracker.project.status import load_status
from scripts_tracker.reporting import formats
from scripts_tracker.reporting.report import Report, holder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.management.base import CommandParser

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.project.marks import MarkResult
    from scripts_tracker.project.status import ProjectStatus

# By the name in the options.
_NOT_IN_REVIEWS = {
    name: f"--{name.replace('_', '-').replace('-scripts-as', '')}"
    for name in (
        *("all", "check", "show_dependencies", "mark_all_scripts_as_applied", "mark_applied", "unmark"),
        *("release", "verify", "reason"),
    )
}


class Command(TrackerCommand):
    """Show the state of every tracked script; mark, unmark, release, verify."""

    help = "Show which management scripts are new, modified or failed here; mark scripts as applied."

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
        add("--reason", default="", help="the reason for a decision, kept in the ledger")

    def perform(self, options: dict[str, Any]) -> int:
        """Check; decide; report."""
        if options["environment_moved"] or options["environment_copied"]:
            return self._place(is_copy=options["environment_copied"], reason=options["reason"])
        if options["since"] or options["format"] == "markdown":
            return self._review(options)
        # JSON prints the fingerprint of each script.
        load = partial(
            load_status, use_cache=options["use_cache"], with_fingerprints=options["format"] == "json"
        )
        overview = load()
        if overview.cache.refusal and options["verbosity"] > 1:
            self.write(overview.cache.refusal, self.stderr)
        chosen = _choose(overview, options["names"])
        if options["verify"]:
            return self._verify(_choose(overview, options["verify"]))
        if self._decide(overview, options):
            if options["format"] == "text":
                return 0
            overview = load()
            chosen = _choose(overview, [str(status.id) for status in chosen])
        report = self._report(chosen, overview, options)
        render = formats.renderer(formats.CHECK_FORMATS, options["format"])
        self.write(render(report, self.output))
        return report.exit_code if options["check"] else 0

    def _review(self, options: dict[str, Any]) -> int:
        """What the change since a revision does to every environment; the ledger is not needed."""
        if options["format"] != "markdown":
            raise not_started("--since goes with --format markdown.")
        if not options["since"]:
            raise not_started("--format markdown needs --since REV, such as --since origin/main.")
        for name, option in _NOT_IN_REVIEWS.items():
            if options[name]:
                raise not_started(f"{option} does not go with --format markdown.")
        from scripts_tracker.project.review import review  # for pull requests alone

        found = review(options["since"], options["names"], use_cache=options["use_cache"])
        render = formats.renderer(formats.CHECK_FORMATS, "markdown")
        self.write(render(found, self.output).rstrip("\n"))
        return 0

    def _report(
        self, chosen: tuple[ScriptStatus, ...], overview: ProjectStatus, options: dict[str, Any]
    ) -> Report:
        report = Report(
            chosen,
            overview.by_id,
            overview.findings,
            options["all"],
            options["show_dependencies"],
            conf.tracker_settings().environment,
            queued=queued_for(chosen),
        )
        if options["format"] != "json":
            return report
        from scripts_tracker.ledger import database, successes
        from scripts_tracker.project import git  # where reports of several environments are compared

        revision = git.head_revision(conf.base_dir())
        return report._replace(
            taken_at=database.now(), revision=revision, successes=successes.last_successes()
        )

    def _decide(self, overview: ProjectStatus, options: dict[str, Any]) -> bool:
        """Mark, unmark or release what the options name; False where they name nothing."""
        mark_all, reason = options["mark_all_scripts_as_applied"], options["reason"]
        if options["release"]:
            self._release(_choose(overview, options["release"]), options)
            return True
        if not (mark_all or options["mark_applied"] or options["unmark"]):
            if reason:
                raise not_started(
                    "--reason goes with --mark-all-applied, --mark-applied, --unmark, --release, --environment-moved"
                    " or --environment-copied."
                )
            return False
        if mark_all and options["names"]:
            raise not_started("--mark-all-applied takes no names; to mark some: --mark-applied NAME ...")
        from scripts_tracker.project import marks  # a check marks nothing

        if options["unmark"]:
            self._tell(marks.unmark(_choose(overview, options["unmark"]), reason), "Unmarked", options)
            return True
        if mark_all:
            statuses = tuple(status for status in overview.statuses if status.needs_action)
        else:
            statuses = _choose(overview, options["mark_applied"])
        self._tell(marks.mark_applied(statuses, reason, overview.cache), "Marked as applied", options)
        return True

    def _place(self, *, is_copy: bool, reason: str) -> int:
        """Record whether this database is another environment than the one that its scripts were run in."""
        from scripts_tracker.project import environments  # seldom needed

        decision = environments.decide(is_copy=is_copy, reason=reason)
        if decision is None:
            raise not_started(environments.NOTHING_TO_DECIDE)
        self.write(environments.words(decision, is_copy=is_copy))
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

    def _release(self, statuses: tuple[ScriptStatus, ...], options: dict[str, Any]) -> None:
        """Release what is held; say what held it, and what its process may still do."""
        if not options["reason"].strip():
            raise not_started(
                '--release needs a reason, which the ledger keeps: --reason "host web-1 is gone"'
            )
        from scripts_tracker.project import releases  # a check releases nothing

        outcome = releases.release(statuses, options["reason"])
        about = {status.id: holder(status) for status in statuses}
        lines = [f"  {script_id}: it was {about[script_id]}" for script_id in outcome.done]
        self._tell(outcome, "Released", options, [*lines, releases.WARNING, releases.next_step(outcome.done)])

    def _tell(
        self, outcome: MarkResult, heading: str, options: dict[str, Any], lines: Sequence[str] = ()
    ) -> None:
        """Print what was done; a refusal makes the command fail after the rest is done."""
        lines = lines or [f"  {script_id}" for script_id in outcome.done]
        lines = [f"{heading} ({len(outcome.done)}):", *lines]
        stream = self.stdout if options["format"] == "text" else self.stderr
        self.write("\n".join(lines) if outcome.done else "Nothing was changed.", stream)
        if outcome.refused:
            raise CommandError(
                "\n".join(f"{script_id} skipped: {_in_full(why)}" for script_id, why in outcome.refused)
            )


def _in_full(why: str) -> str:
    """Why a script was refused, with what to type next."""
    from scripts_tracker.project import marks  # a check marks nothing

    return f"{why}; run check_scripts again" if why == marks.OVERTAKEN else why


def _choose(overview: ProjectStatus, wanted: Sequence[str]) -> tuple[ScriptStatus, ...]:
    by_id = overview.by_id
    chosen = tuple(by_id[script_id] for script_id in names.resolve_all(wanted, by_id.keys()))
    return chosen or overview.statuses
