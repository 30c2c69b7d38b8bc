"""The states, and the ordered table that decides between them. Derived from the facts each time, never stored. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from scripts_tracker.core import watches
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from scripts_tracker.core.progress import Progress, WalkRecord
    from scripts_tracker.core.values import (
        Lease,
        ModuleVersion,
        Requirement,
        RunRecord,
        ScriptDefinition,
        ScriptId,
    )


class State(Enum):
    """A state: its name in JSON, its heading, its one-letter mark in lists, whether it needs action.

    Reports show the members in this order. ``shown`` states appear in a report even if they need no action.
    """

    label: str
    mark: str
    needs_action: bool
    shown: bool

    def __new__(cls, name: str, label: str, mark: str, action: str) -> State:  # noqa: PYI034 - Enum members are no Self
        """Build the member; ``action`` is "needed", "shown" or "none"."""
        member = object.__new__(cls)
        member._value_ = name
        member.label = label
        member.mark = mark
        member.needs_action = action == "needed"
        member.shown = action != "none"
        return member

    UNREADABLE = ("unreadable", "Unreadable", "?", "needed")
    FAILED = ("failed", "Failed", "!", "needed")
    LOST = ("lost", "Lost", "!", "needed")
    NEW = ("new", "New", "+", "needed")
    MODIFIED = ("modified", "Modified", "~", "needed")
    EDITED = ("edited", "Edited", "e", "shown")
    REVERTED = ("reverted", "Reverted", "r", "shown")
    MOVED = ("moved", "Moved", ">", "shown")
    PAUSED = ("paused", "Paused", "=", "shown")
    RUNNING = ("running", "Running", "*", "shown")
    RECURRING = ("recurring", "Recurring", "@", "none")
    APPLIED = ("applied", "Applied", "x", "none")
    MISSING = ("missing", "Missing", "-", "none")

    # There is one object for each; Enum would hash its name, in Python.
    __hash__ = object.__hash__

    @property
    def satisfies(self) -> bool:
        """Whether the scripts that require one in this state can run."""
        return not self.needs_action and self not in (State.PAUSED, State.RUNNING)


class ScriptRecord(NamedTuple):
    """A copy of what the ledger knows of one script.

    Attributes:
        applied: the fingerprint applied last.
        applied_before: every fingerprint ever applied with the watched modules as they are now, and the digests of the
            bytes; read only if the file differs from what was applied last.
        lease: of the last run; None if that is not running.
        bytes_only: why only the bytes could be compared with what was applied; empty if the code was compared.
        applied_watched: the watched modules when it was applied.
        is_equivalent: whether the file differs from what was applied in nothing that runs.
        walk_pk: the walk of a batched script that is open; 0 without one.
        walk: that walk.
        inherited_from: the name of another place where it was applied, or was run last if it was never applied; empty for
            this one.
        is_undecided: whether that may be this one or another: a person has to say so.
    """

    id: ScriptId
    path: str
    applied: Fingerprint | None = None
    applied_content: str | None = None
    applied_at: datetime | None = None
    applied_before: frozenset[Fingerprint] = frozenset()
    last_run: RunRecord | None = None
    lease: Lease | None = None
    pk: int = 0
    bytes_only: str = ""
    applied_watched: tuple[ModuleVersion, ...] = ()
    is_equivalent: bool = False
    walk_pk: int = 0
    walk: WalkRecord | None = None
    inherited_from: str = ""
    is_undecided: bool = False

    @property
    def is_held(self) -> bool:
        """Whether a process holds the script now, or works on its ranges."""
        return bool(self.lease and self.lease.is_live) or bool(self.walk and self.walk.live)


class ScriptStatus(NamedTuple):
    """A script and its state: its definition in a file, its record in the ledger, or both.

    Attributes:
        moved_from: an applied script with the same code whose file is gone.
        absence: why a script without a definition has none although its file is there; empty if the file is gone.
        renamed_from: its id before its app was renamed.
        is_older: whether the file is an older version than the one applied last.
    """

    id: ScriptId
    state: State
    definition: ScriptDefinition | None
    record: ScriptRecord | None
    moved_from: ScriptId | None = None
    absence: str = ""
    renamed_from: ScriptId | None = None
    is_older: bool = False

    @property
    def needs_action(self) -> bool:
        """Whether a person must act: without a file there is nothing to run."""
        return self.state.needs_action and self.definition is not None

    @property
    def is_shown(self) -> bool:
        """Whether a report lists it by default."""
        return self.state.shown or bool(self.absence)

    @property
    def path(self) -> str:
        """The file of the script, or where it was."""
        if self.definition is not None:
            return self.definition.location.path
        return self.record.path if self.record else ""

    @property
    def has_source(self) -> bool:
        """Whether there is source code to read: not for bytecode, an extension module, or a command in a zip file."""
        return self.path.endswith(".py")

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags of the definition."""
        return self.definition.options.tags if self.definition else ()

    @property
    def requires(self) -> tuple[Requirement, ...]:
        """The requirements of the definition, in source order."""
        return self.definition.requires if self.definition else ()

    @property
    def watches(self) -> tuple[ModuleVersion, ...]:
        """The watched modules as they are now."""
        return self.definition.watches if self.definition else ()

    @property
    def last_run(self) -> RunRecord | None:
        """The last attempt or decision."""
        return self.record.last_run if self.record else None

    @property
    def walk(self) -> WalkRecord | None:
        """The way of a batched script through its table that has begun and is not over."""
        walk = self.record.walk if self.record else None
        return None if walk is None or is_given_up(self.definition, walk) else walk

    @property
    def progress(self) -> Progress | None:
        """How far that is; None without one."""
        walk = self.walk
        if walk is None:
            return None
        from scripts_tracker.core.progress import progress_of  # only for batched scripts that have begun

        return progress_of(walk)

    @property
    def is_batched(self) -> bool:
        """Whether it is a batched script, by its file, or where that is gone, by what it has begun."""
        return self.definition.is_batched if self.definition else self.walk is not None

    @property
    def is_applied(self) -> bool:
        """Whether a version of the script was applied here, and is not unmarked."""
        return self.record is not None and self.record.applied is not None

    @property
    def changed_modules(self) -> tuple[str, ...]:
        """The watched modules that have changed since the script was applied."""
        if self.record is None or not self.is_applied:
            return ()
        return watches.changed(self.watches, self.record.applied_watched)


