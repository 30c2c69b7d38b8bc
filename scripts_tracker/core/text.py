"""Words for moments, spans, people, errors and paths."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.values import AFTER_SUCCESS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime, tzinfo

    from scripts_tracker.core.values import Finding, Lease, RunRecord


def local_time(moment: datetime | None, zone: tzinfo | None = None) -> str:
    """A moment to the minute, with its time zone, by default the project's: ``2026-07-01 12:00 +02:00``.

    A name such as CST has several meanings; UTC has one.
    """
    if moment is None:
        return "an unknown date"
    # Django sets the time zone of the process to TIME_ZONE.
    local = moment.astimezone(zone)
    offset = f"{local:%z}"
    named = f"{offset[:3]}:{offset[3:5]}" if local.utcoffset() else "UTC"
    return f"{local:%Y-%m-%d %H:%M} {named}"


def duration(seconds: float) -> str:
    """A time span as people say it: 0.4 s, 12 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    if seconds < 10:  # noqa: PLR2004 - tenths of a second matter up to here
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


def counted(number: int) -> str:
    """A number for people: 950, 12,345, 1.2 M."""
    million = 1_000_000
    return f"{number:,}" if number < million else f"{number / million:,.1f} M"


def parsed_duration(text: str) -> float | None:
    """The seconds of ``90s``, ``30m``, ``2h30m`` or ``1d12h``; None for anything else, and for no time at all."""
    import re  # seldom needed

    number = r"(\d{1,9}(?:\.\d{1,9})?)"
    found = re.fullmatch("".join(f"(?:{number}{unit})?" for unit in "dhms"), text.strip(), re.ASCII)
    if found is None:
        return None
    sizes = (86400, 3600, 60, 1)
    parts = zip(found.groups(), sizes, strict=True)
    return sum(float(part) * size for part, size in parts if part) or None


def quoted(word: str) -> str:
    """A word as one types it in a POSIX shell: as it is, unless a character of it means something there.

    In double quotes where that is enough: our sentences put commands in single ones.
    """
    import shlex  # most output has nothing to type

    safe = shlex.quote(word)
    if safe == word or not word.isprintable() or _MEANT_IN_QUOTES.intersection(word):
        return safe
    return f'"{word}"'


_MEANT_IN_QUOTES: Final = frozenset('"$`\\!')


def as_typed(words: Iterable[object]) -> str:
    """Words, names or arguments as one types them in a shell, each quoted where that is needed."""
    return " ".join(quoted(str(word)) for word in words)


def command_line(command: str, *names: object) -> str:
    """A command with names in place of its ``{}``, quoted where that is needed; without names, as it is."""
    return command.format(*(quoted(str(name)) for name in names)) if names else command


def who(user: str, host: str) -> str:
    """``deploy on web-1``; empty where neither is known."""
    return escaped(" on ".join(filter(None, (user, host))))


def by_whom(user: str, host: str) -> str:
    """`` by deploy on web-1``, to follow a verb or a moment; empty where neither is known."""
    return escaped("".join(f" {word} {name}" for word, name in (("by", user), ("on", host)) if name))


def describe_start(run: RunRecord) -> str:
    """When a run started, who started it and where: ``2026-07-01 12:00 by deploy on web-1, process 7``."""
    process = f", process {run.pid}" if run.pid else ""
    place = escaped(f", in {run.place}") if run.place else ""
    return f"{local_time(run.started_at)}{by_whom(run.user, run.host)}{process}{place}"


def describe_holder(run: RunRecord | None, lease: Lease | None = None) -> str:
    """Why a script is held, as half a sentence; without a run, only the lock of another transaction is known."""
    if run is None:
        return "locked by another transaction"
    return "; ".join(filter(None, (f"running since {describe_start(run)}", describe_lease(lease))))


def describe_lease(lease: Lease | None) -> str:
    """When a holder gave its last sign of life, and until when it holds the script; empty if nothing is known."""
    if lease is None:
        return ""
    if lease.left is None:
        return "its process is alive"
    sign = sign_of_life(lease)
    free = f"free in {_whole(lease.left)}" if lease.is_live else ""
    return ", ".join(filter(None, (sign, f"{free} if none follows" if sign and free else free)))


def sign_of_life(lease: Lease | None) -> str:
    """When a holder gave its last sign of life; empty if that is not known."""
    return "" if lease is None or lease.ago is None else f"last sign of life {_whole(lease.ago)} ago"


def _whole(seconds: float) -> str:
    """A time span in whole seconds at least."""
    return f"{max(round(seconds), 0)} s" if seconds < 59.5 else duration(seconds)  # noqa: PLR2004 - below a minute


def finding_to_json(found: Finding) -> dict[str, Any]:
    """One finding, as in the JSON of the lint and of ``check_scripts``."""
    return {
        "path": found.location.path,
        "line": found.location.line,
        "column": found.location.column,
        "code": found.code,
        "message": found.message,
        "hint": found.hint,
        "fixable": found.fixable,
    }


def error_text(error: object) -> str:
    """The text of an exception or an exit code; use it for every exception of a script, as its ``__str__`` may raise."""
    try:
        return str(error)
    except KeyboardInterrupt:  # pressed now
        raise
    except BaseException:  # noqa: BLE001 - SystemExit, for one; the failure itself is what counts
        return "<exception str() failed>"


def plain_reason(reason: str) -> str:
    """A stored reason, without the name of the class of an error that explains itself."""
    before, after_success, rest = reason.rpartition(f"{AFTER_SUCCESS}: ")
    return f"{before}{after_success}{rest.removeprefix('CommandError: ')}"


def reason_line(reason: str) -> str:
    """The first line of the same."""
    return "".join(plain_reason(reason).splitlines()[:1])


def error_line(error: BaseException) -> str:
    """The type and text of an exception, as at the end of a traceback, without its notes."""
    try:
        import traceback  # as late as the error

        shown = traceback.TracebackException(type(error), error, None)
        shown.__notes__ = None  # type: ignore[attr-defined,unused-ignore]  # they would be the last line
        return list(shown.format_exception_only())[-1]
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - as above
        kind = type(error)
        return f"{kind.__module__}.{kind.__qualname__}: {error_text(error)}".removeprefix("builtins.")


def error_traceback(error: BaseException) -> str:
    """The traceback of an exception, of the script's own frames; without its causes and notes if Python cannot print it."""
    import traceback  # as above

    from scripts_tracker.core import frames

    try:
        shown = traceback.TracebackException.from_exception(error)
        frames.leave_out_others(shown)
        return "".join(shown.format())
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - as above
        return "".join([*traceback.format_tb(error.__traceback__), error_line(error)])


def encodable(stream: Any, text: str) -> str:
    """The text with escapes in place of what the stream's encoding cannot write."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")
