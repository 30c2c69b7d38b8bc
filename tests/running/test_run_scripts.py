"""run_scripts as its users meet it: most of it in this process, the rest in real ones."""

from __future__ import annotations

import io
import itertools
import os
import pty
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sized
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from scripts_tracker import conf, tracked_script
from scripts_tracker.core import planning
from scripts_tracker.core.events import Result, RunOptions, StepOutcome, Summary
from scripts_tracker.core.states import statuses
from scripts_tracker.ledger import leases, marking
from scripts_tracker.ledger.marking import Mark
from scripts_tracker.ledger.writing import RunFacts
from scripts_tracker.models import Script, ScriptRun
from scripts_tracker.project.versions import describe, read_source
from scripts_tracker.running import runner
from scripts_tracker.signals import script_succeeded
from tests.builders import definition, path_of, script_id
from tests.conftest import ENVIRONMENT, Project
from tests.growth import LARGER, grows_in_proportion
from tests.jobs import Jobs


@pytest.fixture
def shop(migrated: Project) -> Project:
    return migrated


WRONG_USE = {
    "a wrong name": (["frist"], {}, "there is no tracked script 'frist'; did you mean jobs.first?"),
    "several wrong names": (["frist", "thrid"], {}, "there is no tracked script 'thrid'"),
    "a wrong tag": (
        [],
        {"tags": ["nihgtly"]},
        "no tracked script has the tag 'nihgtly'; did you mean nightly?",
    ),
    "a wrong tag like none": ([], {"tags": ["x"]}, "the tags are: nightly"),
    "a name without the tag": (
        ["first"],
        {"tags": ["nightly"]},
        "jobs.first does not have the tag 'nightly'",
    ),
}


@pytest.mark.parametrize(("names", "options", "words"), WRONG_USE.values(), ids=WRONG_USE)
def test_wrong_use_is_one_clear_line_and_runs_nothing(
    jobs: Jobs, names: list[str], options: dict[str, Any], words: str
) -> None:
    jobs.script("first")
    jobs.script("third", decorators="@tracked_script(tags=('nightly',))")
    result = jobs.run(*names, **options)
    assert (result.code, result.out) == (2, "")
    assert words in result.err
    assert jobs.outcomes() == []


def test_where_the_tracker_is_switched_off_nothing_is_run_unrecorded(jobs: Jobs, settings: Any) -> None:
    settings.SCRIPTS_TRACKER = {"enabled": False}
    jobs.script("first")
    result = jobs.run()
    assert (result.code, result.out) == (2, "")
    assert 'SCRIPTS_TRACKER["enabled"] is False' in result.err
    assert jobs.outcomes() == []


def test_no_tables_are_one_clear_line(project: Project) -> None:
    project.command("shop.first")
    result = project.manage("run_scripts", code=2)
    assert result.err.strip().endswith("create them with: manage.py migrate scripts_tracker")
    assert result.out == ""


def test_nothing_to_do_is_a_line_and_success(jobs: Jobs) -> None:
    assert jobs.run() == jobs.run(command="run_all_scripts")
    assert jobs.run().out == "No scripts to run.\n"


def test_what_is_required_runs_first_and_the_rest_by_name(jobs: Jobs) -> None:
    jobs.script("a", requires="c")
    jobs.script("b")
    jobs.script("c")
    result = jobs.run()
    assert result.code == 0
    assert result.out.splitlines()[-1] == "3 done, 0 failed, 0 blocked, 0 skipped."
    assert jobs.outcomes() == ["b succeeded", "c succeeded", "a succeeded"]
    assert jobs.run().out == "No scripts to run.\n"


def test_a_name_pulls_in_what_it_requires_and_nothing_else(jobs: Jobs) -> None:
    jobs.script("a", requires="c")
    jobs.script("b")
    jobs.script("c")
    jobs.run("a")
    assert jobs.outcomes() == ["c succeeded", "a succeeded"]


def test_a_tag_picks_scripts(jobs: Jobs) -> None:
    jobs.script("a", decorators="@tracked_script(tags=('nightly',))")
    jobs.script("b")
    jobs.run(tags=["nightly"])
    assert jobs.states() == {"a": "applied", "b": "new"}


def test_a_named_script_that_is_applied_is_not_run_again(jobs: Jobs) -> None:
    jobs.script("a")
    jobs.run()
    out = jobs.run("a").out
    assert "jobs.a is up to date (applied on" in out
    assert out.splitlines()[0].endswith("). To run it anyway: manage.py a")
    assert jobs.outcomes() == ["a succeeded"]


