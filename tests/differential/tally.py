"""Counts per variant, the table of them, and what must hold before they prove anything."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tests.differential.judging import DIFFERENT, EQUAL, SKIPPED, WRONG, Outcome

_VERDICTS = (EQUAL, DIFFERENT, WRONG, SKIPPED)


@dataclass(slots=True)
class Tally:
    """What all outcomes come to; every fingerprint belongs to one normal form and the other way round."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    reasons: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    compiled: Counter[str] = field(default_factory=Counter)
    forms: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    clashes: int = 0

    def add(self, outcome: Outcome) -> None:
        self.counts[outcome.variant][outcome.verdict] += 1
        self.compiled[outcome.variant] += outcome.compiled
        if outcome.note:
            self.reasons[outcome.verdict][outcome.note] += 1
        if outcome.side is not None:
            form, fingerprint = outcome.side.form, outcome.side.fingerprint
            self.clashes += self.forms.setdefault(fingerprint, form) != form
            self.clashes += self.fingerprints.setdefault(form, fingerprint) != fingerprint

    def total(self, verdict: str) -> int:
        return sum(counts[verdict] for counts in self.counts.values())

    def faults(
        self,
        floors: dict[str, int],
        expected: Iterable[tuple[str, str]],
        least: int,
        *,
        exact: Iterable[str] = (),
    ) -> Iterator[str]:
        """Why the run proves nothing, or proves something wrong.

        Args:
            floors: the least number of pairs in all, by verdict.
            expected: variants and the verdict that each must reach.
            least: how often it must.
            exact: variants that may never be different.
        """
        if self.total(WRONG):
            yield f"{self.total(WRONG)} pairs are wrong"
        if self.clashes:
            yield f"{self.clashes} sources share a fingerprint but not a tree, or a tree but not a fingerprint"
        for verdict, floor in floors.items():
            if self.total(verdict) < floor:
                yield f"only {self.total(verdict)} {verdict} pairs; at least {floor} are wanted"
        for variant, verdict in expected:
            if self.counts[variant][verdict] < least:
                yield f"only {self.counts[variant][verdict]} {verdict} pairs of {variant}; at least {least}"
        for variant in exact:
            if self.counts[variant][DIFFERENT]:
                yield f"{variant} changed {self.counts[variant][DIFFERENT]} trees"

    def table(self) -> Iterator[str]:
        width = max(map(len, self.counts), default=0)
        yield f"{'':{width}} " + "".join(f"{verdict:>10}" for verdict in (*_VERDICTS, "compiled"))
        for variant, counts in self.counts.items():
            figures = [counts[verdict] for verdict in _VERDICTS] + [self.compiled[variant]]
            yield f"{variant:{width}} " + "".join(f"{figure:10,}" for figure in figures)
        totals = [self.total(verdict) for verdict in _VERDICTS] + [self.compiled.total()]
        yield f"{'all':{width}} " + "".join(f"{figure:10,}" for figure in totals)
        yield f"{len(self.forms):,} different trees, {len(self.fingerprints):,} of them distinguished by fingerprints"
        for verdict, reasons in self.reasons.items():
            yield f"{verdict} because:"
            for reason, count in reasons.most_common():
                yield f"{count:10,}  {reason}"
