"""What a script's facts mean: the states and the ordered table that decides between them. Pure, nothing stored."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from scripts_tracker.core import watches
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from scripts_tracker.core.values import ScriptDefinition, ScriptId, ScriptRecord


class State(Enum):
    """A state: its name in JSON, its heading, its one-letter mark in lists, who is to act.

    Members stand in the order in which reports show them. ``shown`` states appear in a report
    even though nobody has to act.
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
    RUNNING = ("running", "Running", "*", "none")
    RECURRING = ("recurring", "Recurring", "@", "none")
    APPLIED = ("applied", "Applied", "x", "none")
    MISSING = ("missing", "Missing", "-", "none")

    @property
    def satisfies(self) -> bool:
        """Whether a script in this state lets the scripts that require it run."""
        return not self.needs_action and self is not State.RUNNING


class ScriptStatus(NamedTuple):
    """One script with its state: the file's side, the ledger's side, at least one of them.

    ``file_exists`` is told of a missing script alone: its file is there, but nothing tracked is in it.
    """

    id: ScriptId
    state: State
    definition: ScriptDefinition | None
    record: ScriptRecord | None
    moved_from: ScriptId | None = None
    file_exists: bool = False

    @property
    def changed_modules(self) -> tuple[str, ...]:
        """The modules that the script watches which are not what they were when it was applied."""
        definition, record = self.definition, self.record
        if definition is None or not definition.watches or record is None or record.applied is None:
            return ()
        return watches.changed(definition.watches, record.applied_watched)


class Case(NamedTuple):
    """What the decision table looks at: both sides, and the gone script with the same fingerprint, if any."""

    definition: ScriptDefinition
    record: ScriptRecord | None
    moved_from: ScriptId | None

    @property
    def applied(self) -> Fingerprint | None:
        """The fingerprint applied last, None where the script was never applied."""
        return self.record.applied if self.record else None

    @property
    def is_same(self) -> bool:
        """Whether the version applied last is the file as it is now, and the modules that it watches are too."""
        definition, record = self.definition, self.record
        if record is None or not is_same_code(definition, record):
            return False
        return not (definition.watches and watches.changed(definition.watches, record.applied_watched))

    @property
    def was_applied_before(self) -> bool:
        """Whether the file as it is now is one of the versions that were ever applied."""
        definition, record = self.definition, self.record
        return record is not None and (
            definition.fingerprint in record.applied_before
            or Fingerprint.of_bytes(definition.content_digest) in record.applied_before
        )

    @property
    def last_attempt_failed(self) -> bool:
        """Whether the last attempt failed, and at the version that the file and the watched modules hold now."""
        run = self.record.last_run if self.record else None
        if run is None or run.outcome != "failed" or watches.changed(self.definition.watches, run.watched):
            return False
        return run.version == self.definition.fingerprint or (
            run.content_digest == self.definition.content_digest
        )

    @property
    def is_unreadable(self) -> bool:
        """Whether the file or a module that it watches cannot be analysed, so that nobody can tell what changed."""
        definition = self.definition
        if definition.fingerprint is None or not definition.watches:
            return definition.fingerprint is None
        return bool(watches.unreadable(definition.watches))

    @property
    def never_ended(self) -> bool:
        """Whether the last attempt gave no sign of its end: still recorded as running, or as lost already."""
        run = self.record.last_run if self.record else None
        return run is not None and run.outcome in {"running", "lost"}


# The first row that holds decides.
DECISIONS: Sequence[tuple[State, Callable[[Case], bool]]] = (
    (State.UNREADABLE, lambda case: case.is_unreadable),
    (State.RUNNING, lambda case: case.record is not None and case.record.lease_live),
    (State.LOST, lambda case: case.never_ended),
    (State.FAILED, lambda case: case.last_attempt_failed),
    (State.MOVED, lambda case: case.applied is None and case.moved_from is not None),
    (State.NEW, lambda case: case.applied is None),
    (State.RECURRING, lambda case: case.definition.options.rerun == "always"),
    (State.APPLIED, lambda case: case.is_same),
    (State.REVERTED, lambda case: case.was_applied_before),
    (State.EDITED, lambda case: case.definition.options.rerun == "once"),
    (State.MODIFIED, lambda _: True),
)


def decide(case: Case) -> State:
    """The state of a script whose file is there."""
    return next(state for state, holds in DECISIONS if holds(case))


def is_same_code(definition: ScriptDefinition, record: ScriptRecord) -> bool:
    """Whether the file, whatever it watches, is the version applied last."""
    if record.applied is None:
        return False
    return record.applied == definition.fingerprint or record.applied_content == definition.content_digest


def differs(definition: ScriptDefinition, record: ScriptRecord) -> bool:
    """Whether file or watched modules are not what was applied last, so that earlier versions matter."""
    case = Case(definition, record, None)
    return not (case.is_unreadable or record.applied is None or case.is_same)


def _by_fingerprint(gone: Iterable[ScriptRecord]) -> dict[Fingerprint, ScriptRecord]:
    """Applied scripts whose file is gone, by what was applied; the first by name where several are equal."""
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
    file_exists: Callable[[str], bool] = lambda _path: False,
) -> tuple[ScriptStatus, ...]:
    """Join files and ledger: one status per script that has a file or was applied, sorted by id.

    Args:
        definitions: the scripts that the files hold.
        records: what the ledger holds.
        file_exists: whether the file of a record without a definition is still there: ignored, say, or
            no longer tracked. Such a script has not moved anywhere.
    """
    by_id = {definition.id: definition for definition in definitions}
    undefined = [record for record in records.values() if record.id not in by_id]
    gone = _by_fingerprint(record for record in undefined if not file_exists(record.path))
    result = []
    for script_id in sorted(by_id.keys() | records.keys()):
        definition, record = by_id.get(script_id), records.get(script_id)
        if definition is not None:
            moved_from = _origin(definition, gone)
            state = decide(Case(definition, record, moved_from))
            moved_from = moved_from if state is State.MOVED else None
            result.append(ScriptStatus(script_id, state, definition, record, moved_from))
        elif record is not None and record.applied is not None:
            is_there = file_exists(record.path)
            result.append(ScriptStatus(script_id, State.MISSING, None, record, file_exists=is_there))
    return tuple(result)
