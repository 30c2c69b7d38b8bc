"""What ``run_scripts``, ``migrate`` and requirements make of batched scripts that a person must decide about."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest
from django.db import transaction

from scripts_tracker.core import stops, watches
from scripts_tracker.core.values import Required
from scripts_tracker.project.status import load_status
from scripts_tracker.running import requirements
from scripts_tracker.running.requirements import find_missing
from tests.builders import script_id
from tests.conftest import Result
from tests.end_to_end.typist import commands
from tests.jobs import Jobs
from tests.walks import add_worker, batched, begin, hold

pytestmark = pytest.mark.django_db

WHO = "by anna on "


OTHER_CODE = (
    "begun with other code at 43 % (to go on with the code of now: manage.py resume_script jobs.fix --accept-code;"
    " to begin anew: manage.py resume_script jobs.fix --restart)"
)


@pytest.fixture
def fix(jobs: Jobs) -> Jobs:
    jobs.write("fix", batched("fix"))
    return jobs


def test_a_cancelled_script_is_left_alone_and_named(fix: Jobs) -> None:
    hold(begin("jobs.fix"), "cancel")
    result = fix.run()
    assert (result.code, "No scripts to run." in result.out) == (0, True)
    assert "jobs.fix is left alone: cancelled by anna on " in result.out
    assert (
        "the disk is full (to go on: manage.py resume_script jobs.fix; to begin anew: manage.py resume_script jobs.fix --restart)"
        in result.out
    )
    assert "jobs.fix is left alone: cancelled" in fix.run(plan=True).out


@pytest.mark.parametrize(("held", "names"), [("pause", ()), ("pause", ("fix",)), ("cancel", ("fix",))])
def test_what_a_person_stopped_is_blocked_with_who_and_why(
    fix: Jobs, held: str, names: tuple[str, ...]
) -> None:
    hold(begin("jobs.fix"), held)
    result = fix.run(*names)
    assert result.code == 1
    assert "Blocked (1):\n  jobs.fix: " in result.out
    assert "by anna on " in result.out
    assert ": the disk is full (to go on: manage.py resume_script jobs.fix" in result.out


def test_what_was_begun_with_other_code_waits_for_a_decision(fix: Jobs) -> None:
    begin("jobs.fix")
    fix.write("fix", batched("fix", 1))
    result = fix.run()
    words = f"  jobs.fix: {OTHER_CODE}\n"
    assert (result.code, f"Blocked (1):\n{words}" in result.out) == (1, True)
    assert words in fix.run(plan=True).out


def test_the_plan_says_what_is_batched_and_how_far_it_is(fix: Jobs) -> None:
    assert "1. jobs.fix: new, batched, never applied here\n" in fix.run(plan=True).out
    begin("jobs.fix")
    assert "1. jobs.fix: failed, batched, stopped at 43 %\n" in fix.run(plan=True).out


def test_migrate_runs_no_batched_script_and_says_what_to_type(fix: Jobs) -> None:
    fix.script("plain", requires="jobs.fix")
    fix.script("alone")
    result = fix.run(only_failures=True, interactive=False)
    assert result.code == 0
    line = "jobs.fix is batched, which never runs inside migrate. To run it: manage.py run_scripts jobs.fix\n"
    assert line in result.out
    assert "Some scripts did not run: 2 blocked." in result.err
    assert fix.outcomes() == ["alone succeeded"]


@pytest.mark.parametrize("held", ["", "pause", "cancel", "other code", "worker"])
def test_a_requirement_is_not_satisfied_before_the_end(fix: Jobs, held: str) -> None:
    walk = begin("jobs.fix")
    if held == "worker":
        add_worker(walk)
    elif held == "other code":
        fix.write("fix", batched("fix", 1))
    elif held:
        hold(walk, held)
    fix.script("last", requires="jobs.fix")
    by_id = load_status().by_id
    missing = find_missing([Required("fix", is_module=False)], "jobs", by_id)
    said = requirements._what_to_run(missing, by_id)
    hints = {
        "": " Run first: manage.py run_scripts jobs.fix",
        "worker": " Wait until it ends: jobs.fix.",
        "other code": f" jobs.fix: {OTHER_CODE}.",
    }
    if held in hints:
        assert said == hints[held]
    else:
        assert said.startswith(f" jobs.fix: {held.rstrip('e')}")
        assert "Run first" not in said
    assert (missing.runnable() == "jobs.fix") == (held == "")
    assert not by_id[script_id("jobs.fix")].state.satisfies


def test_after_an_upgrade_of_the_algorithm_watched_modules_are_compared_by_their_code(fix: Jobs) -> None:
    module = fix.root / "jobs" / "pricing.py"
    module.write_text("RATE = 19\n")
    fix.write(
        "fix", batched("fix").replace("@tracked_script\n", '@tracked_script(watch=("jobs.pricing",))\n')
    )

    def is_of_other_code() -> bool:
        return stops.is_of_other_code(load_status().by_id[script_id("jobs.fix")])

    definition = load_status().by_id[script_id("jobs.fix")].definition
    assert definition is not None
    begin("jobs.fix", watched=watches.to_text(definition.watches).replace("st1:", "st0:0"))
    assert not is_of_other_code()
    module.write_text("# prices\nRATE  =  19\n")
    assert not is_of_other_code()
    module.write_text("RATE = 7\n")
    assert is_of_other_code()


def other_code(fix: Jobs) -> None:
    begin("jobs.fix")
    fix.write("fix", batched("fix", 1))


def paused_then_other_code(fix: Jobs) -> None:
    hold(begin("jobs.fix"), "pause")
    fix.write("fix", batched("fix", 1))


def cancelled_then_other_code(fix: Jobs) -> None:
    hold(begin("jobs.fix"), "cancel")
    fix.write("fix", batched("fix", 1))


STOPPED = {
    "stopped": lambda fix: begin("jobs.fix"),
    "paused": lambda fix: hold(begin("jobs.fix"), "pause"),
    "cancelled": lambda fix: hold(begin("jobs.fix"), "cancel"),
    "other code": other_code,
    "paused, then other code": paused_then_other_code,
    "cancelled, then other code": cancelled_then_other_code,
    "at work": lambda fix: add_worker(begin("jobs.fix")),
}
ASKED: tuple[tuple[str, ...], ...] = (
    *(("check_scripts",), ("show_script", "fix"), ("run_scripts", "--plan"), ("resume_script", "fix")),
    *(("pause_script", "fix", "--reason", "x"), ("cancel_script", "fix", "--reason", "x")),
)


@pytest.mark.parametrize("arrange", STOPPED.values(), ids=STOPPED)
def test_what_is_said_to_type_about_a_batched_script_works(
    arrange: Callable[[Jobs], object], fix: Jobs
) -> None:
    arrange(fix)
    typed = 0
    for command, *arguments in ASKED:
        with undone():
            said = fix.run(*arguments, command=command)
            for words in commands(said.text):
                typed += insist_on(words, said, fix)
    assert typed > 1


def insist_on(words: list[str], said: Result, fix: Jobs) -> int:
    """A command that was printed does what it is there for."""
    command, *arguments = words
    if "--watch" in arguments:  # which waits
        return 0
    plan = ["--plan"] if command == "run_scripts" and "--plan" not in arguments else []
    with undone():
        result = fix.run(*arguments, *plan, command=command)
    waits = "still at work; pause it first, or wait" in result.err  # as was said before it
    assert result.code == 0 or waits, (words, result, said)
    return 1


@contextlib.contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
