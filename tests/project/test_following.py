"""What a script printed between two looks at the end of its output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts_tracker.project.following import added
from tests.properties import AT_ANY_SPEED

LOOKS = {
    "nothing new": ("a\nb\n", "a\nb\n", "", False),
    "the first words": ("", "a\n", "a\n", False),
    "more": ("a\n", "a\nb\n", "b\n", False),
    "the start is cut off": ("a\nb\nc\n", "b\nc\nd\n", "d\n", False),
    "only the last line is left": ("a\nb\nc\n", "c\nd\ne\n", "d\ne\n", False),
    "a line that repeats is not printed twice": ("x\nx\nx\n", "x\nx\nx\nx\n", "x\n", False),
    "repeated lines after a cut": ("a\nx\nx\n", "x\nx\ny\n", "y\n", False),
    "nothing is left": ("a\nb\n", "y\nz\n", "y\nz\n", True),
    "a masked word changes the past": ("a\nkey=\n", "a\nkey=***\nb\n", "a\nkey=***\nb\n", True),
    "the output is gone": ("a\n", "", "", False),
}


@pytest.mark.parametrize(("before", "now", "text", "is_cut"), LOOKS.values(), ids=LOOKS)
def test_what_was_added(before: str, now: str, text: str, *, is_cut: bool) -> None:
    assert added(before, now) == (text, is_cut)


@AT_ANY_SPEED
@given(st.lists(st.text("ab", max_size=3)), st.lists(st.text("ab", max_size=3)), st.integers(0, 20))
def test_of_what_is_kept_no_line_is_lost_or_doubled(old: list[str], new: list[str], cut: int) -> None:
    """Where the kept end overlaps with itself, the longest overlap counts: it repeats nothing."""
    before, text = "".join(f"{line}\n" for line in old), "".join(f"{line}\n" for line in new)
    kept = "".join(f"{line}\n" for line in old[min(cut, len(old)) :]) + text
    found, is_cut = added(before, kept)
    assert kept.endswith(found)
    if not cut:
        assert (found, is_cut) == (text, False)
