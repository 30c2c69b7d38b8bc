"""How long the last runs of a script took: a line in SVG, and the same in words."""

from __future__ import annotations

import math
from html import escape
from itertools import starmap
from typing import TYPE_CHECKING, Any

from scripts_tracker.admin import html
from scripts_tracker.core import text
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scripts_tracker.core.history import PastRun

# One run makes no line. Pixels: between two runs, of the height, and of the margin, which has room for half a mark.
_FEWEST = 2
_STEP, _HEIGHT, _MARGIN = 22, 56, 8
# Where the longest run took so many times as long as the middle one, the others would all lie on the base line.
_FAR = 10


class Took(NamedTuple):
    """A run that has ended: how long it took, whether it failed, and that in words."""

    seconds: float
    failed: bool
    words: str


def ended(runs: Iterable[PastRun]) -> list[Took]:
    """The runs that a line can show, oldest first.

    Without decisions and dry runs, and without lost runs: when those ended is not known, only when it was noticed.

    Args:
        runs: newest first.
    """
    found = [
        Took(
            max(run.seconds, 0.0),
            run.outcome == "failed",
            f"{html.moment(run.record.started_at)}: {run.outcome} after {text.duration(run.seconds)}",
        )
        for run in runs
        if run.seconds is not None and run.record.kind == "run" and run.outcome != "lost"
    ]
    return found[::-1]


def shown(runs: Iterable[PastRun]) -> dict[str, Any] | None:
    """The picture and its words, for the template; None if there are too few runs for a line.

    Args:
        runs: newest first.
    """
    took = ended(runs)
    if len(took) < _FEWEST:
        return None
    words = _words(took)
    return {"picture": html.trusted(_draw(took, words)), "words": words}


def _words(took: Sequence[Took]) -> str:
    seconds = [one.seconds for one in took]
    shortest, longest = text.duration(min(seconds)), text.duration(max(seconds))
    span = f"between {shortest} and {longest}" if shortest != longest else longest
    failed = sum(one.failed for one in took)
    return (
        f"{len(took)} runs, the oldest at the left, took {span}; the last one {text.duration(seconds[-1])}."
        + (" The scale is logarithmic." if _is_wide(seconds) else "")
        + (f" {failed} failed: marked with a cross." if failed else "")
    )


def _is_wide(seconds: Sequence[float]) -> bool:
    return max(seconds) > _FAR * sorted(seconds)[len(seconds) // 2] > 0


def _heights(seconds: Sequence[float]) -> list[float]:
    """How high each is, from 0 to 1."""
    shown = [math.log1p(one) for one in seconds] if _is_wide(seconds) else seconds
    longest = max(shown) or 1.0
    return [one / longest for one in shown]


def _draw(took: Sequence[Took], label: str) -> str:
    """An SVG element, to be seen as one picture: the table of runs has the same with links."""
    width = _STEP * (len(took) - 1) + 2 * _MARGIN
    high = _HEIGHT - 2 * _MARGIN
    places = [
        (_MARGIN + number * _STEP, round(_HEIGHT - _MARGIN - height * high, 1))
        for number, height in enumerate(_heights([one.seconds for one in took]))
    ]
    line = " ".join(starmap("{:g},{:g}".format, places))
    base = _HEIGHT - _MARGIN
    size = f'width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}"'
    return "\n".join(
        [
            f'<svg class="st-durations" role="img" aria-label="{escape(label)}" {size}>',
            f'<path class="st-zero" d="M{_MARGIN} {base}H{width - _MARGIN}"/>',
            f'<polyline class="st-path" points="{line}"/>',
            *(mark for one, place in zip(took, places, strict=True) for mark in _mark(one, *place)),
            "</svg>",
        ]
    )


def _mark(one: Took, left: float, top: float) -> Iterator[str]:
    """A dot, or a cross for a failed run: not by colour alone."""
    title = f"<title>{escape(one.words)}</title>"
    if one.failed:
        yield f'<path class="st-mark st-trouble" d="M{left - 5:g} {top - 5:g}l10 10m0-10l-10 10">{title}</path>'
    else:
        yield f'<circle class="st-mark st-done" cx="{left:g}" cy="{top:g}" r="3.5">{title}</circle>'