def test_a_plan_gives_the_order_with_reasons_and_runs_nothing(jobs: Jobs) -> None:
    jobs.script("a", requires="c")
    jobs.script("b", "raise ValueError")
    jobs.run("b")
    jobs.script("c")
    jobs.script("d", requires="no_such")
    lines = jobs.run("a", "b", "d", plan=True).out.splitlines()
    assert lines[0] == "Plan (3):"
    assert lines[1].startswith("  1. jobs.b: failed, the last run failed (started ")
    assert lines[2] == "  2. jobs.c: new, never applied here; required by jobs.a"
    assert lines[3] == "  3. jobs.a: new, never applied here; after jobs.c"
    assert lines[4:] == ["Blocked (1):", "  jobs.d: requires no_such, which does not exist"]
    assert jobs.outcomes() == ["b failed"]


def test_a_failure_stops_what_comes_after_it(jobs: Jobs) -> None:
    jobs.script("a", "raise ValueError('boom')")
    jobs.script("b", requires="a")
    jobs.script("c")
    result = jobs.run()
    assert result.code == 1
    assert jobs.states() == {"a": "failed", "b": "new", "c": "new"}
    assert result.out.splitlines()[-7:] == [
        "0 done, 1 failed, 1 blocked, 1 skipped.",
        "Failed (1):",
        "  jobs.a: ValueError: boom",
        "Blocked (1):",
        "  jobs.b: requires jobs.a, which failed",
        "Skipped (1): jobs.a failed (use --continue-on-error to keep going)",
        "  jobs.c",
    ]
    assert result.err.splitlines()[-2] == ("Some scripts did not run: 1 failed, 1 blocked, 1 skipped.")


