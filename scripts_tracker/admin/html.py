"""Pieces of HTML for the pages. Text from scripts and users is escaped here or by the templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import Truncator

from scripts_tracker.core import stops, text
from scripts_tracker.core.escaping import visible
from scripts_tracker.reporting.report import tone

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.utils.safestring import SafeString

    from scripts_tracker.core.progress import Progress
    from scripts_tracker.core.states import State
    from scripts_tracker.core.values import Finding, RunRecord
    from scripts_tracker.models import ScriptRun

NO_VALUE = "-"
# Characters of a text in a list.
_SHORT = 100

_OUTCOMES = {"failed": "trouble", "lost": "trouble", "running": "busy"}
KINDS = {
    "run": "Run",
    "rehearsal": "Dry run",
    "mark": "Marked as applied",
    "baseline": "Marked in a new database",
    "unmark": "Unmarked",
    "release": "Released",
    "pause": "Paused",
    "resume": "Resumed",
    "cancel": "Cancelled",
    "restart": "Begun anew",
}
_DECISIONS = KINDS.keys() - {"run", "rehearsal"}


def badge(tone: str, words: str) -> SafeString:
    """A state or an outcome, in colour and in words."""
    return format_html('<span class="st-badge st-{}">{}</span>', tone, words)


def state_badge(state: State | None) -> SafeString:
    """A script's state; None if the ledger has a script that is neither tracked nor applied."""
    return badge("odd", "Not tracked") if state is None else badge(tone(state), state.label)


def bar(progress: Progress, label: str) -> SafeString:
    """How far a batched script is, as a bar and in words; nothing where its keys do not say it."""
    if progress.percent is None:
        return format_html("{}", "")
    return format_html(
        '<progress class="st-bar" max="100" value="{}" aria-label="{}">{}</progress>',
        f"{progress.percent:g}",
        label,
        stops.percent(progress),
    )


def in_short(words: str) -> str:
    """As much of a long text as a line of a list has room for."""
    return Truncator(words).chars(_SHORT)


def with_more(value: str, *lines: str) -> SafeString:
    """The value of a cell, and the lines below it that are not empty."""
    more = format_html_join("", '<span class="st-more">{}</span>', ((plain(one),) for one in lines if one))
    return format_html("{}{}", value, more)


def outcome_badge(outcome: str) -> SafeString:
    """The outcome of a run."""
    return badge(_OUTCOMES.get(outcome, "done"), outcome.capitalize())


def kind(name: str, *, is_rehearsal: bool = False) -> str:
    """The kind of a row of the history, in words."""
    return "Rehearsal" if is_rehearsal else KINDS.get(name, name)


def kind_of(run: ScriptRun) -> str:
    """The kind of a run, in words: a dry run has no report."""
    return kind(run.kind, is_rehearsal=bool(run.report))


def moment(value: datetime | None) -> str:
    """A moment as at the terminal, in the time zone of the request."""
    if value is None:
        return NO_VALUE
    return text.local_time(value, timezone.get_current_timezone() if timezone.is_aware(value) else None)


def run_line(run: RunRecord, outcome: str, where: str = "") -> SafeString:
    """A row of the history in one line: when, by whom, what, the outcome.

    Args:
        run: the row.
        outcome: its outcome as of now.
        where: user and host, to stand after the moment.
    """
    when = format_html('<span class="st-moment">{}</span>', moment(run.started_at))
    return format_html("{}{}: {}", when, where, _what(run, outcome))


def run_lines(run: RunRecord, outcome: str, *lines: str) -> SafeString:
    """The same without the people in several lines, for a column of a list; other lines that are not empty follow."""
    first = format_html(
        '<span class="st-moment">{}</span><span class="st-more">{}</span>',
        moment(run.started_at),
        _what(run, outcome),
    )
    return with_more(first, *lines)


def _what(run: RunRecord, outcome: str) -> SafeString:
    ended = "" if run.kind in _DECISIONS else outcome_badge(outcome)
    return format_html("{} {}", kind(run.kind).lower(), ended)


def duration(run: ScriptRun) -> str:
    """How long a run took."""
    if run.ended_at is None or run.kind in _DECISIONS:
        return NO_VALUE
    return text.duration((run.ended_at - run.started_at).total_seconds())


def plain(text: str) -> str:
    """A text in which control characters and those that turn or hide text are visible, as in a terminal."""
    return "\n".join(map(visible, text.replace("\r\n", "\n").split("\n")))


def plain_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Findings in which such characters are visible."""
    return [one._replace(message=plain(one.message), hint=plain(one.hint)) for one in findings]


def block(text: str, label: str, *, at_end: bool = False, wraps: bool = False) -> SafeString:
    """A long text that scrolls inside the page, also with the keyboard.

    Args:
        text: as it was stored.
        label: what it is, for those who do not see the page.
        at_end: show its end first.
        wraps: for prose, whose lines have no length.
    """
    if not text:
        return format_html("{}", NO_VALUE)
    return format_html(
        '<pre class="st-block{}{}" tabindex="0" role="region" aria-label="{}">{}</pre>',
        " st-tail" if at_end else "",
        " st-wraps" if wraps else "",
        label,
        plain(text),
    )


def trusted(svg: str) -> SafeString:
    """A picture from ``graph.draw`` or ``durations``, which escape every text."""
    return mark_safe(svg)  # noqa: S308 - as the docstring says
