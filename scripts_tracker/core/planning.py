"""From statuses to what is to be done in which order: requirements, what blocks, cycles. Pure."""

from __future__ import annotations

import heapq
from graphlib import CycleError, TopologicalSorter
from types import MappingProxyType
from typing import TYPE_CHECKING

from scripts_tracker.core import names, watches
from scripts_tracker.core.states import State
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import UnknownScript

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId

UNREADABLE = "its file cannot be analysed"


class Plan(NamedTuple):
    """What to run: ``steps`` in order; ``blocked`` with the reasons of each; ``cycles`` as closed paths."""

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


def _requirements_to_run(
    status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus], chosen: Collection[ScriptId]
) -> tuple[ScriptId, ...]:
    """What is to run before a script: what is not applied, and what was chosen although it is (``rerun="always"``)."""
    required = (one.target for one in status.definition.requires) if status.definition else ()
    known = (one for one in required if one is not None and one in by_id)
    return tuple(one for one in known if one in chosen or not by_id[one].state.satisfies)


def requirement_graph(
    chosen: Iterable[ScriptStatus], by_id: Mapping[ScriptId, ScriptStatus]
) -> dict[ScriptId, tuple[ScriptId, ...]]:
    """The chosen scripts and their unapplied requirements, transitively, each with what is to run before it."""
    graph: dict[ScriptId, tuple[ScriptId, ...]] = {}
    waiting = [status.id for status in chosen]
    wanted = frozenset(waiting)
    while waiting:
        script_id = waiting.pop()
        if script_id not in graph:
            graph[script_id] = _requirements_to_run(by_id[script_id], by_id, wanted)
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


def make_plan(
    chosen: Iterable[ScriptStatus],
    by_id: Mapping[ScriptId, ScriptStatus],
    excluded: Mapping[ScriptId, str] = MappingProxyType({}),
) -> Plan:
    """Order what is to run by requirements, ties by app and name; name what cannot run, and why.

    Args:
        chosen: what is to run; what it requires comes with it.
        by_id: every script.
        excluded: scripts that do not run, and why.
    """
    graph = requirement_graph(chosen, by_id)
    cycles = find_cycles(graph)
    doomed: dict[ScriptId, tuple[str, ...]] = {}
    for cycle in cycles:
        text = " -> ".join(map(str, cycle))
        doomed.update(dict.fromkeys(cycle, (f"a cycle: {text}",)))
    for script_id in graph:
        unknown = unknown_requirements(by_id[script_id], by_id)
        if script_id in excluded:
            doomed.setdefault(script_id, (excluded[script_id],))
        elif by_id[script_id].state is State.UNREADABLE:
            doomed.setdefault(script_id, (_why_unreadable(by_id[script_id]),))
        elif unknown:
            doomed.setdefault(script_id, tuple(f"requires {text}, which does not exist" for text in unknown))
    _spread(doomed, graph)
    steps = _ordered({node: required for node, required in graph.items() if node not in doomed})
    return Plan(
        tuple(by_id[script_id] for script_id in steps),
        tuple((by_id[script_id], doomed[script_id]) for script_id in sorted(doomed)),
        cycles,
    )


def _why_unreadable(status: ScriptStatus) -> str:
    words = watches.unreadable_words(status.definition.watches) if status.definition else ""
    return words or UNREADABLE


def _spread(doomed: dict[ScriptId, tuple[str, ...]], graph: Mapping[ScriptId, tuple[ScriptId, ...]]) -> None:
    """Whatever requires something that cannot run cannot run either."""
    asking: dict[ScriptId, list[ScriptId]] = {}
    for script_id, required in graph.items():
        for other in required:
            asking.setdefault(other, []).append(script_id)
    waiting, hit = list(doomed), set(doomed)
    while waiting:
        found = [script_id for script_id in asking.get(waiting.pop(), ()) if script_id not in hit]
        hit.update(found)
        waiting.extend(found)
    for script_id in hit - doomed.keys():
        blocking = (other for other in graph[script_id] if other in hit)
        doomed[script_id] = tuple(f"requires {other}, which cannot run" for other in blocking)


def _ordered(graph: Mapping[ScriptId, tuple[ScriptId, ...]]) -> list[ScriptId]:
    """Requirements first; among those that are ready, by app and name."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    order: list[ScriptId] = []
    ready: list[ScriptId] = []  # a heap
    while sorter.is_active():
        for script_id in sorter.get_ready():
            heapq.heappush(ready, script_id)
        first = heapq.heappop(ready)
        order.append(first)
        sorter.done(first)
    return order


LEFT = "its last attempt {} and is left to a person by --no-retry"


class Choice(NamedTuple):
    """What to run; what was asked for and is not to be run.

    Attributes:
        chosen: what to run.
        up_to_date: what was named although there is nothing to do.
        not_retried: every failed or lost script where those are not retried, with the reason.
        skipped_by_no_retry: those of ``not_retried`` that would have been chosen otherwise.
    """

    chosen: tuple[ScriptStatus, ...]
    up_to_date: tuple[ScriptStatus, ...]
    not_retried: Mapping[ScriptId, str]
    skipped_by_no_retry: tuple[ScriptStatus, ...] = ()


def _is_to_run(status: ScriptStatus) -> bool:
    """Running ones too: whoever asks for them wants to know how that ends."""
    return status.state.needs_action or status.state in {State.RECURRING, State.RUNNING}


def _tags(status: ScriptStatus) -> tuple[str, ...]:
    return status.definition.options.tags if status.definition else ()


def _insist_on_tags(wanted: Sequence[str], known: set[str]) -> None:
    for tag in wanted:
        if tag not in known:
            near = names.nearest(tag, known)
            there = f"the tags are: {', '.join(sorted(known))}" if known else "no script has a tag"
            raise UnknownScript(
                f"no tracked script has the tag {tag!r}; {f'did you mean {near}?' if near else there}"
            )


def _insist_on_tagged(named: Iterable[ScriptStatus], tags: Sequence[str]) -> None:
    for status in named:
        if tags and not set(tags) & set(_tags(status)):
            raise UnknownScript(f"{status.id} does not have the tag {' or '.join(map(repr, tags))}")


def choose(
    by_id: Mapping[ScriptId, ScriptStatus],
    wanted: Sequence[str] = (),
    tags: Sequence[str] = (),
    *,
    retries: bool = True,
) -> Choice:
    """Pick the scripts that a run is about.

    Args:
        by_id: every script.
        wanted: names that somebody typed; none for all scripts.
        tags: only scripts with one of these; none for all.
        retries: whether failed and lost ones are to be tried again.

    Raises:
        UnknownScript: for a name or tag that nothing has.
    """
    _insist_on_tags(tags, {tag for status in by_id.values() for tag in _tags(status)})
    named = names.resolve_all(wanted, by_id.keys()) if wanted else by_id.keys()
    if wanted:
        _insist_on_tagged((by_id[one] for one in named), tags)
    pool = [by_id[one] for one in named if not tags or set(tags) & set(_tags(by_id[one]))]
    words = {State.FAILED: "failed", State.LOST: "never ended"}
    not_retried = {
        status.id: LEFT.format(words[status.state])
        for status in by_id.values()
        if not retries and status.state in words
    }
    return Choice(
        chosen=tuple(status for status in pool if _is_to_run(status) and status.id not in not_retried),
        up_to_date=tuple(status for status in pool if wanted and not _is_to_run(status)),
        not_retried=not_retried,
        skipped_by_no_retry=tuple(status for status in pool if status.id in not_retried),
    )
