"""The frozen values that the parts hand to each other: standard library only, no behaviour beyond text and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.equality import ByFields, OrderedByFields
from scripts_tracker.core.runtypes import Fingerprint, RunRecord, ScriptId, ScriptOptions
from scripts_tracker.core.vocabulary import RERUN_VALUES, Rerun

if TYPE_CHECKING:
    from datetime import datetime

__all__ = [
    "RERUN_VALUES",
    "CommandsDir",
    "Finding",
    "Fingerprint",
    "Location",
    "ModuleVersion",
    "Place",
    "ProjectIndex",
    "Requirement",
    "Rerun",
    "RunRecord",
    "ScriptDefinition",
    "ScriptId",
    "ScriptOptions",
    "ScriptRecord",
    "StoredVersion",
]


Place = tuple[int, int]
"""A 1-based line and column."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Location(OrderedByFields):
    """A place in a file: posix path relative to the project root, 1-based line and column."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ModuleVersion(ByFields):
    """A module that a script watches, as it is or was; without a digest where the project has no file of that name.

    ``fingerprint`` is None where there is no such file, and where it cannot be analysed; the digest of a file
    that cannot even be read is the empty text.
    """

    module: str
    fingerprint: Fingerprint | None = None
    content_digest: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether the project has no file of that name."""
        return self.content_digest is None

    @property
    def is_unreadable(self) -> bool:
        """Whether there is a file that cannot be analysed."""
        return self.fingerprint is None and not self.is_missing


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Requirement(ByFields):
    """One argument of ``@required_preceding_script``: ``target`` is None where nothing fits ``text``."""

    target: ScriptId | None
    text: str
    location: Location


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScriptDefinition(ByFields):
    """One tracked script as its file says it; ``fingerprint`` is None where the file cannot be analysed.

    ``watches`` are the modules that ``options.watch`` names, as they are now.
    """

    id: ScriptId
    location: Location
    fingerprint: Fingerprint | None
    content_digest: str
    help: str = ""
    options: ScriptOptions = ScriptOptions()
    requires: tuple[Requirement, ...] = ()
    watches: tuple[ModuleVersion, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Finding(OrderedByFields):
    """Something that is wrong at a place: the message says a fact, the hint what to type next."""

    location: Location
    code: str
    message: str
    hint: str = ""
    fixable: bool = False


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CommandsDir(OrderedByFields):
    """One folder of commands: the label its scripts get, its package (dotted), its absolute path."""

    app_label: str
    package: str
    path: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ProjectIndex(ByFields):
    """Everything the analysis found, both sorted: definitions by id, findings by place."""

    definitions: tuple[ScriptDefinition, ...]
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScriptRecord(ByFields):
    """A copy of what the ledger holds of one script.

    ``applied`` is the fingerprint that was applied last, ``applied_watched`` what the modules that it watched were
    then; ``applied_before`` all that ever were, each beside the digest of its bytes, read only of scripts that differ
    from what was applied last, and only with the watched modules as they are now; ``lease_live`` tells
    by the database's own clock whether somebody holds the script now; ``bytes_only`` says why the file could be
    compared with what was applied by its bytes alone, and is empty where the code was compared.
    """

    id: ScriptId
    path: str
    applied: Fingerprint | None = None
    applied_content: str | None = None
    applied_at: datetime | None = None
    applied_before: frozenset[Fingerprint] = frozenset()
    last_run: RunRecord | None = None
    lease_live: bool = False
    pk: int = 0
    bytes_only: str = ""
    applied_watched: tuple[ModuleVersion, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StoredVersion(ByFields):
    """A copy of one version's row; ``source`` is None where it is not kept, or was not asked for."""

    pk: int
    script_pk: int
    fingerprint: Fingerprint
    content_digest: str
    source: bytes | None


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