def test_the_time_between_scripts_does_not_grow_with_those_before(
    monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    def run_all(count: int) -> Summary:
        by_id = {one.id: one for one in statuses([definition(f"a.s{n:05d}") for n in range(count)], {})}
        plan = planning.make_plan(by_id.values(), by_id)
        return runner.Runner(plan, by_id, RunOptions(wait=0), lambda _: None).carry_out()

    monkeypatch.setattr(runner.Runner, "_step", lambda _, status: Result(status, StepOutcome.DONE))
    assert run_all(4_000).is_good
    assert grows_in_proportion(lambda: run_all(4_000 // LARGER), lambda: run_all(4_000))


def test_with_continue_on_error_only_what_depends_on_it_is_stopped(jobs: Jobs) -> None:
    jobs.script("a", "raise ValueError('boom')")
    jobs.script("b", requires="a")
    jobs.script("c")
    assert jobs.run(continue_on_error=True).code == 1
    assert jobs.states() == {"a": "failed", "b": "new", "c": "applied"}


def test_what_is_blocked_from_the_start_does_not_stop_the_rest(jobs: Jobs) -> None:
    jobs.script("a", requires="b")
    jobs.script("b", requires="a")
    jobs.write("c", "@tracked_script\ndef (")
    jobs.script("d")
    result = jobs.run()
    assert result.code == 1
    assert jobs.outcomes() == ["d succeeded"]
    assert "  jobs.a: a cycle: jobs.a -> jobs.b -> jobs.a" in result.out


def test_the_traceback_begins_at_the_script(jobs: Jobs) -> None:
    jobs.script("a", "raise ValueError('boom')")
    lines = jobs.run().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert str(jobs.path("a")) in lines[1]


@pytest.mark.parametrize("body", ["raise CommandError('no stock')", "raise SystemExit('no stock')"])
def test_a_command_error_has_no_traceback_and_is_shown_even_when_quiet(jobs: Jobs, body: str) -> None:
    jobs.script("a", body)
    result = jobs.run(verbosity=0)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Some scripts did not run: 1 failed.\nFailed (1):\n  jobs.a: ")
    assert result.err.splitlines()[-2].endswith("no stock")


UNREACHED = {
    "raises when imported": ("raise RuntimeError('import boom')", "RuntimeError: import boom"),
    "exits when imported": ("raise SystemExit(0)", "SystemExit: 0"),
    "has a required argument": (
        "Command.add_arguments = lambda self, parser: parser.add_argument('file')",
        "the following arguments are required: file",
    ),
    "is no command": ("globals().pop('Command')", "AttributeError"),
    "is a command of another kind": (
        "exec('Command = object')",
        "Command is not a subclass of BaseCommand",
    ),
    "never calls the tracked handle": (
        "Command.execute = lambda self, *args, **options: None",
        "the tracked handle() was never called",
    ),
    "has a handle that is a coroutine": ("", "handle() is async, which Django does not await"),
}


@pytest.mark.parametrize(("after", "words"), UNREACHED.values(), ids=UNREACHED)
def test_the_failure_is_recorded_of_a_script_that(jobs: Jobs, after: str, words: str) -> None:
    jobs.script("a")
    text = jobs.path("a").read_text() + after + "\n"
    jobs.write("a", text if after else text.replace("def handle", "async def handle"))
    result = jobs.run(verbosity=0)
    assert result.code == 1
    assert words in result.err
    assert jobs.outcomes() == ["a failed"]
    assert jobs.states() == {"a": "failed"}


def test_an_exit_with_0_is_done(jobs: Jobs) -> None:
    jobs.script("a", "raise SystemExit(0)")
    assert jobs.run().code == 0
    assert jobs.states() == {"a": "applied"}


def test_failed_and_lost_scripts_are_tried_again(jobs: Jobs) -> None:
    jobs.script("a", "raise ValueError")
    jobs.run()
    jobs.script("b")
    jobs.begin_elsewhere("b")
    Script.objects.update(lease_expires=0)
    assert jobs.states() == {"a": "failed", "b": "lost"}
    jobs.run(continue_on_error=True)
    assert jobs.outcomes() == ["a failed", "b lost", "a failed", "b succeeded"]


def test_no_retry_leaves_them_to_a_person_and_blocks_what_requires_them(jobs: Jobs) -> None:
    jobs.script("a", "raise ValueError")
    jobs.script("b", "raise ValueError")
    jobs.run(continue_on_error=True)
    jobs.script("c")
    result = jobs.run(retries=False)
    assert result.code == 0
    assert [line.split()[0] for line in result.out.splitlines()[:2]] == ["jobs.a", "jobs.b"]
    assert jobs.outcomes() == ["a failed", "b failed", "c succeeded"]
    jobs.script("d", requires="a")
    result = jobs.run("d", retries=False)
    assert result.code == 1
    assert "  jobs.d: requires jobs.a, which cannot run" in result.out
    assert "jobs.b" not in result.out  # not asked for


RERUNS = {
    "on-change": ["a succeeded", "a succeeded"],
    "once": ["a succeeded"],
    "always": ["a succeeded", "a succeeded", "a succeeded"],
}


@pytest.mark.parametrize(("rerun", "runs"), RERUNS.items(), ids=RERUNS)
def test_a_script_runs_again(jobs: Jobs, rerun: str, runs: list[str]) -> None:
    jobs.script("a", decorators=f"@tracked_script(rerun={rerun!r})")
    jobs.run()
    jobs.run()
    jobs.script("a", "self.stdout.write('changed')", decorators=f"@tracked_script(rerun={rerun!r})")
    jobs.run()
    assert jobs.outcomes() == runs


def test_a_script_whose_default_is_a_rehearsal_is_not_applied(jobs: Jobs) -> None:
    jobs.script(
        "a", attributes="def add_arguments(self, parser): parser.add_argument('--dry-run', default=True)"
    )
    jobs.script("b", requires="a")
    result = jobs.run()
    assert " s (dry run: not marked as applied)" in result.out
    assert "  jobs.b: requires jobs.a, which was run, but not marked as applied" in result.out
    assert (result.code, jobs.states()) == (1, {"a": "new", "b": "new"})


SILENCED = {
    "--no-input": "def add_arguments(self, parser): parser.add_argument('--no-input', action='store_true')",
    "--noinput": "def add_arguments(self, parser): parser.add_argument('--noinput', action='store_true')",
    "--no-input as Django has it": "def add_arguments(self, parser):"
    " parser.add_argument('--no-input', action='store_false', dest='interactive')",
    "an option that only code gives": "stealth_options = ('interactive',)",
}
ASK = "o = options; self.stdout.write(str(o.get('interactive') is False or o.get('no_input') or o.get('noinput')))"


@pytest.mark.parametrize("attributes", SILENCED.values(), ids=SILENCED)
def test_no_input_reaches_a_script_with(jobs: Jobs, attributes: str) -> None:
    jobs.script("a", ASK, attributes=attributes)
    assert "True" in jobs.run(interactive=False).out.splitlines()
    jobs.script("a", f"{ASK}  # again", decorators="@tracked_script(rerun='always')", attributes=attributes)
    assert "True" not in jobs.run().out.splitlines()


def test_with_no_input_a_question_is_the_end_of_the_input(jobs: Jobs) -> None:
    jobs.script("a", "input('name? ')")
    before = sys.stdin
    assert "EOFError" in jobs.run(interactive=False).err
    assert sys.stdin is before


def test_verbosity_reaches_the_scripts(jobs: Jobs) -> None:
    jobs.script("a", "self.stdout.write(str(options['verbosity']))")
    assert jobs.run(verbosity=0).out == "0\n"
    jobs.script("a", "self.stdout.write(f\"verbosity {options['verbosity']}\")")
    assert "verbosity 2\n" in jobs.run(command="run_all_scripts", verbose=True).out


def test_two_files_that_offer_one_class_are_two_scripts(jobs: Jobs) -> None:
    jobs.script("imports")
    jobs.write("again", "from .imports import Command\n")
    jobs.run()
    assert jobs.states() == {"imports": "applied", "again": "applied"}
    assert sorted(jobs.outcomes()) == ["again succeeded", "imports succeeded"]


def test_a_name_with_a_hyphen_is_run(jobs: Jobs) -> None:
    jobs.script("import_kingston-upon-hull")
    assert jobs.run().code == 0
    assert jobs.states() == {"import_kingston-upon-hull": "applied"}


def test_commands_of_one_name_in_two_apps_are_both_run(shop: Project) -> None:
    for app in ("shop", "stock"):
        shop.command(f"{app}.same", body=f"self.stdout.write('this is {app}')")
    out = shop.manage("run_scripts").out
    assert "this is shop" in out
    assert "this is stock" in out
    assert set(shop.states().values()) == {"applied"}


CALL = (
    "import importlib; from django.core.management import call_command\n"
    "        call_command(importlib.import_module('jobs.management.commands.{}').Command())"
)


def test_a_script_that_another_one_called_is_not_run_twice(jobs: Jobs) -> None:
    jobs.script("a", CALL.format("b"))
    jobs.script("b")
    assert jobs.run().out.splitlines()[-1].startswith("2 done")
    assert jobs.outcomes() == ["a succeeded", "b succeeded"]


def test_a_script_that_calls_one_which_is_held_fails_and_is_not_waited_for(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conf, "is_under_test", lambda: False)  # where it would run unrecorded
    jobs.script("a", CALL.format("b"))
    jobs.script("b")
    jobs.begin_elsewhere("b")
    result = jobs.run("a")
    assert "jobs.a: failed after" in result.out
    assert "jobs.b was not run: running since" in result.out
    assert "waiting" not in result.out
    assert jobs.states() == {"a": "failed", "b": "running"}


def test_a_script_that_runs_the_scripts_does_not_wait_for_its_own_end(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a", "from django.core.management import call_command; call_command('run_scripts')")
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    result = jobs.run()
    assert pauses == []
    assert result.code == 1
    assert jobs.states() == {"a": "failed"}


# What another process does meanwhile.


def test_without_waiting_it_says_who_holds_the_script_since_when(jobs: Jobs) -> None:
    jobs.script("a")
    jobs.script("b")
    jobs.begin_elsewhere("a")
    result = jobs.run(wait=0)
    assert result.code == 1
    assert "[1/2 0:00] jobs.a: not run: running since " in result.out
    assert re.search(r" on elsewhere, process 4; (last sign of life .* ago, )?free in 1 min", result.out)
    assert "Skipped (1): jobs.a is still run by another process (use --continue-on-error" in result.out
    assert jobs.outcomes() == ["a running"]


def meanwhile(monkeypatch: pytest.MonkeyPatch, *actions: Any) -> None:
    """What happens at each pause of a runner that waits."""
    left = list(actions)
    monkeypatch.setattr(
        "scripts_tracker.running.runner.time.sleep", lambda _: left.pop(0)() if left else None
    )


WELL: dict[str, Any] = {"outcome": "succeeded", "applies": True}
FAILED: dict[str, Any] = {"outcome": "failed", "applies": False}
MEANWHILE = {
    "ends well": (WELL, "jobs.a: done on elsewhere, process 4", ["a succeeded"]),
    "fails": (
        {**FAILED, "reason": "ValueError:\nx"},
        " s: failed in the meantime on elsewhere, process 4: ValueError: x",
        ["a failed"],
    ),
    "fails with an error that explains itself": (
        {**FAILED, "reason": "CommandError: no rates"},
        " s: failed in the meantime on elsewhere, process 4: no rates",
        ["a failed"],
    ),
    "is interrupted": (
        {**FAILED, "reason": "interrupted: SIGTERM"},
        "jobs.a: done in",
        ["a failed", "a succeeded"],
    ),
    "ends well, but does not count": (
        {**WELL, "applies": False, "reason": "uncommitted changes"},
        "jobs.a: done in",
        ["a succeeded", "a succeeded"],
    ),
}


@pytest.mark.parametrize(("end", "words", "runs"), MEANWHILE.values(), ids=MEANWHILE)
def test_it_waits_for_another_runner_that(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, end: dict[str, Any], words: str, runs: list[str]
) -> None:
    jobs.script("a")
    open_run = jobs.begin_elsewhere("a")
    meanwhile(monkeypatch, lambda: None, lambda: leases.end(open_run, **end))
    result = jobs.run(wait=60)
    assert "jobs.a: waiting: running since" in result.out
    assert words in result.out
    assert (result.code, jobs.outcomes()) == (0 if "succeeded" in runs[-1] else 1, runs)


class FakeTime:
    """A clock that only sleeping moves on, and how many statements were sent by then."""

    def __init__(self, statements: Sized) -> None:
        self.now = 0.0
        self.asked: list[tuple[float, int]] = []
        self._statements = statements

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.asked.append((self.now, len(self._statements)))

    def statements_until(self, seconds: float) -> int:
        return max(count for now, count in self.asked if now <= seconds) - self.asked[0][1]


def test_runners_that_wait_ask_seldom_and_at_different_times(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a")
    jobs.begin_elsewhere("a")
    waits = []
    for seed in range(20):
        random.seed(seed)
        with CaptureQueriesContext(connection) as sent:
            waits.append(clock := FakeTime(sent))
            monkeypatch.setattr("scripts_tracker.running.runner.time", clock)
            assert "jobs.a: not run: running since" in jobs.run(wait=600).out
    firsts = [clock.asked[0][0] for clock in waits]
    assert all(0.3 <= first <= 0.5 for first in firsts)
    assert len(set(firsts)) == len(firsts)
    assert max(clock.statements_until(2) for clock in waits) <= 6
    assert sum(clock.statements_until(2) for clock in waits) <= 4 * len(waits)
    assert sum(clock.statements_until(600) for clock in waits) < 600 / 2 * len(waits)
    assert max(pause for clock in waits for pause in pauses(clock)) <= 5


def pauses(clock: FakeTime) -> list[float]:
    return [after - before for (before, _), (after, _) in itertools.pairwise(clock.asked)]


def test_a_runner_that_dies_meanwhile_is_replaced(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.script("a")
    jobs.begin_elsewhere("a")
    meanwhile(monkeypatch, lambda: Script.objects.update(lease_expires=0))
    assert jobs.run(wait=60).code == 0
    assert jobs.outcomes() == ["a lost", "a succeeded"]


def test_a_script_that_runs_at_every_deploy_is_run_by_one_of_two_runners(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a", decorators="@tracked_script(rerun='always')")
    jobs.run()
    open_run = jobs.begin_elsewhere("a")
    meanwhile(monkeypatch, lambda: leases.end(open_run, **WELL))
    assert "done on elsewhere" in jobs.run(wait=60).out
    assert jobs.outcomes() == ["a succeeded", "a succeeded"]


def test_a_mark_that_comes_between_plan_and_run_is_respected(jobs: Jobs) -> None:
    jobs.script("a")
    jobs.script("b")
    source, digest = read_source(str(jobs.path("b")))

    def mark(**_: Any) -> None:
        marked = Mark(script_id("jobs.b"), path_of("jobs.b"), describe(source, digest, None))
        marking.mark_applied([marked], RunFacts("mark", host="elsewhere", pid=4))

    script_succeeded.connect(mark)
    try:
        result = jobs.run()
    finally:
        script_succeeded.disconnect(mark)
    assert (result.code, jobs.outcomes()) == (0, ["a succeeded", "b succeeded"])
    assert "jobs.b: done on elsewhere, process 4" in result.out
    assert ScriptRun.objects.get(script__name="b").kind == "mark"


def test_a_file_that_goes_between_plan_and_run_is_a_failure(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a")
    open_run = jobs.begin_elsewhere("a")
    meanwhile(monkeypatch, jobs.path("a").unlink, lambda: leases.end(open_run, **FAILED))
    result = jobs.run(wait=60)
    assert result.code == 1
    assert "its file or @tracked_script decorator was removed" in result.out


def test_a_ledger_that_cannot_be_read_any_more_is_a_line_not_a_traceback(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("server closed the connection\nunexpectedly")

    jobs.script("a")
    jobs.begin_elsewhere("a")
    monkeypatch.setattr("scripts_tracker.running.runner.queries.record_of", gone)
    result = jobs.run(wait=1)
    assert result.code == 1
    assert "  jobs.a: the ledger cannot be used: server closed the connection unexpectedly" in result.out


# Interrupts.

INTERRUPTS = {
    "Ctrl-C": ("raise KeyboardInterrupt", 130, "interrupted: Ctrl-C"),
    "SIGTERM": (
        "import os, signal, time; os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)",
        143,
        "interrupted: SIGTERM",
    ),
    "SIGHUP": (
        "import os, signal, time; os.kill(os.getpid(), signal.SIGHUP); time.sleep(9)",
        129,
        "interrupted: SIGHUP",
    ),
}


@pytest.mark.parametrize(("body", "code", "words"), INTERRUPTS.values(), ids=INTERRUPTS)
def test_an_interrupt_is_recorded_as_a_failure_and_ends_the_run(
    jobs: Jobs, body: str, code: int, words: str
) -> None:
    jobs.script("a", body)
    jobs.script("b")
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        result = jobs.run(continue_on_error=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert (result.code, jobs.outcomes()) == (code, ["a failed"])
    assert f"  jobs.a: {words}" in result.out
    assert result.out.endswith("Skipped (1): the run was interrupted\n  jobs.b\n")
    assert ScriptRun.objects.get().reason == words
    assert jobs.states() == {"a": "failed", "b": "new"}


def interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupt_while_waiting_leaves_the_script_as_it_was(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a")
    jobs.begin_elsewhere("a")
    meanwhile(monkeypatch, interrupt)
    result = jobs.run(wait=60)
    assert result.code == 130
    assert "0 done, 0 failed, 0 blocked, 1 skipped." in result.out
    assert jobs.states() == {"a": "running"}


def test_an_interrupt_after_a_wait_in_vain_is_the_failure_of_the_script_that_ran(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a")
    jobs.begin_elsewhere("a")
    jobs.script("b", "raise KeyboardInterrupt")
    result = jobs.run(wait=0, continue_on_error=True)
    assert result.code == 130
    assert "0 done, 1 failed, 1 held, 0 blocked, 0 skipped." in result.out


def test_what_a_script_leaves_open_on_another_database_is_not_the_next_ones(shop: Project) -> None:
    other = (
        'DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "other.sqlite3"}'
    )
    shop.settings(other)
    shop.command(
        "shop.a", body="from django.db import transaction; transaction.set_autocommit(False, 'other')"
    )
    write = "from django.db import connections; connections['other'].cursor().execute('create table made (x int)')"
    shop.command("shop.b", body=write)
    shop.manage("run_scripts")
    look = "print(__import__('django.db').db.connections['other'].introspection.table_names())"
    assert shop.python(look).out == "['made']\n"


# Streams.


def test_what_it_says_goes_where_call_command_says(jobs: Jobs) -> None:
    jobs.script("a")
    out = io.StringIO()
    call_command("run_scripts", stdout=out)
    heading, started, said, ended_, summary = out.getvalue().splitlines()
    assert heading == "Running management scripts (1):"
    assert (started, said) == ("[1/1 0:00] jobs.a", "done")
    assert ended_.startswith("[1/1 0:00] jobs.a: done in ")
    assert summary == "1 done, 0 failed, 0 blocked, 0 skipped."


def test_a_reader_that_has_gone_does_not_keep_a_silent_script_from_running(shop: Project) -> None:
    shop.command("shop.silent", body="pass")
    result = shop.run("sh", "-c", f"'{sys.executable}' manage.py run_scripts | head -1")
    assert result.out == "Running management scripts (1):\n"
    assert "Traceback" not in result.err
    assert shop.states() == {"shop.silent": "applied"}


def test_a_script_that_closes_stdout_still_counts_as_run(shop: Project) -> None:
    shop.command("shop.closes", body="self.stdout._out.close()")
    assert shop.manage("run_scripts").err == ""
    assert shop.states() == {"shop.closes": "applied"}


WRONG_WAITS = [
    "nan",
    "inf",
    "-inf",
    "1e400",
    "-1",
    "604801",
    "",
    "ten",
    "9" * 5000,
    float("nan"),
    10**5000,
    True,
]


@pytest.mark.parametrize(
    "wait", WRONG_WAITS, ids=lambda wait: repr(wait)[:10] if wait != 10**5000 else "huge"
)
def test_a_wait_that_is_no_number_of_seconds_is_refused(wait: object) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("run_scripts", wait=wait)
    assert caught.value.returncode == 2
    expected = "--wait: expected a number of seconds from 0 to 604800, got "
    assert str(caught.value).startswith(expected)
    assert len(str(caught.value)) < 200


def test_a_wrong_wait_is_one_line(project: Project) -> None:
    result = project.manage("run_scripts", "--wait=nan", code=2)
    expected = "expected a number of seconds from 0 to 604800, got 'nan'."
    assert (result.out, result.err) == ("", f"--wait: {expected}\n")


def test_a_child_that_a_script_forks_neither_records_its_end_nor_goes_on_with_the_run(shop: Project) -> None:
    fork = "import os; pid = os.fork()\n        if not pid: raise SystemExit(0)\n        os.waitpid(pid, 0)"
    shop.command("shop.forks", body=f"{fork}; raise ValueError('the parent fails')")
    shop.command("shop.next", body="self.stdout.write('next')")
    result = shop.manage("run_scripts", "--continue-on-error", code=1)
    assert result.out.splitlines().count("next") == 1
    assert shop.states() == {"shop.forks": "failed", "shop.next": "applied"}


def at_terminal(project: Project, *arguments: str) -> str:
    """Run manage.py at a terminal, and press Ctrl-C when its script says so."""
    master, slave = pty.openpty()
    environment = {**ENVIRONMENT, **project.env, "COLUMNS": "60"}
    with subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=project.root,
        env=environment,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    ) as process:
        os.close(slave)
        said, is_pressed = b"", False
        while chunk := _read(master):
            said += chunk
            if b"now" in said and not is_pressed:
                is_pressed = True
                process.send_signal(signal.SIGINT)
    os.close(master)
    return said.decode() + f"exit {process.returncode}"


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so at the end
        return b""


def test_at_a_terminal_it_is_coloured_and_ctrl_c_has_no_traceback(shop: Project) -> None:
    # In one long sleep, Python would not notice a signal that comes just before it.
    body = "import time; self.stdout.write('now')\n        while True: time.sleep(0.05)"
    shop.command("shop.slow", body=body)
    said = at_terminal(shop, "run_scripts")
    assert "\x1b[" in said
    assert "interrupted: Ctrl-C" in said
    assert "Traceback" not in said
    assert said.endswith("exit 130")
    assert shop.states() == {"shop.slow": "failed"}


ARGUED = """
    def add_arguments(self, parser):
        parser.add_argument("country")
        parser.add_argument("--since", required=True)
"""


def test_arguments_of_the_decorator_are_what_is_typed(jobs: Jobs) -> None:
    given = '@tracked_script(arguments=("CH", "--since", "2024-01-01"))'
    body = "self.stdout.write(options['country'] + options['since'])"
    jobs.script("argued", body, decorators=given, attributes=ARGUED)
    assert jobs.run(plan=True).out.splitlines()[1].endswith("; arguments: CH --since 2024-01-01")
    assert "CH2024-01-01" in jobs.run().out
    assert jobs.outcomes() == ["argued succeeded"]
    assert "Options      arguments: CH --since 2024-01-01" in jobs.run("argued", command="show_script").out


def test_a_missing_argument_is_named_with_what_was_passed(jobs: Jobs) -> None:
    jobs.script("argued", decorators='@tracked_script(arguments=("CH",))', attributes=ARGUED)
    result = jobs.run()
    assert result.code == 1
    assert (
        "the following arguments are required: --since (run_scripts passes CH; add what is missing"
        in result.out
    )


def test_arguments_are_strings() -> None:
    with pytest.raises(TypeError, match="arguments takes a tuple of strings"):
        tracked_script(arguments="--all")
