"""Files nobody has seen before: their facts, computed in this process or in several where that pays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from scripts_tracker.analysis import workers
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.analysis.facts import FileFacts


def compiled(source: bytes, *, for_lint: bool = False) -> FileFacts:
    """The facts of one file with its verdict; raises UnreadableSource for what cannot be analysed.

    Args:
        source: the file's bytes.
        for_lint: whether to ask the rules of the lint as well.
    """
    # The one door to libcst, which takes 0.2 s to import.
    from scripts_tracker.analysis.parsing import collector_paused

    with collector_paused():
        # The tree is gone before the collector is back, which would walk all of it.
        return _extracted(source, for_lint=for_lint)


def _extracted(source: bytes, *, for_lint: bool) -> FileFacts:
    from scripts_tracker.analysis.extraction import Extraction
    from scripts_tracker.analysis.parsing import parse
    from scripts_tracker.analysis.verdicts import verdict

    extraction = Extraction(parse(source))
    facts = extraction.facts()
    hits = ""
    if for_lint:
        from scripts_tracker.analysis.lint import hits as lint_hits

        hits = lint_hits.found(extraction.tree())
    return facts._replace(verdict=verdict(facts), hits=hits)


def outcome(source: bytes, *, for_lint: bool = False) -> FileFacts | UnreadableSource:
    """The facts of one file, or why there are none."""
    try:
        return compiled(source, for_lint=for_lint)
    except UnreadableSource as error:
        return error


def outcomes(sources: Sequence[bytes], *, for_lint: bool = False) -> list[FileFacts | UnreadableSource]:
    """The facts of several files, in their order, or why there are none."""
    helpers = workers.worth_starting(sum(map(len, sources)))
    if helpers:
        return workers.shared_out(sources, partial(outcome, for_lint=for_lint), helpers, for_lint=for_lint)
    return [outcome(source, for_lint=for_lint) for source in sources]
