"""The plan of the package stays one that a newcomer can hold in the head."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.floor_plan import FloorPlan, components, read

ROOT = Path(__file__).parents[1]
LONGEST = 500
MOST_FLOORS = 10


@pytest.fixture(scope="module")
def plan() -> FloorPlan:
    return read(ROOT)


def test_a_cycle_is_found_wherever_its_imports_stand(tmp_path: Path) -> None:
    folder = tmp_path / "scripts_tracker"
    (folder / "room").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "room" / "__init__.py").write_text("")
    (folder / "room" / "low.py").write_text("def f():\n    from scripts_tracker import top\n")
    (folder / "top.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from scripts_tracker.room import low\n"
    )
    cycle = ["scripts_tracker.room.low", "scripts_tracker.top"]
    assert read(tmp_path).cycles() == [cycle]
    assert read(tmp_path).by_room().cycles() == [["scripts_tracker.room", "scripts_tracker.top"]]


def test_floors_are_counted_along_the_longest_chain() -> None:
    plan = FloorPlan(dict.fromkeys("abcd", 1), {"a": {"b", "c"}, "b": {"c"}, "c": set(), "d": {"a"}})
    assert (plan.floors(), plan.cycles()) == (4, [])


def test_components_come_after_what_they_point_to() -> None:
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": set()}
    assert [set(group) for group in components(graph)] == [{"c"}, {"a", "b"}]


def test_no_files_import_each_other(plan: FloorPlan) -> None:
    assert plan.cycles() == []


def test_no_rooms_import_each_other(plan: FloorPlan) -> None:
    assert plan.by_room().cycles() == []


def test_the_rooms_stand_on_few_floors(plan: FloorPlan) -> None:
    assert plan.by_room().floors() <= MOST_FLOORS


def test_no_file_is_too_long_to_read(plan: FloorPlan) -> None:
    assert {module: lines for module, lines in plan.lines.items() if lines > LONGEST} == {}


def test_every_room_says_what_it_is_for_and_what_it_must_not_know(plan: FloorPlan) -> None:
    rooms = [module for module in plan.lines if any(other.startswith(f"{module}.") for other in plan.lines)]
    others = {"scripts_tracker.migrations", "scripts_tracker.management.commands"}
    docs = {room: ast.get_docstring(_tree(room)) or "" for room in rooms if room not in others}
    assert [room for room, doc in docs.items() if len(re.findall(r"\.(\s|$)", doc)) < 2] == []


def _tree(room: str) -> ast.Module:
    return ast.parse((ROOT / room.replace(".", "/") / "__init__.py").read_text())
