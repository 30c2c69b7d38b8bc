"""The differential run: ``python -m tests.differential`` prints a table and fails when anything is wrong."""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.differential import corpus, mutations
from tests.differential.corpus import Sample
from tests.differential.judging import DIFFERENT, EQUAL, WRONG, Outcome
from tests.differential.layouts import LAYOUTS
from tests.differential.tally import Tally
from tests.differential.trials import all_trials
from tests.switches import LENGTH

LEAST = {EQUAL: 10_000, DIFFERENT: 5_000}
"""Pairs of the whole corpus that prove something."""
LEAST_OF_A_VARIANT = 100
LARGEST = 12_000
"""Bytes of a source."""
EVERY = round(1 / LENGTH) if LENGTH else 1
_CACHE = Path(__file__).parents[2] / ".differential"


def main(argv: Sequence[str] | None = None) -> int:
    """Judge everything; 0 when nothing is wrong and enough was judged."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--cache", type=Path, default=_CACHE, help="folder of the downloaded packages")
    parser.add_argument("--modules", type=int, default=150, help="modules of the standard library")
    parser.add_argument("--mutants", type=int, default=1, help="mutants of each kind and source")
    parser.add_argument("--every", type=int, default=EVERY, help="judge only every Nth source")
    options = parser.parse_args(argv)
    started = time.monotonic()
    missing = sorted({layout.needs for layout in LAYOUTS if not layout.available})
    if missing:
        sys.stderr.write(f"not installed: {', '.join(missing)}; see the dependency group 'differential'\n")
        return 2
    samples = corpus.distinct(
        corpus.local(options.modules, seed=20, largest=LARGEST)
        + corpus.packages(options.cache, largest=LARGEST)
    )[:: options.every]
    tally = _judged(samples, options.mutants, options.cache / "wrong")
    origins = Counter(sample.origin for sample in samples)
    _print(
        *tally.table(),
        "sources: " + ", ".join(f"{count:,} from {origin}" for origin, count in origins.items()),
        f"{time.monotonic() - started:.0f} seconds ({_processor_seconds():.0f} of processor time) "
        f"on {os.cpu_count()} cores, Python {sys.version.split()[0]}",
    )
    expected = [(layout.name, EQUAL) for layout in LAYOUTS]
    expected += [(name, DIFFERENT) for name in (*mutations.IN_TREE, mutations.IN_TEXT)]
    exact = [layout.name for layout in LAYOUTS if layout.exact]
    least = {verdict: count // options.every for verdict, count in LEAST.items()}
    faults = list(tally.faults(least, expected, LEAST_OF_A_VARIANT // options.every, exact=exact))
    _print(*(f"FAULT: {fault}" for fault in faults))
    return 1 if faults else 0


def _judged(samples: Sequence[Sample], mutants: int, wrong: Path) -> Tally:
    tally = Tally()
    context = multiprocessing.get_context("spawn")
    # What the sources of others make the compiler warn of is no concern of ours.
    quiet = partial(warnings.simplefilter, "ignore")
    with ProcessPoolExecutor(mp_context=context, initializer=quiet) as pool:
        judged = pool.map(partial(all_trials, mutants=mutants), samples, chunksize=4)
        for number, (sample, outcomes) in enumerate(zip(samples, judged, strict=True)):
            if number % 100 == 0:
                _print(f"{number:,} of {len(samples):,} sources")
            for outcome in outcomes:
                tally.add(outcome)
                if outcome.verdict == WRONG:
                    _keep(wrong, sample, outcome)
    return tally


def _processor_seconds() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _keep(folder: Path, sample: Sample, outcome: Outcome) -> None:
    """Both sources of a wrong pair, for whoever debugs it."""
    folder.mkdir(parents=True, exist_ok=True)
    other = outcome.side.source if outcome.side is not None else b""
    name = hashlib.sha256(sample.source + other).hexdigest()[:12]
    (folder / f"{name}.one.txt").write_bytes(sample.source)
    (folder / f"{name}.other.txt").write_bytes(other)
    _print(f"WRONG: {outcome.variant}: {outcome.note}: {sample.origin} {sample.name}, kept as {name}.*.txt")


def _print(*lines: str) -> None:
    for line in lines:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
