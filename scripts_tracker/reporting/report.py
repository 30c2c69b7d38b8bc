"""A check before it is formatted: which scripts to list, the counts, the exit code, why each is in its state."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from scripts_tracker.core import watches
from scripts_tracker.core.states import State, is_same_code
from scripts_tracker.core.text import local_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import Finding, ScriptId

# Of ``check_scripts --check``, a contract; the highest that applies.
EXIT_CODES: Mapping[State, int] = {
    State.NEW: 1,
    State.MODIFIED: 1,
    State.FAILED: 3,
    State.LOST: 3,
    State.UNREADABLE: 4,
}


# The colours of the states that need their own; of the others, ``tone`` decides.
_TONES = {
    State.FAILED: "trouble",
    State.LOST: "trouble",
    State.UNREADABLE: "trouble",
    State.RUNNING: "busy",
    State.MISSING: "odd",
}


def tone(state: State) -> str:
    """The colours of a state, by name: trouble, action, busy, odd or done."""
    return _TONES.get(state, "action" if state.needs_action else "odd" if state.shown else "done")


class Report(NamedTuple):
    """A check, ready to be formatted.

    Attributes:
        statuses: the selected scripts, sorted by id.
        by_id: every script of the project, for requirements that were not selected.
        findings: the problems in the files, sorted by place.
        show_all: list every script, not only those worth showing.
        dependencies: draw the tree of unapplied scripts.
    """

    statuses: tuple[ScriptStatus, ...]
    by_id: Mapping[ScriptId, ScriptStatus]
    findings: tuple[Finding, ...]
    show_all: bool = False
    dependencies: bool = False

    @property
    def counts(self) -> dict[State, int]:
        """How many of the selected scripts are in each state, zeros included."""
        found = Counter(status.state for status in self.statuses)
        return {state: found[state] for state in State}

    @property
    def listed(self) -> tuple[ScriptStatus, ...]:
        """The scripts to list."""
        return tuple(status for status in self.statuses if self.show_all or status.state.shown)

    @property
    def unapplied(self) -> tuple[ScriptStatus, ...]:
        """The scripts that need action."""
        return tuple(status for status in self.statuses if status.state.needs_action)

    @property
    def exit_code(self) -> int:
        """The exit code of ``--check``."""
        return max((EXIT_CODES.get(status.state, 0) for status in self.statuses), default=0)


def _last_run(status: ScriptStatus) -> str:
    run = status.record.last_run if status.record else None
    if run is None:
        return ""
    process = f", process {run.pid}" if run.pid else ""
    user = f" by {run.user}" if run.user else ""
    return f"{local_time(run.started_at)}{user} on {run.host}{process}"


def _error(status: ScriptStatus) -> str:
    run = status.record.last_run if status.record else None
    lines = run.reason.splitlines() if run else []
    return f": {lines[0]}" if lines else ""


def _new(status: ScriptStatus) -> str:
    run = status.record.last_run if status.record else None
    if run is not None and run.kind == "run" and run.outcome == "succeeded":
        return f"ran on {local_time(run.started_at)}, which does not count: {run.reason}"
    if run is None or run.kind != "unmark":
        return "never applied here"
    return f"its application was forgotten, {_last_run(status)}"


def _absence(status: ScriptStatus) -> str:
    return (
        "no longer tracked: ignored, or without the decorator" if status.file_exists else "the file is gone"
    )


def compared_by_bytes(status: ScriptStatus) -> str:
    """Why not the code but the bytes decided the state; empty where the code did, or nothing was compared."""
    compared = {State.APPLIED, State.MODIFIED, State.EDITED}
    record, definition = status.record, status.definition
    if record is None or status.state not in compared:
        return ""
    now = definition.watches if definition else ()
    return record.bytes_only or watches.bytes_only(now, record.applied_watched)


def _modified(status: ScriptStatus, applied: str) -> str:
    """What differs from what was applied: the script, or modules that it watches, by name."""
    record, definition = status.record, status.definition
    if record is None or definition is None:
        return ""
    modules = watches.changed_words(definition.watches, record.applied_watched)
    if modules and is_same_code(definition, record):
        return f"{modules}; applied on {applied}"
    words = f"the {'file' if record.bytes_only else 'code'} differs from what was applied on {applied}"
    return f"{words}; {modules}" if modules else words


def _unreadable(status: ScriptStatus) -> str:
    words = watches.unreadable_words(status.definition.watches) if status.definition else ""
    return f"{words or 'the file cannot be analysed'}, see the problems below"


def _missing(status: ScriptStatus) -> str:
    words = watches.missing_words(status.definition.watches) if status.definition else ""
    return f"; {words}" if words else ""


def why(status: ScriptStatus) -> str:
    """Why the script is in its state, in half a sentence."""
    applied = local_time(status.record.applied_at) if status.record else ""
    words = {
        State.UNREADABLE: _unreadable(status),
        State.FAILED: f"the last attempt failed, started {_last_run(status)}{_error(status)}",
        State.LOST: f"the last attempt never ended, started {_last_run(status)}",
        State.NEW: _new(status),
        State.MODIFIED: _modified(status, applied),
        State.EDITED: f'{_modified(status, applied)}, and rerun is "once"',
        State.REVERTED: f"this version was applied before, another one since, on {applied}",
        State.MOVED: f"the same code was applied as {status.moved_from}, whose file is gone",
        State.RUNNING: f"running since {_last_run(status)}",
        State.RECURRING: f'applied on {applied}, and rerun is "always"',
        State.APPLIED: f"applied on {applied}",
        State.MISSING: f"applied on {applied}, {_absence(status)}",
    }
    reason = compared_by_bytes(status)
    missing = "" if status.state in {State.MODIFIED, State.EDITED} else _missing(status)
    return words[status.state] + missing + (f"; only the bytes could be compared: {reason}" if reason else "")
