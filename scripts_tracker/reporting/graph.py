"""One script among those it requires and those that require it: found, arranged in columns, drawn as SVG."""

from __future__ import annotations

from collections import defaultdict, deque
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from scripts_tracker.core.cycles import find_cycles
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ScriptId

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.core.states import ScriptStatus

    Node = ScriptId | str
    """A script, or the text of a requirement that names none."""
    Place = tuple[float, float, float]
    """Left, middle, width."""


class RequirementGraph(NamedTuple):
    """The requirements around one script.

    Attributes:
        requires: what the script itself requires, in source order.
        required_by: the scripts that require it directly, sorted.
        nodes: the script and the nearest of those around it, nearest first.
        edges: (required, requiring) between the nodes.
        omitted: how many more there are around it.
        cycles: the cycles among the nodes, as closed paths.
    """

    requires: tuple[Node, ...]
    required_by: tuple[ScriptId, ...]
    nodes: tuple[Node, ...]
    edges: tuple[tuple[Node, Node], ...]
    omitted: int
    cycles: tuple[tuple[ScriptId, ...], ...]


def requirement_graph_of(
    script_id: ScriptId, by_id: Mapping[ScriptId, ScriptStatus], limit: int = 150
) -> RequirementGraph:
    """The requirements around one script, at any distance.

    Args:
        script_id: which script.
        by_id: every script.
        limit: how many nodes to keep, the nearest ones.
    """
    required = {one: tuple(_required(status, by_id)) for one, status in by_id.items()}
    requiring = defaultdict(list)
    for one in sorted(by_id):
        for other in required[one]:
            requiring[other].append(one)
    above = _distances(script_id, lambda node: required.get(node, ()) if isinstance(node, ScriptId) else ())
    below = _distances(script_id, lambda node: requiring.get(node, ()))
    far = len(by_id) + 1
    around = sorted({**above, **below}, key=lambda node: min(above.get(node, far), below.get(node, far)))
    kept = dict.fromkeys(around[:limit])
    edges = tuple(
        (node, one)
        for one in kept
        if isinstance(one, ScriptId)
        for node in required.get(one, ())
        if node in kept
    )
    graph: dict[ScriptId, tuple[ScriptId, ...]] = {node: () for node in kept if isinstance(node, ScriptId)}
    for node, one in edges:
        if isinstance(node, ScriptId):
            graph[one] += (node,)
    return RequirementGraph(
        requires=required.get(script_id, ()),
        required_by=tuple(requiring.get(script_id, ())),
        nodes=tuple(kept),
        edges=edges,
        omitted=len(around) - len(kept),
        cycles=find_cycles(graph),
    )


def _required(status: ScriptStatus, by_id: Mapping[ScriptId, ScriptStatus]) -> dict[Node, None]:
    """What a script requires, each once, in source order."""
    return dict.fromkeys(
        one.target if one.target is not None and one.target in by_id else one.text for one in status.requires
    )


def _distances(start: Node, following: Callable[[Node], Iterable[Node]]) -> dict[Node, int]:
    """The number of steps to every node that can be reached, nearest first."""
    steps = {start: 0}
    waiting = deque([start])
    while waiting:
        node = waiting.popleft()
        for other in following(node):
            if other not in steps:
                steps[other] = steps[node] + 1
                waiting.append(other)
    return steps


# An arrow over several columns has a bend in each. With more bends than this in all, arrows go straight.
_MOST_BENDS = 1_500
_SWEEPS = 4


class Bend(NamedTuple):
    """Where an arrow crosses a column: the number of the arrow, and which of its bends this is."""

    edge: int
    number: int


class Layout(NamedTuple):
    """Nodes and bends in columns, left to right and top to bottom, and the arrows as paths through them.

    ``backward`` are the numbers of the arrows that would close a cycle: their paths lead from right to left.
    """

    columns: tuple[tuple[Hashable, ...], ...]
    paths: tuple[tuple[Hashable, ...], ...]
    backward: frozenset[int]


