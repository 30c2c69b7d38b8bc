from __future__ import annotations

import pytest

from scripts_tracker import planning
from scripts_tracker.datatypes import ScriptId
from scripts_tracker.states import ScriptStatus, statuses
from tests.builders import definition, record, script_id


def status_of(requirements: dict[str, str], applied: str = "") -> dict[ScriptId, ScriptStatus]:
    """One status a script; requirements and applied scripts as names separated by blanks."""
    found = [definition(name, requires=tuple(wanted.split())) for name, wanted in requirements.items()]
    records = {script_id(name): record(name, "a") for name in applied.split()}
    return {status.id: status for status in statuses(found, records)}


PLANS = {
    "nothing is nothing": ({}, "", "", "", ""),
    "ties go by app and name": ({"b.x": "", "a.z": "", "a.y": ""}, "", "a.y a.z b.x", "", ""),
    "what is required comes first": ({"a.x": "b.y", "b.y": "c.z", "c.z": ""}, "", "c.z b.y a.x", "", ""),
    "an applied requirement is no step": ({"a.x": "b.y", "b.y": ""}, "b.y", "a.x", "", ""),
    "a ready script goes before a later name": (
        {"a.x": "z.z", "b.x": "", "z.z": ""},
        "",
        "b.x z.z a.x",
        "",
        "",
    ),
    "a cycle blocks its scripts and what needs them": (
        {"a.x": "a.y", "a.y": "a.x", "b.z": "a.x", "c.ok": ""},
        "",
        "c.ok",
        "a.x a.y b.z",
        "a.x a.y a.x",
    ),
    "a script that requires itself is a cycle": ({"a.x": "a.x"}, "", "", "a.x", "a.x a.x"),
    "what does not exist blocks": ({"a.x": "no.such", "b.y": "a.x"}, "", "", "a.x b.y", ""),
}


@pytest.mark.parametrize(("requirements", "applied", "steps", "blocked", "cycle"), PLANS.values(), ids=PLANS)
def test_plan(requirements: dict[str, str], applied: str, steps: str, blocked: str, cycle: str) -> None:
    by_id = status_of(requirements, applied)
    plan = planning.make_plan([status for status in by_id.values() if status.state.needs_action], by_id)
    assert " ".join(str(status.id) for status in plan.steps) == steps
    assert " ".join(str(status.id) for status, _ in plan.blocked) == blocked
    assert [" ".join(map(str, path)) for path in plan.cycles] == ([cycle] if cycle else [])


def test_a_plan_pulls_in_what_the_chosen_scripts_require() -> None:
    by_id = status_of({"a.x": "b.y", "b.y": "", "c.z": ""})
    plan = planning.make_plan([by_id[script_id("a.x")]], by_id)
    assert [str(status.id) for status in plan.steps] == ["b.y", "a.x"]


def test_two_cycles_are_both_found_in_the_direction_of_requiring() -> None:
    graph = {
        script_id(name): tuple(map(script_id, wanted))
        for name, wanted in {
            "a.b": ["a.c"],
            "a.c": ["a.d"],
            "a.d": ["a.b"],
            "x.y": ["x.z"],
            "x.z": ["x.y"],
        }.items()
    }
    found = [" ".join(map(str, path)) for path in planning.find_cycles(graph)]
    assert found == ["a.b a.c a.d a.b", "x.y x.z x.y"]


def test_a_chain_of_ten_thousand_requirements_is_planned_without_recursion() -> None:
    chain = {f"a.s{n:05d}": f"a.s{n + 1:05d}" for n in range(10_000)} | {"a.s10000": ""}
    by_id = status_of(chain)
    plan = planning.make_plan(by_id.values(), by_id)
    assert len(plan.steps) == 10_001
    assert str(plan.steps[0].id) == "a.s10000"
