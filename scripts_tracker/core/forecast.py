"""How long a script may take here, by how long it took elsewhere; each figure with what it is based on. Pure."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.text import counted, duration, local_time
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from scripts_tracker.core.history import StoredRehearsal
    from scripts_tracker.core.values import ScriptId


REHEARSAL: Final = "a rehearsal here"
"""The place of figures that come from a rehearsal in this database."""

_MOST_ROWS: Final = 100_000_000_000
"""No table has more: where keys are farther apart, one of them is made up, or all of them are."""


class Success(NamedTuple):
    """The last run of a script that succeeded; of a batched script, all workers of that walk.

    Attributes:
        started_at: when it began.
        seconds: how long it was at work; without pauses.
        fingerprint: the version that ran, as text; empty if that is not known.
        environment: where it ran, if the ledger came from another place; empty if that is not known.
        worker_seconds: of all workers together; None for an ordinary script.
        keys: how many keys of its table were walked; None for an ordinary script.
        rows: how many rows it says it has changed; None for an ordinary script.
        table: the table of the keys; empty for an ordinary script.
        key_span: how far the largest key was from the smallest; None where keys do not say.
    """

    started_at: datetime
    seconds: float
    fingerprint: str = ""
    environment: str = ""
    worker_seconds: float | None = None
    keys: int | None = None
    rows: int | None = None
    table: str = ""
    key_span: int | None = None


class Here(NamedTuple):
    """What is known of a script in the place that the forecast is for.

    Attributes:
        fingerprint: of its file, as text; empty if it cannot be parsed.
        workers: how many processes will share it.
        percent: how much of a batched script is done here.
        key_spans: how far the largest key of a table is from the smallest, by table; None where that is not known.
        content: the fingerprint of the bytes of its file, which stands in where nothing could be parsed.
    """

    fingerprint: str
    workers: int = 1
    percent: float | None = None
    key_spans: Mapping[str, int | None] = MappingProxyType({})
    content: str = ""

    def is_version(self, fingerprint: str) -> bool:
        """Whether a fingerprint is that of the file."""
        return fingerprint != "" and fingerprint in {self.fingerprint, self.content}


class Figure(NamedTuple):
    """What one place says about a script.

    Attributes:
        place: its name.
        seconds: the forecast; None for no figure.
        basis: what the figure is based on, as words to be joined by commas; why there is none, if there is none.
        is_same_version: whether the same code ran there.
        success: the run that it is based on; None without one.
    """

    place: str
    seconds: float | None
    basis: tuple[str, ...]
    is_same_version: bool = False
    success: Success | None = None


class Total(NamedTuple):
    """The sum of the figures of all steps, how many have one, and how many have none."""

    seconds: float
    known: int
    unknown: int


def figure(place: str, success: Success, here: Here, notes: Iterable[str] = ()) -> Figure:
    """The forecast by a run that succeeded.

    Args:
        place: where it ran.
        success: the run.
        here: the script here.
        notes: what else the basis is to say.
    """
    seconds, words = success.seconds, [local_time(success.started_at)[:10]]
    if success.worker_seconds is not None:
        seconds = success.worker_seconds / here.workers
        factor, more = _scale(success, here)
        seconds *= factor
        words += more
        if here.percent:
            seconds *= 1 - here.percent / 100
            words.append(f"{here.percent:g} % is done here")
        if here.workers > 1:
            words.append(f"with {here.workers} workers")
    is_same = here.is_version(success.fingerprint)
    words.append(
        "same version" if is_same else "another version" if success.fingerprint else "version unknown"
    )
    return Figure(success.environment or place, seconds, (*words, *notes), is_same, success)


def _scale(success: Success, here: Here) -> tuple[float, list[str]]:
    """How many times as many rows there are here, as far as keys say it, and the words for it."""
    if success.keys is None:
        return 1.0, []
    rows = f"{counted(success.keys)} row{'s' * (success.keys != 1)}"
    span = here.key_spans.get(success.table)
    if span is None or not success.key_span:
        return 1.0, [f"{rows} there, not known here"]
    factor = span / success.key_span
    if success.keys * factor > _MOST_ROWS:
        return 1.0, [f"{rows} there, not known here, where keys are far apart"]
    return factor, [f"{rows} there", f"by keys about {counted(round(success.keys * factor))} here"]


def rehearsed(version: str, rehearsal: StoredRehearsal, here: Here) -> Figure:
    """The forecast by the last rehearsal in this database.

    Args:
        version: the fingerprint that was rehearsed, as text; empty if that is not known.
        rehearsal: what it has found.
        here: the script here.
    """
    report, day = rehearsal.report, local_time(rehearsal.started_at)[:10]
    if rehearsal.outcome != "succeeded":
        return Figure(REHEARSAL, None, (f"it failed on {day}",))
    seconds: float | None = report.seconds
    rows, words = report.rows, [day]
    if (sample := report.sample) is not None:
        estimate = sample.seconds if sample.is_whole else sample.estimated_seconds
        left = 1 - (here.percent or 0) / 100
        seconds = None if estimate is None else estimate * left / here.workers
        rows = rows if sample.is_whole else sample.estimated_rows
        if not sample.is_whole:
            words.append(f"by {counted(sample.batches)} batch{'es' * (sample.batches != 1)}")
    words.append("rows not known" if rows is None else f"{counted(rows)} row{'s' * (rows != 1)} changed")
    if here.percent and report.sample is not None:
        words.append(f"{here.percent:g} % is done here")
    is_same = here.is_version(version)
    words.append("same version" if is_same else "another version")
    if seconds is None:
        words.append("too little was rehearsed for a figure")
    return Figure(REHEARSAL, seconds, tuple(words), is_same)


def total(forecast: Mapping[ScriptId, Sequence[Figure]]) -> Total:
    """Add up: of several figures for a script, the longest of the same version counts, or else the longest."""
    known = [best for best in map(_longest, forecast.values()) if best is not None]
    return Total(sum(known), len(known), len(forecast) - len(known))


def _longest(figures: Sequence[Figure]) -> float | None:
    same = [one.seconds for one in figures if one.seconds is not None and one.is_same_version]
    return max(same or (one.seconds for one in figures if one.seconds is not None), default=None)


def words(one: Figure) -> str:
    """A figure with its basis, as a line."""
    basis = ", ".join((one.place, *one.basis))
    return f"no figure ({basis})" if one.seconds is None else f"about {duration(one.seconds)} ({basis})"


def total_words(sums: Total) -> str:
    """The total, as a line."""
    count = sums.known + sums.unknown
    if not sums.known:
        return "Total: no figure for any of these scripts."
    of_all = (
        "" if not sums.unknown else f" for {sums.known} of {count} scripts; {sums.unknown} without a figure"
    )
    return f"Total: about {duration(sums.seconds)}{of_all}."
