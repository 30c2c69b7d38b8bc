"""What is adopted from django-scripts-tracker, script by script, as text and JSON."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import local_time
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.reporting.terminal import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.terminal import Output


class AdoptionStatus(Enum):
    """How a script is adopted, by its name in JSON; reports show the members in this order."""

    UNCHANGED = "unchanged"
    RESTYLED = "restyled"
    MODIFIED = "modified"
    CHANGED = "changed"
    UNREADABLE = "unreadable"
    RUNNING = "running"
    OVERTAKEN = "overtaken"
    RECORDED = "recorded"
    NEW = "new"

    @property
    def is_recorded(self) -> bool:
        """Whether the ledger takes the script over."""
        return self in _RECORDED


_RECORDED = {
    AdoptionStatus.UNCHANGED,
    AdoptionStatus.RESTYLED,
    AdoptionStatus.MODIFIED,
    AdoptionStatus.CHANGED,
}
_HEADINGS = {
    AdoptionStatus.UNCHANGED: "Applied, unchanged since",
    AdoptionStatus.RESTYLED: "Applied, only the form changed since",
    AdoptionStatus.MODIFIED: "Modified since they ran",
    AdoptionStatus.CHANGED: "Changed since they ran, perhaps only in form",
    AdoptionStatus.UNREADABLE: "Skipped: the file cannot be parsed",
    AdoptionStatus.RUNNING: "Skipped: running now",
    AdoptionStatus.OVERTAKEN: "Skipped: another process was faster",
    AdoptionStatus.RECORDED: "Skipped: already in the ledger",
    AdoptionStatus.NEW: "New: no record in the old table",
}


class AdoptionResult(NamedTuple):
    """How one script is adopted; ``ran_as`` is the path of the row that decided, ``note`` the rest of a sentence."""

    id: ScriptId
    path: str
    status: AdoptionStatus
    applied_at: datetime | None = None
    ran_as: str = ""
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The script in the document of ``--format json``."""
        return {
            "script": self.id.dotted,
            "fate": self.status.value,
            "recorded": self.status.is_recorded,
            "path": self.path,
            "applied_at": self.applied_at.isoformat() if self.applied_at else None,
            "ran_as": self.ran_as or None,
            "note": self.note,
        }

    def __str__(self) -> str:
        ran = f": ran on {local_time(self.applied_at)}" if self.ran_as else ""
        elsewhere = f" as {self.ran_as}" if self.ran_as not in {"", self.path} else ""
        note = f"{', ' if ran else ': '}{self.note}" if self.note else ""
        return f"{self.id}{ran}{elsewhere}{note}"


class OrphanRow(NamedTuple):
    """The rows of one path that has no tracked script: how many, the latest date, why there is no script."""

    path: str
    rows: int
    applied_at: datetime | None
    why: str

    def as_json(self) -> dict[str, Any]:
        """The rows in the document of ``--format json``."""
        return {**self._asdict(), "applied_at": self.applied_at.isoformat() if self.applied_at else None}


class AdoptionReport(NamedTuple):
    """The old tables, the number of their rows, and what becomes of them."""

    database: str
    tables: tuple[str, ...]
    rows: int
    results: tuple[AdoptionResult, ...]
    orphans: tuple[OrphanRow, ...]

    @property
    def recorded(self) -> int:
        """How many scripts are recorded in the ledger."""
        return sum(result.status.is_recorded for result in self.results)

    def as_json(self, *, is_plan: bool) -> dict[str, Any]:
        """The document of ``--format json``."""
        return {
            "version": 1,
            "plan": is_plan,
            "database": self.database,
            "tables": list(self.tables),
            "rows": self.rows,
            "scripts": [result.as_json() for result in self.results],
            "leftovers": [orphan.as_json() for orphan in self.orphans],
        }

    def as_text(self, output: Output, *, is_plan: bool) -> Iterator[str]:
        """The lines of ``--format text``."""
        style = output.style
        count = "1 row" if self.rows == 1 else f"{self.rows} rows"
        yield style.MIGRATE_HEADING("Migrating from django-scripts-tracker:")
        yield f"  {' and '.join(self.tables)} in database {self.database}: {count}"
        for status in AdoptionStatus:
            group = [result for result in self.results if result.status is status]
            if group:
                yield style.MIGRATE_HEADING(f"{_HEADINGS[status]} ({len(group)}):")
            for result in group:
                yield f"  {style.SUCCESS(escaped(result.path))}"
                yield from wrapped(str(result), "    ", output, hang="  ")
        if self.orphans:
            yield style.MIGRATE_HEADING(f"Rows without a tracked script ({len(self.orphans)}):")
        for orphan in self.orphans:
            yield f"  {style.SUCCESS(escaped(orphan.path))}"
            text = f"ran on {local_time(orphan.applied_at)}; {orphan.why}"
            yield from wrapped(text, "    ", output, hang="  ")
        yield from wrapped(self._summary(is_plan=is_plan), "", output)

    def _summary(self, *, is_plan: bool) -> str:
        scripts = "1 script" if self.recorded == 1 else f"{self.recorded} scripts"
        if not self.recorded:
            return "Nothing to record."
        if is_plan:
            return f"Without --plan, {scripts} would be recorded with these dates. Nothing was changed."
        return f"Recorded {scripts} with these dates. The old table is unchanged."
