"""A review as a comment: complete where there is room, and never longer than GitHub takes."""

from __future__ import annotations

import pytest

from scripts_tracker.core.states import ScriptStatus, State
from scripts_tracker.core.values import Finding, Location
from scripts_tracker.project.review import Change, Review
from scripts_tracker.reporting import markdown
from scripts_tracker.reporting.terminal import Output
from tests.builders import definition, script_id

GITHUB = 65_536


def change(number: int, lines: int = 10, state: State = State.MODIFIED) -> Change:
    name = f"shop.script_{number:04}_{'x' * 50}"
    now = definition(name, "b", requires=(name, name), tags=("slow",))
    diff = ("--- before", "+++ now", *(f"+{'y' * 90}" for _ in range(lines)))
    return Change(ScriptStatus(now.id, state, now, None), definition(name), (), "", diff, "Left out: x.")


def many(count: int, lines: int) -> Review:
    changes = tuple(change(number, lines) for number in range(count))
    edited = tuple(change(number, lines, State.EDITED) for number in range(count))
    findings = tuple(Finding(Location("a.py"), "ST003", "x" * 1000, "y" * 1000) for _ in range(count))
    ids = tuple(script_id(f"shop.{'z' * 200}{number}") for number in range(count))
    blocked = tuple((one, ("x" * 2000,)) for one in ids)
    return Review("x" * 400, "0" * 40, changes, edited, edited, blocked, ids, findings)


@pytest.mark.parametrize(("count", "lines"), [(1, 0), (1, 5000), (49, 0), (51, 600), (2000, 10)])
def test_a_comment_is_never_longer_than_github_takes(count: int, lines: int) -> None:
    shown = markdown.review(many(count, lines), Output(style=None))  # type: ignore[arg-type]  # it has no colours
    assert len(shown) < GITHUB
    assert shown.startswith(markdown.MARK)
    assert f"**{count} script" in shown
    assert shown.count("<details>") == shown.count("</details>")
    assert shown.count("```diff") * 2 == shown.count("```")
    assert ("Some details are left out" in shown) or count * lines < 500


def test_what_has_room_is_shown_in_full() -> None:
    found = Review("main", "0" * 40, (change(1),), (), (), (), (), ())
    shown = markdown.review(found, Output(style=None))  # type: ignore[arg-type]  # as above
    assert shown.count("y" * 90) == 10
    assert "left out here" not in shown
