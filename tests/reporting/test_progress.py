from __future__ import annotations

import traceback
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.core.management.color import no_style

from scripts_tracker.core import frames, planning
from scripts_tracker.core.events import Result, RunEvent, StepOutcome, Summary
from scripts_tracker.core.progress import Progress as Progress_of
from scripts_tracker.core.states import ScriptStatus, statuses
from scripts_tracker.core.values import Lease, RunRecord
from scripts_tracker.reporting import progress, terminal
from scripts_tracker.reporting.progress import Progress
from scripts_tracker.reporting.report import why
from scripts_tracker.reporting.terminal import Output
from tests.builders import definition, record, run
from tests.growth import LARGER, grows_in_proportion

PLAIN, TERMINAL = Output(no_style()), Output(no_style(), width=40)
WAITING = run("running")._replace(host="web-2", pid=7)
ERASE = "\r\x1b[K"


def status(
    name: str, *, last_run: RunRecord | None = None, applied: str | None = None, **facts: Any
) -> ScriptStatus:
    kept = record(name, applied, last_run=last_run)
    (found,) = statuses([definition(name, **facts)], {kept.id: kept} if last_run or applied else {})
    return found


FIX = status("shop.fix")
OUTCOMES = {one.value: one for one in StepOutcome}


def said(*events: RunEvent, output: Output = PLAIN, elapsed: float = 5) -> str:
    teller = Progress(output, lambda: elapsed)
    return "".join(teller.text(event) for event in events)


def event(
    kind: str,
    *,
    holder: RunRecord | None = None,
    lease: Lease | None = None,
    seconds: float = 0,
    **result: Any,
) -> RunEvent:
    made = Result(FIX, OUTCOMES[kind], seconds=seconds, **result) if kind in OUTCOMES else None
    return RunEvent(kind, FIX, 2, 10, seconds, holder, lease, made)


LINES = {
    "started": (event("started"), "[ 2/10 0:05] shop.fix\n"),
    "done": (event("done", seconds=1.26), "[ 2/10 0:05] shop.fix: done in 1.3 s\n"),
    "done after minutes": (event("done", seconds=83), "[ 2/10 0:05] shop.fix: done in 1 min 23 s\n"),
    "elsewhere": (
        event("elsewhere", text="on web-2, process 7"),
        "[ 2/10 0:05] shop.fix: done on web-2, process 7\n",
    ),
    "uncounted": (
        event("uncounted", text="dry run"),
        "[ 2/10 0:05] shop.fix: ran in 0.0 s (dry run: not marked as applied)\n",
    ),
    "failed": (event("failed", text="ValueError"), "[ 2/10 0:05] shop.fix: failed after 0.0 s: ValueError\n"),
    "held": (event("held", text="it runs"), "[ 2/10 0:05] shop.fix: not run: it runs\n"),
    "blocked, which the summary says": (event("blocked", text="x"), ""),
    "skipped, which the summary says": (event("skipped", text="x"), ""),
}


@pytest.mark.parametrize(("one", "text"), LINES.values(), ids=LINES)
def test_the_line_of(one: RunEvent, text: str) -> None:
    assert said(one) == text


def test_an_hour_is_shown_as_an_hour() -> None:
    assert [progress.clock(seconds) for seconds in (0, 59.9, 60, 3599, 3661)] == [
        "0:00",
        "0:59",
        "1:00",
        "59:59",
        "1:01:01",
    ]


def test_without_a_terminal_a_wait_is_a_line_once_a_minute() -> None:
    waits = [event("waiting", holder=WAITING, seconds=seconds) for seconds in (0, 1, 59, 61, 62, 125)]
    lines = said(*waits).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("[ 2/10 0:05] shop.fix: waiting: running since 2026-")


def test_every_script_that_is_waited_for_is_named() -> None:
    wait = event("waiting", holder=WAITING)
    assert said(wait, event("started"), wait).count("waiting") == 2


def test_a_wait_for_a_lock_without_a_run_is_shown() -> None:
    assert "waiting: locked by another transaction" in said(event("waiting"))


def test_at_a_terminal_the_line_of_a_wait_is_drawn_over_and_never_wraps() -> None:
    wait = event("waiting", holder=WAITING)
    text = said(wait, wait, event("started"), output=TERMINAL)
    first, second, last = text.split(ERASE)[1:]
    assert first == second
    assert len(first) == 39
    assert last == "[ 2/10 0:05] shop.fix\n"
    assert said(event("started"), output=TERMINAL) == last