def arrange(nodes: Sequence[Hashable], edges: Sequence[tuple[Hashable, Hashable]]) -> Layout:
    """Put nodes into columns, so that arrows lead to the right.

    Args:
        nodes: all of them; without arrows to decide, a column keeps this order.
        edges: (from, to), never from a node to itself.
    """
    backward = _backward(nodes, edges)
    forward = [(to, one) if number in backward else (one, to) for number, (one, to) in enumerate(edges)]
    column_of = _columns(nodes, forward)
    paths = _paths(forward, column_of)
    columns: list[list[Hashable]] = [[] for _ in range(max(column_of.values(), default=-1) + 1)]
    for node in nodes:
        columns[column_of[node]].append(node)
    for path in paths:
        for number, bend in enumerate(path[1:-1], start=column_of[path[0]] + 1):
            columns[number].append(bend)
    _reduce_crossings(columns, paths)
    shown = (path[::-1] if number in backward else path for number, path in enumerate(paths))
    return Layout(tuple(map(tuple, columns)), tuple(shown), backward)


def _backward(nodes: Sequence[Hashable], edges: Sequence[tuple[Hashable, Hashable]]) -> frozenset[int]:
    """The arrows that lead back to where a depth-first walk came from; without them there is no cycle."""
    leaving = defaultdict(list)
    for number, (one, to) in enumerate(edges):
        leaving[one].append((number, to))
    done: set[Hashable] = set()
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


def _columns(nodes: Sequence[Hashable], edges: Iterable[tuple[Hashable, Hashable]]) -> dict[Hashable, int]:
    """Each node right of all that leads to it; a node without such, left of the nearest it leads to."""
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


def _paths(
    edges: Sequence[tuple[Hashable, Hashable]], column_of: Mapping[Hashable, int]
) -> list[tuple[Hashable, ...]]:
    bends = [column_of[to] - column_of[one] - 1 for one, to in edges]
    if sum(bends) > _MOST_BENDS:
        return [*edges]
    return [
        (one, *(Bend(number, bend) for bend in range(bends[number])), to)
        for number, (one, to) in enumerate(edges)
    ]


def _reduce_crossings(columns: list[list[Hashable]], paths: Iterable[Sequence[Hashable]]) -> None:
    """Sort each column by the mean place of its members' neighbours, sweeping to the right and back."""
    before, after = defaultdict(list), defaultdict(list)
    for path in paths:
        for one, to in pairwise(path):
            after[one].append(to)
            before[to].append(one)
    for sweep in range(_SWEEPS):
        neighbours = before if sweep % 2 == 0 else after
        place = {member: index / len(column) for column in columns for index, member in enumerate(column)}
        for column in columns if sweep % 2 == 0 else reversed(columns):
            means = {
                member: sum(place[other] for other in neighbours[member]) / len(neighbours[member])
                if neighbours[member]
                else place[member]
                for member in column
            }
            column.sort(key=means.__getitem__)
            place.update((member, index / len(column)) for index, member in enumerate(column))


_LETTER = 7.3  # the width of a letter of a 12 px monospaced font
_MOST_LETTERS = 36
_HEIGHT, _BEND_HEIGHT, _GAP, _BETWEEN, _MARGIN = 44, 10, 14, 44, 8
# How far a backward arrow is below the forward arrow between the same boxes.
_ASIDE = 11
# Beside a taller column, a centred one would be out of sight.
_MOST_CENTRED = 700

_ARROWHEAD = (
    '<defs><marker id="st-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8"'
    ' orient="auto"><path d="M0 0 8 4 0 8z" class="st-tip"/></marker></defs>'
)


class Box(NamedTuple):
    """One node of the picture: its two lines, its colours (see ``report.tone``), the target of its link."""

    name: str
    caption: str
    tone: str
    href: str = ""
    is_subject: bool = False


class Picture(NamedTuple):
    """An SVG element, and where its subject is: left, top, width and height."""

    svg: str
    subject: tuple[float, float, float, float] | None


