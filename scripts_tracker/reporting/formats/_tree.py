"""The tree of unapplied scripts and their unapplied requirements, drawn without recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scripts_tracker.core import planning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.report import Canvas, Report


class Glyphs(NamedTuple):
    """The four pieces a tree is drawn with."""

    branch: str
    last: str
    bar: str
    blank: str


_BOX = Glyphs("├── ", "└── ", "│   ", "    ")
_ASCII = Glyphs("|-- ", "`-- ", "|   ", "    ")


class _Node(NamedTuple):
    text: str
    script: ScriptId | None
    prefix: str
    is_last: bool


def _roots(graph: dict[ScriptId, tuple[ScriptId, ...]]) -> list[ScriptId]:
    """Scripts that no unapplied script requires."""
    required = {script for scripts in graph.values() for script in scripts}
    return sorted(script for script in graph if script not in required)


def lines(report: Report, canvas: Canvas) -> Iterator[str]:
    """The tree, a line a script; a script drawn before is only named again; cycles follow, each as a path."""
    glyphs = _BOX if canvas.unicode else _ASCII
    graph = planning.requirement_graph(report.unapplied, report.by_id)
    cycles = planning.find_cycles(graph)
    looped = {script for cycle in cycles for script in cycle}
    tops = _roots(graph) + sorted({cycle[0] for cycle in cycles})
    waiting = [_Node(str(top), top, "", index == 0) for index, top in enumerate(reversed(tops))]
    drawn: set[ScriptId] = set()
    while waiting:
        node = waiting.pop()
        children = (
            () if node.script in drawn or node.script is None else _children(report, graph, node.script)
        )
        note = " (in a cycle)" if node.script in looped else ""
        note += " (drawn above)" if node.script in drawn else ""
        yield f"{node.prefix}{glyphs.last if node.is_last else glyphs.branch}{node.text}{note}"
        if node.script is not None:
            drawn.add(node.script)
        prefix = node.prefix + (glyphs.blank if node.is_last else glyphs.bar)
        waiting.extend(
            _Node(text, script, prefix, index == 0) for index, (text, script) in enumerate(reversed(children))
        )
    for cycle in cycles:
        yield f"Cycle: {' -> '.join(map(str, cycle))}"


def _children(
    report: Report, graph: dict[ScriptId, tuple[ScriptId, ...]], script: ScriptId
) -> tuple[tuple[str, ScriptId | None], ...]:
    known = tuple((str(required), required) for required in graph[script])
    unknown = planning.unknown_requirements(report.by_id[script], report.by_id)
    return (*known, *((f"{text} (does not exist)", None) for text in unknown))
