"""How the time for cycles, plans and trees grows with the scripts, by the shape of their requirements."""

from __future__ import annotations

import random
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from benchmarks.rows import Row
from scripts_tracker.core import planning, states
from scripts_tracker.core.cycles import find_cycles
from scripts_tracker.core.values import (
    Fingerprint,
    Location,
    Requirement,
    ScriptDefinition,
    ScriptId,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from benchmarks.groups import Bench
    from scripts_tracker.core.states import ScriptStatus

SCRIPTS: Final = 20_000
_LARGER: Final = 8
"""How many times as many scripts the large project has: a quadratic search would take 64 times as long."""
_PLACE: Final = Location("shop/management/commands/script.py")


def _layer(number: int, count: int) -> list[int]:
    below = range((number // 50 + 1) * 50, min((number // 50 + 2) * 50, count))
    return random.Random(number).sample(below, min(5, len(below)))


SHAPES: Final[Mapping[str, Callable[[int, int], list[int]]]] = {
    "in a chain": lambda number, count: [number + 1] * (number + 1 < count),
    "that require each other in pairs": lambda number, _: [number ^ 1],
    "in one cycle": lambda number, count: [(number + 1) % count],
    "in layers, five requirements each": _layer,
}
"""What a script requires, by its number."""


def project(shape: str, count: int) -> dict[ScriptId, ScriptStatus]:
    """New scripts that require each other in one of the shapes."""
    ids = [ScriptId("shop", f"script_{number:05d}") for number in range(count)]
    found = [
        ScriptDefinition(
            script_id,
            _PLACE,
            Fingerprint("st1", "0"),
            "",
            requires=tuple(
                Requirement(ids[other], str(ids[other]), _PLACE) for other in SHAPES[shape](number, count)
            ),
        )
        for number, script_id in enumerate(ids)
    ]
    return {status.id: status for status in states.statuses(found, {})}


def _least(work: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def growth(bench: Bench) -> list[Row]:
    """Cycles and plans, by the ratio of two sizes."""
    return [row for shape in SHAPES for row in _rows(shape, bench.rounds)]


def _rows(shape: str, rounds: int) -> list[Row]:
    sizes = (SCRIPTS, SCRIPTS // _LARGER)
    many, few = (project(shape, count) for count in sizes)
    graphs = [planning.requirement_graph(each.values(), each) for each in (many, few)]
    cycles = [_least(partial(find_cycles, graph), rounds) for graph in graphs]
    plans = [_least(partial(planning.make_plan, each.values(), each), rounds) for each in (many, few)]
    against = f"the same, {sizes[1]:,} scripts"
    return [
        Row("growth", f"{what}, {SCRIPTS:,} scripts {shape}", against, ours, other, 3 * _LARGER, by_cpu=True)
        for what, (ours, other) in (("the search for cycles", cycles), ("a plan", plans))
    ]
