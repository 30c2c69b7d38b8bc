"""One script among those that it requires and that require it, however far: what a picture of it shows. Pure."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from scripts_tracker.core import planning
from scripts_tracker.core.states import State
from scripts_tracker.core.values import ScriptId

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from scripts_tracker.core.states import ScriptStatus

    Node = ScriptId | str
    """A script, or the text of a requirement that names none."""
    from collections.abc import Hashable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What is around one script.

    Attributes:
        requires: what the script itself requires, in source order.
        required_by: what requires it directly, sorted.
        nodes: the script, and as many of those around it as were asked for, nearest first.
        edges: (required, requiring) between them.
        left_out: how many more there are.
        cycles: the circles among the nodes, as closed paths.
    """

    requires: tuple[Node, ...]
    required_by: tuple[ScriptId, ...]
    nodes: tuple[Node, ...]
    edges: tuple[tuple[Node, Node], ...]
    left_out: int
    cycles: tuple[tuple[ScriptId, ...], ...]


def around(script_id: ScriptId, by_id: Mapping[ScriptId, ScriptStatus], most: int = 150) -> Neighbourhood:
    """What is around one script.

    Args:
        script_id: which.
        by_id: every script.
        most: how many nodes to keep; those nearest to the script.
    """
    required = {one: _required(status, by_id) for one, status in by_id.items()}
    requiring = defaultdict(list)
    for one in sorted(by_id):
        for other in dict.fromkeys(required[one]):
            requiring[other].append(one)
    above = _reach(script_id, lambda node: required.get(node, ()) if isinstance(node, ScriptId) else ())
    below = _reach(script_id, lambda node: requiring.get(node, ()))
    found = dict.fromkeys(
        sorted({**above, **below}, key=lambda node: min(_far(node, above), _far(node, below)))
    )
    kept = dict.fromkeys(list(found)[:most])
    scripts = [node for node in kept if isinstance(node, ScriptId)]
    graph = {
        one: tuple(x for x in required.get(one, ()) if isinstance(x, ScriptId) and x in kept)
        for one in scripts
    }
    return Neighbourhood(
        requires=tuple(dict.fromkeys(required.get(script_id, ()))),
        required_by=tuple(requiring.get(script_id, ())),
        nodes=tuple(kept),
        edges=tuple(
            (node, one) for one in scripts for node in dict.fromkeys(required.get(one, ())) if node in kept
        ),
        left_out=len(found) - len(kept),
        cycles=planning.find_cycles(graph),
    )


def _required(status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus]) -> tuple[Node, ...]:
    requires = status.definition.requires if status.definition else ()
    return tuple(
        one.target if one.target is not None and one.target in by_id else one.text for one in requires
    )


def _reach(start: Node, following: Callable[[Node], Iterable[Node]]) -> dict[Node, int]:
    """Everything that can be reached, with the number of steps to it, nearest first."""
    steps = {start: 0}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for other in following(node):
            if other not in steps:
                steps[other] = steps[node] + 1
                waiting.append(other)
    return steps


def _far(node: Node, steps: Mapping[Node, int]) -> int:
    return steps.get(node, len(steps) + 1)


N = TypeVar("N", bound="Hashable")

# An arrow over many columns needs a bend in each; beyond this, arrows go straight.
_MOST_BENDS = 1_500
_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Bend:
    """Where an arrow passes a column: the number of the arrow, and which of its bends it is."""

    edge: int
    number: int


@dataclass(frozen=True, slots=True)
class Layout(Generic[N]):
    """The columns from left to right, each from top to bottom; the arrows as paths through them.

    ``turned`` are the numbers of the arrows that would close a circle: their paths lead backwards.
    """

    columns: tuple[tuple[N | Bend, ...], ...]
    paths: tuple[tuple[N | Bend, ...], ...]
    turned: frozenset[int]


