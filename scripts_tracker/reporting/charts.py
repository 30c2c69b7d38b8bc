"""The scripts of a report and what they require, drawn for Mermaid and for Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.reporting.report import tone

if TYPE_CHECKING:
    from scripts_tracker.core.states import State
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.report import Report
    from scripts_tracker.reporting.terminal import Output


class _Colours(NamedTuple):
    fill: str
    stroke: str
    text: str


_COLOURS = {
    "action": _Colours("#fff3cd", "#b58900", "#332701"),
    "trouble": _Colours("#f8d7da", "#b02a37", "#2c0b0e"),
    "busy": _Colours("#cfe2ff", "#0a58ca", "#031633"),
    "done": _Colours("#d1e7dd", "#0f5132", "#051b11"),
}


class _Node(NamedTuple):
    """One script: its identifier in the chart, its name, its state in words, its colours."""

    key: str
    name: str
    caption: str
    tone: str


def mermaid(report: Report, output: Output) -> str:  # noqa: ARG001 - every format has the same shape
    """A Mermaid flowchart: arrows lead from a required script to those that require it."""
    nodes, edges = _nodes_and_edges(report)
    title = escaped(report.environment).replace("\\", "\\\\").replace('"', '\\"')
    lines = [*(["---", f'title: "{title}"', "---"] if title else []), "flowchart TD"]
    for node in nodes:
        # Inside a quoted label only the entity codes are safe.
        name = node.name.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
        lines.append(f'    {node.key}["{name}<br/>{node.caption}"]:::{node.tone}')
    lines.extend(f"    {required} --> {requiring}" for required, requiring in edges)
    for name, colours in _COLOURS.items():
        lines.append(f"    classDef {name} fill:{colours.fill},stroke:{colours.stroke},color:{colours.text}")
    return "\n".join(lines)


def dot(report: Report, output: Output) -> str:  # noqa: ARG001 - as above
    """A directed graph for Graphviz (graphviz.org/doc/info/lang.html), with the same arrows."""
    nodes, edges = _nodes_and_edges(report)
    lines = ["digraph scripts {", '    node [shape=box, style="rounded,filled", fontname="sans-serif"];']
    title = escaped(report.environment).replace("\\", "\\\\").replace('"', '\\"')
    lines += [f'    label="{title}"; labelloc="t"; fontname="sans-serif";'] if title else []
    for node in nodes:
        # A backslash would start one of the language's own escapes.
        name = node.name.replace("\\", "\\\\").replace('"', '\\"')
        colours = _COLOURS[node.tone]
        lines.append(
            f'    {node.key} [label="{name}\\n{node.caption}", fillcolor="{colours.fill}",'
            f' color="{colours.stroke}", fontcolor="{colours.text}"];'
        )
    lines.extend(f"    {required} -> {requiring};" for required, requiring in edges)
    return "\n".join([*lines, "}"])


def _nodes_and_edges(report: Report) -> tuple[list[_Node], list[tuple[str, str]]]:
    """The scripts, and (required, requiring) by their keys; an unknown requirement is named by its text."""
    pairs = [
        (required.target if required.target in report.by_id and required.target else required.text, status.id)
        for status in report.listed
        if status.definition
        for required in status.definition.requires
    ]
    drawn = dict.fromkeys([*(status.id for status in report.listed), *(required for required, _ in pairs)])
    keys = {script: f"s{index}" for index, script in enumerate(drawn)}
    nodes = [_node(key, script, report) for script, key in keys.items()]
    return nodes, [(keys[required], keys[requiring]) for required, requiring in pairs]


def _node(key: str, script: ScriptId | str, report: Report) -> _Node:
    status = None if isinstance(script, str) else report.by_id.get(script)
    if status is None:
        return _Node(key, escaped(str(script)), "does not exist", "trouble")
    return _Node(key, str(script), status.state.value, chart_tone(status.state))


def chart_tone(state: State) -> str:
    """The colours of a state in a chart, which has none for odd ones."""
    return "done" if tone(state) == "odd" else tone(state)
