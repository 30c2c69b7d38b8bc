from __future__ import annotations

import pytest

from scripts_tracker.core import names
from scripts_tracker.exceptions import UnknownScript
from tests.builders import path_of, script_id
from tests.growth import LARGER, grows_in_proportion

KNOWN = {
    script_id(text): path_of(text)
    for text in (
        "shop.fix_totals",
        "stock.fix_totals",
        "stock.recount",
        "shop.import_kingston-upon-hull",
        "mail.mail",
        "tax.tax",
        "tax.vat",
    )
}
ALL = tuple(sorted(map(str, KNOWN)))
FOLDER = "shop/management/commands"

WRONG = {
    "a slip gets the nearest name": ("recout", "did you mean stock.recount?"),
    "a slip in a full name gets the nearest full name": ("stock.recont", "did you mean stock.recount?"),
    "the right name in the wrong app gets the right app": ("shop.recount", "did you mean stock.recount?"),
    "a name of two scripts gets both": ("fix_totals", "use one of: shop.fix_totals, stock.fix_totals"),
    "a name like nothing gets the list": ("qqqqqq", "manage.py check_scripts --all"),
    "an empty name gets the list": ("", "manage.py check_scripts --all"),
    "a pattern that matches nothing": ("qq*", "no tracked script matches 'qq*'; to list them:"),
    "a pattern of an app with a slip": (
        "stok.*",
        "no tracked script matches 'stok.*'; did you mean 'stock.*'?",
    ),
    "a pattern in the right app": ("stock.x*", "no tracked script matches 'stock.x*'; to list them:"),
    "an app with a slip": ("shopp", "did you mean shop?"),
    "a name of an app and a script": (
        "tax",
        "'tax' is a script and an app; use tax.tax for the script, or 'tax.*' for all 2 scripts of the app",
    ),
    "a path with a slip": (f"{FOLDER}/fix_total.py", "did you mean shop.fix_totals or stock.fix_totals?"),
    "an absolute path, of whatever project": (f"/{FOLDER}/fix_totals.py", "there is no tracked script"),
    "a part of the name of a folder": ("sho/", "there is no tracked script 'sho/'"),
    "a folder that is there": ("/tmp/", "to list them"),
    "several where one is wanted": ("stock", "'stock' names 2 scripts; name one of them: stock.fix_totals, "),
    "more than a line has room for": ("*", f"'*' names {len(ALL)} scripts; name one of them: mail.mail, "),
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
        ("mail", "mail.mail"),
        (f"{FOLDER}/fix_totals.py", "shop.fix_totals"),
        (f"./{FOLDER}/fix_totals.py", "shop.fix_totals"),
        (f"src/{FOLDER}/fix_totals.py", "shop.fix_totals"),
        (f"{FOLDER}/fix_totals.py:12:5", "shop.fix_totals"),
        (r"shop\management\commands\fix_totals.py", "shop.fix_totals"),
        ("recoun?", "stock.recount"),
    ],
)
def test_a_right_name(typed: str, found: str) -> None:
    assert str(names.resolve(typed, KNOWN)) == found


def test_all_wrong_names_are_named_at_once() -> None:
    with pytest.raises(UnknownScript) as caught:
        names.resolve_all(["recout", "recount", "qqq"], KNOWN)
    assert len(str(caught.value).splitlines()) == 2


GROUPS = {
    "an app": ("stock", "stock.fix_totals stock.recount"),
    "an app and its script": ("tax.*", "tax.tax tax.vat"),
    "a pattern of full names": ("s*.fix_*", "shop.fix_totals stock.fix_totals"),
    "a pattern of short names": ("fix_*", "shop.fix_totals stock.fix_totals"),
    "a pattern of letters": ("[mt]a*", "mail.mail tax.tax"),
    "a pattern of paths": ("st*/recount.py", "stock.recount"),
    "a folder": (f"{FOLDER}/", "shop.fix_totals shop.import_kingston-upon-hull"),
    "the folder of an app": ("./stock/", "stock.fix_totals stock.recount"),
    "everything": ("*", " ".join(ALL)),
}


@pytest.mark.parametrize(("typed", "found"), GROUPS.values(), ids=GROUPS)
def test_a_group(typed: str, found: str) -> None:
    resolved = names.resolve_each([typed], KNOWN)
    assert " ".join(map(str, resolved)) == found
    assert not any(resolved.values())


