"""The values that a single run hands on, apart from the others: to define one takes longer than to use it.

``datatypes`` has all of them; what a tracked command imports takes these from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scripts_tracker.core.equality import ByFields, OrderedByFields
from scripts_tracker.core.vocabulary import Rerun  # noqa: TC001 - dataclasses look at the module for the names of annotations

if TYPE_CHECKING:
    from datetime import datetime

    from scripts_tracker.core.values import ModuleVersion


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScriptId(OrderedByFields):
    """Who a script is: ``str()`` gives ``app_label.name``, like a migration's."""

    app_label: str
    name: str

    def __str__(self) -> str:
        return f"{self.app_label}.{self.name}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fingerprint(OrderedByFields):
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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ScriptOptions(ByFields):
    """The options of ``@tracked_script``, with the defaults of the contract."""

    rerun: Rerun = "on-change"
    atomic: bool = False
    tags: tuple[str, ...] = ()
    unless: tuple[str, ...] = ("dry_run",)
    watch: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RunRecord(ByFields):
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
