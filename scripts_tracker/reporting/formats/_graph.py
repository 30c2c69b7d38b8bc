"""The listed scripts and what they require, as the formats that draw need them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scripts_tracker.core.states import State

if TYPE_CHECKING:
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.report import Report


class Look(NamedTuple):
    """The colours of a kind of states."""

    fill: str
    stroke: str
    text: str


LOOKS = {
    "action": Look("#fff3cd", "#b58900", "#332701"),
    "trouble": Look("#f8d7da", "#b02a37", "#2c0b0e"),
    "busy": Look("#cfe2ff", "#0a58ca", "#031633"),
    "done": Look("#d1e7dd", "#0f5132", "#051b11"),
}
# What a state has that is not named here, who is to act decides.
_KINDS = {
    State.FAILED: "trouble",
    State.LOST: "trouble",
    State.UNREADABLE: "trouble",
    State.RUNNING: "busy",
}


class Node(NamedTuple):
    """One script: what it is called in the drawing, its name, its state in words, which of ``LOOKS`` it has."""

    key: str
    name: str
    words: str
    look: str


def nodes_and_edges(report: Report) -> tuple[list[Node], list[tuple[str, str]]]:
    """The scripts, and (required, requiring) by their keys; what does not exist is named by its text."""
    pairs = [
        (required.target if required.target in report.by_id and required.target else required.text, status.id)
        for status in report.listed
        if status.definition
        for required in status.definition.requires
    ]
    drawn = dict.fromkeys([*(status.id for status in report.listed), *(required for required, _ in pairs)])
    keys = {script: f"s{index}" for index, script in enumerate(drawn)}
    nodes = [_node(keys[script], script, report) for script in drawn]
    return nodes, [(keys[required], keys[requiring]) for required, requiring in pairs]


def _node(key: str, script: ScriptId | str, report: Report) -> Node:
    status = report.by_id.get(script) if not isinstance(script, str) else None
    if status is None:
        return Node(key, str(script), "does not exist", "trouble")
    return Node(key, str(script), status.state.value, look_of(status.state))


def look_of(state: State) -> str:
    """Which of ``LOOKS`` a state has."""
    return _KINDS.get(state, "action" if state.needs_action else "done")
