"""The verdict on a source and a variant of it, with CPython as the judge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from scripts_tracker.exceptions import UnreadableSource
from tests.analysis import oracle

EQUAL: Final = "equal"
DIFFERENT: Final = "different"
WRONG: Final = "wrong"
SKIPPED: Final = "skipped"

Fingerprinter = Callable[[bytes], object]


class Unjudged(Exception):
    """A source about which nothing can be said, and why."""


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two sources: its fingerprint, and the digest of its normal form."""

    source: bytes
    fingerprint: str
    form: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one pair; ``compiled`` where the compiled code was compared as well."""

    variant: str
    verdict: str
    note: str = ""
    compiled: bool = False
    side: Side | None = None


def side(source: bytes, fingerprint: Fingerprinter) -> Side:
    """Raises Unjudged where CPython or the product refuses the source."""
    try:
        form = repr(oracle.normal_form(source)).encode("utf-8", "surrogatepass")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unjudged(f"refused by CPython: {type(error).__name__}") from error
    try:
        digest = str(fingerprint(source))
    except UnreadableSource as error:
        raise Unjudged(f"refused by libcst or the limits: {error.reason}") from error
    return Side(source, digest, hashlib.sha256(form).hexdigest())


def judge(variant: str, base: Side, other: Side, *, compiling: bool) -> Outcome:
    """The fingerprints must be equal exactly where the normal forms are, and then the code is equal too."""
    if base.source == other.source:
        return Outcome(variant, SKIPPED, "the same text")
    same = base.form == other.form
    if (base.fingerprint == other.fingerprint) != same:
        what = "equal trees, different fingerprints" if same else "different trees, equal fingerprints"
        return Outcome(variant, WRONG, what, side=other)
    if not same:
        return Outcome(variant, DIFFERENT, side=other)
    compiled = _same_code(base.source, other.source) if compiling else None
    if compiled is False:
        return Outcome(variant, WRONG, "equal fingerprints, different code", side=other)
    return Outcome(variant, EQUAL, compiled=bool(compiled), side=other)


def _same_code(one: bytes, other: bytes) -> bool | None:
    """None where CPython parses but does not compile, as with a ``return`` outside of a function."""
    shapes = []
    for source in (one, other):
        try:
            shapes.append(oracle.code_shape(source))
        except (SyntaxError, ValueError, RecursionError):
            shapes.append(None)
    return None if shapes == [None, None] else bool(shapes[0] == shapes[1])
