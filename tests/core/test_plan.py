from __future__ import annotations

import itertools

import pytest

from scripts_tracker.core import planning
from scripts_tracker.core.cycles import describe
from scripts_tracker.core.states import ScriptStatus, statuses
from scripts_tracker.core.values import ScriptId
from tests.builders import definition, record, script_id
from tests.growth import LARGER, grows_in_proportion


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


def test_a_chain_of_ten_thousand_requirements_is_planned_without_recursion() -> None:
    chain = {f"a.s{n:05d}": f"a.s{n + 1:05d}" for n in range(10_000)} | {"a.s10000": ""}
    by_id = status_of(chain)
    plan = planning.make_plan(by_id.values(), by_id)
    assert len(plan.steps) == 10_001
    assert str(plan.steps[0].id) == "a.s10000"


def blocked_by(plan: planning.Plan) -> dict[str, str]:
    return {str(status.id): "; ".join(reasons) for status, reasons in plan.blocked}


def test_scripts_of_several_cycles_are_blocked_by_the_shortest() -> None:
    by_id = status_of({"a.x": "a.y", "a.y": "a.z", "a.z": "a.x a.w", "a.w": "a.z", "a.v": "a.w"})
    plan = planning.make_plan(by_id.values(), by_id)
    assert [" ".join(map(str, cycle)) for cycle in plan.cycles] == ["a.w a.z a.w", "a.x a.y a.z a.x"]
    assert blocked_by(plan) == {
        "a.v": "requires a.w, which cannot run",
        "a.w": "a cycle: a.w -> a.z -> a.w",
        "a.x": "a cycle: a.x -> a.y -> a.z -> a.x",
        "a.y": "a cycle: a.x -> a.y -> a.z -> a.x",
        "a.z": "a cycle: a.w -> a.z -> a.w",
    }


def test_the_reasons_of_the_scripts_of_a_long_cycle_are_short() -> None:
    by_id = status_of({f"a.s{number:03d}": f"a.s{(number + 1) % 500:03d}" for number in range(500)})
    plan = planning.make_plan(by_id.values(), by_id)
    assert set(blocked_by(plan).values()) == {f"a cycle: {describe(plan.cycles[0])}"}
    assert max(map(len, blocked_by(plan).values())) < 200


def test_what_is_blocked_says_why() -> None:
    found = [
        definition("a.cycle", requires=("a.cycle",)),
        definition("a.left"),
        definition("a.unknown", requires=("no.such", "no.other")),
        definition("a.unreadable", None),
        definition("b.after", requires=("a.left", "a.unreadable", "c.ok")),
        definition("c.ok"),
    ]
    by_id = {status.id: status for status in statuses(found, {})}
    plan = planning.make_plan(by_id.values(), by_id, {script_id("a.left"): "a person is to look at it"})
    assert [str(status.id) for status in plan.steps] == ["c.ok"]
    assert blocked_by(plan) == {
        "a.cycle": "a cycle: a.cycle -> a.cycle",
        "a.left": "a person is to look at it",
        "a.unknown": "requires no.such, which does not exist; requires no.other, which does not exist",
        "a.unreadable": "its file cannot be parsed",
        "b.after": "requires a.left, which cannot run; requires a.unreadable, which cannot run",
    }


def test_a_skipped_script_that_nothing_requires_is_not_in_the_plan() -> None:
    by_id = status_of({"a.x": "", "a.y": ""})
    plan = planning.make_plan([by_id[script_id("a.x")]], by_id, {script_id("a.y"): "left"})
    assert (len(plan.steps), plan.blocked) == (1, ())


def test_a_requirement_that_runs_every_time_goes_first_where_it_is_chosen_and_is_no_step_where_not() -> None:
    found = [definition("a.x", requires=("b.always",)), definition("b.always", rerun="always")]
    by_id = {
        status.id: status for status in statuses(found, {script_id("b.always"): record("b.always", "a")})
    }
    both = planning.make_plan(by_id.values(), by_id)
    assert [str(status.id) for status in both.steps] == ["b.always", "a.x"]
    alone = planning.make_plan([by_id[script_id("a.x")]], by_id)
    assert [str(status.id) for status in alone.steps] == ["a.x"]


@pytest.mark.parametrize("order", [1, -1], ids=["names go up", "names go down"])
def test_the_time_to_block_a_long_chain_of_scripts_grows_with_its_length(order: int) -> None:
    def chain_of(length: int) -> dict[ScriptId, ScriptStatus]:
        numbers = list(range(length))[::order]
        chain = {f"a.s{one:05d}": f"a.s{other:05d}" for one, other in itertools.pairwise(numbers)}
        return status_of({**chain, f"a.s{numbers[-1]:05d}": "no.such"})

    short, long = chain_of(10_000 // LARGER), chain_of(10_000)
    assert grows_in_proportion(
        lambda: planning.make_plan(short.values(), short), lambda: planning.make_plan(long.values(), long)
    )
    plan = planning.make_plan(long.values(), long)
    assert (len(plan.steps), len(plan.blocked)) == (0, 10_000)


def test_the_time_to_order_ready_scripts_grows_with_their_number() -> None:
    few, many = (
        status_of({f"a.s{number:05d}": "" for number in range(count)}) for count in (10_000 // LARGER, 10_000)
    )
    assert grows_in_proportion(
        lambda: planning.make_plan(few.values(), few), lambda: planning.make_plan(many.values(), many)
    )
    plan = planning.make_plan(many.values(), many)
    assert [status.id for status in plan.steps] == sorted(many)
