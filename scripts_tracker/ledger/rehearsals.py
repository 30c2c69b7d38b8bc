"""The rows of rehearsals: begun before everything is rolled back, ended after it, read for reports.

A rehearsal is a run of the kind "rehearsal", as a dry run is; it has a report, a dry run has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.db.models import Max

from scripts_tracker.core import reports
from scripts_tracker.core.history import StoredRehearsal
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.ledger import database, leases, writing
from scripts_tracker.ledger.database import needs_tables
from scripts_tracker.ledger.reading import fetch
from scripts_tracker.ledger.statements import script_id_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from scripts_tracker.core.reports import RehearsalReport
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.leases import OpenRun
    from scripts_tracker.ledger.writing import Escape

BEGUN: Final = "{}"
"""The report of a rehearsal that has not ended."""


class EndOfRehearsal(NamedTuple):
    """How a rehearsal of one script ended; ``arguments`` is JSON text, ``reason`` what failed, in a line."""

    outcome: str
    started_at: datetime
    ended_at: datetime
    report: RehearsalReport
    arguments: str = "{}"
    output: str = ""
    traceback: str = ""
    reason: str = ""


def end(run: OpenRun, ended: EndOfRehearsal) -> None:
    """Record the end of a rehearsal; nothing becomes applied by it."""

    def write(escape: Escape) -> None:
        adapt = database.connection().ops.adapt_datetimefield_value
        leases.update_run(
            run,
            "running",
            outcome=ended.outcome,
            started_at=adapt(ended.started_at),
            ended_at=adapt(ended.ended_at),
            arguments=ended.arguments,
            output=escape(ended.output),
            traceback=escape(ended.traceback),
            reason=escape(ended.reason),
            report=reports.to_text(ended.report),
        )

    writing.in_its_characters(write, ended.output, ended.traceback, ended.reason)


def withdraw(run: OpenRun) -> None:
    """Take back the row of a script whose turn did not come."""
    database.runs().filter(pk=run.pk, token=run.token, outcome="running").delete()


@needs_tables
def last_rehearsal(script_pk: int) -> StoredRehearsal | None:
    """The last rehearsal of a script that has ended, None if there is none (one query)."""
    rows = (
        database.runs()
        .filter(script=script_pk, kind="rehearsal")
        .exclude(report__in=("", BEGUN))
        .order_by("-pk")
        .values_list("pk", "outcome", "started_at", "version__content_digest", "reason", "report")
    )
    for pk, outcome, started_at, content_digest, reason, text in fetch(rows[:1]):
        report = reports.from_text(text)
        if report is not None:
            return StoredRehearsal(pk, outcome, started_at, content_digest, reason, report)
    return None


@needs_tables
def last_rehearsals() -> Mapping[ScriptId, tuple[str, StoredRehearsal]]:
    """The last rehearsal of every script that has ended, with the fingerprint that was rehearsed (one query)."""
    ended = database.runs().filter(kind="rehearsal").exclude(report__in=("", BEGUN))
    newest = ended.order_by().values("script").annotate(newest=Max("pk")).values("newest")
    names = ("script__app_label", "script__name", "version__algorithm", "version__digest")
    values = ("pk", "outcome", "started_at", "version__content_digest", "reason", "report")
    found: dict[ScriptId, tuple[str, StoredRehearsal]] = {}
    for row in fetch(database.runs().filter(pk__in=newest).values_list(*names, *values)):
        label, name, algorithm, digest, pk, outcome, started_at, content_digest, reason, text = row
        report = reports.from_text(text)
        if report is not None:
            version = str(Fingerprint(algorithm, digest)) if algorithm else ""
            rehearsal = StoredRehearsal(pk, outcome, started_at, content_digest, reason, report)
            found[script_id_of(label, name)] = version, rehearsal
    return found
