"""``show_script --watch`` as text: who runs the script, its output as it grows, its sign of life, how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scripts_tracker.core import stops
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.progress import progress_of
from scripts_tracker.core.text import describe_lease, describe_start, local_time, reason_line
from scripts_tracker.ledger.database import typed
from scripts_tracker.project.following import added
from scripts_tracker.reporting.detail_text import outcome_style, outcome_words
from scripts_tracker.reporting.terminal import fitting, line_of, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts_tracker.core.history import RunNow
    from scripts_tracker.core.progress import WalkRecord
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.terminal import Output

EXIT_CODES: Final[Mapping[str, int]] = {"succeeded": 0, "failed": 1, "lost": 3}
"""Of ``show_script --watch``, by how the run ended."""

# Lines of the output so far that the first look shows.
_FIRST_LINES = 20
# Seconds between two lines about the sign of life, where no terminal updates the line.
_REMIND = 60.0
_GONE = "the ledger no longer has this run."
_WALK_GONE = "the ledger no longer has it."
_ONE_WRITER = "SQLite stores the output when the script ends."
_GAP = "(more was printed in between than the ledger keeps)"


# Of ``show_script --watch`` for a batched script that nobody works on, and that is not finished: EX_TEMPFAIL.
NOT_FINISHED: Final = 75


class Follower:
    """Turns the looks at a run into text to write as it is, line ends included.

    Args:
        script_id: whose run.
        output: at a terminal (it has a width) the last lines are drawn over.
        clock: returns seconds.
    """

    def __init__(self, script_id: ScriptId, output: Output, clock: Callable[[], float]) -> None:
        self._script_id = script_id
        self._output = output
        self._clock = clock
        self._printed: str | None = None
        self._drawn = 0
        self._reminded_at = clock()

    def text(self, now: RunNow | None) -> str:
        """What to write after a look."""
        if now is None:
            return f"{self.erase()}{self._script_id}: {_GONE}\n"
        ended = now.run.outcome != "running"
        lines = [*self._lines(now, ended=ended), *(self._end(now) if ended else self._reminder(now))]
        drawn = [] if ended else self._draw(now)
        erased = self.erase()
        self._drawn = len(drawn)
        return erased + "".join(f"{line}\n" for line in lines) + "\n".join(drawn)

    def erase(self) -> str:
        """What removes the lines that are drawn over; empty where nothing is drawn."""
        drawn, self._drawn = self._drawn, 0
        return "\r\x1b[K" + "\x1b[1A\x1b[K" * (drawn - 1) if drawn else ""

    def _lines(self, now: RunNow, *, ended: bool) -> Iterator[str]:
        """The lines that were printed since the last look, whole ones until the run has ended."""
        whole = now.output if ended else now.output[: now.output.rfind("\n") + 1]
        if self._printed is None:
            yield from self._head(now)
            lines = whole.splitlines()
            yield from map(escaped, lines[-_FIRST_LINES:])
        else:
            text, is_cut = added(self._printed, whole)
            yield from (_GAP,) if is_cut else ()
            yield from map(escaped, text.splitlines())
        self._printed = whole

    def _head(self, now: RunNow) -> Iterator[str]:
        record = now.run.record
        title = f"{self._script_id}: running since {describe_start(record)}"
        yield from map(self._output.style.MIGRATE_HEADING, wrapped(title, "", self._output, hang="  "))
        if now.lease is not None and now.lease.left is None:
            yield _ONE_WRITER
        hidden = now.output.count("\n") - _FIRST_LINES
        if hidden > 0:
            yield f"({hidden} earlier lines: {typed('show_script {} --format json', self._script_id)})"

    def _draw(self, now: RunNow) -> list[str]:
        """At a terminal: the line that is not complete yet, and the sign of life."""
        width = self._output.width
        if width is None:
            return []
        rest = escaped(now.output[now.output.rfind("\n") + 1 :])
        lines = [*([rest] if rest else []), describe_lease(now.lease)]
        return [fitting(line, width - 1) for line in lines]

    def _reminder(self, now: RunNow) -> list[str]:
        """Without a terminal: the sign of life once a minute."""
        if self._output.width is not None or self._clock() < self._reminded_at + _REMIND:
            return []
        self._reminded_at = self._clock()
        return [f"({describe_lease(now.lease)})"]

    def _end(self, now: RunNow) -> list[str]:
        record, outcome = now.run.record, now.run.outcome
        words = [outcome_words(now.run), describe_lease(now.lease), reason_line(record.reason)]
        lines = list(
            wrapped(f"{self._script_id}: {': '.join(filter(None, words))}", "", self._output, hang="  ")
        )
        lines = [outcome_style(now.run, self._output)(line) for line in lines]
        if outcome == "succeeded":
            return lines
        return [*lines, f"To see why: {typed('show_script {}', self._script_id)}"]


class WalkFollower:
    """Turns the looks at a batched script into text to write as it is, line ends included.

    Args:
        status: of the script, as it was when this began.
        output: at a terminal (it has a width) the last line is drawn over; elsewhere there is a line now and then.
        clock: returns seconds.
    """

    def __init__(self, status: ScriptStatus, output: Output, clock: Callable[[], float]) -> None:
        self._status = status
        self._output = output
        self._clock = clock
        self._is_drawn = self._has_begun = False
        self._reminded_at = clock()
        self._parked: set[int] = set()
        self.exit_code = NOT_FINISHED

    def text(self, now: WalkRecord | None) -> str:
        """What to write after a look."""
        script_id = self._status.id
        if now is None:
            self.exit_code = EXIT_CODES["lost"]
            return f"{self.erase()}{script_id}: {_WALK_GONE}\n"
        is_over = now.outcome != "open" or not now.live
        lines = [*self._head(now), *self._newly_parked(now)]
        if is_over:
            lines += self._end(now)
        elif self._output.width is None:
            lines += self._reminder(now)
        erased = self.erase()
        drawn = "" if is_over or self._output.width is None else progress_line(now, self._output.width)
        self._is_drawn = bool(drawn)
        return erased + "".join(f"{line}\n" for line in lines) + drawn

    def erase(self) -> str:
        """What removes the line that is drawn over; empty where nothing is drawn."""
        is_drawn, self._is_drawn = self._is_drawn, False
        return "\r\x1b[K" if is_drawn else ""

    def _head(self, now: WalkRecord) -> Iterator[str]:
        if self._has_begun:
            return
        self._has_begun = True
        title = f"{self._status.id}: {now.table}, begun on {local_time(now.started_at)}"
        yield from map(self._output.style.MIGRATE_HEADING, wrapped(title, "", self._output, hang="  "))
        if self._output.width is None:
            yield escaped(", ".join(stops.pieces(progress_of(now))))

    def _newly_parked(self, now: WalkRecord) -> Iterator[str]:
        for one in stops.parked(now):
            if one.pk not in self._parked:
                self._parked.add(one.pk)
                text = escaped(f"parked: {stops.parked_words(one)}")
                yield from map(self._output.style.ERROR, wrapped(text, "", self._output, hang="  "))

    def _reminder(self, now: WalkRecord) -> Iterator[str]:
        """Without a terminal: a line once a minute."""
        if self._clock() >= self._reminded_at + _REMIND:
            self._reminded_at = self._clock()
            yield escaped(", ".join(_pieces(now)))

    def _end(self, now: WalkRecord) -> Iterator[str]:
        """How it ended, or why nobody works on it."""
        script_id, style = self._status.id, self._output.style
        if now.outcome == "succeeded":
            self.exit_code = EXIT_CODES["succeeded"]
            yield style.SUCCESS(f"{script_id}: done")
            return
        record = self._status.record
        status = self._status._replace(record=record._replace(walk=now) if record else None)
        if now.outcome == "open":
            self.exit_code = NOT_FINISHED if now.hold else EXIT_CODES["failed"]
            why = stops.why_stopped(status, typed)
        else:
            self.exit_code = EXIT_CODES["failed"]
            why = f"{now.outcome}, {stops.at(progress_of(now))}"
        yield from map(style.WARNING, wrapped(escaped(f"{script_id}: {why}"), "", self._output, hang="  "))
        yield f"To see what to do: {typed('show_script {}', script_id)}"


def progress_line(now: WalkRecord, width: int) -> str:
    """As much of the progress as a line has room for: what matters most comes first."""
    return line_of((), _pieces(now), width)


def _pieces(now: WalkRecord) -> Iterator[str]:
    yield from stops.pieces(progress_of(now))
    if sign := stops.latest_sign(now):
        yield sign
