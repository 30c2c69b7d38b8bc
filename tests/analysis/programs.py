"""Random programs for the property tests: hypothesmith's, and the cases of fixtures/fingerprint/ put together anew."""

from __future__ import annotations

import functools
import random
import textwrap

from hypothesis import strategies

from tests.analysis import oracle
from tests.analysis.fingerprint.test_fingerprint import DIFFERENT, EQUAL

_BLOCKS = (
    "if a:\n",
    "def f():\n",
    "async def f():\n",
    "class A:\n",
    "while a:\n",
    "with a as b:\n",
    "try:\n",
)
_TAILS = {"try:\n": "finally:\n    pass\n", "while a:\n": "else:\n    pass\n"}
_DEEPEST = 3


@functools.cache
def variants() -> list[str]:
    """Every source of the cases that this Python reads."""
    return [
        variant if variant.endswith("\n") else variant + "\n"
        for case in EQUAL + DIFFERENT
        if case.judged
        for variant in case.variants
        if "coding" not in variant
    ]


def _nested(inner: strategies.SearchStrategy[str]) -> strategies.SearchStrategy[str]:
    in_a_block = strategies.builds(_block, strategies.sampled_from(_BLOCKS), inner)
    return in_a_block | strategies.lists(inner, min_size=2, max_size=4).map("".join)


def _block(head: str, body: str) -> str:
    return head + textwrap.indent(body + "pass\n", "    ") + _TAILS.get(head, "")


def assembled() -> strategies.SearchStrategy[str]:
    """Cases in sequence and inside of blocks; what CPython refuses of it is left to the test."""
    return strategies.recursive(strategies.sampled_from(variants()), _nested, max_leaves=6)


def edited(text: str, dice: random.Random) -> str:
    """The text with a piece of it dropped, doubled, moved or replaced; most often still a program."""
    start = dice.randrange(len(text) + 1)
    end = min(len(text), start + dice.randrange(_DEEPEST) + 1)
    piece = text[start:end]
    elsewhere = dice.randrange(len(text) + 1)
    other = text[elsewhere : elsewhere + dice.randrange(_DEEPEST) + 1]
    new = dice.choice(
        ["", piece * 2, other, other + piece, " ", "\n", "#", "(", "a", "0", "'", "\\", "é", "ﬁ"]
    )
    return text[:start] + new + text[end:]


def is_program(text: str) -> bool:
    try:
        oracle.parse(text.encode("utf-8", "surrogatepass"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True
