"""Files without the marker are looked at by their bytes, however long they are."""

from __future__ import annotations

from scripts_tracker.analysis.linking.prefilter import origins
from tests.growth import LARGER, grows_in_proportion


def body(values: int) -> bytes:
    lines = "\n".join(f"    a{number} = b{number}" for number in range(values))
    return f"from a import b1\nclass Command:\n{lines}\n".encode()


def test_the_time_to_look_at_the_body_of_a_command_grows_with_its_length() -> None:
    assert origins(body(20)) == frozenset({"a:b1"})
    few, many = body(2000), body(2000 * LARGER)
    assert grows_in_proportion(lambda: origins(few), lambda: origins(many))
