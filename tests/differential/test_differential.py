"""A sample of the differential run that needs no network, and proof that the run would notice a fault."""

from __future__ import annotations

import hashlib
import re

import pytest

from scripts_tracker.analysis.fingerprint import fingerprint
from tests.conftest import IS_SAMPLE
from tests.differential import corpus, mutations
from tests.differential.corpus import Sample
from tests.differential.judging import DIFFERENT, EQUAL, WRONG, Fingerprinter
from tests.differential.layouts import LAYOUTS, Layout
from tests.differential.tally import Tally
from tests.differential.trials import ORIGINAL, trials

SAMPLES = corpus.local(12, seed=7, largest=3_000)[:: 4 if IS_SAMPLE else 1]
AVAILABLE = [layout for layout in LAYOUTS if layout.available]
# Something for every layout and every mutation to work on.
UGLY = Sample(
    "this file",
    "ugly.py",
    b"""\
import sys, os
from b import (c as d, a)
class A(B):
    "Words."
    x: int = 0x10
    async def f(self, a, *b, c = 1, **d) -> None:
        async for i in [1,2 , 3]:
            if not i and a or b == 'it' :
                await g( i, key = i + 1 , *a )
            else :
                x += 1.5; y = f'{i!r:>{a}} {a}'
        with open(a) as b, c as [d, e]:
            return { 'a' : 1, **d }
        try: pass
        except ValueError as error: raise E from error
        del a, b
""",
)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_fingerprints_and_cpython_agree(sample: Sample) -> None:
    tally = Tally()
    wrong = []
    for outcome in trials(sample, mutants=1, layouts=AVAILABLE):
        tally.add(outcome)
        wrong += [outcome] if outcome.verdict == WRONG else []
    assert wrong == []
    if tally.counts.keys() == {ORIGINAL}:
        pytest.skip(f"not judged: {', '.join(tally.reasons['skipped'])}")
    exact = [layout.name for layout in AVAILABLE if layout.exact]
    assert list(tally.faults({EQUAL: 5, DIFFERENT: 1}, [], 0, exact=exact)) == []


def test_every_layout_changes_text_and_every_mutation_changes_meaning() -> None:
    tally = Tally()
    for outcome in trials(UGLY, mutants=12, layouts=AVAILABLE):
        tally.add(outcome)
    expected = [(layout.name, EQUAL) for layout in AVAILABLE]
    expected += [(name, DIFFERENT) for name in (*mutations.IN_TREE, mutations.IN_TEXT)]
    assert list(tally.faults({}, expected, 1)) == []
    assert tally.compiled.total() == tally.total(EQUAL)


def test_no_layout_is_missing_that_the_contract_names() -> None:
    named = " ".join(layout.name for layout in LAYOUTS)
    for tool in ("black", "ruff format", "yapf", "autopep8", "isort", "CRLF", "mark", "licence", "unparse"):
        assert tool in named


FAULTY: dict[str, Fingerprinter] = {
    "counts white space": lambda source: hashlib.sha256(source).hexdigest(),
    "sees no change": lambda source: "always the same",
    "cannot count": lambda source: fingerprint(re.sub(rb"\d+", b"0", source)),
    "reads the docstring": lambda source: (fingerprint(source), b"Words" in source),
}


@pytest.mark.parametrize("faulty", FAULTY.values(), ids=FAULTY)
def test_a_fingerprint_that_is_wrong_is_found_out(faulty: Fingerprinter) -> None:
    source = UGLY.source.replace(b'"Words."', b'"Words" "."')
    tally = Tally()
    for outcome in trials(Sample("", "", source), mutants=12, layouts=AVAILABLE, fingerprint=faulty):
        tally.add(outcome)
    assert any("wrong" in fault for fault in tally.faults({}, [], 0))


def test_a_run_that_judges_too_little_fails() -> None:
    tally = Tally()
    for outcome in trials(Sample("", "", b"x = \n"), mutants=1):
        tally.add(outcome)
    faults = list(tally.faults({EQUAL: 1, DIFFERENT: 1}, [("black", EQUAL)], 1))
    assert len(faults) == 3, faults


def test_two_trees_with_one_fingerprint_are_found_across_files() -> None:
    tally = Tally()
    for source in (b"x = 1\n", b"x = 2\n"):
        for outcome in trials(Sample("", "", source), mutants=0, layouts=(), fingerprint=lambda _: "one"):
            tally.add(outcome)
    assert tally.clashes == 1


def test_a_layout_that_takes_forever_is_given_up() -> None:
    def forever(source: bytes, seed: int) -> bytes:
        while True:
            pass

    tally = Tally()
    layouts = [Layout("forever", forever)]
    for outcome in trials(UGLY, mutants=0, layouts=layouts, seconds=1):
        tally.add(outcome)
    assert "more than 1 seconds" in tally.reasons["skipped"]