class Case(NamedTuple):
    """What the decision table looks at: file, record (an empty one if the ledger has none), and where the file came from."""

    definition: ScriptDefinition
    record: ScriptRecord
    moved_from: ScriptId | None = None

    @property
    def is_applied(self) -> bool:
        """Whether any version of the script is applied."""
        return self.record.applied is not None

    @property
    def is_same(self) -> bool:
        """Whether file and watched modules are what was applied last."""
        definition, record = self.definition, self.record
        return is_same_code(definition, record) and not watches.changed(
            definition.watches, record.applied_watched
        )

    @property
    def was_applied_before(self) -> bool:
        """Whether this version was applied at any time."""
        versions = {self.definition.fingerprint, Fingerprint.of_bytes(self.definition.content_digest)}
        return not self.record.applied_before.isdisjoint(versions)

    @property
    def walk(self) -> WalkRecord | None:
        """The walk that is open, if it can go on."""
        walk = self.record.walk
        return None if walk is None or is_given_up(self.definition, walk) else walk

    @property
    def last_attempt_failed(self) -> bool:
        """Whether the last attempt failed, with file and watched modules as they are now."""
        definition, run = self.definition, self.record.last_run
        if run is None or run.outcome != "failed" or watches.changed(definition.watches, run.watched):
            return False
        return run.version == definition.fingerprint or run.content_digest == definition.content_digest

    @property
    def is_unreadable(self) -> bool:
        """Whether the file or a watched module cannot be parsed, so that changes in it cannot be seen."""
        return self.definition.fingerprint is None or bool(watches.unreadable(self.definition.watches))

    @property
    def never_ended(self) -> bool:
        """Whether the last attempt has no recorded end: its row says running, or lost."""
        run, walk = self.record.last_run, self.record.walk
        return run is not None and run.outcome in {"running", "lost"} and (walk is None or walk is self.walk)


# The first row that holds decides.
DECISIONS: Sequence[tuple[State, Callable[[Case], bool]]] = (
    (State.UNREADABLE, lambda case: case.is_unreadable),
    (State.PAUSED, lambda case: is_paused(case.walk)),
    (State.RUNNING, lambda case: case.record.is_held),
    (State.LOST, lambda case: case.never_ended and not is_cancelled(case.walk)),
    (State.FAILED, lambda case: case.walk is not None or case.last_attempt_failed),
    (State.MOVED, lambda case: not case.is_applied and case.moved_from is not None),
    (State.NEW, lambda case: not case.is_applied),
    (State.RECURRING, lambda case: case.definition.options.rerun == "always"),
    (State.APPLIED, lambda case: case.is_same),
    (State.REVERTED, lambda case: case.was_applied_before),
    (State.EDITED, lambda case: case.definition.options.rerun == "once"),
    (State.MODIFIED, lambda _: True),
)


def decide(case: Case) -> State:
    """The state of a script that has a file."""
    if is_settled(case.definition, case.record):
        return State.APPLIED
    return next(state for state, holds in DECISIONS if holds(case))


