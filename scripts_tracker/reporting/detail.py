"""What is known of one script, ready to be formatted: its status, its past, what to do next. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts_tracker.states import State

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from scripts_tracker.datatypes import Finding, Fingerprint, ModuleVersion, RunRecord, ScriptRecord
    from scripts_tracker.states import ScriptStatus


@dataclass(frozen=True, slots=True)
class PastRun:
    """One row of the history; ``outcome`` as it is to be read now, ``arguments`` as JSON text."""

    record: RunRecord
    outcome: str
    arguments: str = "{}"
    git_revision: str = ""

    @property
    def seconds(self) -> float | None:
        """How long it took; None where it has not ended, or was no run at all."""
        ended, is_run = self.record.ended_at, self.record.kind in {"run", "rehearsal"}
        return (ended - self.record.started_at).total_seconds() if ended and is_run else None

    @property
    def given(self) -> dict[str, Any]:
        """The arguments, but for those that say nothing."""
        try:
            found = json.loads(self.arguments)
        except ValueError:
            return {"arguments": self.arguments}
        items = found.items() if isinstance(found, dict) else [("arguments", found)]
        return {
            name: value for name, value in items if value is not None and value is not False and value != []
        }


@dataclass(frozen=True, slots=True)
class PastVersion:
    """One content of the file that was run or marked here; ``applied`` counts the runs that applied it."""

    fingerprint: Fingerprint
    content_digest: str
    runs: int
    applied: int
    first_at: datetime
    last_at: datetime
    has_source: bool


@dataclass(frozen=True, slots=True)
class Past:
    """The history of one script, newest first.

    Attributes:
        runs: at most as many as were asked for.
        total: how many there are.
        versions: what was run here, the one that ran last first.
        output: the end of what the last run printed.
        traceback: what it ended with, where it failed.
    """

    runs: tuple[PastRun, ...] = ()
    total: int = 0
    versions: tuple[PastVersion, ...] = ()
    output: str = ""
    traceback: str = ""


class Base(NamedTuple):
    """The version that the file is compared with, and what the script watched then."""

    fingerprint: Fingerprint | None
    content_digest: str
    at: datetime | None
    watched: tuple[ModuleVersion, ...]
    is_applied: bool


def base_of(record: ScriptRecord | None) -> Base | None:
    """What was applied last; where nothing ever was, what was tried last."""
    if record is None:
        return None
    if record.applied_content is not None:
        return Base(
            record.applied, record.applied_content, record.applied_at, record.applied_watched, is_applied=True
        )
    run = record.last_run
    if run is not None and run.kind in {"run", "rehearsal"} and run.content_digest is not None:
        return Base(run.version, run.content_digest, run.started_at, run.watched, is_applied=False)
    return None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A diff and what it compares.

    Attributes:
        old: what the one is called.
        new: what the other is called.
        lines: the diff of the script's own file; without them the note says why.
        note: a sentence about it.
        is_raw: whether the text was compared, and not the code.
        hides_layout: whether the text may differ where the diff shows nothing.
        changed_modules: the modules that the script watches which changed; no diff shows them.
        about_modules: what became of them, in a sentence; empty without any.
    """

    old: str
    new: str
    lines: tuple[str, ...]
    note: str
    is_raw: bool = False
    hides_layout: bool = False
    changed_modules: tuple[str, ...] = ()
    about_modules: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """All that is to be said of it."""
        return tuple(filter(None, (self.about_modules, self.note)))


@dataclass(frozen=True, slots=True)
class Dossier:
    """One script.

    Attributes:
        status: its state, file and record.
        required: the scripts that it requires, with None for what is not known here, by what its author wrote.
        required_by: the scripts that require it, sorted.
        findings: what is wrong with its file.
        past: what happened to it here.
        comparison: what changed since, where that was asked for.
    """

    status: ScriptStatus
    required: Mapping[str, ScriptStatus | None]
    required_by: tuple[ScriptStatus, ...]
    findings: tuple[Finding, ...]
    past: Past
    comparison: Comparison | None = None

    def is_now(self, version: PastVersion) -> bool:
        """Whether the file now holds a version, or the same code in another layout."""
        now = self.status.definition
        if now is None:
            return False
        return version.content_digest == now.content_digest or version.fingerprint == now.fingerprint

    def is_applied(self, version: PastVersion) -> bool:
        """Whether a version is the one that was applied last."""
        record = self.status.record
        return record is not None and version.content_digest == record.applied_content

    @property
    def has_diff(self) -> bool:
        """Whether a diff has something to show: the code is another one, and the source of what ran is kept."""
        base, now = base_of(self.status.record), self.status.definition
        if base is None or now is None or now.content_digest == base.content_digest:
            return False
        return now.fingerprint != base.fingerprint and any(
            one.has_source for one in self.past.versions if one.content_digest == base.content_digest
        )


def next_steps(dossier: Dossier) -> Mapping[str, str]:
    """What to type next, by what it is for; nothing where there is nothing to do."""
    name, record = dossier.status.id, dossier.status.record
    run = {"run it": f"manage.py run_scripts {name}"}
    mark = f"manage.py check_scripts --mark-applied {name}"
    diff = {"what changed": f"manage.py show_script {name} --diff"} if dossier.has_diff else {}
    if record is not None and record.bytes_only:
        diff["if only its formatting changed"] = mark
    steps: Mapping[State, Mapping[str, str]] = {
        State.NEW: run,
        State.FAILED: {**run, "mended by hand": mark},
        State.LOST: {**run, "done all the same": mark},
        State.MODIFIED: {**diff, **run},
        State.EDITED: diff,
        State.REVERTED: diff,
        State.MOVED: {"record it under its new name": mark},
        State.UNREADABLE: {**diff, "when it is mended": f"manage.py check_scripts {name}"},
    }
    return steps.get(dossier.status.state, {})


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
