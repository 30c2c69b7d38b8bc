"""What comes over from django-scripts-tracker, script by script, and in which words. Pure."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from scripts_tracker.core.text import local_time

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.reporting.terminal import Output


class Fate(Enum):
    """What becomes of a script: its name in JSON, its heading, whether something is recorded.

    Members stand in the order in which reports show them.
    """

    heading: str
    records: bool

    def __new__(cls, name: str, heading: str, what: str) -> Fate:  # noqa: PYI034 - Enum members are no Self
        """Build the member; ``what`` is "record" or "leave"."""
        member = object.__new__(cls)
        member._value_ = name
        member.heading = heading
        member.records = what == "record"
        return member

    UNCHANGED = ("unchanged", "Applied, unchanged since", "record")
    RESTYLED = ("restyled", "Applied, changed in form only", "record")
    MODIFIED = ("modified", "Modified since they ran", "record")
    CHANGED = ("changed", "Changed since they ran, perhaps in form only", "record")
    UNREADABLE = ("unreadable", "Left alone, as they cannot be analysed", "leave")
    RUNNING = ("running", "Left alone, as they are being run", "leave")
    RECORDED = ("recorded", "Left alone, as the ledger has them already", "leave")
    NEW = ("new", "New: no row tells of them", "leave")


class Judgement(NamedTuple):
    """What becomes of one script; ``note`` is the rest of a sentence, ``ran_as`` the path of the row that decided."""

    id: ScriptId
    path: str
    fate: Fate
    applied_at: datetime | None = None
    ran_as: str = ""
    note: str = ""


class Leftover(NamedTuple):
    """The rows of a path that is no tracked script's, and why it is none."""

    path: str
    rows: int
    applied_at: datetime | None
    why: str


class Account(NamedTuple):
    """All that is to be said: where the rows are, how many, and what becomes of them."""

    database: str
    tables: tuple[str, ...]
    rows: int
    judgements: tuple[Judgement, ...]
    leftovers: tuple[Leftover, ...]

    @property
    def recorded(self) -> int:
        """How many scripts are to be recorded, or were."""
        return sum(one.fate.records for one in self.judgements)

    def as_json(self, *, is_plan: bool) -> dict[str, Any]:
        """The document of ``--format json``."""
        return {
            "version": 1,
            "plan": is_plan,
            "database": self.database,
            "tables": list(self.tables),
            "rows": self.rows,
            "scripts": [
                {
                    "script": str(one.id),
                    "fate": one.fate.value,
                    "recorded": one.fate.records,
                    "path": one.path,
                    "applied_at": one.applied_at.isoformat() if one.applied_at else None,
                    "ran_as": one.ran_as or None,
                    "note": one.note,
                }
                for one in self.judgements
            ],
            "leftovers": [
                {
                    "path": one.path,
                    "rows": one.rows,
                    "applied_at": one.applied_at.isoformat() if one.applied_at else None,
                    "why": one.why,
                }
                for one in self.leftovers
            ],
        }

    def as_text(self, output: Output, *, is_plan: bool) -> Iterator[str]:
        """The lines for people."""
        count = "1 row" if self.rows == 1 else f"{self.rows} rows"
        yield output.style.MIGRATE_HEADING("Coming over from django-scripts-tracker:")
        yield f"  {' and '.join(self.tables)} in database {self.database}: {count}"
        for fate in Fate:
            group = [one for one in self.judgements if one.fate is fate]
            if group:
                yield output.style.MIGRATE_HEADING(f"{fate.heading} ({len(group)}):")
            for one in group:
                yield f"  {output.style.SUCCESS(one.path)}"
                yield f"    {one.id}{_story(one)}"
        if self.leftovers:
            yield output.style.MIGRATE_HEADING(f"Rows of no tracked script ({len(self.leftovers)}):")
        for left in self.leftovers:
            yield f"  {output.style.SUCCESS(left.path)}"
            yield f"    ran on {local_time(left.applied_at)}; {left.why}"
        yield self._sum(is_plan=is_plan)

    def _sum(self, *, is_plan: bool) -> str:
        scripts = "1 script" if self.recorded == 1 else f"{self.recorded} scripts"
        if not self.recorded:
            return "There is nothing to record."
        if is_plan:
            return f"Without --plan, {scripts} would be recorded with these dates. Nothing was changed."
        return f"Recorded {scripts} with these dates. The old table is as it was."


def _story(one: Judgement) -> str:
    ran = f": ran on {local_time(one.applied_at)}" if one.ran_as else ""
    elsewhere = f" as {one.ran_as}" if one.ran_as not in {"", one.path} else ""
    note = f"{', ' if ran else ': '}{one.note}" if one.note else ""
    return f"{ran}{elsewhere}{note}"
