"""The arguments of a run as JSON: bounded as a whole, without secrets, whatever was given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts_tracker.core.redaction import ARGUMENTS_LIMIT, MASK, arguments_to_json
from tests.growth import LARGER, grows_less_than_half


def stored(*args: object, **options: object) -> Any:
    text = arguments_to_json(args, options)
    assert len(text) <= ARGUMENTS_LIMIT
    return json.loads(text)


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("no words for it")

    def __bool__(self) -> bool:
        raise ValueError("neither true nor false")


def nested(depth: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(depth):
        found = [found]
    return found


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)

SMALL = {
    "plain values": ({"a": 1, "b": None, "c": 2.5, "d": "x", "e": [1, "y", True]}, None),
    "a tuple": ({"a": (1, 2)}, {"a": [1, 2]}),
    "what JSON has no number for": ({"a": float("inf")}, {"a": "inf"}),
    "an integer of thousands of digits": ({"a": 10**5000}, {"a": "an integer of 16,610 bits"}),
    "what cannot be printed": ({"a": Unprintable()}, {"a": "an object of type Unprintable"}),
    "a secret that is neither true nor false": ({"api_key": Unprintable()}, {"api_key": MASK}),
    "what contains itself": ({"a": ENDLESS}, {"a": [[[[[[[[[["[[...]]"]]]]]]]]]]}),
    "a flag and its value": ({"a": ["--password", "x"]}, {"a": ["--password", MASK]}),
    "a glued option": ({"a": ["mysql", "-u", "root", "-px y"]}, {"a": ["mysql", "-u", "root", f"-p{MASK}"]}),
    "a user and a password": ({"a": ("curl", "-u", "jane:x")}, {"a": ["curl", "-u", f"jane:{MASK}"]}),
    "quotes around what follows": (
        {"a": ["-q", "it's", '"', "--token", "a'b", "end"]},
        {"a": ["-q", "it's", '"', "--token", MASK, "end"]},
    ),
    "a port": ({"a": ["runserver", "-p", "8080"]}, None),
    "secrets in a dictionary": ({"a": {"password": "x"}}, {"a": f"{{'password': '{MASK}'}}"}),
}


@pytest.mark.parametrize(("given", "expected"), SMALL.values(), ids=SMALL)
def test_what_is_stored_of_small_arguments(
    given: dict[str, object], expected: dict[str, object] | None
) -> None:
    assert stored(**given) == (given if expected is None else expected)


def test_positional_arguments_are_masked_as_a_list() -> None:
    assert stored("x", "--password", "y", page=2) == {"args": ["x", "--password", MASK], "page": 2}


def test_a_projects_own_pattern_replaces_the_usual_one_in_lists_too() -> None:
    text = arguments_to_json((), {"a": ["--password", "card 12"]}, r"card \d+")
    assert json.loads(text) == {"a": ["--password", MASK]}
    assert json.loads(arguments_to_json((), {"a": ["--password", "x"]}, "card")) == {"a": ["--password", "x"]}


def test_a_long_list_says_how_much_of_it_is_left_out_and_hides_no_other_option() -> None:
    found = stored(ids=list(range(300_000)), dry_run=False, name="shop", since="2024-01-01")
    *ids, note = found.pop("ids")
    assert ids == list(range(len(ids)))
    assert len(ids) > 1500
    assert note == f"... {300_000 - len(ids):,} more left out"
    assert found == {"dry_run": False, "name": "shop", "since": "2024-01-01"}


def test_two_long_lists_share_the_room() -> None:
    found = stored(a=["x" * 20] * 5000, b=list(range(5000)), c=3)
    assert len(found["a"]) > 150
    assert len(found["b"]) > 500
    assert (list(found), found["c"]) == (["a", "b", "c"], 3)


def test_a_long_text_keeps_its_end_and_says_how_long_it_was() -> None:
    found = stored(text="a line\n" * 1000 + "the end")
    assert found["text"].startswith("[the end of 7,007 characters] a line\n")
    assert found["text"].endswith("a line\nthe end")


LARGE = {
    "many options": {f"option_{number}": number for number in range(5000)},
    "many texts of escapes": {f"option_{number}": "\x01é😀 " * 500 for number in range(50)},
    "lists in lists": {"a": [[list(range(10_000))] * 100] * 100},
    "texts in a list": {"a": ["x y " * 10_000] * 1000},
    "a deep list": {"a": nested(500)},
    "a name of many letters": {"n" * 20_000: 1, "b": 2},
    "a large dictionary": {"a": dict.fromkeys(range(100000), "x")},
}


@pytest.mark.parametrize("given", LARGE.values(), ids=LARGE)
def test_arguments_are_bounded_as_a_whole(given: dict[str, object]) -> None:
    assert stored(**given)


def test_options_that_are_left_out_are_counted() -> None:
    found = stored(**{f"option_{number}": number for number in range(5000)})
    assert found.pop("...") == f"{5000 - len(found):,} more left out"


ENDS: dict[str, Callable[[int], object]] = {
    "a list of numbers": lambda size: list(range(size)),
    "a list of texts": lambda size: ["a b"] * size,
    "a text": lambda size: "password=x\n" * size,
}


@pytest.mark.parametrize("make", ENDS.values(), ids=ENDS)
def test_the_rest_of_large_arguments_costs_nothing(make: Callable[[int], object]) -> None:
    short, long = make(20_000), make(20_000 * LARGER)
    assert grows_less_than_half(
        lambda: arguments_to_json((), {"a": short}), lambda: arguments_to_json((), {"a": long})
    )
