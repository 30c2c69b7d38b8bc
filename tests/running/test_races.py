"""Eight processes at once, as the pods of one deploy."""

from __future__ import annotations

from collections import Counter

from tests.databases.fixtures import shared_out
from tests.running.shops import Shop
from tests.switches import FULL, at_length

RACERS = 8
# 510 rounds at full length: 150 on each kind of database and 60 through PgBouncer, shared out over the workers.
SHARDS, ROUNDS = 5 if FULL else 1, at_length(30, sample=1)


def twenty_scripts(shop: Shop) -> list[str]:
    """Each third needs the one before it, each seventh the first as well; some are transactions."""
    names = [f"{'shop' if number % 2 else 'stock'}.s{number:02}" for number in range(20)]
    for number, name in enumerate(names):
        requires = {names[number - 1]} if number % 3 == 2 else set()
        requires |= {names[0]} if number and number % 7 == 0 else set()
        options = "atomic=True" if number % 4 == 1 else ""
        shop.script(name, f"effect({name!r})", options=options, requires=tuple(sorted(requires)))
    return names


@shared_out(SHARDS)
def test_each_effect_happens_exactly_once_and_every_process_succeeds(shop: Shop, shard: int) -> None:
    names = twenty_scripts(shop)
    for _ in range(ROUNDS):
        shop.forget_everything()
        racers = shop.start(*[("run_scripts", "--wait", "600")] * RACERS)
        answer = [(process.wait(), process.err) for process in racers]
        assert answer == [(0, "")] * RACERS, [(process.out, process.err) for process in racers]
        assert shop.effects() == Counter(names)
        assert shop.outcomes() == ["succeeded"] * len(names)
    assert set(shop.states().values()) == {"applied"}
