"""A tracked command typed by hand takes the same lease as run_scripts."""

from __future__ import annotations

import json
import signal
import socket

import pytest

from tests.databases.fixtures import SERVERS
from tests.running.shops import NOW, Shop


@pytest.mark.parametrize("options", ["", "atomic=True"], ids=["plain", "atomic"])
@pytest.mark.parametrize("holding", ["run_scripts", "slow"])
def test_the_refusal_names_the_holder_and_since_when(shop: Shop, options: str, holding: str) -> None:
    shop.script("shop.slow", "effect('slow'); hold('slow')", options=options)
    holder = shop.hold("slow", holding)
    assert shop.states() == {"shop.slow": "running"}
    other = shop.run("slow")
    assert other.code == 1
    who = f" on {socket.gethostname()}, process {holder.pid}; "
    assert ". Wait until that ends. To follow it: manage.py show_script shop.slow --watch\n" in other.err
    assert "shop.slow was not run: running since " in other.err
    assert who in other.err
    shop.go("slow")
    assert holder.wait() == 0, holder.err
    assert shop.effects() == {"slow": 1}
    assert shop.outcomes() == ["succeeded"]


def test_a_runner_waits_and_then_finds_the_script_applied(shop: Shop) -> None:
    shop.script("shop.slow", "effect('slow'); hold('slow')")
    shop.script("shop.later", "effect('later')", requires=("shop.slow",))
    holder = shop.hold("slow", "slow")
    (runner,) = shop.start(("run_scripts", "--wait", "600"))
    shop.go("slow")
    assert (holder.wait(), runner.wait()) == (0, 0), runner.err
    assert shop.effects() == {"slow": 1, "later": 1}


def test_a_script_that_requires_a_running_one_has_to_wait(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    shop.script("shop.later", "effect('later')", requires=("shop.slow",))
    holder = shop.hold("slow", "slow")
    later = shop.run("later")
    assert later.code == 1
    assert "it requires shop.slow (running). Wait until it ends: shop.slow.\n" in later.err
    shop.go("slow")
    assert holder.wait() == 0, holder.err
    assert not shop.effects()


def test_whoever_is_held_up_reads_when_the_holder_gave_its_last_sign_of_life(shop: Shop) -> None:
    shop.lease(600, sign_of_life=300)
    shop.script("shop.slow", "hold('slow')")
    holder = shop.hold("slow", "slow")
    now = NOW[shop.project.kind.engine]
    ages = f"lease_renewed = {now} - 4000, lease_expires = {now} + 4000"
    shop.project.execute(f"UPDATE scripts_tracker_script SET {ages}")  # noqa: S608 - our own words
    is_sqlite = shop.project.kind.engine == "sqlite"
    words = (
        "; its process is alive"
        if is_sqlite
        else "; last sign of life 1 h 6 min ago, free in 1 h 6 min if none follows"
    )
    by_hand, waiting = shop.run("slow"), shop.run("run_scripts", "--wait", "0.2")
    for text in (
        by_hand.err,
        *waiting.out.splitlines()[1:3],
        shop.run("check_scripts", "--all").out,
        shop.run("show_script", "slow").out,
    ):
        assert f", process {holder.pid}{words}" in text
    (found,) = json.loads(shop.run("check_scripts", "--all", "--format", "json").out)["scripts"]
    seconds = {name: value and round(value / 100) for name, value in found["lease"].items()}
    assert seconds == dict.fromkeys(("last_sign_of_life", "free_in"), None if is_sqlite else 40)


@SERVERS
def test_a_lost_run_says_when_its_process_gave_its_last_sign_of_life(shop: Shop) -> None:
    shop.script("shop.slow", "hold('slow')")
    holder = shop.hold("slow", "slow")
    holder.signal(signal.SIGKILL)
    holder.wait()
    now = NOW[shop.project.kind.engine]
    ages = f"lease_renewed = {now} - 4000, lease_expires = {now} - 3400"
    shop.project.execute(f"UPDATE scripts_tracker_script SET {ages}")  # noqa: S608 - our own words
    told = shop.run("check_scripts").out
    assert f", process {holder.pid}; last sign of life 1 h 6 min ago)" in told
    assert shop.states() == {"shop.slow": "lost"}
