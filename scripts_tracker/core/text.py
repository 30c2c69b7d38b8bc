"""Words for moments, spans, people and paths; text made harmless for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import (
        Finding,
        RunRecord,
    )


def path_of(status: ScriptStatus) -> str:
    """The script's file as reports show it; for a file that is gone, where it was."""
    if status.definition is not None:
        return status.definition.location.path
    return status.record.path if status.record else ""


def local_time(moment: datetime | None) -> str:
    """A moment as people of the project read it, to the minute."""
    if moment is None:
        return "an unknown date"
    # Django sets the process's time zone to TIME_ZONE, so this is the project's own time.
    local = moment.astimezone() if moment.tzinfo else moment
    return f"{local:%Y-%m-%d %H:%M}"


def duration(seconds: float) -> str:
    """A time span as people say it: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 10:  # noqa: PLR2004 - tenths say nothing of more
        return f"{max(seconds, 0):.1f} s"
    total = round(seconds)
    for size, unit, smaller, small_unit in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if total >= size:
            rest = total % size // smaller
            return f"{total // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{total} s"


def who(record: RunRecord) -> str:
    """``deploy on web-1``; empty where nothing is known."""
    return " on ".join(part for part in (record.user, record.host) if part)


def finding(found: Finding) -> dict[str, Any]:
    """One finding, as the lint's JSON and this one have it."""
    return {
        "path": found.location.path,
        "line": found.location.line,
        "column": found.location.column,
        "code": found.code,
        "message": found.message,
        "hint": found.hint,
        "fixable": found.fixable,
    }


def printable(stream: Any, text: str) -> str:
    """The text with escapes in place of what the stream's encoding cannot write."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")
