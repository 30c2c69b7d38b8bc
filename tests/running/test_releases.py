"""A person ends the lease of a run: it is lost, and its process cannot record a success."""

from __future__ import annotations

import getpass
import json
import re
import signal
import socket

import pytest

from tests.databases.fixtures import KINDS, SERVERS
from tests.running.shops import Shop
from tests.waiting import wait_for

WHY = "host web-1 is gone"
RELEASE = ("check_scripts", "--release", "slow", "--reason", WHY)
WHO = f"released by {getpass.getuser()} on {socket.gethostname()}: {WHY}"
EACH = [(kind, "", "run_scripts") for kind in KINDS] + [
    (kind, "atomic=True", "slow") for kind in KINDS if kind != "sqlite"
]


@pytest.mark.parametrize(("kind_name", "options", "holding"), EACH)
def test_whoever_still_lives_cannot_record_a_success_and_says_who_released_the_run_and_why(
    shop: Shop, options: str, holding: str
) -> None:
    shop.script("shop.slow", "effect('slow'); hold('slow')", options=options)
    holder = shop.hold("slow", holding)
    released = shop.run(*RELEASE)
    assert released.code == 0, released.err
    assert shop.states() == {"shop.slow": "lost"}
    shop.go("slow")
    assert holder.wait() == 1
    text = " ".join((holder.out + holder.err).split())
    assert WHO in text
    assert re.search(r"shop\.slow finished, but it.* released .*; the success was not recorded\.", text)
    assert shop.states() == {"shop.slow": "lost"}
    assert shop.outcomes() == ["lost", "succeeded"], "the run, and the release"
    assert shop.effects() == ({} if options else {"slow": 1}), "an atomic script is rolled back"


def test_another_process_runs_a_released_script_while_the_first_one_lives(shop: Shop) -> None:
    shop.script("shop.slow", "effect('slow'); hold('slow')")
    first = shop.hold("slow", "slow")
    assert shop.run(*RELEASE).code == 0
    second = shop.hold("slow", "run_scripts")
    assert shop.states() == {"shop.slow": "running"}
    shop.go("slow")
    assert (first.wait(), second.wait()) == (1, 0), second.err
    assert shop.states() == {"shop.slow": "applied"}
    assert shop.outcomes() == ["lost", "succeeded", "succeeded"]


def test_a_runner_that_waits_goes_on_at_once(shop: Shop) -> None:
    shop.script("shop.slow", "effect('slow'); hold('slow')")
    shop.hold("slow", "slow")
    (waiting,) = shop.start(("run_scripts", "--wait", "600"))
    assert shop.run(*RELEASE).code == 0
    shop.go("slow")
    assert waiting.wait() == 0, waiting.err
    assert shop.effects() == {"slow": 2}