def test_what_is_named_by_itself_is_not_only_one_of_a_group() -> None:
    resolved = names.resolve_each(["stock", "recount", "stock"], KNOWN)
    assert {str(one): is_by_name for one, is_by_name in resolved.items()} == {
        "stock.fix_totals": False,
        "stock.recount": True,
    }


def test_the_command_that_lists_scripts_may_be_of_a_tenant() -> None:
    with pytest.raises(UnknownScript, match="to list them: tenant_command x"):
        names.resolve("qqq", KNOWN, "tenant_command x")


def test_a_script_named_twice_is_taken_once() -> None:
    assert names.resolve_all(["recount", "stock.recount"], KNOWN) == (script_id("stock.recount"),)


def test_the_time_to_find_many_names_grows_with_them() -> None:
    few, many = (
        {script_id(f"a.s{number:05d}"): f"a/s{number:05d}.py" for number in range(count)}
        for count in (4_000 // LARGER, 4_000)
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
        ("smae", "same", 1),
        ("chec", "help", 3),
    ],
)
def test_letters_between_two_words(one: str, other: str, letters: int) -> None:
    assert names.letters_between(one, other) == names.letters_between(other, one) == letters


SLIPS = {
    "a letter is missing": ("recont", "recount"),
    "a letter too many": ("recountt", "recount"),
    "another letter": ("recaunt", "recount"),
    "two letters are swapped": ("frist", "first"),
    "another case": ("Recount", "recount"),
    "a word is missing at the end": ("import_vat", "import_vat_rates"),
    "a word is missing in the middle": ("required_script", "required_preceding_script"),
    "a word too many": ("fix_all_totals", "fix_totals"),
    "the separators are missing": ("trackedscript", "tracked_script"),
    "four letters, one of them wrong": ("nigh", "night"),
}
OTHERS = {
    "half of the letters are the same": ("chec", "help"),
    "most letters are the same in another order": ("third", "frist"),
    "a word of a name is the same": ("fix_total", "fix_notes"),
    "letters are shared": ("statement", "treatments"),
    "two of three letters": ("tst", "tax"),
}


@pytest.mark.parametrize(("word", "right"), SLIPS.values(), ids=SLIPS)
def test_the_right_word_for_a_slip(word: str, right: str) -> None:
    assert names.nearest(word, ["zebra", right, "unlike"]) == right


@pytest.mark.parametrize(("word", "other"), OTHERS.values(), ids=OTHERS)
def test_a_word_that_only_looks_similar_is_not_suggested(word: str, other: str) -> None:
    assert names.nearest(word, ["zebra", other]) == ""


def test_a_right_word_is_found_behind_more_similar_ones_that_are_no_slip() -> None:
    alike = ["imxxrt_axtes", "imyyrt_aytes"]
    assert names.nearest("import_rates", [*alike, "import"]) == "import"


OPTIONS = ("-h", "--help", "--select", "--extend-select", "--statistics", "--since")
MEANT = {"--json": "did you mean --format json?"}
WRONG_OPTIONS = {
    "a slip": ("--statistcs", "; did you mean --statistics?"),
    "the beginning of several": ("--s", "; did you mean --select or --statistics or --since?"),
    "one that people know from elsewhere": ("--json", "; did you mean --format json?"),
    "a slip of one that people know from elsewhere": ("--jsn", "; did you mean --format json?"),
    "with a value": ("--selct=ST001", "; did you mean --select?"),
    "nothing but the dashes is alike": ("--chec", ""),
    "like nothing": ("--xyzzy", ""),
    "a short one": ("-x", ""),
    "no option": ("path", ""),
}


@pytest.mark.parametrize(("word", "advice"), WRONG_OPTIONS.values(), ids=WRONG_OPTIONS)
def test_a_wrong_option(word: str, advice: str) -> None:
    assert names.option_meant(f"unrecognized arguments: {word}", OPTIONS, MEANT) == advice


def test_an_option_that_is_right_and_lacks_its_value_gets_no_other_one() -> None:
    assert names.option_meant("argument --select: expected one argument", OPTIONS, MEANT) == ""
