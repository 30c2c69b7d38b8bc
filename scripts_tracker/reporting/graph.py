"""One script among those that it requires and that require it, however far: what a picture of it shows. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts_tracker import planning
from scripts_tracker.datatypes import ScriptId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scripts_tracker.states import ScriptStatus

    Node = ScriptId | str
    """A script, or the text of a requirement that names none."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What is around one script.

    Attributes:
        requires: what the script itself requires, in source order.
        required_by: what requires it directly, sorted.
        nodes: the script, and as many of those around it as were asked for, nearest first.
        edges: (required, requiring) between them.
        left_out: how many more there are.
        cycles: the circles among the nodes, as closed paths.
    """

    requires: tuple[Node, ...]
    required_by: tuple[ScriptId, ...]
    nodes: tuple[Node, ...]
    edges: tuple[tuple[Node, Node], ...]
    left_out: int
    cycles: tuple[tuple[ScriptId, ...], ...]


def around(script_id: ScriptId, by_id: Mapping[ScriptId, ScriptStatus], most: int = 150) -> Neighbourhood:
    """What is around one script.

    Args:
        script_id: which.
        by_id: every script.
        most: how many nodes to keep; those nearest to the script.
    """
    required = {one: _required(status, by_id) for one, status in by_id.items()}
    requiring = defaultdict(list)
    for one in sorted(by_id):
        for other in dict.fromkeys(required[one]):
            requiring[other].append(one)
    above = _reach(script_id, lambda node: required.get(node, ()) if isinstance(node, ScriptId) else ())
    below = _reach(script_id, lambda node: requiring.get(node, ()))
    found = dict.fromkeys(
        sorted({**above, **below}, key=lambda node: min(_far(node, above), _far(node, below)))
    )
    kept = dict.fromkeys(list(found)[:most])
    scripts = [node for node in kept if isinstance(node, ScriptId)]
    graph = {
        one: tuple(x for x in required.get(one, ()) if isinstance(x, ScriptId) and x in kept)
        for one in scripts
    }
    return Neighbourhood(
        requires=tuple(dict.fromkeys(required.get(script_id, ()))),
        required_by=tuple(requiring.get(script_id, ())),
        nodes=tuple(kept),
        edges=tuple(
            (node, one) for one in scripts for node in dict.fromkeys(required.get(one, ())) if node in kept
        ),
        left_out=len(found) - len(kept),
        cycles=planning.find_cycles(graph),
    )


def _required(status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus]) -> tuple[Node, ...]:
    requires = status.definition.requires if status.definition else ()
    return tuple(
        one.target if one.target is not None and one.target in by_id else one.text for one in requires
    )


def _reach(start: Node, following: Callable[[Node], Iterable[Node]]) -> dict[Node, int]:
    """Everything that can be reached, with the number of steps to it, nearest first."""
    steps = {start: 0}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for other in following(node):
            if other not in steps:
                steps[other] = steps[node] + 1
                waiting.append(other)
    return steps


def _far(node: Node, steps: Mapping[Node, int]) -> int:
    return steps.get(node, len(steps) + 1)
