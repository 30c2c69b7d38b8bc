"""Circles in what requires what."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts_tracker.datatypes import ScriptId


def cycles(requires: Mapping[ScriptId, Sequence[ScriptId]]) -> list[tuple[ScriptId, ...]]:
    """The shortest circle through every script that stands in one, each circle once.

    Args:
        requires: for each script the scripts it requires; what requires itself alone is left out.

    Returns:
        Circles that start with their first script in sort order, sorted.
    """
    edges = _core({one: [other for other in others if other != one] for one, others in requires.items()})
    found = set()
    for start in sorted(edges):
        circle = _shortest(start, edges)
        if circle:
            first = circle.index(min(circle))
            found.add((*circle[first:], *circle[:first]))
    return sorted(found)


def _core(edges: dict[ScriptId, list[ScriptId]]) -> dict[ScriptId, list[ScriptId]]:
    """Without the scripts that require nothing that is left: none of them stands in a circle."""
    while True:
        kept = {
            one: left
            for one, others in edges.items()
            if (left := [other for other in others if edges.get(other)])
        }
        if kept == edges:
            return edges
        edges = kept


def _shortest(start: ScriptId, edges: Mapping[ScriptId, Sequence[ScriptId]]) -> tuple[ScriptId, ...]:
    before: dict[ScriptId, ScriptId] = {}
    queue = deque([start])
    while queue:
        current = queue.popleft()
        for other in edges.get(current, ()):
            if other == start:
                path = [current]
                while path[-1] != start:
                    path.append(before[path[-1]])
                return tuple(reversed(path))
            if other not in before:
                before[other] = current
                queue.append(other)
    return ()
