"""What ``check_scripts --all --format json`` printed in one environment, read from a file."""

from __future__ import annotations

import codecs
import json
import os
import sys
from datetime import MAXYEAR, MINYEAR, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, Final

from scripts_tracker.core.forecast import Success
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import ScriptsTrackerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

APPLIED: Final = frozenset({"applied", "recurring", "edited", "reverted", "moved"})
"""The states in which a script has done its work in an environment."""

_STALE: Final = timedelta(days=7)
_AHEAD: Final = timedelta(days=1)
_STDIN: Final = "-"
_LARGEST: Final = 1e30
_HOW: Final = "manage.py check_scripts --all --format json > production.json"


class WrongSnapshot(ScriptsTrackerError):
    """A file is not what ``check_scripts --all --format json`` prints; the message says how to make it."""


class LastRun(NamedTuple):
    """The last attempt or decision; ``seconds`` is None while it runs, and where its end is not known."""

    kind: str
    outcome: str
    started_at: datetime | None
    seconds: float | None


class Entry(NamedTuple):
    """A script in one environment.

    Attributes:
        state: as in the contract of ``check_scripts``.
        fingerprint: of the file there; None if there is no file, or it cannot be parsed.
        applied_fingerprint: of the version that was applied last.
        last_run: None if there was none.
        success: the last run that succeeded; None if none did, or if that is not known.
        percent: how far a batched script is that has begun; None for others.
    """

    script: str
    state: str
    path: str
    requires: tuple[str, ...] = ()
    fingerprint: str | None = None
    applied_fingerprint: str | None = None
    applied_at: datetime | None = None
    last_run: LastRun | None = None
    success: Success | None = None
    percent: float | None = None

    @property
    def is_applied(self) -> bool:
        """Whether the script has done its work there."""
        return self.state in APPLIED or (self.state == "missing" and self.applied_fingerprint is not None)


class Snapshot(NamedTuple):
    """One environment as its file shows it.

    Attributes:
        environment: its name: that of the settings there, or else that of the file.
        file: where it was read from.
        taken_at: None where the file does not say.
        revision: the commit that was checked out; empty where the file does not say.
    """

    environment: str
    file: str
    taken_at: datetime | None
    revision: str
    entries: Mapping[str, Entry]

    def is_stale(self, now: datetime) -> bool:
        """Whether the file is older than a week; one without a date may be, and one of a clock that runs ahead."""
        return self.taken_at is None or now - self.taken_at > _STALE or self.is_ahead(now)

    def is_ahead(self, now: datetime) -> bool:
        """Whether the file is of tomorrow: one of the clocks is wrong, and its age is not known."""
        return self.taken_at is not None and self.taken_at - now > _AHEAD


def read_all(files: Iterable[str]) -> tuple[Snapshot, ...]:
    """Read one file for each environment.

    Raises:
        WrongSnapshot: a file cannot be read or is something else, or two are of the same environment.
    """
    found: dict[str, Snapshot] = {}
    for file in files:
        snapshot = read(file)
        other = found.setdefault(snapshot.environment, snapshot)
        if other is not snapshot:
            raise WrongSnapshot(
                f"{file} and {other.file} are both of the environment {snapshot.environment}: pass one of them,"
                ' or give each environment its own name in SCRIPTS_TRACKER["environment"].'
            )
    return tuple(found.values())


def read(file: str) -> Snapshot:
    """Read one file, or standard input for ``-``; raises WrongSnapshot."""
    try:
        document = json.loads(_text(file))
    except OSError as error:
        raise WrongSnapshot(f"{file} cannot be read: {error.strerror or error}.") from error
    except RecursionError as error:
        raise WrongSnapshot(f"{file}: not JSON of check_scripts. To make it: {_HOW}") from error
    except ValueError as error:
        raise WrongSnapshot(f"{file} is not JSON ({error}). To make it: {_HOW}") from error
    try:
        return _snapshot(file, document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WrongSnapshot(f"{file} is not the JSON of check_scripts. To make it: {_HOW}") from error


def _text(file: str) -> str:
    if file == _STDIN:
        if sys.stdin is None:
            raise OSError("standard input is closed")
        return sys.stdin.read().removeprefix("\ufeff")
    with open(file, "rb") as stream:
        content = stream.read()
    # Windows PowerShell writes UTF-16 for `>`.
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if is_utf16 else "utf-8-sig")


def _snapshot(file: str, document: Any) -> Snapshot:
    if document["version"] != 1:
        raise WrongSnapshot(
            f"{file} has version {document['version']!r}, and this release reads version 1:"
            " use the release of scripts_tracker that runs there."
        )
    entries = [_entry(one) for one in document["scripts"]]
    _require_all(file, document["counts"], entries)
    own_name = "standard input" if file == _STDIN else os.path.splitext(os.path.basename(file))[0]
    name = document.get("environment") or own_name
    return Snapshot(
        str(name),
        file,
        _moment(document.get("taken_at")),
        str(document.get("revision") or ""),
        {entry.script: entry for entry in entries},
    )


def _require_all(file: str, counts: Mapping[str, int], entries: list[Entry]) -> None:
    """Refuse a file without the applied scripts: they would look as if they were not there."""
    if sum(counts.values()) > len(entries):
        raise WrongSnapshot(
            f"{file} lists {len(entries)} of {sum(counts.values())} scripts: it was made without --all. To make it: {_HOW}"
        )


def _entry(one: Mapping[str, Any]) -> Entry:
    last_run = one.get("last_run")
    return Entry(
        script=_string(one["script"]),
        state=_string(one["state"]),
        path=_string(one["path"]),
        requires=tuple(map(str, one["requires"])),
        fingerprint=one["fingerprint"],
        applied_fingerprint=one["applied_fingerprint"],
        applied_at=_moment(one["applied_at"]),
        last_run=_last_run(last_run) if last_run else None,
        success=_success(one),
        percent=_number((one.get("progress") or {}).get("percent")),
    )


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a string")
    return value


def _last_run(run: Mapping[str, Any]) -> LastRun:
    started_at, seconds = _moment(run.get("started_at")), _number(run.get("seconds"))
    return LastRun(str(run.get("kind")), str(run.get("outcome")), started_at, seconds)


def _success(one: Mapping[str, Any]) -> Success | None:
    """The last success; of a release that does not print it, the last run if that is one."""
    run, is_known = one.get("last_success"), "last_success" in one
    last = one.get("last_run") or {}
    if not is_known and last.get("outcome") == "succeeded" and last.get("kind") == "run":
        run = {**last, "fingerprint": one["applied_fingerprint"]}
    started_at, seconds = _moment((run or {}).get("started_at")), _number((run or {}).get("seconds"))
    if run is None or started_at is None or seconds is None:
        return None
    keys, rows, span = (_whole(run.get(name)) for name in ("keys", "rows", "key_span"))
    return Success(
        started_at,
        seconds,
        str(run.get("fingerprint") or ""),
        str(run.get("environment") or ""),
        _number(run.get("worker_seconds")),
        keys,
        rows,
        str(run.get("table") or ""),
        span,
    )


def _number(value: Any) -> float | None:
    """A number that is not negative; raises ValueError for anything else but None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _LARGEST:
        raise ValueError(f"{value!r} is not a number")
    return float(value)


def _whole(value: Any) -> int | None:
    return None if _number(value) is None else int(value)


def _moment(text: str | None) -> datetime | None:
    """A moment with a time zone, in which one without (``USE_TZ = False``) is taken for UTC."""
    if not text:
        return None
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if not MINYEAR < moment.year < MAXYEAR:
        raise ValueError(f"{text} is no moment in every time zone")
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
