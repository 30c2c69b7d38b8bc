"""A check before it is formatted: which scripts to list, the counts, the exit code, why each is in its state."""

from __future__ import annotations

from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING

from scripts_tracker.core import watches
from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.states import State, is_same_code
from scripts_tracker.core.text import (
    as_typed,
    describe_holder,
    describe_lease,
    describe_start,
    local_time,
    reason_line,
    sign_of_life,
)
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Queued

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from scripts_tracker.core.forecast import Success
    from scripts_tracker.core.history import PastVersion
    from scripts_tracker.core.states import ScriptRecord, ScriptStatus
    from scripts_tracker.core.values import Finding, RunRecord, ScriptDefinition, ScriptId

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
        environment: the name of the environment; empty without one.
        taken_at: when the ledger was read.
        revision: the commit that is checked out; empty where it is not known, or not asked for.
        queued: the jobs that wait on the queue.
        successes: the last run of each script that succeeded, where that is asked for.
        is_full: whether to list the scripts however many they are.
        by_name: the scripts that were named by themselves, which are listed in any state.
        names: what was typed to select the scripts; nothing for all.
        advice: what to type next, as a sentence; None for what follows from the states.
    """

    statuses: tuple[ScriptStatus, ...]
    by_id: Mapping[ScriptId, ScriptStatus]
    findings: tuple[Finding, ...]
    show_all: bool = False
    dependencies: bool = False
    environment: str = ""
    taken_at: datetime | None = None
    revision: str = ""
    queued: Queued = Queued()
    successes: Mapping[ScriptId, Success] = MappingProxyType({})
    is_full: bool = False
    by_name: frozenset[ScriptId] = frozenset()
    names: tuple[str, ...] = ()
    advice: str | None = None

    @property
    def counts(self) -> dict[State, int]:
        """How many of the selected scripts are in each state, zeros included."""
        found = Counter(status.state for status in self.statuses)
        return {state: found[state] for state in State}

    @property
    def listed(self) -> tuple[ScriptStatus, ...]:
        """The scripts to list."""
        return tuple(filter(self.lists, self.statuses))

    def lists(self, status: ScriptStatus) -> bool:
        """Whether to list one of the scripts."""
        return self.show_all or status.is_shown or status.id in self.by_name

    @property
    def unapplied(self) -> tuple[ScriptStatus, ...]:
        """The scripts that need action."""
        return tuple(status for status in self.statuses if status.needs_action)

    @property
    def exit_code(self) -> int:
        """The exit code of ``--check``."""
        return max((EXIT_CODES.get(status.state, 0) for status in self.unapplied), default=0)


def question(statuses: Iterable[ScriptStatus], width: int | None = None) -> Sequence[str]:
    """What a person has to say about a database that has the runs of another one; no lines where nothing is in doubt.

    Args:
        statuses: the scripts.
        width: of the terminal; a command stays on one line, to be copied.
    """
    if not any(one.record is not None and one.record.is_undecided for one in statuses):
        return ()
    from scripts_tracker.ledger.database import typed  # needs the models

    lines = ["Some scripts ran in another database. This database is:"]
    for purpose, option in (("the same environment, moved", "moved"), ("a copy", "copied")):
        command = typed(f"check_scripts --environment-{option}")
        line = f"  {purpose}: {command}"
        lines += [line] if width is None or len(line) <= width else [f"  {purpose}:", f"    {command}"]
    return lines


def next_step(report: Report) -> str:
    """What to type about the scripts that need action or are under way, as a sentence; empty if there is nothing to do."""
    if report.advice is not None:
        return report.advice
    from scripts_tracker.ledger.database import typed  # needs the models

    states = {status.state for status in report.unapplied}
    if states & {State.NEW, State.MODIFIED}:
        command = typed(" ".join(["run_scripts", as_typed(report.names)]).strip())
        failed = next((one for one in report.unapplied if one.state is State.FAILED), None)
        why_failed = f"; 'python {typed('show_script {}', failed.id)}' says why it failed" if failed else ""
        return f"Run 'python {command}' to apply them{why_failed}."
    for state, words in _NEXT.items():
        first = next((one for one in report.statuses if one.state is state), None)
        if first is not None and (first.needs_action or state in _NEXT_WITHOUT_NEED):
            command, purpose = _paused(first) if state is State.PAUSED else words
            return f"Run 'python {typed(command, first.id)}' to {purpose}."
    return ""


def _paused(status: ScriptStatus) -> tuple[str, str]:
    from scripts_tracker.core import stops  # few scripts are batched

    command, purpose = _NEXT[State.PAUSED]
    is_other = stops.is_of_other_code(status)
    return (f"{command} --accept-code", f"{purpose} with the code of now") if is_other else (command, purpose)


# Where nothing is new or modified, by the state that matters most.
_NEXT: Mapping[State, tuple[str, str]] = {
    State.UNREADABLE: ("show_script {}", "see what is wrong in its file"),
    State.FAILED: ("show_script {}", "see why it failed and what to type next"),
    State.LOST: ("show_script {}", "see what is known of its last run and what to type next"),
    State.MOVED: ("check_scripts --mark-applied {}", "mark it under its new name"),
    State.PAUSED: ("resume_script {}", "let it go on"),
    State.RUNNING: ("show_script {} --watch", "follow it until it ends"),
}
_NEXT_WITHOUT_NEED = {State.MOVED, State.PAUSED, State.RUNNING}


def compared_by_bytes(status: ScriptStatus) -> str:
    """Why the bytes were compared and not the code; empty if the code was compared, or nothing was."""
    record = status.record
    if record is None or status.state not in {State.APPLIED, State.MODIFIED, State.EDITED}:
        return ""
    return record.bytes_only or watches.bytes_only(status.watches, record.applied_watched)


def version_notes(
    version: PastVersion, definition: ScriptDefinition | None, record: ScriptRecord | None
) -> Iterator[str]:
    """What a version is: applied last or never, the current file or its code."""
    if record and version.content_digest == record.applied_content:
        yield "applied last"
    elif not version.applied:
        yield "never applied"
    if definition and version.content_digest == definition.content_digest:
        yield "current file"
    elif definition and version.fingerprint == definition.fingerprint:
        yield "current code"


def why(status: ScriptStatus) -> str:
    """Why the script is in its state, as half a sentence."""
    applied = applied_when(status.record) if status.record else ""
    run = status.last_run
    started = describe_start(run) if run else ""
    sign = describe_lease(status.record.lease) if status.record else ""
    words = {
        State.UNREADABLE: _unreadable(status),
        State.FAILED: f"the last run failed (started {started}){_error(run)}",
        State.LOST: f"the last run never ended (started {started}{sign and f'; {sign}'}){_error(run)}",
        State.NEW: _new(run) + _as_deleted(status) + _given_up(status),
        State.MODIFIED: _modified(status, applied) + _given_up(status),
        State.EDITED: f'{_modified(status, applied)}, and rerun is "once"',
        State.REVERTED: f"{_EARLIER[status.is_older]} {applied}",
        State.MOVED: f"the same code was applied as {status.moved_from}, whose file is gone",
        State.PAUSED: "paused by a person",
        State.RUNNING: holder(status),
        State.RECURRING: f'applied {applied}, and rerun is "always"',
        State.APPLIED: f"applied {applied}",
        State.MISSING: f"applied {applied}",
    }
    reason = _of_walk(status) or words[status.state]
    if status.renamed_from is not None:
        reason += f", as {status.renamed_from}"
    if status.definition is None and status.record is not None:
        gone = "the file is gone; a new file with the same code goes on from there"
        without = status.absence or (gone if status.walk is not None else "the file is gone")
        return f"{reason}, {without}"
    if status.state not in {State.MODIFIED, State.EDITED}:
        missing = watches.missing_words(status.watches)
        reason += f"; {missing}" if missing else ""
    by_bytes = compared_by_bytes(status)
    return escaped(f"{reason}; only the bytes could be compared: {by_bytes}" if by_bytes else reason)


def applied_when(record: ScriptRecord) -> str:
    """When a version was applied, and where, if that is another place; to follow the word "applied"."""
    moment = local_time(record.applied_at)
    if not record.inherited_from:
        return f"on {moment}"
    day = f", {moment[:10]}" if record.applied_at else ""
    return f"(inherited from {record.inherited_from}{day})"


def _of_walk(status: ScriptStatus) -> str:
    """Why a batched script that has begun is in its state; empty for others."""
    if status.walk is None or status.state is State.UNREADABLE:
        return ""
    from scripts_tracker.core import stops  # few scripts are batched

    if status.state is State.RUNNING:
        return f"{stops.at_work(status)}; {holder(status)}"
    from scripts_tracker.ledger.database import typed  # needs the models

    return stops.why_stopped(status, typed)


def _given_up(status: ScriptStatus) -> str:
    if status.record is None or status.record.walk is None:
        return ""
    from scripts_tracker.core import stops  # as above

    return f"; {one}" if (one := stops.given_up(status)) else ""


def holder(status: ScriptStatus) -> str:
    """Who holds a running script, as half a sentence; of several workers, the one that joined last."""
    live = status.walk.live if status.walk else ()
    if live:
        return "; ".join(filter(None, (describe_holder(live[-1].run), sign_of_life(live[-1].lease))))
    return describe_holder(status.last_run, status.record.lease if status.record else None)


def _error(run: RunRecord | None) -> str:
    reason = reason_line(run.reason) if run else ""
    return f": {reason}" if reason else ""


_EARLIER = {
    False: "this version was applied earlier, and another one",
    True: "this version is older than the one that was applied",
}


def _as_deleted(status: ScriptStatus) -> str:
    origin = status.moved_from
    return f"; {origin}, which was deleted earlier, had the same code" if origin else ""


def _new(run: RunRecord | None) -> str:
    if run is not None and run.kind == "run" and run.outcome == "succeeded":
        place = f" in {run.place}" if run.place else ""
        return f"ran on {local_time(run.started_at)}{place} ({run.reason}: not marked as applied)"
    if run is not None and run.kind == "unmark":
        return f"unmarked on {describe_start(run)}"
    return "never applied here"


def _modified(status: ScriptStatus, applied: str) -> str:
    """What changed since it was applied: the script, or modules that it watches, by name."""
    record, definition = status.record, status.definition
    if record is None or definition is None:
        return ""
    modules = watches.changed_words(definition.watches, record.applied_watched)
    if modules and is_same_code(definition, record):
        return f"{modules}; applied {applied}"
    words = f"the {'file' if record.bytes_only else 'code'} changed since it was applied {applied}"
    return f"{words}; {modules}" if modules else words


def _unreadable(status: ScriptStatus) -> str:
    words = watches.unreadable_words(status.watches)
    plain = "the file cannot be parsed" if status.has_source else "there is no source code"
    return f"{words or plain}, see the problems below"
