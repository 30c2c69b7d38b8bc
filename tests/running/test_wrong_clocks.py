"""The clock of one host is an hour off: a lease is measured by the database's."""

from __future__ import annotations

import signal

import pytest

from tests.databases.fixtures import SERVERS
from tests.running.shops import Shop
from tests.waiting import wait_for

OFF = pytest.mark.parametrize("clock", [3600, -3600], ids=["ahead", "behind"])


def wait_for_a_heartbeat(shop: Shop) -> None:
    """Where there is one: on SQLite processes are looked for instead."""
    if shop.project.kind.engine != "sqlite":
        ends = "SELECT lease_expires FROM scripts_tracker_script"
        before = shop.project.execute(ends)
        wait_for(lambda: shop.project.execute(ends) != before, "the lease is renewed")


@OFF
@pytest.mark.parametrize("whose", ["the holder's", "the other's"])
def test_a_live_lease_holds(shop: Shop, clock: int, whose: str) -> None:
    shop.script("shop.slow", "hold('slow')")
    off = shop.host(clock)
    holder = shop.hold("slow", "run_scripts", warm=off if whose == "the holder's" else None)
    wait_for_a_heartbeat(shop)
    other = shop.run("run_scripts", "--wait", "0", warm=off if whose == "the other's" else None)
    assert other.code == 1
    assert f"process {holder.pid}" in other.out + other.err
    shop.go("slow")
    assert holder.wait() == 0, holder.err
    assert shop.outcomes() == ["succeeded"]
    assert shop.states() == {"shop.slow": "applied"}


@SERVERS
@OFF
def test_a_lease_runs_out_by_the_clock_of_the_database(shop: Shop, clock: int) -> None:
    shop.lease(1000)
    shop.script("shop.slow", "hold('slow')")
    holder = shop.hold("slow", "run_scripts")
    holder.signal(signal.SIGKILL)
    holder.wait()
    shop.go("slow")
    off = shop.host(clock)
    assert shop.run("run_scripts", "--wait", "0", warm=off).code == 1
    assert shop.outcomes() == ["running"]
    shop.expire()
    other = shop.run("run_scripts", "--wait", "0", warm=off)
    assert other.code == 0, other.err
    assert shop.outcomes() == ["lost", "succeeded"]
