"""The decisions of ``check_scripts``: mark, unmark and release scripts, or show what that would do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger.database import typed
from scripts_tracker.management.base import named, not_started
from scripts_tracker.project import marks
from scripts_tracker.reporting.report import holder, why

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.project.marks import MarkResult
    from scripts_tracker.project.status import ProjectStatus


class Decision(NamedTuple):
    """What a person has decided.

    Attributes:
        statuses: the scripts that it is about.
        verb: what is done with them, for a heading: "mark as applied".
        done: the same when it is done: "Marked as applied".
        why_not: knows why it cannot be done with a script.
        carry_out: does it.
        details: what to say about a script for which it is done, after its name.
        advice: what to say at the end, if it was done for any.
    """

    statuses: tuple[ScriptStatus, ...]
    verb: str
    done: str
    why_not: Callable[[ScriptStatus], str]
    carry_out: Callable[[], MarkResult]
    details: Callable[[ScriptStatus], str] = lambda _: ""
    advice: Callable[[MarkResult], tuple[str, ...]] = lambda _: ()


def decision(overview: ProjectStatus, options: dict[str, Any]) -> Decision | None:
    """The decision that the options of ``check_scripts`` name; None if they name none."""
    if options["release"]:
        return _release(overview, options)
    if options["unmark"]:
        return _unmark(overview, options)
    if options["mark_applied"] or options["mark_all_scripts_as_applied"]:
        return _mark(overview, options)
    if options["reason"]:
        raise not_started(
            "--reason goes with --mark-all-applied, --mark-applied, --unmark, --release, --environment-moved or"
            " --environment-copied."
        )
    if options["plan"]:
        raise not_started(
            "--plan goes with --mark-all-applied, --mark-applied, --unmark or --release; for what would run:"
            f" {typed('run_scripts --plan')}"
        )
    return None


def _mark(overview: ProjectStatus, options: dict[str, Any]) -> Decision:
    if not options["mark_all_scripts_as_applied"]:
        statuses = named(overview, options["mark_applied"]).fit(lambda one: "" if one.needs_action else "no")
    elif options["names"]:
        raise not_started("--mark-all-applied takes no names; to mark some: --mark-applied NAME ...")
    else:
        statuses = tuple(status for status in overview.statuses if status.needs_action)

    def carry_out() -> MarkResult:
        return marks.mark_applied(statuses, options["reason"], overview.cache)

    return Decision(statuses, "mark as applied", "Marked as applied", marks.why_not_to_mark, carry_out)


def _unmark(overview: ProjectStatus, options: dict[str, Any]) -> Decision:
    statuses = named(overview, options["unmark"]).fit(marks.why_not_to_unmark)

    def carry_out() -> MarkResult:
        return marks.unmark(statuses, options["reason"])

    return Decision(statuses, "unmark", "Unmarked", marks.why_not_to_unmark, carry_out)


def _release(overview: ProjectStatus, options: dict[str, Any]) -> Decision:
    """End leases; say what held the scripts, and what its process may still do."""
    if not (options["reason"].strip() or options["plan"]):
        raise not_started('--release needs a reason, which the ledger keeps: --reason "host web-1 is gone"')
    from scripts_tracker.project import releases  # marks release nothing

    statuses = named(overview, options["release"]).fit(releases.why_not_to_release)

    def carry_out() -> MarkResult:
        return releases.release(statuses, options["reason"])

    def advice(result: MarkResult) -> tuple[str, ...]:
        return releases.WARNING, releases.next_step(result.done)

    why_not = releases.why_not_to_release
    return Decision(
        statuses, "release", "Released", why_not, carry_out, lambda one: f"it was {holder(one)}", advice
    )


def plan(made: Decision) -> Iterator[str]:
    """What would be done, and why not with the others."""
    reasons = {status.id: made.why_not(status) for status in made.statuses}
    fit = [status for status in made.statuses if not reasons[status.id]]
    if not made.statuses:
        yield f"Nothing to {made.verb} here. Nothing was changed."
        return
    yield f"Would {made.verb} ({len(fit)}):"
    yield from (f"  {status.id}: {status.state.value}, {why(status)}" for status in fit)
    if skipped := [status for status in made.statuses if reasons[status.id]]:
        yield f"Would skip ({len(skipped)}):"
        yield from (f"  {status.id}: {reasons[status.id]}" for status in skipped)
    yield "Nothing was changed. To do it, leave out --plan."


def outcome(made: Decision, result: MarkResult) -> Iterator[str]:
    """What was done."""
    if not result.done:
        yield f"{'' if result.refused else f'Nothing to {made.verb} here. '}Nothing was changed."
        return
    about = {status.id: made.details(status) for status in made.statuses}
    yield f"{made.done} ({len(result.done)}):"
    yield from (f"  {one}{about[one] and f': {about[one]}'}" for one in result.done)
    yield from made.advice(result)


def refusals(result: MarkResult) -> str:
    """Why nothing was done with some scripts, a line each, with what to type next; empty without any."""
    lines = []
    for script_id, reason in result.refused:
        again = f"; look again: {typed('check_scripts')}" if reason == marks.OVERTAKEN else ""
        lines.append(f"{script_id} skipped: {reason}{again}")
    return "\n".join(lines)