def test_a_wait_says_when_the_holder_gave_a_sign_of_life_first_where_the_terminal_is_narrow() -> None:
    wait = event("waiting", holder=WAITING, lease=Lease(is_live=True, ago=41.2, left=18.6), seconds=4)
    sign = "last sign of life 41 s ago, free in 19 s if none follows"
    assert said(wait).endswith(f" on web-2, process 7; {sign}\n")
    wide = said(wait, output=TERMINAL._replace(width=100)).removeprefix(ERASE)
    assert wide.startswith(f"[ 2/10 0:05] shop.fix: waiting 0:04: {sign}; runn")
    assert len(wide) == 99
    narrow = said(wait, output=TERMINAL._replace(width=60)).removeprefix(ERASE)
    assert narrow == "shop.fix: waiting: last sign of life 41 s ago, free in 19 s if none follows"[:59]


def test_the_line_of_a_wait_is_erased_at_its_end() -> None:
    assert said(event("waiting"), event("skipped"), output=TERMINAL).endswith(ERASE)


AT_WORK = Progress_of(21.5, 21_500, 20_000, 1234.4, 3140.0, 4, None, 0, 1000)
LAGS = AT_WORK._replace(waiting="the replica 'a' is 12 s behind (limit: 10 s) \x1b[2J", workers=1)
LONG = "recompute_the_totals_of_every_order_of_the_last_ten_years"
WIDTHS = {
    "all of it": (
        "fix",
        AT_WORK,
        100,
        "[ 2/10 0:05] shop.fix: 21.5 %, 1,234 rows/s, 52 min 20 s left, 4 workers",
    ),
    "as much as fits": ("fix", AT_WORK, 60, "[ 2/10 0:05] shop.fix: 21.5 %, 1,234 rows/s"),
    "a name that leaves room without the clock": (
        LONG[:29],
        AT_WORK,
        60,
        "shop.recompute_the_totals_of_every: 21.5 %, 1,234 rows/s",
    ),
    "a name that is longer than the terminal": (
        LONG,
        AT_WORK,
        60,
        "recompute_the_totals_of_every_order_of_the_last_...: 21.5 %",
    ),
    "almost no room": ("fix", AT_WORK, 16, "fix: 21.5 %"),
    "no room": (LONG, AT_WORK, 8, "21.5 %"),
    "a long reason": ("fix", LAGS, 60, "[ 2/10 0:05] shop.fix: 21.5 %, waiting: the replica 'a'..."),
    "wide characters": ("漢字" * 10, AT_WORK, 60, "漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字: 21.5 %"),
}


@pytest.mark.parametrize(("name", "now", "width", "line"), WIDTHS.values(), ids=WIDTHS)
def test_the_line_of_a_batched_script_never_wraps(name: str, now: Progress_of, width: int, line: str) -> None:
    going = RunEvent("progress", status(f"shop.{name}"), 2, 10, progress=now)
    drawn = said(going, output=TERMINAL._replace(width=width))
    assert drawn == f"{ERASE}{line}"
    assert sum(terminal._widths(line)) < width


def test_without_a_terminal_the_whole_line_comes_once_a_minute() -> None:
    going = RunEvent("progress", status(f"shop.{LONG}"), 2, 10, progress=LAGS)
    text = said(going._replace(seconds=61.0), going._replace(seconds=62.0), going._replace(seconds=122.0))
    line = f"[ 2/10 0:05] shop.{LONG}: 21.5 %, waiting: the replica 'a' is 12 s behind (limit: 10 s) "
    assert text == f"{line}^[[2J, 1 worker\n" * 2


def error_of(body: str) -> BaseException:
    try:
        exec(compile(body, "/shop/fix.py", "exec"), {"CommandError": CommandError})  # noqa: S102 - as a script would
    except BaseException as error:  # noqa: BLE001 - whatever it raises
        return error
    raise AssertionError


@pytest.mark.parametrize("body", ["raise CommandError('no')", "raise SystemExit(3)"])
def test_an_error_that_explains_itself_has_no_traceback(body: str) -> None:
    assert progress.traceback_of(Result(FIX, StepOutcome.FAILED, error=error_of(body))) == ""
    assert progress.traceback_of(Result(FIX, StepOutcome.DONE)) == ""


def test_a_traceback_leaves_out_how_the_script_was_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_CALLERS", (__file__,))
    text = progress.traceback_of(
        Result(FIX, StepOutcome.FAILED, error=error_of("def f(): raise ValueError('boom')\nf()"))
    )
    lines = text.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1] == '  File "/shop/fix.py", line 2, in <module>'
    assert lines[-1] == "ValueError: boom"


