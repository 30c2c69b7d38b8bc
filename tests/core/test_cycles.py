"""Cycles among requirements, against a search that is slow and plain."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts_tracker.core.cycles import describe, find_cycles
from scripts_tracker.core.values import ScriptId
from tests.growth import LARGER, grows_in_proportion
from tests.properties import AT_ANY_SPEED


def script(number: int) -> ScriptId:
    return ScriptId("a", f"s{number:05d}")


def graph_of(required: Mapping[int, list[int]]) -> Mapping[ScriptId, Sequence[ScriptId]]:
    return {script(number): [script(other) for other in others] for number, others in required.items()}


def named(required: Mapping[int, list[int]]) -> list[list[int]]:
    return [[int(one.name[1:]) for one in cycle] for cycle in find_cycles(graph_of(required))]


CASES: dict[str, tuple[Mapping[int, list[int]], list[list[int]]]] = {
    "nothing": ({}, []),
    "a chain has none": ({1: [2], 2: [3], 3: []}, []),
    "a diamond has none": ({1: [2, 3], 2: [4], 3: [4], 4: []}, []),
    "a requirement that is no script has none": ({1: [2, 7], 2: [7]}, []),
    "what leads to a cycle, or comes after one, is in none": ({1: [2], 2: [3], 3: [2, 4], 4: []}, [[2, 3, 2]]),
    "a script that requires itself": ({1: [2], 2: [2]}, [[2, 2]]),
    "a cycle starts at its smallest script and leads to what that requires": ({3: [1], 1: [2], 2: [3]}, [[1, 2, 3, 1]]),
    "two cycles that share a script": ({1: [2], 2: [1, 3], 3: [2]}, [[1, 2, 1], [2, 3, 2]]),
    "two cycles that share a requirement": ({1: [2], 2: [3, 4], 3: [1], 4: [1]}, [[1, 2, 3, 1], [1, 2, 4, 1]]),
    "a short cycle within a long one": ({1: [2], 2: [3], 3: [4, 2], 4: [1]}, [[1, 2, 3, 4, 1], [2, 3, 2]]),
    "a requirement that is named twice": ({1: [2, 2], 2: [1, 1]}, [[1, 2, 1]]),
}  # fmt: skip


@pytest.mark.parametrize(("required", "expected"), CASES.values(), ids=CASES)
def test_cycles(required: Mapping[int, list[int]], expected: list[list[int]]) -> None:
    assert named(required) == expected


def shortest_through(start: int, required: Mapping[int, list[int]]) -> int:
    """How many requirements the shortest cycle through a script has; 0 if it is in none."""
    reached, length = set(required.get(start, [])), 1
    while start not in reached:
        further = reached | {other for one in reached for other in required.get(one, [])}
        if further == reached:
            return 0
        reached, length = further, length + 1
    return length


@AT_ANY_SPEED
@given(st.dictionaries(st.integers(0, 11), st.lists(st.integers(0, 13), max_size=4), max_size=12))
def test_each_cycle_is_real_and_named_once_and_each_script_has_its_shortest(
    required: dict[int, list[int]],
) -> None:
    found = named(required)
    assert found == sorted(found)
    assert len({frozenset(itertools.pairwise(cycle)) for cycle in found}) == len(found)
    for cycle in found:
        assert cycle[0] == cycle[-1] == min(cycle)
        assert len(set(cycle)) == len(cycle) - 1
        assert all(after in required[before] for before, after in itertools.pairwise(cycle))
    for number in required:
        lengths = [len(cycle) - 1 for cycle in found if number in cycle]
        assert min(lengths, default=0) == shortest_through(number, required)


def crosswise(count: int) -> dict[int, list[int]]:
    rng = random.Random(count)  # noqa: S311 - no secret
    return {number: [rng.randrange(count) for _ in range(5)] for number in range(count)}


def layers(count: int) -> dict[int, list[int]]:
    rng = random.Random(count)  # noqa: S311 - no secret
    return {
        number: [(number // 50 + 1) * 50 + rng.randrange(50) for _ in range(5)] for number in range(count)
    }


SHAPES: dict[str, tuple[Callable[[int], dict[int, list[int]]], Callable[[int], int]]] = {
    "a chain": (lambda count: {n: [n + 1] for n in range(count)}, lambda count: 0),
    "a chain of names that go down": (lambda count: {n: [n - 1] for n in range(count)}, lambda count: 0),
    "layers": (layers, lambda count: 0),
    "scripts that all require one": (lambda count: {n: [0] * (n > 0) for n in range(count)}, lambda count: 0),
    "pairs": (lambda count: {n: [n ^ 1] for n in range(count)}, lambda count: count // 2),
    "one large cycle": (lambda count: {n: [(n + 1) % count] for n in range(count)}, lambda count: 1),
    "one script and each other": (
        lambda count: {0: [*range(1, count)], **{n: [0] for n in range(1, count)}},
        lambda count: count - 1,
    ),
    "five requirements each, crosswise": (crosswise, lambda count: 1),
    "a long way to many ways back": (
        lambda count: {
            **{n: [n + 1] for n in range(count // 2)},
            count // 2: [*range(count // 2 + 1, count)],
            **{n: [0] for n in range(count // 2 + 1, count)},
        },
        lambda count: 1,
    ),
}


@pytest.mark.parametrize(("shape", "least"), SHAPES.values(), ids=SHAPES)
def test_the_time_to_find_cycles_grows_with_the_scripts(
    shape: Callable[[int], dict[int, list[int]]], least: Callable[[int], int]
) -> None:
    small, large = (graph_of(shape(count)) for count in (8_000 // LARGER, 8_000))
    assert grows_in_proportion(lambda: find_cycles(small), lambda: find_cycles(large))
    found = find_cycles(large)
    assert len(found) >= least(8_000)
    assert bool(found) == bool(least(8_000))


def test_a_long_cycle_is_described_by_its_ends() -> None:
    short, long = ((*map(script, range(count)), script(0)) for count in (11, 300))
    assert describe(short) == " -> ".join(map(str, short))
    assert describe(long).startswith("a.s00000 -> a.s00001 -> ")
    assert describe(long).endswith(" -> a.s00009 -> (289 more) -> a.s00299 -> a.s00000")
