"""For random programs and small random edits of them: fingerprints are equal exactly where CPython's trees are."""

from __future__ import annotations

import ast
import random
import tokenize
from collections import Counter
from collections.abc import Callable

import hypothesmith
from hypothesis import HealthCheck, Phase, given, settings, strategies

from scripts_tracker.analysis.fingerprint import fingerprint
from tests.analysis import oracle, programs
from tests.differential import judging, rewrites
from tests.differential.judging import SKIPPED, WRONG, Outcome, Unjudged
from tests.switches import at_length

# The same programs each time, and no shrinking database that parallel runs would share.
_settings = settings(
    database=None,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)
SEEDS = strategies.integers(0, 2**32 - 1)


class Judge:
    """Counts what was judged, so that no property holds for want of programs."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()

    def compare(self, text: str, other: str) -> None:
        outcome = self._outcome(text, other)
        self.verdicts[outcome.verdict] += 1
        assert outcome.verdict != WRONG, f"{outcome.note}:\n{text!r}\n{other!r}"

    def _outcome(self, text: str, other: str) -> Outcome:
        try:
            sides = [judging.side(one.encode("utf-8", "surrogatepass"), fingerprint) for one in (text, other)]
        except Unjudged as reason:
            return Outcome("", SKIPPED, str(reason))
        return judging.judge("", *sides, compiling=True)

    def all_ways(self, text: str, seed: int) -> None:
        """The program unparsed, laid out anew and edited; nothing of what CPython refuses."""
        if not programs.is_program(text):
            return
        dice = random.Random(seed)  # noqa: S311 - not cryptography
        others = [_attempt(rewrite, text, dice) for rewrite in REWRITES]
        others += [programs.edited(text, dice) for _edit in range(10)]
        for other in others:
            if other is not None and programs.is_program(other):
                self.compare(text, other)


def _unparsed(text: str, _dice: random.Random) -> str:
    return ast.unparse(oracle.parse(text))


REWRITES = (_unparsed, rewrites.parenthesised, rewrites.respaced, rewrites.respelled)


def _attempt(rewrite: Callable[[str, random.Random], str], text: str, dice: random.Random) -> str | None:
    try:
        return rewrite(text, dice)
    except (SyntaxError, ValueError, RecursionError, tokenize.TokenError):
        return None


def test_random_programs_from_the_cases_are_distinguished_as_by_cpython() -> None:
    judge = Judge()

    @settings(_settings, max_examples=at_length(500, sample=50))
    @given(programs.assembled(), SEEDS)
    def judged(text: str, seed: int) -> None:
        judge.all_ways(text, seed)

    judged()
    assert judge.verdicts["equal"] > 50
    assert judge.verdicts["different"] > 50


def test_random_programs_from_the_grammar_are_distinguished_as_by_cpython() -> None:
    judge = Judge()

    @settings(_settings, max_examples=at_length(200, sample=20))
    @given(hypothesmith.from_grammar(), SEEDS)
    def judged(text: str, seed: int) -> None:
        judge.all_ways(text, seed)

    judged()
    assert judge.verdicts["equal"] + judge.verdicts["different"] > 10


def test_random_programs_from_libcst_nodes_are_distinguished_as_by_cpython() -> None:
    judge = Judge()

    @settings(_settings, max_examples=at_length(50, sample=5))
    @given(hypothesmith.from_node(), SEEDS)
    def judged(text: str, seed: int) -> None:
        judge.all_ways(text, seed)

    judged()
    assert sum(judge.verdicts.values()) > 0
