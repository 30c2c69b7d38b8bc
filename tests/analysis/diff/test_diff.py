"""A diff is empty exactly where the fingerprints are equal, and shows what changed in its author's own lines."""

from __future__ import annotations

import ast
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies

from scripts_tracker.analysis.diff import unified as diffing
from scripts_tracker.analysis.diff.unified import Difference, compare, unified
from scripts_tracker.analysis.fingerprint import fingerprint
from scripts_tracker.exceptions import UnreadableSource
from tests.analysis import oracle, programs
from tests.analysis.fingerprint.test_fingerprint import DIFFERENT, EQUAL, Case
from tests.differential import corpus, mutations
from tests.switches import FULL, at_length

FIXTURES = Path(__file__).parents[3] / "fixtures" / "diffs"
CASES = {path.stem.replace("_", " "): path for path in sorted(FIXTURES.glob("*.txt"))}
SAMPLES = corpus.local(60, seed=3, largest=12_000) if FULL else corpus.local(2, seed=3, largest=3_000)[::3]
UNTOLD = "shows no difference"


def agree(old: bytes, new: bytes) -> Difference | None:
    """The diff of two sources, which must be empty exactly where the fingerprints are equal; None for unreadable ones."""
    try:
        is_same = fingerprint(old) == fingerprint(new)
    except UnreadableSource:
        return None
    found = compare(old, new)
    assert bool(found.lines) != is_same
    assert UNTOLD not in found.note  # the fallback that keeps the promise is never needed
    return found


def variants(case: Case) -> Iterator[tuple[bytes, bytes]]:
    encoded = [variant.encode("utf-8", "surrogatepass") for variant in case.variants]
    return itertools.combinations(encoded, 2) if FULL else itertools.pairwise(encoded)


@pytest.mark.parametrize("case", DIFFERENT + EQUAL, ids=lambda case: case.name)
def test_every_case_of_the_fingerprint_is_one_of_the_diff(case: Case) -> None:
    for old, new in variants(case):
        agree(old, new)


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_kind_of_change_in_real_code_is_shown_and_no_layout_is(sample: corpus.Sample) -> None:
    agree(sample.source, ast.unparse(oracle.parse(sample.source)).encode())
    for name, mutation in mutations.IN_TREE.items():
        dice = random.Random(f"{sample.seed} {name}")  # noqa: S311 - not cryptography
        mutant = mutations.in_tree(sample.source, mutation, dice)
        if mutant is not None:
            agree(sample.source, mutant)


def test_random_programs_and_their_edits_have_a_diff_where_they_differ() -> None:
    judged = []

    @settings(
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
        max_examples=at_length(300, sample=20),
    )
    @given(programs.assembled(), strategies.integers(0, 2**32 - 1))
    def judge(text: str, seed: int) -> None:
        dice = random.Random(seed)  # noqa: S311 - not cryptography
        for _edit in range(5):
            other = programs.edited(text, dice)
            if programs.is_program(text) and programs.is_program(other):
                encoded = (one.encode("utf-8", "surrogatepass") for one in (text, other))
                found = agree(*encoded)
                judged.append(found is not None and bool(found.lines))

    judge()
    assert sum(judged) > 10


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_one_new_statement_in_a_file_that_is_laid_out_anew_is_the_only_line_added(
    sample: corpus.Sample,
) -> None:
    tree = oracle.parse(sample.source)
    blocks = [node.body for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)] or [tree.body]
    random.Random(sample.seed).choice(blocks).append(ast.parse("this_is_new()").body[0])  # noqa: S311 - as above
    found = agree(sample.source, ast.unparse(tree).encode())
    assert found is not None
    if not found.is_raw:
        changed = [line for line in found.lines[2:] if line[0] in "+-"]
        assert [line.strip("+ ") for line in changed] == ["this_is_new()"]


