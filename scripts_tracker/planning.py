"""From statuses to what is to be done in which order: requirements, what blocks, cycles. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scripts_tracker.datatypes import ScriptId
    from scripts_tracker.states import ScriptStatus


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run: ``steps`` in order; ``blocked`` with what each waits for in vain; ``cycles`` as closed paths."""

    steps: tuple[ScriptStatus, ...]
    blocked: tuple[tuple[ScriptStatus, tuple[str, ...]], ...]
    cycles: tuple[tuple[ScriptId, ...], ...]


def unapplied_requirements(
    status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus]
) -> tuple[ScriptStatus, ...]:
    """The required scripts of one script that are known here and not applied, in source order."""
    if status.definition is None:
        return ()
    required = (
        by_id.get(requirement.target)
        for requirement in status.definition.requires
        if requirement.target is not None
    )
    return tuple(found for found in required if found is not None and not found.state.satisfies)


def unknown_requirements(status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus]) -> tuple[str, ...]:
    """The requirements of one script that name nothing known here, as their authors wrote them."""
    if status.definition is None:
        return ()
    return tuple(
        requirement.text
        for requirement in status.definition.requires
        if requirement.target is None or requirement.target not in by_id
    )


def requirement_graph(
    chosen: Iterable[ScriptStatus], by_id: Mapping[ScriptId, ScriptStatus]
) -> dict[ScriptId, tuple[ScriptId, ...]]:
    """Unapplied scripts and their unapplied requirements, from the chosen ones on, transitively."""
    graph: dict[ScriptId, tuple[ScriptId, ...]] = {}
    waiting = [status.id for status in chosen]
    while waiting:
        script_id = waiting.pop()
        if script_id not in graph:
            required = unapplied_requirements(by_id[script_id], by_id)
            graph[script_id] = tuple(status.id for status in required)
            waiting.extend(graph[script_id])
    return graph


def find_cycles(graph: Mapping[ScriptId, tuple[ScriptId, ...]]) -> tuple[tuple[ScriptId, ...], ...]:
    """Disjoint cycles as closed paths (first == last), each starting at its smallest script, sorted."""
    left = {node: tuple(required) for node, required in graph.items()}
    cycles = []
    while True:
        try:
            TopologicalSorter(left).prepare()
        except CycleError as error:
            # graphlib gives the path from the required script to the one that requires it; turn it round.
            path = list(reversed(error.args[1][1:]))
            start = path.index(min(path))
            turned = path[start:] + path[:start]
            cycles.append((*turned, turned[0]))
            left = {
                node: tuple(required for required in left[node] if required not in path)
                for node in left
                if node not in path
            }
        else:
            return tuple(sorted(cycles))


def make_plan(chosen: Iterable[ScriptStatus], by_id: Mapping[ScriptId, ScriptStatus]) -> Plan:
    """Order what is to run by requirements, ties by app and name; name what cannot run, and why."""
    graph = requirement_graph(chosen, by_id)
    cycles = find_cycles(graph)
    doomed: dict[ScriptId, tuple[str, ...]] = {}
    for cycle in cycles:
        text = " -> ".join(map(str, cycle))
        doomed.update(dict.fromkeys(cycle, (f"a cycle: {text}",)))
    for script_id in graph:
        unknown = unknown_requirements(by_id[script_id], by_id)
        if unknown:
            doomed.setdefault(script_id, unknown)
    _spread(doomed, graph)
    steps = _ordered({node: required for node, required in graph.items() if node not in doomed})
    return Plan(
        tuple(by_id[script_id] for script_id in steps),
        tuple((by_id[script_id], doomed[script_id]) for script_id in sorted(doomed)),
        cycles,
    )


def _spread(doomed: dict[ScriptId, tuple[str, ...]], graph: Mapping[ScriptId, tuple[ScriptId, ...]]) -> None:
    """Whatever requires something that cannot run cannot run either."""
    changed = True
    while changed:
        changed = False
        for script_id, required in graph.items():
            blocking = tuple(str(other) for other in required if other in doomed)
            if script_id not in doomed and blocking:
                doomed[script_id] = blocking
                changed = True


def _ordered(graph: Mapping[ScriptId, tuple[ScriptId, ...]]) -> list[ScriptId]:
    """Requirements first; among those that are ready, by app and name."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    order: list[ScriptId] = []
    ready: list[ScriptId] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()])
        first, *ready = ready
        order.append(first)
        sorter.done(first)
    return order
