"""What an output stream can show, and text that fits it: colours, width, box characters, wrapping."""

from __future__ import annotations

import os
import re
import shutil
import unicodedata
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from django.core.management.color import color_style, no_style

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

T = TypeVar("T")


class Style(Protocol):
    """The roles of Django's styles that a report uses; each returns the text, coloured or not."""

    def MIGRATE_HEADING(self, text: str) -> str: ...  # noqa: D102, N802 - Django's names
    def MIGRATE_LABEL(self, text: str) -> str: ...  # noqa: D102, N802 - as above
    def SUCCESS(self, text: str) -> str: ...  # noqa: D102, N802 - as above
    def WARNING(self, text: str) -> str: ...  # noqa: D102, N802 - as above
    def ERROR(self, text: str) -> str: ...  # noqa: D102, N802 - as above


class Output(NamedTuple):
    """What a format may use: styles, the width to wrap at (None: do not wrap), whether box characters work."""

    style: Style
    width: int | None = None
    unicode: bool = True


def output_for(
    stream: Any, argv: Sequence[str] = (), *, no_color: bool = False, force_color: bool = False
) -> Output:
    """The output for a stream: Django's styles at a terminal, plain text elsewhere.

    Args:
        stream: where the text will go; a terminal has a width.
        argv: a command line, for callers that do not have the options of the running command.
        no_color: Django's ``--no-color``; NO_COLOR in the environment (no-color.org) does the same.
        force_color: Django's ``--force-color``, for streams that are no terminal.
    """
    isatty = getattr(stream, "isatty", None)
    at_terminal = bool(isatty and isatty())
    silenced = no_color or "--no-color" in argv or os.environ.get("NO_COLOR")
    forced = force_color or "--force-color" in argv
    coloured = forced or (at_terminal and not silenced)
    style = color_style(force_color=forced) if coloured else no_style()
    width = shutil.get_terminal_size().columns if at_terminal else None
    return Output(style, width, _has_box_characters(stream))


def _has_box_characters(stream: Any) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        "├└│─".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def wrapped(text: str, indent: str, output: Output, hang: str = "") -> Iterator[str]:
    """Each line of a text, indented, and wrapped if the output has a width.

    Args:
        text: control characters in it are escaped, white space becomes spaces.
        indent: starts each line.
        output: has the width.
        hang: follows the indent in the second and later lines of a wrapped line.
    """
    for raw in text.splitlines():
        line = escaped(re.sub(r"\s", " ", raw))
        if output.width is None or not line.strip():
            yield f"{indent}{line}".rstrip()
        else:
            from scripts_tracker.core.wrapping import wrapped_line  # only at a terminal

            yield from wrapped_line(line, max(output.width, 20), indent, indent + hang)


MOST: Final = 10
"""How many of a long list are shown."""
_SPARED = 2


def most_at(verbosity: int) -> int | None:
    """How many of a long list are shown at a verbosity; None for all."""
    return MOST if verbosity <= 1 else None


def some(found: Sequence[T], most: int | None) -> Sequence[T]:
    """As many of a list as are shown; not even two lines are left out for a line about them.

    Args:
        found: the list.
        most: how many to show; None for all.
    """
    return found if most is None or len(found) <= most + _SPARED else found[:most]


def more(found: Sequence[object], most: int | None, listing: str, output: Output) -> Iterator[str]:
    """How many are not shown, and what shows them; nothing if all are.

    Args:
        found: the list.
        most: as for ``some``.
        listing: the command that shows all, without ``manage.py``.
        output: where the text goes.
    """
    if left := len(found) - len(some(found, most)):
        from scripts_tracker.ledger.database import typed  # needs the models

        yield from wrapped(f"and {left} more; to list all: {typed(listing)}", "  ", output)


def painted(head: str, text: str, paint: Callable[[str], str], output: Output) -> Iterator[str]:
    """A text in a colour after a head without one, wrapped if the output has a width."""
    lines = list(wrapped(f"{head}{text}", "", output, hang=" " * 4))
    if lines and lines[0].startswith(head.rstrip()):
        first = lines.pop(0)
        yield first[: len(head)] + (paint(rest) if (rest := first[len(head) :]) else "")
    yield from map(paint, lines)


def painter(tone: str, output: Output) -> Callable[[str], str]:
    """What paints a text in the colour of a tone (``tone`` in ``reporting.report``)."""
    style = output.style
    colours = {
        "trouble": style.ERROR,
        "action": style.WARNING,
        "busy": style.MIGRATE_LABEL,
        "done": style.SUCCESS,
    }
    return colours.get(tone, str)


def _widths(text: str) -> Iterator[int]:
    """The columns that each character takes."""
    for each in text:
        yield 2 if unicodedata.east_asian_width(each) in "WF" else 1


def fitting(line: str, columns: int) -> str:
    """As much of a line as a terminal shows in so many columns."""
    for place, width in enumerate(_widths(line)):
        columns -= width
        if columns < 0:
            return line[:place]
    return line


# Fewer columns of a name say nothing.
_SHORTEST_NAME = 6
# A piece of so many characters is a reason in words, of which a part says something; a part of a number misleads.
_LONG = 30


def line_of(heads: Sequence[str], pieces: Iterable[str], width: int) -> str:
    """A line to draw over at a terminal, which must not wrap.

    Args:
        heads: what comes first, and shorter forms of it: the first that leaves room for two pieces, or else a part of
            the last.
        pieces: what follows, as far as there is room; what matters most comes first.
        width: of the terminal.
    """
    first, *others = map(escaped, pieces)
    wanted = ", ".join([first, *(one for one in others[:1] if len(one) < _LONG)])
    starts = [f"{escaped(head)}: " for head in heads] or [""]
    fits = (one for one in starts if sum(_widths(one + wanted)) < width)
    line = next(fits, None) or _shortened(starts[-1], width - 1 - sum(_widths(first)))
    line += first
    for piece in others:
        longer = f"{line}, {piece}"
        if sum(_widths(longer)) >= width:
            line = line if len(piece) < _LONG else f"{fitting(longer, max(width - 4, 0)).rstrip()}..."
            break
        line = longer
    return fitting(line, width - 1)


def _shortened(start: str, columns: int) -> str:
    """As much of a name as there is room for; nothing of it where that is too little."""
    if sum(_widths(start)) <= columns:
        return start
    room = columns - len("...: ")
    return "" if room < _SHORTEST_NAME else f"{fitting(start, room)}...: "
