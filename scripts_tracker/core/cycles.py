"""Cycles: scripts that require each other, so that none of them can run first. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts_tracker.core.values import ScriptId

    Graph = Mapping[ScriptId, Sequence[ScriptId]]
    """Each script with those that must run before it."""
    Cycle = tuple[ScriptId, ...]
    """A closed path: each script requires the next one, and the last is the first again."""

# How many requirements the search follows in one group: so many, and so many times those of the group. That finds the
# cycles of a few hundred scripts, whatever they require, and takes a time in proportion to the size of any group.
_LEAST_STEPS: Final = 50_000
_STEPS_EACH: Final = 8


def find_cycles(graph: Graph) -> tuple[Cycle, ...]:
    """The shortest cycle through each script that is in one, each cycle once.

    Where thousands of scripts require each other crosswise, only some of the cycles are found, at least one a group.

    Args:
        graph: what is required but is no key requires nothing.

    Returns:
        Sorted cycles, each of which starts at its smallest script.
    """
    found: set[Cycle] = set()
    for group in _groups(graph):
        members = set(group)
        required = {one: [other for other in graph[one] if other in members] for one in sorted(group)}
        requiring = _turned(required)
        steps = _LEAST_STEPS + _STEPS_EACH * sum(map(len, required.values()))
        for script in required:
            cycle, taken = _shortest(script, required, requiring)
            found.add(cycle)
            steps -= taken
            if steps < 0:
                break
    return tuple(sorted(found))


def describe(cycle: Cycle, most: int = 12) -> str:
    """A cycle as ``a.x -> a.y -> a.x``; of a long one only the ends."""
    names = [*map(str, cycle)]
    if len(names) > most:
        names[most - 2 : -2] = [f"({len(names) - most} more)"]
    return " -> ".join(names)


def _turned(graph: Graph) -> dict[ScriptId, list[ScriptId]]:
    """Each script with those that require it."""
    requiring: dict[ScriptId, list[ScriptId]] = {}
    for script, required in graph.items():
        for other in required:
            requiring.setdefault(other, []).append(script)
    return requiring


def _groups(graph: Graph) -> list[list[ScriptId]]:
    """The scripts that all lead to each other, by Kosaraju's algorithm; a script alone only where it requires itself."""
    seen: set[ScriptId] = set()
    order = [script for root in graph for script in _reached(root, graph, seen)]
    requiring, seen = _turned(graph), set()
    groups = (_reached(script, requiring, seen) for script in reversed(order))
    return [group for group in groups if len(group) > 1 or (group and group[0] in graph.get(group[0], ()))]


def _reached(start: ScriptId, graph: Graph, seen: set[ScriptId]) -> list[ScriptId]:
    """The script and all that it leads to, without what was seen before; each after what it leads to itself."""
    order: list[ScriptId] = []
    walk = [] if start in seen else [(start, iter(graph.get(start, ())))]  # no recursion: a chain may be long
    seen.add(start)
    while walk:
        script, rest = walk[-1]
        for other in rest:
            if other not in seen:
                seen.add(other)
                walk.append((other, iter(graph.get(other, ()))))
                break
        else:
            order.append(script)
            walk.pop()
    return order


def _shortest(start: ScriptId, required: Graph, requiring: Graph) -> tuple[Cycle, int]:
    """The shortest cycle through a script of a group, and how many requirements were followed to find it.

    Two searches, along the requirements and against them, go on in turn until they meet: always the one with less to do.
    """
    along, against = _Search(start, required), _Search(start, requiring)
    steps = 0
    meeting = None
    while meeting is None:
        if along.next_steps <= against.next_steps:
            steps += along.next_steps
            meeting = along.go_on(against)
        else:
            steps += against.next_steps
            meeting = against.go_on(along)
            meeting = meeting and meeting[::-1]
    path = [*reversed(along.path_back(meeting[0])), *against.path_back(meeting[1])[:-1]]
    first = path.index(min(path))
    return (*path[first:], *path[: first + 1]), steps


class _Search:
    """A breadth-first search from a script, which goes on by one level at a time."""

    def __init__(self, start: ScriptId, graph: Graph) -> None:
        self._start = start
        self._graph = graph
        self._level = [start]
        self.came_from = {start: start}
        self.next_steps = len(graph[start])

    def go_on(self, other_search: _Search) -> tuple[ScriptId, ScriptId] | None:
        """Go on by one level; returns where it meets the other search: its own last script, and the one after that."""
        level = []
        for script in self._level:
            for following in self._graph[script]:
                if following in other_search.came_from:
                    return script, following
                if following not in self.came_from:
                    self.came_from[following] = script
                    level.append(following)
        self._level = level
        self.next_steps = sum(len(self._graph[script]) for script in level)
        return None

    def path_back(self, script: ScriptId) -> list[ScriptId]:
        """The way from a script that was reached back to the start."""
        path = [script]
        while path[-1] != self._start:
            path.append(self.came_from[path[-1]])
        return path
