"""``manage.py prune_script_runs``: what may go, one call, what went."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error

from scripts_tracker.core import names
from scripts_tracker.core.text import printable
from scripts_tracker.exceptions import LedgerMissing, UnknownScript
from scripts_tracker.ledger import database, pruning
from scripts_tracker.ledger.processes import exit_code, sigterm_raises
from scripts_tracker.ledger.pruning import Policy
from scripts_tracker.project.status import take_stock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.core.management.base import CommandParser

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.pruning import Pruned

# As check_scripts and run_scripts: wrong use, or the ledger cannot be used.
COULD_NOT_PRUNE = 2
# A century; calendars of databases and of Python end some time before.
_MOST_DAYS = 36500
_MOST_RUNS = 2**31 - 1
_DIGITS = 20


def _whole(option: str, value: object, most: int) -> int:
    """A whole number from 0; call_command() hands over what it is given, a command line text."""
    number = (
        int(value)
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= _DIGITS
        else value
    )
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= most:
        raise CommandError(
            f"{option} takes a whole number from 0 to {most}, not {value!r}.", returncode=COULD_NOT_PRUNE
        )
    return number


class Command(BaseCommand):
    """Delete what is old of the history, and nothing that says where a script stands."""

    # As check_scripts: the settings are ours to check.
    requires_system_checks = ("scripts_tracker",)
    help = (
        "Deletes old runs from the history of tracked scripts. With both options a run goes only where both allow it."
        " What says where a script stands is kept: its last and its applied run, running ones, the newest run that"
        " applied each version, the last unmark."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument(
            "names", nargs="*", metavar="NAME", help="app.name or name; default: every script"
        )
        parser.add_argument("--keep", metavar="N", help="keep the newest N runs of each script")
        parser.add_argument("--older-than", metavar="DAYS", help="keep what began within the last DAYS days")
        parser.add_argument(
            "--dry-run", action="store_true", help="tell what would be deleted; delete nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune, and tell; every error is one clear line."""
        policy = _policy(options)
        try:
            chosen = _chosen(options["names"])
            with sigterm_raises():
                self._prune(policy, chosen, options)
        except (LedgerMissing, UnknownScript) as error:
            raise CommandError(str(error), returncode=COULD_NOT_PRUNE) from error
        except Error as error:
            words = database.error_summary(error)
            raise CommandError(
                f"the ledger in database {database.alias()!r} cannot be used: {words}"
                " (what was deleted before is gone; to go on, run the same again)",
                returncode=COULD_NOT_PRUNE,
            ) from error

    def _prune(self, policy: Policy, chosen: frozenset[ScriptId] | None, options: dict[str, Any]) -> None:
        done: list[Pruned] = []
        is_quiet, dry_run = options["verbosity"] < 1, options["dry_run"]
        try:
            for one in pruning.prune(policy, chosen, dry_run=dry_run):
                done.append(one)
                if not is_quiet and (one.deleted or one.sources or options["verbosity"] > 1):
                    self._write(f"  {one.script_id}: {_told(one, dry_run=dry_run)}")
        except KeyboardInterrupt as interrupt:
            self.stderr.write(f"Interrupted: {_summary(done, dry_run=dry_run)} To go on, run the same again.")
            sys.exit(exit_code(interrupt))
        if not is_quiet:
            self._write(_summary(done, dry_run=dry_run))

    def _write(self, text: str) -> None:
        self.stdout.write(printable(self.stdout, text))


def _policy(options: dict[str, Any]) -> Policy:
    keep, days = options["keep"], options["older_than"]
    if keep is None and days is None:
        raise CommandError(
            "say what may go: --keep N, --older-than DAYS, or both.", returncode=COULD_NOT_PRUNE
        )
    runs = 0 if keep is None else _whole("--keep", keep, _MOST_RUNS)
    if days is None:
        return Policy(runs)
    return Policy(runs, database.now() - timedelta(days=_whole("--older-than", days, _MOST_DAYS)))


def _chosen(wanted: Sequence[str]) -> frozenset[ScriptId] | None:
    """The named scripts: what has a file, or a history."""
    if not wanted:
        return None
    return frozenset(names.resolve_all(wanted, {*take_stock().by_id, *pruning.known_scripts()}))


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def _told(one: Pruned, *, dry_run: bool) -> str:
    verb = "would be deleted" if dry_run else "deleted"
    source = f", the source of {one.sources} old version{'s'[: one.sources > 1]} too" if one.sources else ""
    return f"{_runs(one.deleted)} {verb}{source}; {one.kept} kept"


def _summary(done: Sequence[Pruned], *, dry_run: bool) -> str:
    deleted, kept = sum(one.deleted for one in done), sum(one.kept for one in done)
    verb = "would be deleted" if dry_run else "deleted"
    return f"{_runs(deleted)} of {sum(one.deleted > 0 for one in done)} of {len(done)} scripts {verb}, {kept} kept."
