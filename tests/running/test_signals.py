"""SIGTERM and SIGHUP in real processes: recorded whoever started the script, and the process ends as it should."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.conftest import ENVIRONMENT, Project
from tests.databases.fixtures import HostedProject
from tests.running.shops import Shop
from tests.waiting import wait_for

NUMBERS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
SLEEP = "hold('held')"


def reasons(project: HostedProject) -> list[str]:
    rows = project.execute("SELECT outcome, reason FROM scripts_tracker_scriptrun ORDER BY id")
    return [": ".join(row) for row in rows]


@NUMBERS
def test_by_hand_it_is_recorded_and_the_process_ends_by_it(shop: Shop, number: signal.Signals) -> None:
    shop.script("shop.slow", SLEEP)
    process = shop.hold("held", "slow")
    process.signal(number)
    assert process.wait() == -number
    assert (process.out, process.err) == ("", "")
    assert reasons(shop.project) == [f"failed: interrupted: {number.name}"]
    shop.go("held")
    assert shop.run("run_scripts").code == 0


@NUMBERS
def test_under_run_scripts_it_is_recorded_and_ends_the_run(shop: Shop, number: signal.Signals) -> None:
    shop.script("shop.slow", SLEEP)
    shop.script("shop.then", "effect('then')")
    process = shop.hold("held", "run_scripts", "--continue-on-error")
    process.signal(number)
    assert process.wait() == 128 + number
    assert reasons(shop.project) == [f"failed: interrupted: {number.name}"]
    assert f"shop.slow: interrupted: {number.name}" in process.out
    assert "Skipped (1): the run was interrupted" in process.out


def test_a_shell_sees_the_exit_code_that_it_expects(migrated: Project) -> None:
    migrated.command("shop.ends", body="import os; print('flushed'); os.kill(os.getpid(), 15)")
    result = migrated.run("sh", "-c", f"'{sys.executable}' manage.py ends; echo $?")
    assert result.out == "flushed\n143\n"
    assert "Traceback" not in result.err


def test_the_output_and_what_the_script_does_at_its_end_are_kept(migrated: Project) -> None:
    body = "import os\n        try: print('begun'); os.kill(os.getpid(), 15)\n        finally: print('cleaned up')"
    migrated.command("shop.ends", body=body)
    result = migrated.manage("ends", code=-signal.SIGTERM)
    assert result.out == "begun\ncleaned up\n"
    assert "cleaned up" in migrated.manage("show_script", "ends").out


# Every recording of an outcome is interrupted, the last one too.
AGAIN = (
    "import os; from scripts_tracker.ledger import leases; real = leases.end\n"
    "        def end(*args, **named): os.kill(os.getpid(), {number}); return real(*args, **named)\n"
    "        leases.end = end; {end}"
)
ENDS = {
    "after the first": ("os.kill(os.getpid(), 15)", "failed: interrupted: SIGTERM"),
    "after an error": ("1 / 0", "failed: ZeroDivisionError: division by zero"),
    "after a success": ("pass", "succeeded: "),
}


@NUMBERS
@pytest.mark.parametrize(
    "command", [("ends",), ("run_scripts", "--continue-on-error")], ids=["by hand", "run_scripts"]
)
@pytest.mark.parametrize(("end", "recorded"), ENDS.values(), ids=ENDS)
def test_one_that_comes_while_the_outcome_is_recorded_does_not_lose_it(
    shop: Shop, command: tuple[str, ...], end: str, recorded: str, number: signal.Signals
) -> None:
    shop.script("shop.ends", AGAIN.format(number=int(number), end=end))
    shop.script("shop.then", "effect('then')")
    process = shop.run(*command)
    assert reasons(shop.project) == [recorded]
    first = signal.SIGTERM if "os.kill" in end else number
    assert process.code == (-first if command == ("ends",) else 128 + first)


@pytest.mark.parametrize("command", [("ends",), ("run_scripts",)], ids=["by hand", "run_scripts"])
def test_a_script_that_swallows_it_ends_well_and_the_process_ends(
    shop: Shop, command: tuple[str, ...]
) -> None:
    shop.script(
        "shop.ends",
        "import os\n        try: os.kill(os.getpid(), 15)\n        except BaseException: effect('ends')",
    )
    shop.script("shop.then", "effect('then')")
    process = shop.run(*command)
    assert process.code == (-signal.SIGTERM if command == ("ends",) else 143)
    assert reasons(shop.project) == ["succeeded: "]
    assert shop.effects() == {"ends": 1}


def test_a_script_inside_a_script_is_recorded_too(shop: Shop) -> None:
    shop.script("shop.outer", "from django.core.management import call_command; call_command('inner')")
    shop.script("shop.inner", SLEEP)
    process = shop.hold("held", "outer")
    process.signal(signal.SIGTERM)
    assert process.wait() == -signal.SIGTERM
    assert reasons(shop.project) == ["failed: interrupted: SIGTERM"] * 2


# What is not ours.

SHOW = "import signal; print([signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)])"


def test_code_that_calls_a_tracked_command_keeps_its_signals(migrated: Project) -> None:
    migrated.command("shop.shows", body=SHOW)
    default = "[<Handlers.SIG_DFL: 0>, <Handlers.SIG_DFL: 0>]\n"
    assert (
        migrated.python("from django.core.management import call_command; call_command('shows')").out
        == default
    )
    assert migrated.manage("shows").out != default


def test_a_handler_of_the_project_stays_in_force(migrated: Project) -> None:
    migrated.settings("import signal; signal.signal(signal.SIGTERM, lambda *_: print('ours'))")
    migrated.command("shop.ends", body="import os; os.kill(os.getpid(), 15); print('goes on')")
    assert migrated.manage("ends").out == "ours\ngoes on\n"
    assert migrated.states() == {"shop.ends": "applied"}


@pytest.mark.parametrize("command", ["slow", "run_scripts"])
def test_under_nohup_sighup_is_ignored(migrated: Project, command: str) -> None:
    body = "import pathlib, time; pathlib.Path('at').touch()\n        while not pathlib.Path('go').exists(): time.sleep(0.01)"
    migrated.command("shop.slow", body=body)
    with subprocess.Popen(
        ["nohup", sys.executable, "manage.py", command],
        cwd=migrated.root,
        env={**ENVIRONMENT, **migrated.env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        wait_for((migrated.root / "at").exists, "it runs")
        process.send_signal(signal.SIGHUP)
        migrated.write("go", "")
        assert process.wait() == 0
    assert migrated.states() == {"shop.slow": "applied"}