def arrange(nodes: Sequence[N], edges: Sequence[tuple[N, N]]) -> Layout[N]:
    """Put nodes into columns.

    Args:
        nodes: all of them; neighbours in a column keep this order where no arrow says otherwise.
        edges: (from, to), from another node than to.
    """
    turned = _turned(nodes, edges)
    ahead = [(to, one) if number in turned else (one, to) for number, (one, to) in enumerate(edges)]
    column_of = _columns(nodes, ahead)
    paths = _paths(ahead, column_of)
    columns: list[list[N | Bend]] = [[] for _ in range(max(column_of.values(), default=-1) + 1)]
    for node in nodes:
        columns[column_of[node]].append(node)
    for path in paths:
        for number, bend in enumerate(path[1:-1], start=column_of[path[0]] + 1):  # type: ignore[index]  # a path begins at a node
            columns[number].append(bend)
    _untangle(columns, paths)
    shown = (tuple(reversed(path)) if number in turned else path for number, path in enumerate(paths))
    return Layout(tuple(map(tuple, columns)), tuple(shown), turned)


def _turned(nodes: Sequence[N], edges: Sequence[tuple[N, N]]) -> frozenset[int]:
    """The arrows that lead back to where a walk came from; without them there is no circle."""
    leaving = defaultdict(list)
    for number, (one, to) in enumerate(edges):
        leaving[one].append((number, to))
    done: set[N] = set()
    found = set()
    for start in nodes:
        walk = [] if start in done else [(start, iter(leaving[start]))]
        on_the_way = {start}
        while walk:
            node, rest = walk[-1]
            number, to = next(rest, (-1, node))
            if number < 0:
                walk.pop()
                on_the_way.discard(node)
                done.add(node)
            elif to in on_the_way:
                found.add(number)
            elif to not in done:
                on_the_way.add(to)
                walk.append((to, iter(leaving[to])))
    return frozenset(found)


def _columns(nodes: Sequence[N], edges: Iterable[tuple[N, N]]) -> dict[N, int]:
    """Each node as far left as what leads to it allows; what nothing leads to, close to where it leads."""
    leaving, entering = defaultdict(list), dict.fromkeys(nodes, 0)
    for one, to in edges:
        leaving[one].append(to)
        entering[to] += 1
    first = [node for node in nodes if not entering[node]]
    column_of = dict.fromkeys(nodes, 0)
    waiting = list(first)
    for node in waiting:
        for to in leaving[node]:
            column_of[to] = max(column_of[to], column_of[node] + 1)
            entering[to] -= 1
            if not entering[to]:
                waiting.append(to)
    for node in first:
        column_of[node] = min((column_of[to] for to in leaving[node]), default=1) - 1
    return column_of


def _paths(edges: Sequence[tuple[N, N]], column_of: Mapping[N, int]) -> tuple[tuple[N | Bend, ...], ...]:
    bends = sum(column_of[to] - column_of[one] - 1 for one, to in edges)
    return tuple(
        (one, *_bends(number, 0 if bends > _MOST_BENDS else column_of[to] - column_of[one] - 1), to)
        for number, (one, to) in enumerate(edges)
    )


def _bends(edge: int, count: int) -> Iterable[Bend]:
    return (Bend(edge, number) for number in range(count))


def _untangle(columns: list[list[N | Bend]], paths: Iterable[Sequence[N | Bend]]) -> None:
    """Sort each column by the middle of what its members are joined with, to and fro."""
    before, after = defaultdict(list), defaultdict(list)
    for path in paths:
        for one, to in pairwise(path):
            after[one].append(to)
            before[to].append(one)
    for sweep in range(_SWEEPS):
        joined = before if sweep % 2 == 0 else after
        place = {member: index / len(column) for column in columns for index, member in enumerate(column)}
        for column in columns if sweep % 2 == 0 else reversed(columns):
            middles = {
                member: sum(place[other] for other in joined[member]) / len(joined[member])
                if joined[member]
                else place[member]
                for member in column
            }
            column.sort(key=middles.__getitem__)
            place.update((member, index / len(column)) for index, member in enumerate(column))


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
