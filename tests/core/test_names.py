from __future__ import annotations

import pytest

from scripts_tracker.core import names
from scripts_tracker.exceptions import UnknownScript
from tests.builders import script_id
from tests.growth import LARGER, grows_in_proportion

KNOWN = [
    script_id(text)
    for text in ("shop.fix_totals", "stock.fix_totals", "stock.recount", "shop.import_kingston-upon-hull")
]

WRONG = {
    "a slip gets the nearest name": ("recout", "did you mean stock.recount?"),
    "a slip in a full name gets the nearest full name": ("stock.recont", "did you mean stock.recount?"),
    "the right name in the wrong app gets the right app": ("shop.recount", "did you mean stock.recount?"),
    "a name of two scripts gets both": ("fix_totals", "use one of: shop.fix_totals, stock.fix_totals"),
    "a name like nothing gets the list": ("qqqqqq", "manage.py check_scripts --all"),
    "an empty name gets the list": ("", "manage.py check_scripts --all"),
}


@pytest.mark.parametrize(("typed", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_name(typed: str, words: str) -> None:
    with pytest.raises(UnknownScript) as caught:
        names.resolve(typed, KNOWN)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("recount", "stock.recount"),
        ("stock.fix_totals", "stock.fix_totals"),
        ("import_kingston-upon-hull", "shop.import_kingston-upon-hull"),
    ],
)
def test_a_right_name(typed: str, found: str) -> None:
    assert str(names.resolve(typed, KNOWN)) == found


def test_all_wrong_names_are_named_at_once() -> None:
    with pytest.raises(UnknownScript) as caught:
        names.resolve_all(["recout", "recount", "qqq"], KNOWN)
    assert len(str(caught.value).splitlines()) == 2


def test_a_script_named_twice_is_taken_once() -> None:
    assert names.resolve_all(["recount", "stock.recount"], KNOWN) == (script_id("stock.recount"),)


def test_the_time_to_find_many_names_grows_with_them() -> None:
    few, many = (
        [script_id(f"a.s{number:05d}") for number in range(count)] for count in (4_000 // LARGER, 4_000)
    )
    short = [one.name for one in few], [one.name for one in many]
    assert grows_in_proportion(
        lambda: names.resolve_all(short[0], few), lambda: names.resolve_all(short[1], many)
    )
    assert names.resolve_all(short[1], many) == tuple(many)


@pytest.mark.parametrize(
    ("one", "other", "letters"),
    [
        ("", "", 0),
        ("", "ab", 2),
        ("same", "same", 0),
        ("sme", "same", 1),
        ("saame", "same", 1),
        ("smae", "same", 2),
    ],
)
def test_letters_between_two_words(one: str, other: str, letters: int) -> None:
    assert names.letters_between(one, other) == names.letters_between(other, one) == letters