def test_a_traceback_without_frames_of_the_script_is_shown_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "_CALLERS", ("/",))
    error = error_of("raise ValueError('boom')")
    assert (
        progress.traceback_of(Result(FIX, StepOutcome.FAILED, error=error))
        == "".join(traceback.format_exception(error)).rstrip()
    )


def test_the_summary_counts_scripts_and_names_those_that_did_not_run() -> None:
    names = {name: status(f"shop.{name}") for name in "abcdef"}
    done = Summary(
        (
            Result(names["a"], StepOutcome.DONE),
            Result(names["b"], StepOutcome.ELSEWHERE),
            Result(names["c"], StepOutcome.HELD, text="it runs"),
            Result(names["d"], StepOutcome.BLOCKED, text="requires shop.c"),
            Result(names["e"], StepOutcome.SKIPPED, text="shop.c failed"),
            Result(names["f"], StepOutcome.SKIPPED, text="shop.c failed"),
        )
    )
    assert not done.is_good
    assert list(progress.summary(done, PLAIN)) == [
        "2 done, 0 failed, 1 held, 1 blocked, 2 skipped.",
        "Held (1):",
        "  shop.c: it runs",
        "Blocked (1):",
        "  shop.d: requires shop.c",
        "Skipped (2): shop.c failed",
        "  shop.e",
        "  shop.f",
    ]


def _many(outcome: StepOutcome, count: int) -> Summary:
    return Summary(tuple(Result(status(f"shop.s{n:03}"), outcome, text="x") for n in range(count)))


LISTED_BY = {
    StepOutcome.FAILED: "check_scripts --verbosity 2",
    StepOutcome.HELD: "check_scripts --verbosity 2",
    StepOutcome.STOPPED: "check_scripts --verbosity 2",
    StepOutcome.BLOCKED: "run_scripts --plan",
    StepOutcome.SKIPPED: "run_scripts --plan",
}


@pytest.mark.parametrize(("outcome", "command"), LISTED_BY.items())
def test_of_many_that_ended_alike_ten_are_named_with_the_command_that_lists_all(
    outcome: StepOutcome, command: str
) -> None:
    lines = list(progress.summary(_many(outcome, 200), PLAIN))
    assert len(lines) == 13
    assert lines[-1] == f"  and 190 more; to list all: manage.py {command}"
    (last,) = list(progress.summary(_many(outcome, 200), PLAIN, is_rehearsal=True))[-1:]
    assert last.endswith("; to list all: manage.py run_scripts --rehearse --verbosity 2")


@pytest.mark.parametrize("outcome", LISTED_BY)
def test_no_line_says_that_one_or_two_are_left_out(outcome: StepOutcome) -> None:
    assert list(progress.summary(_many(outcome, 12), PLAIN))[-1].startswith("  shop.s011")
    assert list(progress.summary(_many(outcome, 13), PLAIN))[-1].startswith("  and 3 more")


def test_every_script_is_named_if_that_is_asked_for() -> None:
    assert list(progress.failures(_many(StepOutcome.FAILED, 200), PLAIN, None))[-1] == "  shop.s199: x"


def test_of_many_that_are_not_part_of_a_plan_ten_are_named() -> None:
    kept = [record(f"shop.s{n:03}", "a") for n in range(200)]
    found = [definition(f"shop.s{n:03}") for n in range(200)]
    by_id = {one.id: one for one in statuses(found, {one.id: one for one in kept})}
    choice = planning.choose(by_id, [str(one) for one in by_id])
    made = planning.make_plan(choice.chosen, by_id)
    lines = list(progress.not_planned(made, choice, PLAIN))
    assert lines[10:] == ["  and 190 more; to list all: manage.py check_scripts --all"]
    assert len(list(progress.not_planned(made, choice, PLAIN, None))) == 200


NEXT = {
    "a failure first": (
        ("held", "failed"),
        "Run 'python manage.py show_script shop.failed' to see its output and what to type next.",
    ),
    "what is held": (
        ("done", "held", "skipped"),
        "Run 'python manage.py show_script shop.held --watch' to follow it until it ends.",
    ),
    "what is blocked": (
        ("blocked",),
        "Run 'python manage.py show_script shop.blocked' to see why.",
    ),
    "nothing but what was skipped": (("skipped", "done"), ""),
}


