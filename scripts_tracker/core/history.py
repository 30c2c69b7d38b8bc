"""The history of one script, for those who look at it; not in ``values``, which every tracked command imports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from scripts_tracker.core.reports import RehearsalReport
    from scripts_tracker.core.values import Fingerprint, Lease, RunRecord


class PastRun(NamedTuple):
    """A row of the history.

    Attributes:
        record: the row.
        outcome: takes the lease into account.
        arguments: JSON text.
        git_revision: of the project.
        is_rehearsal: whether it was rolled back (``--rehearse``); the kind "rehearsal" is also that of a dry run.
    """

    record: RunRecord
    outcome: str
    arguments: str = "{}"
    git_revision: str = ""
    is_rehearsal: bool = False

    @property
    def seconds(self) -> float | None:
        """How long it took; None if it has not ended, or is a decision without a run."""
        ended, is_run = self.record.ended_at, self.record.kind in {"run", "rehearsal"}
        return (ended - self.record.started_at).total_seconds() if ended and is_run else None

    @property
    def given(self) -> dict[str, Any]:
        """The arguments without those that are None, False or empty."""
        try:
            found = json.loads(self.arguments)
        except ValueError:
            return {"arguments": self.arguments}
        items = found.items() if isinstance(found, dict) else [("arguments", found)]
        return {
            name: value for name, value in items if value is not None and value is not False and value != []
        }


class RunText(NamedTuple):
    """A row of the history with all that the ledger keeps of what it printed and raised."""

    run: PastRun
    output: str
    traceback: str


class RunNow(NamedTuple):
    """A run as of now; ``lease`` is None if it is not the script's last run or has ended, ``output`` the tail so far."""

    run: PastRun
    lease: Lease | None
    output: str


class StoredRehearsal(NamedTuple):
    """A rehearsal that has ended: the key of its run, how it ended, the version that was rehearsed, what it has found."""

    run: int
    outcome: str
    started_at: datetime
    content_digest: str | None
    reason: str
    report: RehearsalReport


class PastVersion(NamedTuple):
    """A content of the file that was run or marked here; ``applied`` counts the runs that applied it."""

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
        runs: as many as were asked for.
        total: the number of all runs.
        versions: the version that ran last comes first.
        output: the end of the output of the last run.
        traceback: of the last run, if it failed.
        rehearsal: the last one.
    """

    runs: tuple[PastRun, ...] = ()
    total: int = 0
    versions: tuple[PastVersion, ...] = ()
    output: str = ""
    traceback: str = ""
    rehearsal: StoredRehearsal | None = None
