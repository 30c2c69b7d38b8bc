"""``check_scripts --format mermaid``: the scripts and what they require, as a flowchart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.states import State

if TYPE_CHECKING:
    from scripts_tracker.datatypes import ScriptId
    from scripts_tracker.report import Canvas, Report

_FILLS = {
    "action": ((State.NEW, State.MODIFIED), "#fff3cd,stroke:#b58900,color:#332701"),
    "trouble": ((State.FAILED, State.LOST, State.UNREADABLE), "#f8d7da,stroke:#b02a37,color:#2c0b0e"),
    "busy": ((State.RUNNING,), "#cfe2ff,stroke:#0a58ca,color:#031633"),
}


def _class_of(state: State) -> str:
    return next((name for name, (states, _) in _FILLS.items() if state in states), "done")


def _quoted(text: str) -> str:
    """Text inside a quoted mermaid label, where only its entity codes are safe."""
    return text.replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")


def _edges(report: Report) -> list[tuple[ScriptId | str, ScriptId]]:
    """(required, requiring) of the listed scripts; what does not exist is named by its text."""
    return [
        (required.target if required.target in report.by_id and required.target else required.text, status.id)
        for status in report.listed
        if status.definition
        for required in status.definition.requires
    ]


def render(report: Report, canvas: Canvas) -> str:  # noqa: ARG001 - every format has the same shape
    """The report as a mermaid flowchart: arrows lead from what is required to what requires it."""
    edges = _edges(report)
    drawn = dict.fromkeys([status.id for status in report.listed] + [required for required, _ in edges])
    number = {script: f"s{index}" for index, script in enumerate(drawn)}
    lines = ["flowchart TD"]
    for script in drawn:
        status = report.by_id.get(script) if not isinstance(script, str) else None
        words = status.state.value if status else "does not exist"
        css = _class_of(status.state) if status else "trouble"
        lines.append(f'    {number[script]}["{_quoted(str(script))}<br/>{words}"]:::{css}')
    lines.extend(f"    {number[required]} --> {number[requiring]}" for required, requiring in edges)
    lines.extend(f"    classDef {name} fill:{fill}" for name, (_, fill) in _FILLS.items())
    lines.append("    classDef done fill:#d1e7dd,stroke:#0f5132,color:#051b11")
    return "\n".join(lines)