def draw(boxes: Sequence[Box], edges: Sequence[tuple[int, int]], label: str) -> Picture:
    """The picture for a page, or for a file of its own.

    Args:
        boxes: the nodes.
        edges: (required, requiring), as indexes of boxes; from a box to itself nothing is drawn.
        label: what the picture shows, for screen readers.
    """
    layout = arrange(range(len(boxes)), [(one, to) for one, to in edges if one != to])
    places, width, height = _places(layout, boxes)
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    head = 'xmlns="http://www.w3.org/2000/svg" class="st-picture" role="group"'
    lines = [
        f'<svg {head} aria-label="{escape(label)}" {size}>',
        _ARROWHEAD,
        *_arrows(layout, places),
        *(line for number, box in enumerate(boxes) for line in _box(box, places[number])),
        "</svg>",
    ]
    found = [places[number] for number, box in enumerate(boxes) if box.is_subject]
    subject = next(((left, middle - _HEIGHT / 2, width, _HEIGHT) for left, middle, width in found), None)
    return Picture("\n".join(lines), subject)


def _shortened(name: str) -> str:
    """A name that fits into a box, without its middle: similar names mostly differ at the ends."""
    half = (_MOST_LETTERS - 1) // 2
    return name if len(name) <= _MOST_LETTERS else f"{name[:half]}…{name[-half:]}"


def _places(layout: Layout, boxes: Sequence[Box]) -> tuple[dict[Hashable, Place], float, float]:
    """Where everything is, and the size of the whole."""
    heights = [sum(_height(member) + _GAP for member in column) - _GAP for column in layout.columns]
    tallest = max(heights, default=0)
    letters = [max(len(_shortened(box.name)), len(box.caption)) for box in boxes]
    places: dict[Hashable, Place] = {}
    left = float(_MARGIN)
    for column, height in zip(layout.columns, heights, strict=True):
        longest = max((letters[member] for member in column if isinstance(member, int)), default=0)
        width = longest * _LETTER + 24
        top = _MARGIN + ((tallest - height) / 2 if tallest <= _MOST_CENTRED else 0)
        for member in column:
            places[member] = (left, top + _height(member) / 2, width)
            top += _height(member) + _GAP
        left += width + _BETWEEN
    return places, round(left - _BETWEEN + _MARGIN), round(tallest + 2 * _MARGIN)


def _height(member: Hashable) -> int:
    return _BEND_HEIGHT if isinstance(member, Bend) else _HEIGHT


def _arrows(layout: Layout, places: Mapping[Hashable, Place]) -> Iterator[str]:
    for number, path in enumerate(layout.paths):
        backward = number in layout.backward
        css = "st-arrow st-backward" if backward else "st-arrow"
        curve = _curve([places[member] for member in path], backward=backward)
        yield f'<path class="{css}" d="{curve}" marker-end="url(#st-tip)"/>'


def _curve(stops: Sequence[Place], *, backward: bool) -> str:
    """A curve from stop to stop, straight through those between."""
    aside = _ASIDE if backward else 0
    curve, end = "", 0.0
    for number, (left, middle, width) in enumerate(stops):
        enter, leave = (left + width, left) if backward else (left, left + width)
        height = middle + aside
        if number == 0:
            curve = f"M{leave:g} {height:g}"
        else:
            half = (end + enter) / 2
            before = stops[number - 1][1] + aside
            curve += f"C{half:g} {before:g} {half:g} {height:g} {enter:g} {height:g}"
            curve += f"H{leave:g}" if number < len(stops) - 1 else ""
        end = leave
    return curve


def _box(box: Box, place: Place) -> Iterator[str]:
    left, middle, width = place
    top, centre = middle - _HEIGHT / 2, left + width / 2
    css = f"st-box st-{box.tone}" + (" st-subject" if box.is_subject else "")
    label = escape(f"{box.name}: {box.caption}")
    yield f'<a href="{escape(box.href)}" aria-label="{label}">' if box.href else "<g>"
    yield f"<title>{label}</title>"
    yield f'<rect class="{css}" x="{left:g}" y="{top:g}" width="{width:g}" height="{_HEIGHT}" rx="6"/>'
    yield f'<text class="st-name" x="{centre:g}" y="{top + 18:g}">{escape(_shortened(box.name))}</text>'
    yield f'<text class="st-words" x="{centre:g}" y="{top + 35:g}">{escape(box.caption)}</text>'
    yield "</a>" if box.href else "</g>"
