"""``run_scripts --plan``: the plan as text or JSON, with the time that each step took elsewhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from scripts_tracker.management.base import not_started
from scripts_tracker.reporting import progress
from scripts_tracker.reporting.terminal import most_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from django.core.management.base import CommandParser

    from scripts_tracker.core.forecast import Figure
    from scripts_tracker.core.planning import Choice, Plan
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.fleet.snapshots import Snapshot
    from scripts_tracker.reporting.terminal import Output

_FROM = "with --plan: how long each script took elsewhere, by what check_scripts --all --format json printed there"


def add_arguments(parser: CommandParser) -> None:
    """Declare the options of plans."""
    add = parser.add_argument
    add("--plan", action="store_true", help="show what would run, and why; run nothing")
    add("--from", nargs="+", action="extend", default=[], dest="sources", metavar="FILE", help=_FROM)


def read_sources(options: Mapping[str, Any]) -> Sequence[Snapshot]:
    """What the files of ``--from`` say.

    Raises:
        CommandError: the options do not go together, or a file is no report.
    """
    if options["sources"] and not options["plan"]:
        raise not_started("--from goes with --plan.")
    if not options["sources"]:
        return ()
    from scripts_tracker.fleet import snapshots  # few plans ask for it

    try:
        return snapshots.read_all(options["sources"])
    except snapshots.WrongSnapshot as error:
        is_name = any(not one.endswith(".json") and not os.path.exists(one) for one in options["sources"])
        hint = " Names of scripts go before --from." if is_name else ""
        raise not_started(f"--from: {error}{hint}") from error


def shown(
    plan: Plan, choice: Choice, snapshots: Sequence[Snapshot], options: Mapping[str, Any], output: Output
) -> Iterator[str]:
    """The plan, line by line; as JSON, in one text.

    Args:
        plan: the plan.
        choice: what it was made of.
        snapshots: the places that say how long a script took.
        options: those of the command.
        output: where the text goes.
    """
    figures: Mapping[ScriptId, tuple[Figure, ...]] = {}
    if snapshots:
        from scripts_tracker.running import forecasting  # as above

        figures = forecasting.figures(plan.steps, snapshots, options["workers"])
    if options["format"] == "json":
        from scripts_tracker.reporting import json  # as above

        yield json.plan(plan, choice, output, options["workers"], figures if snapshots else None)
        return
    most = most_at(options["verbosity"])
    yield from progress.plan(plan, choice, output, options["workers"], figures, most=most)
    if options["enqueue"]:
        from scripts_tracker.running import jobs  # it imports django.tasks

        yield from progress.queued(plan, jobs.queued(), output)