@pytest.mark.parametrize(("names", "line"), NEXT.values(), ids=NEXT)
def test_what_to_type_after_a_run(names: tuple[str, ...], line: str) -> None:
    done = Summary(tuple(Result(status(f"shop.{name}"), OUTCOMES[name]) for name in names))
    assert progress.next_step(done) == line


def test_lines_of_a_run_are_wrapped_at_a_terminal_and_keep_commands_whole() -> None:
    failed = event(
        "failed", text="the totals of order 17 differ; first: manage.py show_script shop.fix --diff"
    )
    lines = said(failed, output=TERMINAL).splitlines()
    assert "    manage.py show_script shop.fix --diff" in lines
    assert max(map(len, lines[:-1])) <= 40
    assert len(said(failed).splitlines()) == 1


@pytest.mark.parametrize("outcome", StepOutcome)
def test_a_run_is_good_where_every_step_is_done(outcome: StepOutcome) -> None:
    assert Summary((Result(FIX, outcome),)).is_good is (
        outcome in {StepOutcome.DONE, StepOutcome.ELSEWHERE, StepOutcome.REHEARSED, StepOutcome.UNCOUNTED}
    )
    goes_on = {StepOutcome.DONE, StepOutcome.ELSEWHERE, StepOutcome.REHEARSED, StepOutcome.SKIPPED}
    assert outcome.blocks is (outcome not in goes_on)


def test_an_empty_run_is_good() -> None:
    assert Summary(()).is_good


def test_a_plan_shows_the_order_and_the_reasons() -> None:
    found = [
        definition("a.x", requires=("b.y",)),
        definition("b.y"),
        definition("c.z", requires=("no.such",)),
        definition("d.w"),
    ]
    kept = record("d.w", last_run=run("failed"))
    by_id = {one.id: one for one in statuses(found, {kept.id: kept})}
    choice = planning.choose(by_id, ["a.x", "c.z", "d.w"], retries=False)
    made = planning.make_plan(choice.chosen, by_id, choice.not_retried)
    assert list(progress.plan(made, choice, PLAIN)) == [
        "Plan (2):",
        "  1. b.y: new, never applied here; required by a.x",
        "  2. a.x: new, never applied here; after b.y",
        "Blocked (1):",
        "  c.z: requires no.such, which does not exist",
        f"d.w skipped because of --no-retry: {why(by_id[kept.id])}",
    ]


def test_a_plan_of_nothing_says_so_as_a_run_does() -> None:
    made = planning.make_plan((), {})
    choice = planning.Choice((), (), {})
    assert (
        list(progress.plan(made, choice, PLAIN)) == [progress.heading(made, PLAIN)] == ["No scripts to run."]
    )


def test_a_blocking_script_is_named_once() -> None:
    found = [definition("a.x", requires=("d.w",)), definition("d.w")]
    kept = record("d.w", last_run=run("failed"))
    by_id = {one.id: one for one in statuses(found, {kept.id: kept})}
    choice = planning.choose(by_id, retries=False)
    made = planning.make_plan(choice.chosen, by_id, choice.not_retried)
    assert list(progress.not_planned(made, choice, PLAIN)) == []


def test_a_named_script_whose_file_is_gone_gets_no_advice_to_run_it() -> None:
    kept = record("a.gone", "a")
    by_id = {one.id: one for one in statuses([], {kept.id: kept})}
    choice = planning.choose(by_id, ["gone"])
    made = planning.make_plan(choice.chosen, by_id)
    (line,) = progress.not_planned(made, choice, PLAIN)
    assert line.startswith("a.gone will not run (applied on ")
    assert "manage.py" not in line
    assert progress.heading(made, PLAIN) == "No scripts to run."


def test_the_time_to_write_a_plan_grows_with_its_steps() -> None:
    def plan_of(count: int) -> tuple[planning.Plan, planning.Choice]:
        chain = [
            definition(f"a.s{n:05d}", requires=(f"a.s{n + 1:05d}",) * (n < count - 1)) for n in range(count)
        ]
        by_id = {status.id: status for status in statuses(chain, {})}
        first = next(iter(by_id.values()))
        return planning.make_plan([first], by_id), planning.Choice((first,), (), {})

    small, large = plan_of(4_000 // LARGER), plan_of(4_000)
    assert grows_in_proportion(
        lambda: [*progress.plan(*small, PLAIN)], lambda: [*progress.plan(*large, PLAIN)]
    )
    lines = [*progress.plan(*large, PLAIN)]
    assert len(lines) == 4_001
    assert lines[2].endswith("a.s03998: new, never applied here; required by a.s03997; after a.s03999")
