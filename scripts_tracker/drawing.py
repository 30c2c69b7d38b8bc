"""The picture of a script and what it requires, as SVG: states in colour and in words. Pure; nothing in it runs.

Colours are the page's: every shape has a class, and static/scripts_tracker/admin.css knows them, light and dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from scripts_tracker.layering import Bend, arrange
from scripts_tracker.states import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.layering import Layout

_LETTER = 7.3  # what a letter of a 12 px monospaced font takes
_MOST_LETTERS = 36
_HEIGHT, _BEND_HEIGHT, _GAP, _BETWEEN, _MARGIN = 44, 10, 14, 44, 8
_ASIDE = 11
# Above this, a column in the middle of a taller one is out of sight.
_MOST_CENTRED = 700

_TIP = (
    '<defs><marker id="st-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0 0 8 4 0 8z" class="st-tip"/></marker></defs>'
)

# What a state has that is not named here, who is to act decides.
_TONES = {
    State.FAILED: "trouble",
    State.LOST: "trouble",
    State.UNREADABLE: "trouble",
    State.RUNNING: "busy",
    State.MISSING: "odd",
}


def tone(state: State | None) -> str:
    """The class of a state's colours; None is what does not exist."""
    if state is None:
        return "trouble"
    return _TONES.get(state, "action" if state.needs_action else "odd" if state.shown else "done")


@dataclass(frozen=True, slots=True)
class Box:
    """One node of the picture: its two lines, its colours (see ``tone``), where a click leads, if anywhere."""

    name: str
    words: str
    tone: str
    href: str = ""
    is_subject: bool = False


class _Place(NamedTuple):
    left: float
    middle: float
    width: float


def picture(boxes: Sequence[Box], edges: Sequence[tuple[int, int]], label: str) -> str:
    """An SVG element.

    Args:
        boxes: the nodes.
        edges: (required, requiring), by their place among the boxes; one that leads to itself is not drawn.
        label: what the picture is of, for those who do not see it.
    """
    layout = arrange(range(len(boxes)), [(one, to) for one, to in edges if one != to])
    places, width, height = _places(layout, boxes)
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return "\n".join(
        [
            f'<svg class="st-picture" role="group" aria-label="{escape(label)}" {size}>',
            _TIP,
            *_arrows(layout, places),
            *(line for number, box in enumerate(boxes) for line in _box(box, places[number])),
            "</svg>",
        ]
    )


def _shown(name: str) -> str:
    """A name as it fits into a box: the ends tell names apart that begin alike."""
    half = (_MOST_LETTERS - 1) // 2
    return name if len(name) <= _MOST_LETTERS else f"{name[:half]}…{name[-half:]}"


def _places(layout: Layout[int], boxes: Sequence[Box]) -> tuple[Mapping[int | Bend, _Place], float, float]:
    """Where everything is, and the size of the whole."""
    heights = [sum(_height(member) + _GAP for member in column) - _GAP for column in layout.columns]
    tallest = max(heights, default=0)
    places: dict[int | Bend, _Place] = {}
    left = float(_MARGIN)
    for column, height in zip(layout.columns, heights, strict=True):
        letters = [
            max(len(_shown(boxes[one].name)), len(boxes[one].words)) for one in column if isinstance(one, int)
        ]
        width = max(letters, default=0) * _LETTER + 24
        top = _MARGIN + ((tallest - height) / 2 if tallest <= _MOST_CENTRED else 0)
        for member in column:
            places[member] = _Place(left, top + _height(member) / 2, width)
            top += _height(member) + _GAP
        left += width + _BETWEEN
    return places, round(left - _BETWEEN + _MARGIN), round(tallest + 2 * _MARGIN)


def _height(member: int | Bend) -> int:
    return _BEND_HEIGHT if isinstance(member, Bend) else _HEIGHT


def _arrows(layout: Layout[int], places: Mapping[int | Bend, _Place]) -> Iterator[str]:
    for number, path in enumerate(layout.paths):
        css = "st-arrow st-turned" if number in layout.turned else "st-arrow"
        way = _way([places[member] for member in path], is_turned=number in layout.turned)
        yield f'<path class="{css}" d="{way}" marker-end="url(#st-tip)"/>'


def _way(stops: Sequence[_Place], *, is_turned: bool) -> str:
    """A curve from stop to stop, straight through those between; from right to left where the arrow leads back."""
    entries = [(place.left + place.width, place.left) for place in stops]
    if not is_turned:
        entries = [(left, right) for right, left in entries]
    # Beside the arrow that leads ahead, if there is one.
    aside = _ASIDE if is_turned else 0
    way = f"M{entries[0][1]:g} {stops[0].middle + aside:g}"
    for number in range(1, len(stops)):
        (_, start), (end, leave) = entries[number - 1], entries[number]
        half = (start + end) / 2
        one, to = stops[number - 1].middle + aside, stops[number].middle + aside
        way += f"C{half:g} {one:g} {half:g} {to:g} {end:g} {to:g}"
        way += f"H{leave:g}" if number < len(stops) - 1 else ""
    return way


def _box(box: Box, place: _Place) -> Iterator[str]:
    left, top, middle = place.left, place.middle - _HEIGHT / 2, place.left + place.width / 2
    css = f"st-box st-{box.tone}" + (" st-subject" if box.is_subject else "")
    spoken = escape(f"{box.name}: {box.words}")
    link = f'<a href="{escape(box.href)}" aria-label="{spoken}">' if box.href else "<g>"
    yield f"{link}<title>{spoken}</title>"
    yield f'<rect class="{css}" x="{left:g}" y="{top:g}" width="{place.width:g}" height="{_HEIGHT}" rx="6"/>'
    yield f'<text class="st-name" x="{middle:g}" y="{top + 18:g}">{escape(_shown(box.name))}</text>'
    yield f'<text class="st-words" x="{middle:g}" y="{top + 35:g}">{escape(box.words)}</text>'
    yield "</a>" if box.href else "</g>"
