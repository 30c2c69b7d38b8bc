"""The values that all rooms talk in, and the constants that they share. Standard library only.

They are named tuples because every process defines them anew, and a dataclass takes eight times as long. Named tuples
equal plain tuples, and each other if their fields are equal, so do not mix their classes in a set or dict.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Rerun = Literal["on-change", "once", "always"]
RERUN_VALUES: Final[tuple[Rerun, ...]] = ("on-change", "once", "always")
Fresh = Literal["run", "mark"]
FRESH_VALUES: Final[tuple[Fresh, ...]] = ("run", "mark")

ALGORITHM: Final = "st1"
"""The algorithm of new fingerprints; here, not in the analysis, as the ledger needs it without libcst."""

_OF_BYTES: Final = "raw"
INSTALLED: Final = ("site-packages", "dist-packages")
"""Folders of installed packages, which are never part of the project."""

NOT_STARTED: Final = 2
"""The exit code of a command that tried nothing: wrong use, an unknown script, a ledger that cannot be used."""

AFTER_SUCCESS: Final = "succeeded; error after commit"
"""How the reason of an error begins that no longer makes the run a failure."""

Place = tuple[int, int]
"""A 1-based line and column."""


class Required(NamedTuple):
    """One argument of ``@required_preceding_script``; ``is_module`` if it is a module object."""

    name: str
    is_module: bool


class ScriptId(NamedTuple):
    """The identity of a script; ``str()`` is ``app_label.name``, as for a migration, in a form for people."""

    app_label: str
    name: str

    def __str__(self) -> str:
        from scripts_tracker.core.escaping import escaped  # a script that only runs prints no name

        return escaped(self.dotted)

    @property
    def dotted(self) -> str:
        """The same, to be compared: with whatever characters the name of a file may have."""
        return f"{self.app_label}.{self.name}"


class Work(NamedTuple):
    """What a batched script is about to change, as a throttle is told.

    Attributes:
        script: its id.
        database: the alias of the database that has the rows.
        table: the name of their table.
    """

    script: ScriptId
    database: str
    table: str


class Fingerprint(NamedTuple):
    """A digest of what a script does, with its algorithm; ``str()`` is ``st1:<64 hex>``."""

    algorithm: str
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """The inverse of ``str()``; raises ValueError if the text has no algorithm or no digest."""
        algorithm, separator, digest = text.partition(":")
        if not (algorithm and separator and digest):
            raise ValueError(f"{text!r} is not a fingerprint such as st1:0123...")
        return cls(algorithm, digest)

    @classmethod
    def of_bytes(cls, content_digest: str) -> Fingerprint:
        """The substitute for a source that cannot be parsed: the digest of its bytes."""
        return cls(_OF_BYTES, content_digest)

    @property
    def is_of_bytes(self) -> bool:
        """Whether it is such a substitute."""
        return self.algorithm == _OF_BYTES

    @property
    def is_pending(self) -> bool:
        """Whether it is PENDING."""
        return self.algorithm == _PENDING


_PENDING: Final = "pending"
PENDING: Final = Fingerprint(_PENDING, "")
"""In place of a fingerprint that is not computed yet, as nothing is compared with it. Never stored in the ledger or shown."""


class ScriptOptions(NamedTuple):
    """The options of ``@tracked_script`` and their defaults."""

    rerun: Rerun = "on-change"
    atomic: bool = False
    tags: tuple[str, ...] = ()
    unless: tuple[str, ...] = ("dry_run",)
    watch: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    verify: str | None = None
    fresh: Fresh | None = None


class Location(NamedTuple):
    """A place in a file: posix path relative to the project root, 1-based line and column; ``str()`` is for people."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        from scripts_tracker.core.escaping import escaped  # as above

        return escaped(f"{self.path}:{self.line}:{self.column}")


class ModuleVersion(NamedTuple):
    """A watched module as it is or was.

    Attributes:
        module: its dotted name.
        fingerprint: None if there is no such file, or it cannot be parsed.
        content_digest: None if there is no such file; empty if it cannot be read.
    """

    module: str
    fingerprint: Fingerprint | None = None
    content_digest: str | None = None

    @property
    def is_missing(self) -> bool:
        """Whether the project has no such file."""
        return self.content_digest is None

    @property
    def is_unreadable(self) -> bool:
        """Whether there is a file, and it cannot be parsed."""
        return self.fingerprint is None and not self.is_missing


