"""Files nobody has seen before: their facts, computed in this process or in several where that pays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from scripts_tracker.analysis import workers
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scripts_tracker.analysis.facts import FileFacts


def compiled(source: bytes) -> FileFacts:
    """The facts of one file with its verdict; raises UnreadableSource for what cannot be analysed."""
    # The one door to libcst, which takes 0.2 s to import.
    from scripts_tracker.analysis.extraction import extract
    from scripts_tracker.analysis.verdicts import verdict

    facts = extract(source)
    return replace(facts, verdict=verdict(facts))


def outcome(source: bytes) -> FileFacts | UnreadableSource:
    """The facts of one file, or why there are none."""
    try:
        return compiled(source)
    except UnreadableSource as error:
        return error


def outcomes(sources: Sequence[bytes]) -> list[FileFacts | UnreadableSource]:
    """The facts of several files, in their order, or why there are none."""
    helpers = workers.worth_starting(sum(map(len, sources)))
    if helpers:
        return workers.shared_out(sources, outcome, helpers)
    return [outcome(source) for source in sources]
