"""``check_scripts --format mermaid``: the scripts and what they require, as a flowchart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.reporting.formats._graph import LOOKS, nodes_and_edges

if TYPE_CHECKING:
    from scripts_tracker.reporting.report import Canvas, Report


def _quoted(text: str) -> str:
    """Text inside a quoted mermaid label, where only its entity codes are safe."""
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def render(report: Report, canvas: Canvas) -> str:  # noqa: ARG001 - every format has the same shape
    """The report as a mermaid flowchart: arrows lead from what is required to what requires it."""
    nodes, edges = nodes_and_edges(report)
    lines = ["flowchart TD"]
    lines.extend(f'    {node.key}["{_quoted(node.name)}<br/>{node.words}"]:::{node.look}' for node in nodes)
    lines.extend(f"    {required} --> {requiring}" for required, requiring in edges)
    lines.extend(
        f"    classDef {name} fill:{look.fill},stroke:{look.stroke},color:{look.text}"
        for name, look in LOOKS.items()
    )
    return "\n".join(lines)
