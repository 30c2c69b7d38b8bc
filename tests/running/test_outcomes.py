"""How attempts end in the ledger, and what that costs, in the test's own process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from scripts_tracker import conf
from scripts_tracker.core.redaction import MASK
from scripts_tracker.ledger import leases
from scripts_tracker.models import Script, ScriptRun
from scripts_tracker.running import outcome
from scripts_tracker.running.outcome import Unrecorded
from scripts_tracker.signals import script_succeeded
from tests.growth import LARGER, grows_less_than_half
from tests.jobs import Jobs

REASONS = {
    "an error": ("raise ValueError('boom')", "ValueError: boom"),
    "an error of many lines": ("raise ValueError('boom\\nand more')", "ValueError: boom\nand more"),
    "an error without words": ("raise ValueError", "ValueError"),
    "a syntax error": ("exec('(')", "SyntaxError: '(' was never closed"),
    "Ctrl-C": ("raise KeyboardInterrupt", "interrupted: Ctrl-C"),
    "an exit": ("raise SystemExit(3)", "SystemExit: 3"),
    "an error that has no text": (
        "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0, '__module__': 'shop'})",
        "shop.Odd: <exception str() failed>",
    ),
    "an error whose text ends the process": (
        "raise type('Odd', (Exception,), {'__str__': lambda self: exit(0), '__module__': 'shop'})",
        "shop.Odd: <exception str() failed>",
    ),
    "an interrupt that has no text": (
        "raise type('Odd', (KeyboardInterrupt,), {'__str__': lambda self: 1 / 0})",
        "interrupted: <exception str() failed>",
    ),
    "an error of many letters": ("raise ValueError('a b ' * 100_000)", f"ValueError: {'a b ' * 122}".strip()),
    "a secret where the reason is cut": (
        "raise ValueError('a' * 470 + ' token=' + 'S' * 10_000)",
        f"ValueError: {'a' * 470} token={MASK}"[:500],
    ),
}
if sys.version_info >= (3, 11):
    REASONS["an error with a note"] = (
        "e = ValueError('boom'); e.add_note('see the handbook'); raise e",
        "ValueError: boom",
    )


@pytest.mark.parametrize(("body", "reason"), REASONS.values(), ids=REASONS)
def test_the_reason_of_a_failure_is_its_own_line(jobs: Jobs, body: str, reason: str) -> None:
    jobs.script("a", body)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever it is
        jobs.run_alone("a")
    row = ScriptRun.objects.get()
    assert (row.outcome, row.reason) == ("failed", reason)


ODD = {
    "an error": "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})",
    "an error whose text ends the process": "raise type('Odd', (Exception,), {'__str__': lambda self: exit(0)})",
    "what Python itself cannot print": "raise SyntaxError('odd', ('shop.py', 'one', 2, ['three']))",
    "a cause that has no text": (
        "raise ValueError('odd') from type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()"
    ),
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD)
def test_an_error_that_cannot_be_told_is_summed_up_and_does_not_stop_the_others(
    jobs: Jobs, body: str
) -> None:
    jobs.script("a", body)
    jobs.script("b")
    result = jobs.run("--continue-on-error")
    assert result.code == 1
    assert "1 done, 1 failed" in result.out
    assert jobs.outcomes() == ["a failed", "b succeeded"]
    assert ScriptRun.objects.get(outcome="failed").traceback


def test_an_error_of_many_letters_is_shown_in_part(jobs: Jobs) -> None:
    jobs.script("a", "raise ValueError('a b ' * 100_000)")
    result = jobs.run()
    assert f"ValueError: {'a b ' * 499}a b...\n" in result.out
    assert len(result.out) < 10_000


def test_the_size_of_an_error_costs_next_to_nothing() -> None:
    def shown(size: int) -> Callable[[], object]:
        error = ValueError("a token=b\n" * size)
        return lambda: outcome.masked_error(error)

    assert grows_less_than_half(shown(20_000), shown(20_000 * LARGER))


def once(error: BaseException, real: Callable[..., Any]) -> Callable[..., Any]:
    """Fail at the first call."""
    left = [error]

    def call(*args: Any, **named: Any) -> Any:
        if left:
            raise left.pop()
        return real(*args, **named)

    return call


def test_a_second_ctrl_c_does_not_lose_the_record_of_the_first(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a", "raise KeyboardInterrupt")
    monkeypatch.setattr(leases, "end", once(KeyboardInterrupt(), leases.end))
    assert jobs.run().code == 130
    assert jobs.outcomes() == ["a failed"]
    assert jobs.states() == {"a": "failed"}


@pytest.fixture
def _in_earnest(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a test an attempt takes more for granted."""
    monkeypatch.setattr(conf, "is_under_test", lambda: False)