class Requirement(NamedTuple):
    """One argument of ``@required_preceding_script`` as written; ``target`` is None if it names no script."""

    target: ScriptId | None
    text: str
    location: Location


class ScriptDefinition(NamedTuple):
    """A tracked script as its file defines it.

    ``fingerprint`` is None if the file cannot be parsed, and PENDING until somebody asks for it; ``watches`` are the modules in ``options.watch`` as they are now.
    ``help`` is empty if there is none, or if it is computed (``has_computed_help``). ``is_batched`` is true for a
    BatchedCommand, whose ``process()`` is tracked in place of ``handle()``.
    """

    id: ScriptId
    location: Location
    fingerprint: Fingerprint | None
    content_digest: str
    help: str = ""
    options: ScriptOptions = ScriptOptions()
    requires: tuple[Requirement, ...] = ()
    watches: tuple[ModuleVersion, ...] = ()
    has_computed_help: bool = False
    is_batched: bool = False


class Finding(NamedTuple):
    """A problem at a place.

    Attributes:
        location: where to show it.
        code: of the rule.
        message: states a fact.
        hint: what to do.
        fixable: whether ``--fix`` can repair it.
        origin: where the cause is, if it is in another file: in a base class, say.
    """

    location: Location
    code: str
    message: str
    hint: str = ""
    fixable: bool = False
    origin: Location | None = None

    @property
    def cause(self) -> Location:
        """Where to repair it."""
        return self.origin or self.location


class CommandsDir(NamedTuple):
    """A folder of commands: the app label of its scripts, its dotted package, its absolute path."""

    app_label: str
    package: str
    path: str


class ProjectIndex(NamedTuple):
    """The result of the analysis: definitions sorted by id, findings sorted by place."""

    definitions: tuple[ScriptDefinition, ...]
    findings: tuple[Finding, ...]


class RunRecord(NamedTuple):
    """A copy of one row of the run history: an attempt, or a decision without a run.

    Attributes:
        kind: run or rehearsal; of a decision: mark, unmark, release, pause, resume, cancel or restart.
        outcome: running, succeeded, failed or lost.
        version: the fingerprint of the file when it began.
        process: distinguishes processes with the same ``pid``.
        reason: in a line, what failed, or why a success does not count.
        applies: whether the version is applied because of this row.
        watched: the watched modules when it began.
        environment: the key of the place where it was recorded; None where that is not known.
        place: the name of that place, if it is another one than this.
    """

    pk: int
    kind: str
    outcome: str
    version: Fingerprint | None
    content_digest: str | None
    started_at: datetime
    ended_at: datetime | None
    host: str
    pid: int | None
    user: str
    reason: str = ""
    applies: bool = False
    process: str = ""
    watched: tuple[ModuleVersion, ...] = ()
    environment: int | None = None
    place: str = ""


class Lease(NamedTuple):
    """How a run that has no recorded end holds its script, by the clock of the database.

    Attributes:
        is_live: whether it holds the script now.
        ago: seconds since its last sign of life; None where none is recorded (SQLite).
        left: seconds until the lease runs out without another one, below 0 if it has; None while a living process holds
            the script without a lease (SQLite).
    """

    is_live: bool
    ago: float | None
    left: float | None


class StoredVersion(NamedTuple):
    """A copy of the row of one version; ``source`` is None if it is not stored, or was not asked for."""

    pk: int
    script_pk: int
    fingerprint: Fingerprint
    content_digest: str
    source: bytes | None


class Queued(NamedTuple):
    """The jobs that wait on the queue.

    Attributes:
        is_asked: whether there is a queue, and a script that a job may wait for.
        jobs: how many wait, by ``app.name`` of the script; None where that is not known.
    """

    is_asked: bool = False
    jobs: Mapping[str, int] | None = None

    def of(self, script: str) -> int | None:
        """How many jobs wait for a script; None where that is not known, or there is no queue."""
        return None if self.jobs is None else self.jobs.get(script, 0)
