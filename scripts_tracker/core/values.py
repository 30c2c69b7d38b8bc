"""The values that the parts hand to each other, and the constants that both halves share: standard library only.

Named tuples, as a process defines them each time it starts, and a dataclass takes eight times as long to make. So they
equal plain tuples, and each other where their fields are equal: no set or dict holds values of several classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

Rerun = Literal["on-change", "once", "always"]
RERUN_VALUES: Final[tuple[Rerun, ...]] = ("on-change", "once", "always")

ALGORITHM: Final = "st1"
"""What fingerprints are made by now. It stands here, as the ledger asks for it where libcst is not imported."""

INSTALLED: Final = ("site-packages", "dist-packages")
"""Folders of what is installed beside the project; nothing in them is the project's own."""

Place = tuple[int, int]
"""A 1-based line and column."""


class Required(NamedTuple):
    """One argument of ``@required_preceding_script``; ``is_module`` where it was a module object."""

    name: str
    is_module: bool


class ScriptId(NamedTuple):
    """Who a script is: ``str()`` gives ``app_label.name``, like a migration's."""

    app_label: str
    name: str

    def __str__(self) -> str:
        return f"{self.app_label}.{self.name}"


class Fingerprint(NamedTuple):
    """What a script does, as a digest that names its algorithm: ``str()`` gives ``st1:<64 hex>``."""

    algorithm: str
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """The inverse of ``str()``; raises ValueError where the text names no algorithm."""
        algorithm, separator, digest = text.partition(":")
        if not (algorithm and separator and digest):
            raise ValueError(f"{text!r} is no fingerprint; one looks like st1:0123...")
        return cls(algorithm, digest)

    @classmethod
    def of_bytes(cls, content_digest: str) -> Fingerprint:
        """What stands in where a source cannot be analysed: the digest of its bytes."""
        return cls("raw", content_digest)


class ScriptOptions(NamedTuple):
    """The options of ``@tracked_script``, with the defaults of the contract."""

    rerun: Rerun = "on-change"
    atomic: bool = False
    tags: tuple[str, ...] = ()
    unless: tuple[str, ...] = ("dry_run",)
    watch: tuple[str, ...] = ()


class Location(NamedTuple):
    """A place in a file: posix path relative to the project root, 1-based line and column."""

    path: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class ModuleVersion(NamedTuple):
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


class Requirement(NamedTuple):
    """One argument of ``@required_preceding_script``: ``target`` is None where nothing fits ``text``."""

    target: ScriptId | None
    text: str
    location: Location


class ScriptDefinition(NamedTuple):
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


class Finding(NamedTuple):
    """Something that is wrong at a place: the message says a fact, the hint what to type next."""

    location: Location
    code: str
    message: str
    hint: str = ""
    fixable: bool = False


class CommandsDir(NamedTuple):
    """One folder of commands: the label its scripts get, its package (dotted), its absolute path."""

    app_label: str
    package: str
    path: str


class ProjectIndex(NamedTuple):
    """Everything the analysis found, both sorted: definitions by id, findings by place."""

    definitions: tuple[ScriptDefinition, ...]
    findings: tuple[Finding, ...]


class RunRecord(NamedTuple):
    """A copy of one row of the run history; ``reason`` says in a line what failed, or why a success does not count.

    ``applies`` tells whether its version counts as applied by it; ``process`` names the process beyond its number;
    ``watched`` is what the modules that the script watches were when it began.
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


class ScriptRecord(NamedTuple):
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


class StoredVersion(NamedTuple):
    """A copy of one version's row; ``source`` is None where it is not kept, or was not asked for."""

    pk: int
    script_pk: int
    fingerprint: Fingerprint
    content_digest: str
    source: bytes | None