@pytest.mark.usefixtures("_in_earnest")
def test_a_takeover_is_reported_and_nothing_is_applied(jobs: Jobs) -> None:
    take = (
        "from scripts_tracker.models import ScriptRun\n"
        "        ScriptRun.objects.update(outcome='lost')  # as whoever takes over does first"
    )
    jobs.script("a", take)
    result = jobs.run()
    assert result.code == 1
    assert (
        "jobs.a finished, but its lease had expired and another process took over; the success was not recorded."
        in result.out
    )
    row = ScriptRun.objects.get()
    assert (row.outcome, row.applies, row.reason) == ("lost", False, leases.TAKEN_OVER)


@pytest.mark.usefixtures("_in_earnest")
def test_a_success_that_cannot_be_recorded_names_the_command_to_run(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OperationalError("the disk is full")

    settings.SCRIPTS_TRACKER = {"lease_seconds": 0.1}
    jobs.script("a")
    monkeypatch.setattr(leases, "end", gone)
    with pytest.raises(Unrecorded, match=r"manage\.py check_scripts --mark-applied jobs\.a"):
        jobs.run_alone("a")
    assert jobs.outcomes() == ["a running"]


CREATE = "from scripts_tracker.models import Script; Script.objects.create(app_label='x', identity='x')"
HOOK = "from django.db import transaction; transaction.on_commit(lambda: 1 / 0)"
AFTER = "succeeded; error after commit: ZeroDivisionError: division by zero"


@pytest.mark.usefixtures("_in_earnest")
def test_a_hook_that_fails_after_the_commit_is_an_error_and_no_failure(jobs: Jobs) -> None:
    jobs.script("a", HOOK, decorators="@tracked_script(atomic=True)")
    jobs.script("b", requires="a")
    result = jobs.run()
    assert result.code == 1
    assert f" s: {AFTER}\n" in result.out
    assert "in <lambda>" in result.err
    row = ScriptRun.objects.get()
    assert (row.outcome, row.applies, row.reason) == ("succeeded", True, AFTER)
    assert "in <lambda>" in row.traceback
    assert jobs.states() == {"a": "applied", "b": "new"}


@pytest.mark.usefixtures("_in_earnest")
def test_by_hand_the_error_of_a_hook_is_raised_as_it_is(jobs: Jobs, caplog: pytest.LogCaptureFixture) -> None:
    jobs.script("a", HOOK, decorators="@tracked_script(atomic=True, unless=('rehearse',))")
    with pytest.raises(ZeroDivisionError):
        jobs.run_alone("a")
    assert f"jobs.a {AFTER}" in caplog.messages
    assert jobs.states() == {"a": "applied"}


def first_away_then(error: BaseException | None) -> Callable[..., Any]:
    """The database is away until Ctrl-C comes; then it is back, or there is this error."""
    errors, real = [OperationalError("away"), KeyboardInterrupt(), error], leases.end

    def end(*args: Any, **named: Any) -> bool:
        if errors and (raised := errors.pop(0)):
            raise raised
        return real(*args, **named)

    return end


@pytest.mark.usefixtures("_in_earnest")
def test_an_interrupt_while_a_success_waits_for_the_database_ends_the_run_and_is_no_failure(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a")
    jobs.script("b")
    monkeypatch.setattr(leases, "end", first_away_then(None))
    result = jobs.run(continue_on_error=True)
    assert result.code == 130
    assert "1 done, 0 failed, 0 blocked, 1 skipped." in result.out
    row = ScriptRun.objects.get()
    assert (row.outcome, row.applies, row.reason, row.traceback) == ("succeeded", True, "", "")


@pytest.mark.usefixtures("_in_earnest")
@pytest.mark.parametrize(
    ("error", "words"),
    [(OperationalError("still away"), "still away"), (KeyboardInterrupt(), "interrupted: Ctrl-C")],
    ids=["the database stays away", "the user is less patient"],
)
def test_finished_work_that_an_interrupt_keeps_from_its_record_has_not_failed(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, error: BaseException, words: str
) -> None:
    jobs.script("a")
    jobs.script("b")
    monkeypatch.setattr(leases, "end", first_away_then(error))
    result = jobs.run(continue_on_error=True)
    assert result.code == 130
    assert (
        f"jobs.a succeeded, but the result could not be recorded: {words}. To mark it as applied"
        in result.out
    )
    assert "check_scripts --mark-applied jobs.a" in result.out
    assert result.out.endswith("Skipped (1): the run was interrupted\n  jobs.b\n")
    assert jobs.outcomes() == ["a running"]


@pytest.mark.usefixtures("_in_earnest")
def test_an_interrupt_of_the_record_of_one_transaction_undoes_the_work_and_is_its_failure(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.script("a", CREATE, decorators="@tracked_script(atomic=True)")
    monkeypatch.setattr(leases, "end", once(KeyboardInterrupt(), leases.end))
    assert jobs.run().code == 130
    assert jobs.outcomes() == ["a failed"]
    assert not Script.objects.filter(app_label="x").exists()


@pytest.mark.parametrize("decorators", ["@tracked_script", "@tracked_script(atomic=True)"])
def test_an_interrupt_after_the_record_of_a_success_ends_the_run_and_is_no_failure(
    jobs: Jobs, decorators: str
) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    jobs.script("a", decorators=decorators)
    jobs.script("b")
    script_succeeded.connect(interrupt)
    try:
        result = jobs.run(continue_on_error=True)
    finally:
        script_succeeded.disconnect(interrupt)
    assert result.code == 130
    assert "jobs.a: done in" in result.out
    assert "1 done, 0 failed, 0 blocked, 1 skipped." in result.out
    assert jobs.outcomes() == ["a succeeded"]
    assert (ScriptRun.objects.get().reason, jobs.states()) == ("", {"a": "applied", "b": "new"})


PLAIN = "self.stdout.write('done')"
NOT_COUNTED = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def statements(jobs: Jobs, name: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        jobs.run_alone(name)
    return len([query for query in queries if not query["sql"].startswith(NOT_COUNTED)])


def never_seen(jobs: Jobs) -> None:
    pass


def known(jobs: Jobs) -> None:
    jobs.run_alone("a")


def modified(jobs: Jobs) -> None:
    jobs.run_alone("a")
    jobs.script("a", f"{PLAIN}; self.stdout.write('more')")


def failed(jobs: Jobs) -> None:
    jobs.script("a", "raise ValueError")
    jobs.run()
    jobs.script("a", PLAIN)


def lost(jobs: Jobs) -> None:
    jobs.begin_elsewhere("a")
    Script.objects.update(lease_expires=0)


@pytest.mark.parametrize("before", [never_seen, known, modified, failed, lost])
@pytest.mark.parametrize("decorators", ["@tracked_script", "@tracked_script(atomic=True)"])
def test_a_run_adds_at_most_six_statements_where_the_script_is(
    jobs: Jobs, before: Callable[[Jobs], None], decorators: str
) -> None:
    jobs.script("twin", decorators="")
    jobs.script("a", decorators=decorators)
    before(jobs)
    untracked = statements(jobs, "twin")
    assert statements(jobs, "a") - untracked <= 6
    assert jobs.states()["a"] == "applied"


def test_under_test_a_script_is_run_alone_but_the_runner_looks_at_requirements(jobs: Jobs) -> None:
    jobs.script("a", requires="b")
    jobs.script("b", "raise ValueError")
    assert jobs.run("a").out.endswith("  jobs.a: requires jobs.b, which failed\n")
    assert jobs.run_alone("a") == "done\n"


@pytest.mark.parametrize(
    ("decorators", "counted"),
    [("@tracked_script", 1), ("@tracked_script(atomic=True)", 3)],
    ids=["plain", "atomic"],
)
def test_a_test_counts_the_queries_of_the_command_and_of_its_transaction(
    jobs: Jobs, decorators: str, counted: int
) -> None:
    body = "from scripts_tracker.models import Script; Script.objects.count()"
    jobs.script("a", body, decorators=decorators)
    with CaptureQueriesContext(connection) as queries:
        jobs.run_alone("a")
    assert len(queries) == counted
    assert jobs.outcomes() == ["a succeeded"]


def test_what_a_test_runs_in_a_thread_of_its_own_is_not_recorded(jobs: Jobs) -> None:
    jobs.script("a")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(jobs.run_alone, "a").result() == "done\n"
    assert not ScriptRun.objects.exists()
