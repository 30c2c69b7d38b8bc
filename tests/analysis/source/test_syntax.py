"""What CPython refuses and libcst's parse lets pass must not go unseen where no fingerprint is computed."""

from __future__ import annotations

import warnings

import pytest

from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.facts.values import NOT_COMPUTED
from scripts_tracker.analysis.source.syntax import compiles, with_plain_names
from scripts_tracker.exceptions import UnreadableSource

REFUSED = {
    "half an escape": r'"\x4"',
    "half an escape in a function": "def more():\n    return '\\u12'",
    "bytes beside text": 'b"a" "b"',
    "letters in bytes": "b'\u00e9'",
    "an escape in an f-string": 'f"{1}\\x"',
    "an escape in a format": 'f"{1:\\x}"',
    "leading zeros": "0777",
    "two underscores": "1__0",
    "too many digits": "1" * 4301,
    "too many digits with underscores": "1_1" * 3000,
    "a constant in other letters": "\U0001d413rue = 1",
    "a constant as an attribute": "one.\U0001d40done",
}
ACCEPTED = {
    "an escape that means nothing": r'"\d"',
    "a comparison with a literal": "1 is 1",
    "letters": "gr\u00f6\u00dfe = '\u2026'",
    "nearly too many digits": "1" * 4300,
    "many digits in hexadecimal": f"0x{'1' * 4000}",
    "a name that is normalised": "\ufb01 = 1",
    "nothing": "",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_only_the_fingerprint_would_refuse_is_unreadable_without_it(text: str) -> None:
    source = f"class Command:\n    pass\n{text}\n"
    assert not compiles(source)
    with pytest.raises(UnreadableSource) as whole:
        extract(source.encode())
    with pytest.raises(UnreadableSource) as part:
        extract(source.encode(), with_fingerprint=False)
    assert (part.value.reason, part.value.line) == (whole.value.reason, whole.value.line)


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_what_python_reads_needs_no_fingerprint(text: str) -> None:
    source = f"class Command:\n    pass\n{text}\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compiles(source), "warnings about the project's code are neither shown nor errors"
        assert warnings.filters[0][0] == "error"
    facts = extract(source.encode(), with_fingerprint=False)
    assert facts.fingerprint == NOT_COMPUTED
    assert not facts.has_fingerprint
    assert facts == extract(source.encode())._replace(fingerprint=NOT_COMPUTED)
    assert type(facts).from_text(facts.to_text()) == facts


def test_what_only_some_pythons_read_is_fingerprinted_at_once() -> None:
    source = b'class Command:\n    help = "\\N{no such character}"\n'
    assert not compiles(source.decode())
    assert extract(source, with_fingerprint=False) == extract(source)


def test_a_source_that_is_read_in_part_has_the_fingerprint_of_its_bytes() -> None:
    source = b"class Command:\n    def handle(self):\n        (total): int = 1\n"
    facts = extract(source, with_fingerprint=False)
    assert (facts.fingerprint or "").startswith("raw:")


def test_filters_of_warnings_are_put_back_after_a_source_is_refused() -> None:
    before = list(warnings.filters)
    assert not compiles("x = = 1")
    assert list(warnings.filters) == before


def test_identifiers_are_read_as_python_reads_them_and_texts_stay() -> None:
    source = "\uff54racked = '\uff54racked'  # \uff54racked\n"
    assert with_plain_names(source) == "tracked = '\uff54racked'  # \uff54racked\n"


@pytest.mark.parametrize("source", ["ä = 1\n", "'\uff54'\n", "\uff34rue = 1\n", "\uff54 = (\n"])
def test_a_source_without_such_identifiers_stays_as_it_is(source: str) -> None:
    assert with_plain_names(source) == source
