"""``manage.py prune_script_runs``: delete old runs from the history."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from scripts_tracker import conf
from scripts_tracker.core import names
from scripts_tracker.ledger import database, pruning, queries
from scripts_tracker.ledger.processes import exit_code, signals_raise
from scripts_tracker.ledger.pruning import Policy
from scripts_tracker.management.base import TrackerCommand, add_names, not_started
from scripts_tracker.project.status import load_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.management.base import CommandParser
    from django.db import Error

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.pruning import Pruned

# A century; calendars of databases and of Python end some time before.
_MOST_DAYS = 36500
_MOST_RUNS = 2**31 - 1
_DIGITS = 20


class Command(TrackerCommand):
    """Delete old history, and nothing that decides the state of a script."""

    help = (
        "Delete old runs from the history of tracked scripts. With both options a run is deleted only if both allow it."
        " What decides the state of a script is kept: its last and its applied run, running ones, the newest run that"
        " applied each version, the last unmark."
    )

    _has_begun = False

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add_names(parser)
        add = parser.add_argument
        add("--keep", metavar="N", help="keep the newest N runs of each script")
        add("--older-than", metavar="DAYS", help="keep runs of the last DAYS days")
        add("--dry-run", action="store_true", help="show what would be deleted; delete nothing")

    def perform(self, options: dict[str, Any]) -> int:
        """Prune and report; after Ctrl-C or a signal report what was deleted so far."""
        policy, chosen = _policy(options), _choose(options["names"])
        verbosity, dry_run = options["verbosity"], options["dry_run"]
        done: list[Pruned] = []
        self._has_begun = True
        try:
            with signals_raise():
                for pruned in pruning.prune(policy, chosen, dry_run=dry_run):
                    done.append(pruned)
                    if verbosity > 1 or (verbosity and (pruned.deleted or pruned.sources)):
                        self.say(f"  {pruned.script_id}: {_describe(pruned, dry_run=dry_run)}")
                if verbosity:
                    self.say(_summarize(done, dry_run=dry_run))
        except KeyboardInterrupt as interrupt:
            summary = _summarize(done, dry_run=dry_run)
            self.say(f"Interrupted: {summary} Run the command again to continue.", self.stderr)
            return exit_code(interrupt)
        return 0

    def explain(self, error: Error) -> str:
        """Rows are deleted in several transactions, so some may be deleted already."""
        if not self._has_begun:
            return super().explain(error)
        return (
            f"the ledger in database {database.alias()!r} cannot be used: {database.error_summary(error)}"
            " (rows deleted so far stay deleted; run the command again to continue)"
        )


def _policy(options: dict[str, Any]) -> Policy:
    keep, days = options["keep"], options["older_than"]
    if keep is None and days is None:
        raise not_started("specify --keep N, --older-than DAYS, or both.")
    runs = 0 if keep is None else _whole("--keep", keep, _MOST_RUNS)
    if days is None:
        return Policy(runs)
    return Policy(runs, database.now() - timedelta(days=_whole("--older-than", days, _MOST_DAYS)))


def _whole(option: str, value: object, most: int) -> int:
    """A whole number from 0; ``call_command()`` passes numbers, a command line passes text."""
    is_digits = isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _DIGITS
    number = int(value) if is_digits else value  # type: ignore[call-overload]  # mypy does not follow the flag
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
        raise not_started(f"{option}: expected a whole number from 0 to {most}, got {conf.shown(value)}.")
    return number


def _choose(wanted: Sequence[str]) -> frozenset[ScriptId] | None:
    """The named scripts, with a file or a history; None for all."""
    if not wanted:
        return None
    paths = {one: record.path for one, record in queries.records().items()}
    paths.update(load_status().paths)
    return frozenset(names.resolve_all(wanted, paths, database.typed(names.LISTING)))


def _count(runs: int, *, dry_run: bool, of: str = "") -> str:
    return f"{runs} run{'s'[: runs != 1]}{of} {'would be deleted' if dry_run else 'deleted'}"


def _describe(pruned: Pruned, *, dry_run: bool) -> str:
    sources = pruned.sources
    source = f", and the source of {sources} old version{'s'[: sources > 1]}" if sources else ""
    return f"{_count(pruned.deleted, dry_run=dry_run)}{source}; {pruned.kept} kept"


def _summarize(done: Sequence[Pruned], *, dry_run: bool) -> str:
    deleted, kept = sum(one.deleted for one in done), sum(one.kept for one in done)
    scripts = f" of {sum(one.deleted > 0 for one in done)} of {len(done)} scripts"
    return f"{_count(deleted, dry_run=dry_run, of=scripts)}, {kept} kept."
