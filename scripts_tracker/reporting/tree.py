"""What the unapplied scripts of a report require, as a tree in text."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from scripts_tracker.core import planning
from scripts_tracker.core.cycles import find_cycles
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.graph import Node
    from scripts_tracker.reporting.report import Report
    from scripts_tracker.reporting.terminal import Output


class _Glyphs(NamedTuple):
    branch: str
    last: str
    bar: str
    blank: str


_BOX = _Glyphs("├── ", "└── ", "│   ", "    ")
_ASCII = _Glyphs("|-- ", "`-- ", "|   ", "    ")


# A chain of requirements of at least so many scripts is drawn without indentation, and so is any at the deepest level.
# What branches there becomes a tree of its own. So the text grows with the requirements, whatever their shape.
_LONG_CHAIN = 4
_DEEPEST = 8
_ARROW = "-> "


def tree(report: Report, output: Output) -> Iterator[str]:
    """The unapplied scripts with their unapplied requirements, then the cycles."""
    graph = planning.requirement_graph(report.unapplied, report.by_id)
    cycles = find_cycles(graph)
    required = {script for scripts in graph.values() for script in scripts}
    roots = [*sorted(graph.keys() - required), *(cycle[0] for cycle in cycles)]
    nodes: dict[ScriptId, list[Node]] = {
        one: [*scripts, *planning.unknown_requirements(report.by_id[one], report.by_id)]
        for one, scripts in graph.items()
    }
    in_cycle = frozenset(script for cycle in cycles for script in cycle)
    yield from _Tree(nodes, in_cycle, _BOX if output.unicode else _ASCII).lines(roots)
    for cycle in cycles:
        yield f"Cycle: {' -> '.join(map(str, cycle))}"


class _Tree:
    """A drawing of what requires what; a script that was already drawn is only named again. Without recursion.

    Args:
        graph: each script with the scripts that it requires, and the names of those that do not exist.
        in_cycle: the scripts that say so.
        glyphs: the lines.
    """

    def __init__(
        self, graph: Mapping[ScriptId, Sequence[Node]], in_cycle: frozenset[ScriptId], glyphs: _Glyphs
    ) -> None:
        self._graph = graph
        self._in_cycle = in_cycle
        self._glyphs = glyphs
        self._drawn: set[Node] = set()
        self._roots: deque[Node] = deque()

    def lines(self, roots: Iterable[ScriptId]) -> Iterator[str]:
        """The trees of these scripts, as far as they are not part of one before."""
        self._roots.extend(roots)
        while self._next_root():
            first, *others = self._below(self._roots.popleft())
            is_last = not self._next_root()
            yield f"{self._glyphs.last if is_last else self._glyphs.branch}{first}"
            indent = self._glyphs.blank if is_last else self._glyphs.bar
            yield from (f"{indent}{line}" for line in others)

    def _next_root(self) -> bool:
        while self._roots and self._roots[0] in self._drawn:
            self._roots.popleft()
        return bool(self._roots)

    def _below(self, root: Node) -> Iterator[str]:
        """A script and all that is drawn below it; what branches too deep is put off."""
        waiting = [("", "", root)]
        while waiting:
            start, indent, node = waiting.pop()
            is_deep = len(indent) >= _DEEPEST * len(self._glyphs.blank)
            chain = self._chain(node)
            if len(chain) < _LONG_CHAIN and not is_deep:
                del chain[1:]
            for one in chain[:-1]:
                yield f"{start}{self._draw(one)}"
                start = f"{indent}{_ARROW}"
            required = self._required(chain[-1])
            if is_deep and len(required) > 1:
                self._roots.append(chain[-1])
                yield f"{start}{chain[-1]} (drawn below)"
                continue
            yield f"{start}{self._draw(chain[-1])}"
            waiting += self._branches(required, indent + " " * len(_ARROW) * (len(chain) > 1))

    def _branches(self, nodes: Sequence[Node], indent: str) -> Iterator[tuple[str, str, Node]]:
        """How the lines of each start, and those below it; the first node at the end, where it is taken first."""
        branch, below = f"{indent}{self._glyphs.last}", f"{indent}{self._glyphs.blank}"
        for node in reversed(nodes):
            yield branch, below, node
            branch, below = f"{indent}{self._glyphs.branch}", f"{indent}{self._glyphs.bar}"

    def _chain(self, node: Node) -> list[Node]:
        """The node, its only requirement, the only one of that, and so on."""
        chain, met = [node], {node}
        while len(required := self._required(chain[-1])) == 1:
            chain += required
            if required[0] in met:
                break
            met.add(required[0])
        return chain

    def _required(self, node: Node) -> Sequence[Node]:
        """What is drawn below a node: nothing where that was done already, or the script does not exist."""
        return () if isinstance(node, str) or node in self._drawn else self._graph[node]

    def _draw(self, node: Node) -> str:
        if isinstance(node, str):
            return f"{escaped(node)} (does not exist)"
        notes = (" (in a cycle)" if node in self._in_cycle else "") + (
            " (drawn above)" if node in self._drawn else ""
        )
        self._drawn.add(node)
        return f"{node}{notes}"
