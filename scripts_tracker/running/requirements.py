"""The gate of ``@required_preceding_script``: what is missing, and whether to go on all the same."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from scripts_tracker import names, planning, scan, terminal
from scripts_tracker.datatypes import ScriptId
from scripts_tracker.exceptions import UserAbortingExecution
from scripts_tracker.overview import take_stock
from scripts_tracker.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts_tracker.overview import Overview
    from scripts_tracker.states import ScriptStatus
    from scripts_tracker.vocabulary import Required


class Aborted(UserAbortingExecution, CommandError):
    """The script was not run: its user chose to run the ones it requires first."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Required scripts that are not applied: known ones with their state, the others by name and why."""

    known: tuple[ScriptStatus, ...]
    unknown: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.known or self.unknown)

    def __str__(self) -> str:
        known = (f"{status.id} ({status.state.value})" for status in self.known)
        return ", ".join((*known, *self.unknown))


def _target(required: Required, asking: ScriptId) -> ScriptId:
    if required.is_module:
        return scan.script_of_module(required.name)
    app_label, _, name = required.name.rpartition(".")
    return ScriptId(app_label or asking.app_label, name)


def find_missing(asking: ScriptId, required: Sequence[Required], overview: Overview) -> Missing:
    """Which of the required scripts are not applied here."""
    by_id = overview.by_id
    known: dict[ScriptId, ScriptStatus] = {}
    unknown: dict[str, None] = {}
    for one in required:
        target = _target(one, asking)
        status = by_id.get(target)
        if status is None:
            near = names.suggestion(str(target), by_id.keys())
            unknown[f"{target} (no such tracked script{'; ' + near if near else ''})"] = None
        elif not status.state.satisfies:
            known[target] = status
    return Missing(tuple(known.values()), tuple(unknown))


def check(asking: ScriptId, required: Sequence[Required], options: Mapping[str, Any]) -> None:
    """Let the script run, or not.

    Raises:
        Aborted: a person at a terminal chose to run the required scripts first.
        CommandError: nobody is there to ask.
    """
    overview = take_stock()
    missing = find_missing(asking, required, overview)
    if not missing:
        return
    if not _somebody_is_there(options):
        raise CommandError(f"{asking} was not run: it requires {missing}.{_advice(missing, overview)}")
    _ask(asking, missing, overview)


def _advice(missing: Missing, overview: Overview) -> str:
    plan = planning.make_plan(missing.known, overview.by_id)
    circles = "".join(f" They require each other: {' -> '.join(map(str, cycle))}." for cycle in plan.cycles)
    held = " ".join(str(status.id) for status in missing.known if status.state is State.RUNNING)
    wait = f" Wait until it ends: {held}." if held else ""
    steps = [status for status in plan.steps if status.state is not State.RUNNING]
    commands = " && ".join(f"manage.py {status.id.name}" for status in steps)
    return circles + wait + (f" Run first: {commands}" if commands else "")


def _somebody_is_there(options: Mapping[str, Any]) -> bool:
    """A terminal on both ends, outside CI, and no option that asks not to be asked."""
    silenced = options.get("interactive") is False or options.get("no_input") or options.get("noinput")
    return not (silenced or os.environ.get("CI")) and sys.stdin.isatty() and sys.stdout.isatty()


def _ask(asking: ScriptId, missing: Missing, overview: Overview) -> None:
    """Ask as django-scripts-tracker does; the end of input and Ctrl-C are a yes to aborting."""
    count = len(missing.known) + len(missing.unknown)
    lines = [
        "Warning:",
        f"  You have {count} management scripts that should be applied before applying this script.",
        *(f"    {status.id} ({status.state.value})" for status in missing.known),
        *(f"    {text}" for text in missing.unknown),
        "It is advised to abort this script and to apply the ones it requires first.",
    ]
    sys.stdout.write(terminal.printable(sys.stdout, "\n".join(lines)) + "\n")
    if _answer(f"Do you want to abort the execution of {asking}? [Y/N] ") in {"y", "yes"}:
        raise Aborted(f"{asking} was not run, as you chose.{_advice(missing, overview)}")


def _answer(question: str) -> str:
    while True:
        try:
            answer = input(question).strip().lower()
        except (EOFError, KeyboardInterrupt):
            sys.stdout.write("\n")
            return "yes"
        if answer in {"y", "yes", "n", "no"}:
            return answer
