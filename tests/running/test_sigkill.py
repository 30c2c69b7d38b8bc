"""A runner is killed at random moments: the ledger is true, and the next run repairs everything."""

from __future__ import annotations

import random
import signal
import time

from tests.databases.fixtures import shared_out
from tests.running.shops import Shop
from tests.switches import FULL, at_length
from tests.waiting import wait_for

# At full length 200 kills on each kind of database and 50 through PgBouncer, shared out over the workers.
SHARDS, KILLS = 8 if FULL else 1, at_length(25, sample=3)
ATOMIC = {"shop.a1", "shop.a3", "stock.a5"}
PLAIN = {"shop.p2", "stock.p4"}


def scripts(shop: Shop) -> None:
    """Each leaves ``begun`` first and its name last; there is time to die in between."""
    for name in ATOMIC | PLAIN:
        body = f"import time; effect('begun'); time.sleep(0.01); effect({name!r})"
        shop.script(name, body, options="atomic=True" if name in ATOMIC else "")


def applied(shop: Shop) -> set[str]:
    return {name for name, state in shop.states().items() if state == "applied"}


def assert_the_truth(shop: Shop) -> None:
    states, effects = shop.states(), shop.effects()
    assert "running" not in states.values(), "longer than its lease"
    done = {name for name, state in states.items() if state == "applied"}
    finished = set(effects) - {"begun"}
    assert done <= finished, "applied without having finished"
    assert finished & ATOMIC <= done, "a transaction that was committed, and is not applied"


def how_long_it_takes(shop: Shop) -> float:
    began = time.monotonic()
    process = shop.run("run_scripts")
    assert process.code == 0, process.err
    return time.monotonic() - began


@shared_out(SHARDS)
def test_after_a_kill_at_any_moment_the_ledger_is_true_and_the_next_run_completes(
    shop: Shop, shard: int
) -> None:
    moments = random.Random(shard)  # noqa: S311 - to be had again
    scripts(shop)
    shop.lease(1)
    longest = how_long_it_takes(shop)
    for _ in range(KILLS):
        shop.forget_everything()
        (victim,) = shop.start(("run_scripts",))
        time.sleep(moments.uniform(0, longest))  # the moment is what the test is about
        victim.signal(signal.SIGKILL)
        victim.wait()
        wait_for(lambda: shop.lease_ends() <= 0, "every lease runs out")
        assert_the_truth(shop)
        longest = max(longest, how_long_it_takes(shop))
        assert applied(shop) == ATOMIC | PLAIN
        assert all(shop.effects()[name] == 1 for name in ATOMIC)