@pytest.mark.parametrize("path", CASES.values(), ids=CASES)
def test_the_diff_of_a_case(path: Path) -> None:
    text = path.read_text(encoding="utf-8").removeprefix("=== old\n")
    old, _, rest = text.partition("=== new\n")
    new, _, expected = rest.partition("=== diff\n")
    found = compare(old.encode(), new.encode())
    assert "\n".join(found.lines[2:]) == expected.removesuffix("\n")
    assert not found.is_raw
    assert compare(new.encode(), old.encode()).lines[:2] == found.lines[:2]


SAID = {
    "the same bytes": (b"x = 1\n", b"x = 1\n", diffing.IDENTICAL, ""),
    "only layout": (b"x = 1\n", b"x =  1\n", diffing.ONLY_LAYOUT, ""),
    "only line ends": (b"x = 1\n", b"x = 1\r\n", diffing.ONLY_LAYOUT, ""),
    "an old source that cannot be parsed": (
        b"x = \n",
        b"x = 1\n",
        "because before cannot be parsed",
        "-x = ",
    ),
    "a new source that cannot be parsed": (b"x = 1\n", b"x = \0\n", "NUL bytes", "+x = \0"),
    "a source in no encoding": (b"x = 1\n", b"x = '\xe9'\n", "0xe9 is not valid utf-8", "+x = '\udce9'"),
    "a chain that is too deep": (
        b"x = 1\n",
        b"x = " + b" + ".join([b"y"] * 1_200) + b"\n",
        "nested too deeply",
        "-x = 1",
    ),
    "a syntax that no Python reads any more": (
        b"print 'x'\n",
        b"print('x')\n",
        "invalid syntax",
        "-print 'x'",
    ),
}


@pytest.mark.parametrize(("old", "new", "note", "line"), SAID.values(), ids=SAID)
def test_the_note_says_why_code_was_not_compared(old: bytes, new: bytes, note: str, line: str) -> None:
    found = compare(old, new)
    assert note in found.note
    assert line in found.lines if line else found.lines == ()
    assert found.is_raw == bool(line)


RAW = {
    "layout": (b"x = 1\n", b"x =  1\n", ["-x = 1", "+x =  1"]),
    "line ends": (b"x = 1\n", b"x = 1\r\n", ["-x = 1", "+x = 1\r"]),
    "the end of the file": (b"x = 1\n", b"x = 1", ["-x = 1", "+x = 1", "\\ No newline at end of file"]),
    "nothing": (b"x = 1\n", b"x = 1\n", []),
    "a declared encoding": (
        "# coding: latin-1\nx = 'é'\n".encode("latin-1"),
        b"# coding: latin-1\nx = 'e'\n",
        ["-x = 'é'", "+x = 'e'"],
    ),
}


@pytest.mark.parametrize(("old", "new", "lines"), RAW.values(), ids=RAW)
def test_the_raw_diff_is_of_the_text(old: bytes, new: bytes, lines: list[str]) -> None:
    found = compare(old, new, raw=True)
    assert [line for line in found.lines[2:] if line[0] in "+-\\"] == lines
    assert found.is_raw


def test_a_difference_in_bytes_only_is_explained() -> None:
    old = b"# coding: iso2022_jp\nx = 1\n"
    found = compare(old, old.replace(b"=", b"=\x1b(B"), raw=True)
    assert found == Difference((), diffing.ONLY_ENCODING, is_raw=True)


def test_the_names_and_the_context_are_the_callers() -> None:
    new = b"a\nb\nc\nd2\ne\n"
    words = unified(b"a\nb\nc\nd\ne\n", new, names=("then", "now"), context=1)
    assert words == "--- then\n+++ now\n@@ -3,3 +3,3 @@\n c\n-d\n+d2\n e"


def test_many_equal_lines_between_others_take_no_time() -> None:
    one, other = (
        b"".join(b"x = 1\n%s%d()\n" % (name, number) for number in range(600)) for name in (b"a", b"b")
    )
    assert unified(one, other).count("\n+b") == 600
