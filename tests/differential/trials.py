"""All variants of one sample, each with its verdict."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from random import Random

from scripts_tracker.analysis.fingerprint import fingerprint as product
from tests.differential import mutations
from tests.differential.corpus import Sample
from tests.differential.judging import SKIPPED, Fingerprinter, Outcome, Unjudged, judge, side
from tests.differential.layouts import LAYOUTS, Layout, Refused

ORIGINAL = "the source itself"
COMPILED_UP_TO = 20_000
_SECONDS = 20


def trials(
    sample: Sample,
    *,
    mutants: int,
    layouts: Sequence[Layout] = LAYOUTS,
    fingerprint: Fingerprinter = product,
    seconds: int = _SECONDS,
) -> Iterator[Outcome]:
    """Lay the sample out in every way and change it in every way, and judge each."""
    try:
        base = side(sample.source, fingerprint)
    except Unjudged as reason:
        yield Outcome(ORIGINAL, SKIPPED, str(reason))
        return
    yield Outcome(ORIGINAL, SKIPPED, "the same text", side=base)
    compiling = len(sample.source) <= COMPILED_UP_TO
    for variant, source in _variants(sample, layouts, mutants, seconds):
        if isinstance(source, Refused):
            yield Outcome(variant, SKIPPED, str(source))
            continue
        try:
            other = side(source, fingerprint)
        except Unjudged as reason:
            yield Outcome(variant, SKIPPED, str(reason))
            continue
        yield judge(variant, base, other, compiling=compiling)


def all_trials(sample: Sample, mutants: int) -> list[Outcome]:
    """What another process sends back."""
    return list(trials(sample, mutants=mutants))


def _variants(
    sample: Sample, layouts: Iterable[Layout], mutants: int, seconds: int
) -> Iterator[tuple[str, bytes | Refused]]:
    for layout in layouts:
        if len(sample.source) > layout.largest:
            yield layout.name, Refused("too large for a slow tool")
            continue
        try:
            with _at_most(seconds):
                source: bytes | Refused = layout.work(sample.source, sample.seed)
        except Refused as reason:
            source = reason
        yield layout.name, source
    for variant, mutant in _mutants(sample, mutants):
        yield variant, mutant if mutant is not None else Refused("no such change found")


def _mutants(sample: Sample, count: int) -> Iterator[tuple[str, bytes | None]]:
    for number in range(count):
        for name, mutation in mutations.IN_TREE.items():
            dice = Random(f"{sample.seed} {name} {number}")  # noqa: S311 - not cryptography
            yield name, mutations.in_tree(sample.source, mutation, dice)
        dice = Random(f"{sample.seed} text {number}")  # noqa: S311 - not cryptography
        yield mutations.IN_TEXT, mutations.in_text(sample.source, dice)


@contextmanager
def _at_most(seconds: int) -> Iterator[None]:
    """A formatter may need exponential time on what it does not know."""

    def stop(*_args: object) -> None:
        raise Refused(f"more than {seconds} seconds")

    usual = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, usual)
