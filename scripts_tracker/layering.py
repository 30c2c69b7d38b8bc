"""Where the nodes of a directed graph go in a picture: in columns, every arrow from left to right. Pure.

Layers by the longest path, bends where an arrow passes a column, a few sweeps against crossings (after Sugiyama).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

N = TypeVar("N", bound="Hashable")

# An arrow over many columns needs a bend in each; beyond this, arrows go straight.
_MOST_BENDS = 1_500
_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Bend:
    """Where an arrow passes a column: the number of the arrow, and which of its bends it is."""

    edge: int
    number: int


@dataclass(frozen=True, slots=True)
class Layout(Generic[N]):
    """The columns from left to right, each from top to bottom; the arrows as paths through them.

    ``turned`` are the numbers of the arrows that would close a circle: their paths lead backwards.
    """

    columns: tuple[tuple[N | Bend, ...], ...]
    paths: tuple[tuple[N | Bend, ...], ...]
    turned: frozenset[int]


def arrange(nodes: Sequence[N], edges: Sequence[tuple[N, N]]) -> Layout[N]:
    """Put nodes into columns.

    Args:
        nodes: all of them; neighbours in a column keep this order where no arrow says otherwise.
        edges: (from, to), from another node than to.
    """
    turned = _turned(nodes, edges)
    ahead = [(to, one) if number in turned else (one, to) for number, (one, to) in enumerate(edges)]
    column_of = _columns(nodes, ahead)
    paths = _paths(ahead, column_of)
    columns: list[list[N | Bend]] = [[] for _ in range(max(column_of.values(), default=-1) + 1)]
    for node in nodes:
        columns[column_of[node]].append(node)
    for path in paths:
        for number, bend in enumerate(path[1:-1], start=column_of[path[0]] + 1):  # type: ignore[index]  # a path begins at a node
            columns[number].append(bend)
    _untangle(columns, paths)
    shown = (tuple(reversed(path)) if number in turned else path for number, path in enumerate(paths))
    return Layout(tuple(map(tuple, columns)), tuple(shown), turned)


def _turned(nodes: Sequence[N], edges: Sequence[tuple[N, N]]) -> frozenset[int]:
    """The arrows that lead back to where a walk came from; without them there is no circle."""
    leaving = defaultdict(list)
    for number, (one, to) in enumerate(edges):
        leaving[one].append((number, to))
    done: set[N] = set()
    found = set()
    for start in nodes:
        walk = [] if start in done else [(start, iter(leaving[start]))]
        on_the_way = {start}
        while walk:
            node, rest = walk[-1]
            number, to = next(rest, (-1, node))
            if number < 0:
                walk.pop()
                on_the_way.discard(node)
                done.add(node)
            elif to in on_the_way:
                found.add(number)
            elif to not in done:
                on_the_way.add(to)
                walk.append((to, iter(leaving[to])))
    return frozenset(found)


def _columns(nodes: Sequence[N], edges: Iterable[tuple[N, N]]) -> dict[N, int]:
    """Each node as far left as what leads to it allows; what nothing leads to, close to where it leads."""
    leaving, entering = defaultdict(list), dict.fromkeys(nodes, 0)
    for one, to in edges:
        leaving[one].append(to)
        entering[to] += 1
    first = [node for node in nodes if not entering[node]]
    column_of = dict.fromkeys(nodes, 0)
    waiting = list(first)
    for node in waiting:
        for to in leaving[node]:
            column_of[to] = max(column_of[to], column_of[node] + 1)
            entering[to] -= 1
            if not entering[to]:
                waiting.append(to)
    for node in first:
        column_of[node] = min((column_of[to] for to in leaving[node]), default=1) - 1
    return column_of


def _paths(edges: Sequence[tuple[N, N]], column_of: Mapping[N, int]) -> tuple[tuple[N | Bend, ...], ...]:
    bends = sum(column_of[to] - column_of[one] - 1 for one, to in edges)
    return tuple(
        (one, *_bends(number, 0 if bends > _MOST_BENDS else column_of[to] - column_of[one] - 1), to)
        for number, (one, to) in enumerate(edges)
    )


def _bends(edge: int, count: int) -> Iterable[Bend]:
    return (Bend(edge, number) for number in range(count))


def _untangle(columns: list[list[N | Bend]], paths: Iterable[Sequence[N | Bend]]) -> None:
    """Sort each column by the middle of what its members are joined with, to and fro."""
    before, after = defaultdict(list), defaultdict(list)
    for path in paths:
        for one, to in pairwise(path):
            after[one].append(to)
            before[to].append(one)
    for sweep in range(_SWEEPS):
        joined = before if sweep % 2 == 0 else after
        place = {member: index / len(column) for column in columns for index, member in enumerate(column)}
        for column in columns if sweep % 2 == 0 else reversed(columns):
            middles = {
                member: sum(place[other] for other in joined[member]) / len(joined[member])
                if joined[member]
                else place[member]
                for member in column
            }
            column.sort(key=middles.__getitem__)
            place.update((member, index / len(column)) for index, member in enumerate(column))
