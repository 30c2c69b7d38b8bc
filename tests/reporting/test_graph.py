"""The picture of requirements: its nodes, their places, the SVG."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts_tracker.core import states
from scripts_tracker.core.states import ScriptStatus, State
from scripts_tracker.core.values import ScriptId
from scripts_tracker.reporting.charts import chart_tone
from scripts_tracker.reporting.graph import Bend, Box, arrange, draw, requirement_graph_of
from scripts_tracker.reporting.report import tone
from tests.builders import definition, script_id
from tests.growth import LARGER, grows_in_proportion
from tests.properties import AT_ANY_SPEED

SVG = "{http://www.w3.org/2000/svg}"


def by_id(**requires: str) -> dict[ScriptId, ScriptStatus]:
    """Scripts of the app ``a``, each with the names of its requirements."""
    found = [
        definition(f"a.{name}", requires=tuple(f"a.{one}" for one in text.split()))
        for name, text in requires.items()
    ]
    return {status.id: status for status in states.statuses(found, {})}


def names(nodes: object) -> list[str]:
    return [str(node).removeprefix("a.") for node in nodes]  # type: ignore[attr-defined]  # tuples of nodes


# Nodes


def test_the_graph_of_a_script_has_its_requirements_and_dependents_at_any_distance() -> None:
    found = requirement_graph_of(
        script_id("a.c"), by_id(a="", b="a", c="b", d="c", e="d", aside="a", other="")
    )
    assert names(found.requires) == ["b"]
    assert names(found.required_by) == ["d"]
    assert set(names(found.nodes)) == {"a", "b", "c", "d", "e"}
    assert {tuple(names(edge)) for edge in found.edges} == {("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")}
    assert not found.omitted
    assert not found.cycles


def test_a_requirement_that_does_not_exist_is_a_node_with_its_text() -> None:
    found = requirement_graph_of(script_id("a.a"), by_id(a="gone"))
    assert found.requires == ("a.gone",)
    assert found.edges == (("a.gone", script_id("a.a")),)


def test_the_nearest_nodes_are_kept_and_the_rest_are_counted() -> None:
    chain = {f"s{number}": f"s{number - 1}" if number else "" for number in range(30)}
    found = requirement_graph_of(script_id("a.s20"), by_id(**chain), limit=5)
    assert set(names(found.nodes)) == {"s18", "s19", "s20", "s21", "s22"}
    assert found.omitted == 25


def test_cycles_and_a_script_that_requires_itself_are_found() -> None:
    found = requirement_graph_of(script_id("a.a"), by_id(a="b", b="a"))
    assert [names(cycle) for cycle in found.cycles] == [["a", "b", "a"]]
    itself = requirement_graph_of(script_id("a.a"), by_id(a="a"))
    assert [names(cycle) for cycle in itself.cycles] == [["a", "a"]]


def test_a_script_without_a_file_is_a_graph_of_its_own() -> None:
    missing = ScriptStatus(script_id("a.a"), State.MISSING, None, None)
    assert requirement_graph_of(missing.id, {missing.id: missing}).nodes == (missing.id,)


# Places


EDGES = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)).filter(lambda edge: edge[0] != edge[1]))


@AT_ANY_SPEED
@given(EDGES)
def test_every_node_has_one_place_and_an_arrow_crosses_every_column_on_its_way(
    edges: list[tuple[int, int]],
) -> None:
    layout = arrange(range(12), edges)
    column_of = {member: number for number, column in enumerate(layout.columns) for member in column}
    assert sorted(one for one in column_of if isinstance(one, int)) == list(range(12))
    assert len(column_of) == sum(map(len, layout.columns))
    for number, (path, edge) in enumerate(zip(layout.paths, edges, strict=True)):
        assert (path[0], path[-1]) == edge
        step = -1 if number in layout.backward else 1
        assert all(column_of[to] - column_of[one] == step for one, to in pairwise(path))
        assert all(isinstance(bend, Bend) for bend in path[1:-1])


def test_without_a_cycle_no_arrow_leads_back_and_a_chain_is_straight() -> None:
    layout = arrange("abc", [("a", "b"), ("b", "c"), ("a", "c")])
    assert not layout.backward
    assert layout.columns == (("a",), ("b", Bend(2, 0)), ("c",))


def test_a_node_without_requirements_is_next_to_what_requires_it() -> None:
    assert arrange("abcd", [("a", "b"), ("b", "c"), ("d", "c")]).columns[1] == ("b", "d")


def test_arrows_that_can_avoid_each_other_do_not_cross() -> None:
    columns = arrange("abcdef", [("a", "f"), ("b", "e"), ("c", "d")]).columns
    assert [columns[0].index(one) for one in "abc"] == [columns[1].index(one) for one in "fed"]


@pytest.mark.parametrize(
    "graph",
    [
        lambda size: [(one, one + 1) for one in range(size - 1)],
        lambda size: [(one, size - 1) for one in range(size - 1)],
        lambda size: [(one, to) for one in range(math.isqrt(4 * size)) for to in range(one)],
        lambda size: [(one, (one + 1) % size) for one in range(size)],
    ],
    ids=["a long chain", "a node that requires all others", "everything with everything", "one large cycle"],
)
def test_large_graphs_are_arranged_without_recursion_in_proportion_to_their_size(
    graph: Callable[[int], list[tuple[int, int]]],
) -> None:
    small, large = graph(2000 // LARGER), graph(2000)
    assert grows_in_proportion(
        lambda: arrange(range(2000 // LARGER), small), lambda: arrange(range(2000), large)
    )


# SVG


def drawn(boxes: list[Box], edges: list[tuple[int, int]]) -> ET.Element:
    text = draw(boxes, edges, "the label").svg
    return ET.fromstring(text)  # noqa: S314 - our own picture


def test_a_picture_shows_states_in_words_and_colours_with_links_to_pages() -> None:
    svg = drawn(
        [Box("a.first", "applied", "done", "/first/"), Box("a.gone", "does not exist", "trouble")], [(0, 1)]
    )
    assert [text.text for text in svg.iter(f"{SVG}text")] == [
        "a.first",
        "applied",
        "a.gone",
        "does not exist",
    ]
    assert [box.get("class") for box in svg.iter(f"{SVG}rect")] == ["st-box st-done", "st-box st-trouble"]
    assert [(link.get("href"), link.get("aria-label")) for link in svg.iter(f"{SVG}a")] == [
        ("/first/", "a.first: applied")
    ]
    assert svg.get("aria-label") == "the label"


def test_hostile_names_stay_text() -> None:
    attack = "\"><script>alert(1)</script>&'"
    svg = drawn([Box(attack, attack, "done", attack)], [])
    assert not list(svg.iter(f"{SVG}script"))
    assert svg.find(f"{SVG}a/{SVG}title").text == f"{attack}: {attack}"  # type: ignore[union-attr]  # it is there


def test_a_long_name_is_shortened_in_the_middle_and_whole_in_the_title() -> None:
    name = "orders." + "x" * 300
    svg = drawn([Box(name, "new", "action")], [])
    assert len(next(svg.iter(f"{SVG}text")).text or "") <= 36
    assert next(svg.iter(f"{SVG}title")).text == f"{name}: new"


def test_no_two_boxes_overlap_and_all_lie_within_the_picture() -> None:
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (0, 3), (3, 4), (4, 0), (5, 4), (2, 2)]
    svg = drawn([Box(f"a.number{one}", "new", "action") for one in range(6)], edges)
    boxes = [
        tuple(float(rect.get(name) or 0) for name in ("x", "y", "width", "height"))
        for rect in svg.iter(f"{SVG}rect")
    ]
    width, height = float(svg.get("width") or 0), float(svg.get("height") or 0)
    for number, (x, y, w, h) in enumerate(boxes):
        assert x >= 0
        assert y >= 0
        assert x + w <= width
        assert y + h <= height
        for ox, oy, ow, oh in boxes[number + 1 :]:
            assert x + w <= ox or ox + ow <= x or y + h <= oy or oy + oh <= y
    assert sum("st-backward" in (path.get("class") or "") for path in svg.iter(f"{SVG}path")) == 1


TONES = {
    "trouble": {State.FAILED, State.LOST, State.UNREADABLE},
    "action": {State.NEW, State.MODIFIED},
    "busy": {State.RUNNING},
    "odd": {State.PAUSED, State.EDITED, State.REVERTED, State.MOVED, State.MISSING},
    "done": {State.APPLIED, State.RECURRING},
}


def test_every_state_has_colours() -> None:
    assert {name: {state for state in State if tone(state) == name} for name in TONES} == TONES


@pytest.mark.parametrize("state", list(State), ids=lambda state: state.value)
def test_nothing_that_needs_action_is_drawn_as_done_anywhere(state: State) -> None:
    assert (tone(state) in {"trouble", "action"}) == state.needs_action
    assert (chart_tone(state) in {"trouble", "action"}) == state.needs_action


@pytest.mark.parametrize(
    ("action", "tones"),
    [("needed", ("action", "action")), ("shown", ("odd", "done")), ("none", ("done", "done"))],
)
def test_any_other_state_has_the_colours_of_its_kind(action: str, tones: tuple[str, str]) -> None:
    state = object.__new__(State)
    state._name_, state.needs_action, state.shown = "TOMORROW", action == "needed", action != "none"
    assert (tone(state), chart_tone(state)) == tones
