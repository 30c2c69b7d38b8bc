"""Whatever a script raises is recorded and summed up, and the other scripts get their turn."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from traceback import TracebackException

import pytest
from django.core.management import call_command

from scripts_tracker.core import frames
from scripts_tracker.models import ScriptRun
from tests.jobs import PACKAGE, Jobs
from tests.running.shops import Shop

ODD = "raise type('Odd', ({base},), {{'__module__': 'shop', {method!r}: {code}}})('boom')"
# What the script does, how the ledger's reason begins.
RAISED = {
    "a cancelled task": ("import asyncio; raise asyncio.CancelledError('late')", "asyncio."),
    "the end of a generator": ("raise GeneratorExit", "GeneratorExit"),
    "a StopIteration": ("raise StopIteration(7)", "StopIteration: 7"),
    "a StopAsyncIteration": ("raise StopAsyncIteration", "StopAsyncIteration"),
    "an exception of its own that is none": (
        "raise type('Stop', (BaseException,), {'__module__': 'shop'})('boom')",
        "shop.Stop: boom",
    ),
    "an exception whose str ends the process": (
        ODD.format(base="BaseException", method="__str__", code="lambda self: exit(0)"),
        "shop.Odd: ",
    ),
    "an exception whose repr raises": (
        ODD.format(base="Exception", method="__repr__", code="lambda self: 1 / 0"),
        "shop.Odd: boom",
    ),
    "an exception whose notes raise": (
        ODD.format(base="Exception", method="__notes__", code="property(lambda self: 1 / 0)"),
        "shop.Odd: boom",
    ),
    "an exception whose notes are no notes": (
        ODD.format(base="Exception", method="__notes__", code="[1, b'two', object()]"),
        "shop.Odd: boom",
    ),
    "a recursion without end": ("(f := lambda: f())()", "RecursionError: "),
    "no memory": ("raise MemoryError", "MemoryError"),
    "a text of 20 MB": ("raise BaseException('a token=b ' * 2_000_000)", "BaseException: a token=***"),
    "notes of 20 MB": (
        "e = ValueError('boom'); e.__notes__ = ['n' * 20_000_000]; raise e",
        "ValueError: boom",
    ),
    "an exit with 20 MB": ("raise SystemExit('e' * 20_000_000)", "SystemExit: eee"),
    "a cause of 20 MB": ("raise ValueError('boom') from KeyError('k' * 20_000_000)", "ValueError: boom"),
}
if sys.version_info >= (3, 11):
    RAISED |= {
        "a group": ("raise ExceptionGroup('many', [ValueError(1), KeyError(2)])", "ExceptionGroup: many"),
        "a group of what is no exception": (
            "import asyncio; raise BaseExceptionGroup('many', [GeneratorExit(), asyncio.CancelledError()])",
            "BaseExceptionGroup: many",
        ),
        "a group with an exit": (
            "raise BaseExceptionGroup('many', [SystemExit(0)])",
            "BaseExceptionGroup: many",
        ),
    }


@pytest.mark.parametrize(("body", "reason"), RAISED.values(), ids=RAISED)
def test_under_run_scripts_it_is_recorded_and_the_others_have_their_turn(
    jobs: Jobs, body: str, reason: str
) -> None:
    jobs.script("a", body)
    jobs.script("b")
    jobs.script("c", requires="a")
    result = jobs.run(continue_on_error=True)
    assert result.code == 1
    assert "1 done, 1 failed, 1 blocked, 0 skipped." in result.out
    assert jobs.outcomes() == ["a failed", "b succeeded"]
    row = ScriptRun.objects.get(outcome="failed")
    assert row.reason.startswith(reason)
    assert len(row.reason) <= 500
    assert len(row.traceback) <= 64 * 1024
    assert len(result.out) < 10_000


@pytest.mark.parametrize(("body", "reason"), RAISED.values(), ids=RAISED)
def test_by_hand_it_is_recorded_and_raised(jobs: Jobs, body: str, reason: str) -> None:
    jobs.script("a", body)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever it is
        jobs.run_alone("a")
    row = ScriptRun.objects.get()
    assert (row.outcome, row.reason[: len(reason)]) == ("failed", reason)
    assert len(row.traceback) <= 64 * 1024


def test_it_may_be_raised_where_the_file_is_imported(jobs: Jobs) -> None:
    jobs.script("a")
    jobs.write("a", jobs.path("a").read_text() + "raise GeneratorExit('import')\n")
    jobs.script("b")
    assert jobs.run(continue_on_error=True).code == 1
    assert jobs.outcomes() == ["a failed", "b succeeded"]


def test_what_a_finalizer_raises_is_no_failure(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda raised: seen.append(raised.exc_type))
    jobs.script("a", "type('Odd', (), {'__del__': lambda self: exit(3)})()")
    result = jobs.run()
    assert seen == [SystemExit]
    assert (result.code, jobs.outcomes()) == (0, ["a succeeded"])


def test_where_it_was_raised_is_recorded_though_python_cannot_print_it(jobs: Jobs) -> None:
    jobs.script("a", ODD.format(base="Exception", method="__notes__", code="property(lambda self: 1 / 0)"))
    assert "jobs/management/commands/a.py" in jobs.run().err
    assert "jobs/management/commands/a.py" in ScriptRun.objects.get().traceback


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.11 has groups of exceptions")
@pytest.mark.parametrize(
    "interrupt", ["KeyboardInterrupt()", "BaseExceptionGroup('inner', [KeyboardInterrupt()])"]
)
def test_ctrl_c_in_a_group_is_still_ctrl_c(jobs: Jobs, interrupt: str) -> None:
    jobs.script("a", f"raise BaseExceptionGroup('tasks', [ValueError(), {interrupt}])")
    jobs.script("b")
    result = jobs.run(continue_on_error=True)
    assert result.code == 130
    assert "  jobs.a: interrupted: Ctrl-C" in result.out
    assert jobs.outcomes() == ["a failed"]
    assert ScriptRun.objects.get().reason == "interrupted: Ctrl-C"


def test_ctrl_c_while_an_error_is_put_into_words_ends_the_run(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_out_others, numbers = frames.leave_out_others, [signal.SIGINT]

    def pressed(shown: TracebackException) -> None:
        leave_out_others(shown)
        if numbers:
            os.kill(os.getpid(), numbers.pop())

    monkeypatch.setattr(frames, "leave_out_others", pressed)
    jobs.script("a", "raise ValueError('boom')")
    jobs.script("b")
    result = jobs.run(continue_on_error=True)
    assert result.code == 130
    assert "  jobs.a: ValueError: boom" in result.out
    assert jobs.outcomes() == ["a failed"]
    assert ScriptRun.objects.get().reason == "ValueError: boom"


# What no process can record about itself.

ENDS = {
    "exits at once": "import os; os._exit(0)",
    "crashes": "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
    "aborts": "import os; os.abort()",
}


@pytest.mark.parametrize("command", [("run_scripts",), ("ends",)], ids=["run_scripts", "by hand"])
@pytest.mark.parametrize("body", ENDS.values(), ids=ENDS)
def test_the_next_run_says_so_of_a_process_that(shop: Shop, body: str, command: tuple[str, ...]) -> None:
    shop.script("shop.ends", body)
    shop.script("shop.next", "effect('next')")
    shop.run(*command)
    assert shop.outcomes() == ["running"]
    shop.expire()
    assert shop.states()["shop.ends"] == "lost"
    process = shop.run("run_scripts", "--plan")
    assert "shop.ends: lost, the last run never ended" in process.out
    shop.script("shop.ends", "effect('ends')")
    assert shop.run("run_scripts").code == 0
    assert shop.outcomes() == ["lost", "succeeded", "succeeded"]


# Arguments of any size.

LARGE = {
    "many ids": {"ids": list(range(300_000))},
    "a long text": {"text": "a token=b " * 2_000_000},
    "many options": {f"option_{number}": number for number in range(2_000)},
}


@pytest.mark.parametrize("options", LARGE.values(), ids=LARGE)
def test_arguments_are_bounded_as_a_whole(jobs: Jobs, options: dict[str, object]) -> None:
    jobs.script("a", "assert len(options) > 1", attributes=f"stealth_options = {tuple(options)!r}")
    jobs.run_alone("a", **options)
    kept = ScriptRun.objects.get().arguments
    assert 100 < len(kept) <= 10_000
    assert "token=b" not in kept


def test_positional_arguments_are_bounded_too(jobs: Jobs) -> None:
    jobs.script(
        "a", "pass", attributes="def add_arguments(self, parser): parser.add_argument('args', nargs='*')"
    )
    command = importlib.import_module(f"{PACKAGE}.a").Command()
    call_command(command, *range(100_000))
    assert 100 < len(ScriptRun.objects.get().arguments) <= 10_000
