"""A tracked command typed by hand takes the same lease as run_scripts."""

from __future__ import annotations

import socket

import pytest

from tests.running.shops import Shop


@pytest.mark.parametrize("options", ["", "atomic=True"], ids=["plain", "atomic"])
@pytest.mark.parametrize("holding", ["run_scripts", "slow"])
def test_the_refusal_names_the_holder_and_since_when(shop: Shop, options: str, holding: str) -> None:
    shop.script("shop.slow", "effect('slow'); hold('slow')", options=options)
    holder = shop.hold("slow", holding)
    assert shop.states() == {"shop.slow": "running"}
    other = shop.run("slow")
    assert other.code == 1
    who = f" on {socket.gethostname()}, process {holder.pid}. Wait until that ends."
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
