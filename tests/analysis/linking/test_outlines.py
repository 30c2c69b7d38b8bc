"""Names are followed through the text of files that nobody has parsed."""

from __future__ import annotations

import pytest

from scripts_tracker.analysis.linking.outlines import outline_of, paths_of
from tests.growth import LARGER, grows_in_proportion


def paths(source: str, name: str) -> set[str]:
    return paths_of(outline_of(source.encode()), {name})


def chain(functions: int) -> str:
    return "from last import end\n" + "\n\n".join(
        f"def make{number}():\n    return {f'make{number + 1}' if number + 1 < functions else 'end'}()"
        for number in range(functions)
    )


def test_the_time_to_follow_functions_grows_with_their_number() -> None:
    few, many = chain(400), chain(400 * LARGER)
    assert paths(many, "make0") == {"last:end"}
    assert grows_in_proportion(lambda: paths(few, "make0"), lambda: paths(many, "make0"))


CLASSES = "from a import Inner\n\nclass Maker(type): ...\n\nclass {name}:\n    made = Inner\n"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        (CLASSES.format(name="Outer"), {"a:Inner"}),
        (CLASSES.format(name="OuterMost"), set()),
        (CLASSES.format(name="Outer").replace("(type)", ""), set()),
        (CLASSES.format(name="Outer") + "\ndef Outer():\n    pass\n", set()),
    ],
    ids=["the class", "one that begins alike", "where none makes classes", "a function in its place"],
)
def test_a_name_is_followed_into(source: str, found: set[str]) -> None:
    assert paths(source, "Outer") == found
