"""``show_script --watch``: a running script is followed until it ends."""

from __future__ import annotations

import io
import signal
from typing import Any

import pytest
from django.core.management import call_command

from scripts_tracker.models import ScriptRun
from scripts_tracker.project import following
from tests.databases.fixtures import SERVERS
from tests.jobs import Jobs
from tests.running.shops import Shop
from tests.waiting import wait_for
from tests.warm.client import Process

WATCH = ("show_script", "slow", "--watch")


def prints(shop: Shop, output: str) -> None:
    """As a sign of life of the running script would leave it."""
    where = "WHERE outcome = 'running'"
    shop.project.execute(f"UPDATE scripts_tracker_scriptrun SET output = '{output}' {where}")  # noqa: S608 - our own words


def watch(shop: Shop) -> Process:
    (process,) = shop.start(WATCH)
    wait_for(lambda: process.files[0].exists() and "running since" in process.out, "the watch has begun")
    return process


def test_the_output_appears_as_it_grows_and_the_exit_code_is_0_after_a_success(shop: Shop) -> None:
    shop.lease(600, sign_of_life=300)
    shop.script("shop.slow", "hold('slow'); print('the end')")
    shop.hold("slow", "slow")
    prints(shop, "row 1\n")
    watcher = watch(shop)
    prints(shop, "row 1\nrow 2\n")
    wait_for(lambda: "\nrow 1\nrow 2\n" in watcher.out, "the second row is shown")
    shop.go("slow")
    assert watcher.wait() == 0, watcher.err
    assert "\x1b" not in watcher.out
    assert watcher.out.splitlines()[-1].startswith("shop.slow: succeeded in ")
    assert "the end" in watcher.out
    assert watcher.err == ""


@SERVERS
@pytest.mark.parametrize("options", ["", "atomic=True"], ids=["plain", "atomic"])
def test_what_a_script_prints_is_shown_with_its_next_sign_of_life(shop: Shop, options: str) -> None:
    shop.script("shop.slow", "print('row 1'); hold('slow')", options=options)
    shop.hold("slow", "slow")
    watcher = watch(shop)
    wait_for(lambda: "\nrow 1\n" in watcher.out, "the first row is shown")
    assert shop.states() == {"shop.slow": "running"}
    shop.go("slow")
    assert watcher.wait() == 0, watcher.err


def test_after_a_failure_the_exit_code_is_1(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow'); raise ValueError('no such order')")
    shop.hold("slow", "slow")
    watcher = watch(shop)
    shop.go("slow")
    assert watcher.wait() == 1
    lines = watcher.out.splitlines()
    assert lines[-2].endswith(": ValueError: no such order")
    assert lines[-1] == "To see why: manage.py show_script shop.slow"


def test_after_a_kill_the_exit_code_is_3(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    holder = shop.hold("slow", "slow")
    watcher = watch(shop)
    holder.signal(signal.SIGKILL)
    holder.wait()
    shop.expire()
    assert watcher.wait() == 3
    assert "shop.slow: lost" in watcher.out


def test_after_a_release_the_exit_code_is_3_and_the_reason_is_shown(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    shop.hold("slow", "slow")
    watcher = watch(shop)
    assert shop.run("check_scripts", "--release", "slow", "--reason", "host is gone").code == 0
    assert watcher.wait() == 3
    assert ": host is gone\n" in watcher.out


def test_ctrl_c_leaves_quietly(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    shop.hold("slow", "slow")
    watcher = watch(shop)
    watcher.signal(signal.SIGINT)
    assert (watcher.wait(), watcher.err) == (130, "")
    assert shop.states() == {"shop.slow": "running"}


@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_it_goes_on_after_the_database_was_away(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    shop.hold("slow", "slow")
    watcher = watch(shop)
    shop.project.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    shop.go("slow")
    assert watcher.wait() == 0, watcher.err


def test_a_script_that_does_not_run_is_no_reason_to_wait(jobs: Jobs) -> None:
    jobs.script("fresh")
    jobs.script("done")
    jobs.run("done")
    told = [jobs.run(name, command="show_script", watch=True) for name in ("fresh", "done")]
    assert [result.code for result in told] == [2, 2]
    assert told[0].err == (
        "jobs.fresh is not running: never applied here. To run it: manage.py run_scripts jobs.fresh\n"
    )
    assert told[1].err.startswith("jobs.done is not running: applied on ")
    assert told[1].err.endswith(". To see its last run: manage.py show_script jobs.done\n")


@pytest.mark.parametrize("option", [{"diff": True}, {"history": True}, {"format": "json"}], ids=str)
def test_it_is_not_combined_with_what_looks_back(jobs: Jobs, option: dict[str, Any]) -> None:
    jobs.script("slow")
    jobs.begin_elsewhere("slow")
    result = jobs.run("slow", command="show_script", watch=True, **option)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("--watch takes neither --diff, --history nor --format")


def test_a_look_is_one_query_and_the_next_one_comes_a_second_later(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    jobs.script("slow")
    run = jobs.begin_elsewhere("slow")
    pauses: list[float] = []

    def end_after_three(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            ScriptRun.objects.update(outcome="succeeded")

    monkeypatch.setattr("time.sleep", end_after_three)
    with django_assert_num_queries(4 + 1):
        looks = list(following.follow(run.pk))
    assert [look.run.outcome for look in looks if look] == ["running"] * 3 + ["succeeded"]
    assert pauses == [following.PAUSE] * 3


class Closed(io.StringIO):
    """A reader that has seen enough after the first look, as ``| head``."""

    def write(self, text: str) -> int:
        if self.tell():
            raise BrokenPipeError
        return super().write(text)

    def fileno(self) -> int:
        return 99


def test_a_reader_that_has_seen_enough_ends_it(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs.script("slow")
    run = jobs.begin_elsewhere("slow")
    row = ScriptRun.objects.filter(pk=run.pk)
    monkeypatch.setattr("time.sleep", lambda _: row.update(output="row 1\n"))
    monkeypatch.setattr("os.dup2", lambda *_: None)
    call_command("show_script", "slow", watch=True, stdout=Closed())
