"""The history of one script: what is read to show it, and by nothing that runs scripts.

Apart from ``values``, as every tracked command defines the classes that stand there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from scripts_tracker.core.values import Fingerprint, RunRecord


class PastRun(NamedTuple):
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


class PastVersion(NamedTuple):
    """One content of the file that was run or marked here; ``applied`` counts the runs that applied it."""

    fingerprint: Fingerprint
    content_digest: str
    runs: int
    applied: int
    first_at: datetime
    last_at: datetime
    has_source: bool


class Past(NamedTuple):
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