def test_the_person_reads_who_held_it_and_that_a_living_process_goes_on(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    holder = shop.hold("slow", "slow")
    lines = shop.run(*RELEASE).out.splitlines()
    assert lines[0] == "Released (1):"
    assert lines[1].startswith("  shop.slow: it was running since ")
    assert f" on {socket.gethostname()}, process {holder.pid}" in lines[1]
    assert lines[2:] == [
        "If the process is still alive, its work goes on, and only its success is not recorded. Kill it first.",
        "To run again: manage.py run_scripts shop.slow",
    ]
    shop.go("slow")
    holder.wait()


def test_an_escape_in_a_reason_does_not_reach_the_terminal_raw(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    holder = shop.hold("slow", "slow")
    assert shop.run(*RELEASE[:-1], "a\x1b[31m\nred").code == 0
    shop.go("slow")
    assert holder.wait() == 1
    # The heartbeat may have said why before; then the error is shorter.
    assert re.search(r": a\^\[\[31m red; (the|a) success (was not|will not be) recorded\.", holder.err)
    assert "\x1b" not in holder.err + shop.run("check_scripts").out + shop.run("show_script", "slow").out


def test_the_history_says_who_released_it_when_and_why(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    shop.hold("slow", "slow")
    assert shop.run(*RELEASE).code == 0
    found = json.loads(shop.run("show_script", "slow", "--format", "json").out)
    release, run = found["runs"]
    assert (release["kind"], release["reason"], release["user"]) == ("release", WHY, getpass.getuser())
    assert release["started_at"] > run["started_at"]
    assert (run["outcome"], run["reason"], run["ended_at"]) == ("lost", WHO, None)
    assert WHO in found["why"]
    assert f"released, {getpass.getuser()} on " in shop.run("show_script", "slow").out
    assert f"shop.slow: the last run never ended (started {run['started_at'][:4]}" in " ".join(
        shop.run("check_scripts").out.split()
    )


def test_what_does_not_run_is_refused_with_the_reason_and_the_rest_is_released(shop: Shop) -> None:
    for name in ("slow", "fresh", "applied", "expired"):
        shop.script(f"shop.{name}", f"hold('{name}')")
    shop.go("applied")
    shop.run("applied")
    expired = shop.hold("expired", "expired")
    expired.signal(signal.SIGKILL)
    expired.wait()
    shop.expire()
    shop.hold("slow", "slow")
    result = shop.run("check_scripts", "--release", "fresh", "applied", "expired", "slow", "--reason", WHY)
    assert result.code == 1
    assert result.out.splitlines()[0] == "Released (1):"
    for line in (
        "shop.fresh skipped: it is not running (state: new)",
        "shop.applied skipped: it is not running (state: applied)",
        "shop.expired skipped: its lease has run out already; to run it again: manage.py run_scripts shop.expired",
    ):
        assert line in result.err
    assert sorted(shop.states().items()) == [
        *(("shop.applied", "applied"), ("shop.expired", "lost"), ("shop.fresh", "new"), ("shop.slow", "lost"))
    ]


@pytest.mark.parametrize("kind_name", ["sqlite"])
def test_on_sqlite_an_open_transaction_keeps_a_release_off_and_the_run_ends_well(shop: Shop) -> None:
    shop.project.settings("DATABASES['default']['OPTIONS'] = {'timeout': 0.1}")
    shop.script("shop.slow", "effect('slow'); hold('slow')", options="atomic=True")
    holder = shop.hold("slow", "run_scripts")
    result = shop.run(*RELEASE)
    assert result.code == 1
    assert (
        "shop.slow skipped: another transaction has locked it (database is locked); try again" in result.err
    )
    shop.go("slow")
    assert holder.wait() == 0, holder.err
    assert shop.outcomes() == ["succeeded"]


@SERVERS
def test_a_process_that_still_lives_says_at_its_next_heartbeat_who_released_it(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    holder = shop.hold("slow", "slow")
    assert shop.run(*RELEASE).code == 0
    text = f"shop.slow is still running, but its run was {WHO}; a success will not be recorded."
    wait_for(lambda: text in " ".join(holder.err.split()), "it says so")
    shop.go("slow")
    assert holder.wait() == 1
    said = " ".join((holder.out + holder.err).split())
    assert said.count(WHO) == 1
    assert "shop.slow finished, but it was released in the meantime; the success was not recorded." in said


@SERVERS
def test_a_lock_on_the_run_keeps_a_release_off_with_one_line(shop: Shop) -> None:
    """As an administrator who looks at the table with FOR UPDATE."""
    timeout = (
        "lock_timeout = '100ms'"
        if shop.project.kind.engine == "postgresql"
        else "innodb_lock_wait_timeout = 1"
    )
    init = (
        "{'options': '-c lock_timeout=100ms'}"
        if shop.project.kind.engine == "postgresql"
        else "{'init_command': 'SET " + timeout + "'}"
    )
    shop.project.settings(f"DATABASES['default']['OPTIONS'] = {init}")
    shop.script("shop.slow", "hold('slow')")
    shop.hold("slow", "slow")
    shop.script(
        "shop.lock",
        "from django.db import transaction, connection as c\n"
        "        with transaction.atomic():\n"
        "            c.cursor().execute('SELECT * FROM scripts_tracker_scriptrun FOR UPDATE'); hold('lock')",
    )
    shop.project.path("shop.lock").write_text(
        shop.project.path("shop.lock").read_text().replace("    @tracked_script()\n", "")
    )
    locker = shop.hold("lock", "lock")
    result = shop.run(*RELEASE)
    assert result.code == 1
    assert "shop.slow skipped: another transaction has locked it (" in result.err
    assert len(result.err.strip().splitlines()) == 1
    shop.go("lock")
    assert locker.wait() == 0, locker.err