def is_settled(definition: ScriptDefinition, record: ScriptRecord) -> bool:
    """Whether a script is applied at first sight, as most are: its last run has ended well, with these very bytes.

    Then no row before that of APPLIED holds; most checks would go through the table for hundreds of such scripts.
    """
    run = record.last_run
    return (
        run is not None
        and run.outcome == "succeeded"
        and record.applied is not None
        and record.applied_content == definition.content_digest
        and record.lease is None
        and record.walk is None
        and definition.fingerprint is not None
        and not definition.watches
        and definition.options.rerun != "always"
    )


def is_paused(walk: WalkRecord | None) -> bool:
    """Whether a person has paused a walk."""
    return walk is not None and walk.hold is not None and walk.hold.kind == "pause"


def is_cancelled(walk: WalkRecord | None) -> bool:
    """Whether a person has cancelled a walk."""
    return walk is not None and walk.hold is not None and walk.hold.kind == "cancel"


def began_with(definition: ScriptDefinition, walk: WalkRecord) -> bool:
    """Whether file and watched modules are those that a walk was begun with."""
    has_same_code = walk.version is not None and walk.version == definition.fingerprint
    is_same = has_same_code or walk.content_digest == definition.content_digest
    return is_same and not watches.changed(definition.watches, walk.watched)


def is_given_up(definition: ScriptDefinition | None, walk: WalkRecord) -> bool:
    """Whether a walk was cancelled, and the code has changed since: the next run begins another one."""
    return is_cancelled(walk) and definition is not None and not began_with(definition, walk)


def is_same_code(definition: ScriptDefinition, record: ScriptRecord) -> bool:
    """Whether the file is the version applied last, whatever became of the modules that it watches."""
    if record.applied is None:
        return False
    is_same = record.applied == definition.fingerprint or record.applied_content == definition.content_digest
    return is_same or record.is_equivalent


def differs(definition: ScriptDefinition, record: ScriptRecord) -> bool:
    """Whether file or watched modules differ from what was applied last, so that earlier versions matter."""
    if is_settled(definition, record):
        return False
    case = Case(definition, record)
    return case.is_applied and not case.is_unreadable and not case.is_same


def _by_fingerprint(gone: Iterable[ScriptRecord]) -> dict[Fingerprint, ScriptRecord]:
    """Applied scripts whose file is gone, by what was applied; of several with the same, the first by id."""
    found = {}
    for record in sorted(gone, key=lambda record: record.id, reverse=True):
        if record.applied is not None and record.applied_content is not None:
            found[Fingerprint.of_bytes(record.applied_content)] = record
            found[record.applied] = record
    return found


def _origin(definition: ScriptDefinition, gone: Mapping[Fingerprint, ScriptRecord]) -> ScriptId | None:
    if definition.fingerprint is None or not gone:
        return None
    by_bytes = gone.get(Fingerprint.of_bytes(definition.content_digest))
    record = gone.get(definition.fingerprint, by_bytes)
    if record is None or watches.changed(definition.watches, record.applied_watched):
        return None
    return record.id


def statuses(
    definitions: Iterable[ScriptDefinition],
    records: Mapping[ScriptId, ScriptRecord],
    absence: Callable[[ScriptRecord], str | None] = lambda _record: None,
) -> tuple[ScriptStatus, ...]:
    """Join files and ledger: one status per script that has a file, was applied, or ended badly; sorted by id.

    Args:
        definitions: the scripts in the files.
        records: the ledger's records.
        absence: why a record has no definition although its file is still there; None if the file is gone. A script
            whose file is there has not moved anywhere.
    """
    by_id = {definition.id: definition for definition in definitions}
    undefined = [record for record in records.values() if record.id not in by_id]
    reasons = {record.id: absence(record) for record in undefined}
    gone = _by_fingerprint(record for record in undefined if reasons[record.id] is None)
    result = []
    for script_id in sorted(by_id.keys() | records.keys()):
        definition, record = by_id.get(script_id), records.get(script_id)
        if definition is not None:
            moved_from = _origin(definition, gone)
            state = decide(Case(definition, record or ScriptRecord(script_id, ""), moved_from))
            moved_from = moved_from if state is State.MOVED else None
            result.append(ScriptStatus(script_id, state, definition, record, moved_from))
        elif record is not None and (left := state_without_file(record)) is not None:
            result.append(ScriptStatus(script_id, left, None, record, absence=reasons[script_id] or ""))
    return tuple(result)


def state_without_file(record: ScriptRecord) -> State | None:
    """The state of a script that has no file; None for one of which nothing is left to say."""
    run = record.last_run
    if is_paused(record.walk):
        return State.PAUSED
    if record.is_held:
        return State.RUNNING
    if run is not None and run.outcome in {"running", "lost"} and not is_cancelled(record.walk):
        return State.LOST
    if record.walk is not None:
        return State.FAILED
    if run is not None and run.outcome == "failed" and run.kind == "run":
        return State.FAILED
    return State.MISSING if record.applied is not None else None
