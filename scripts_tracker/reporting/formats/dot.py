"""``check_scripts --format dot``: the scripts and what they require, for Graphviz (graphviz.org/doc/info/lang.html)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.reporting.formats._graph import LOOKS, nodes_and_edges

if TYPE_CHECKING:
    from scripts_tracker.reporting.report import Canvas, Report


def _quoted(text: str) -> str:
    """A quoted string of the language; a backslash would begin one of its own escapes."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def render(report: Report, canvas: Canvas) -> str:  # noqa: ARG001 - every format has the same shape
    """The report as a directed graph: arrows lead from what is required to what requires it."""
    nodes, edges = nodes_and_edges(report)
    lines = ["digraph scripts {", '    node [shape=box, style="rounded,filled", fontname="sans-serif"];']
    for node in nodes:
        look = LOOKS[node.look]
        lines.append(
            f'    {node.key} [label="{_quoted(node.name)}\\n{node.words}",'
            f' fillcolor="{look.fill}", color="{look.stroke}", fontcolor="{look.text}"];'
        )
    lines.extend(f"    {required} -> {requiring};" for required, requiring in edges)
    return "\n".join([*lines, "}"])
