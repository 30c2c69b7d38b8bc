"""What a rehearsal has found: the rows it changed by table, what it kept from happening, what that makes for the whole. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class TableChanges(NamedTuple):
    """What statements did to one table; a number of rows is None where it is not known.

    Attributes:
        alias: of the database.
        table: its name, as the statements have it.
        inserted, updated, deleted: how many rows.
        statements: how many statements were about it, those that only read it included.
        seconds: how long they took.
    """

    alias: str
    table: str
    inserted: int | None = 0
    updated: int | None = 0
    deleted: int | None = 0
    statements: int = 0
    seconds: float = 0.0

    @property
    def is_changed(self) -> bool:
        """Whether rows were changed, as far as that is known."""
        return (self.inserted, self.updated, self.deleted) != (0, 0, 0)

    @property
    def rows(self) -> int | None:
        """How many rows were changed; None where one of the numbers is not known."""
        counts = (self.inserted, self.updated, self.deleted)
        return sum(one for one in counts if one is not None) if None not in counts else None


class Sample(NamedTuple):
    """The batches that a rehearsal has processed of a batched script, and an estimate for all of them.

    Attributes:
        batches: how many.
        keys: how many keys they had.
        percent: their share of the key space, from 0 to 100; None where keys do not say.
        seconds: how long they took.
        estimated_seconds: for all keys, with one worker; None where it is not known.
        estimated_rows: how many rows all batches would change; None where it is not known.
        basis: what the estimate rests on, in a line.
    """

    batches: int
    keys: int
    percent: float | None
    seconds: float
    estimated_seconds: float | None
    estimated_rows: int | None
    basis: str

    @property
    def is_whole(self) -> bool:
        """Whether that was all there is, so that nothing is estimated."""
        return self.percent == 100  # noqa: PLR2004 - per cent


class RehearsalReport(NamedTuple):
    """What one script did in a rehearsal.

    Attributes:
        tables: by alias and name.
        statements: how many were executed, also those that are about no table.
        seconds: how long the script took.
        hooks: of ``transaction.on_commit``, which were not called.
        mails: which were not sent.
        jobs: which were not put on a queue of django.tasks.
        warnings: what could not be rolled back or counted, a line each.
        sample: of a batched script.
    """

    tables: tuple[TableChanges, ...] = ()
    statements: int = 0
    seconds: float = 0.0
    hooks: int = 0
    mails: int = 0
    jobs: int = 0
    warnings: tuple[str, ...] = ()
    sample: Sample | None = None

    @property
    def changed(self) -> tuple[TableChanges, ...]:
        """The tables with changed rows."""
        return tuple(one for one in self.tables if one.is_changed)

    @property
    def rows(self) -> int | None:
        """How many rows were changed in all tables; None where one of the numbers is not known."""
        counts = [one.rows for one in self.tables]
        return None if None in counts else sum(one for one in counts if one is not None)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON has it: plain values, seconds rounded to milliseconds."""
        tables = [{**one._asdict(), "seconds": round(one.seconds, 3)} for one in self.tables]
        sample = None if self.sample is None else {**self.sample._asdict(), "seconds": _rounded(self.sample)}
        return {
            **self._asdict(),
            "seconds": round(self.seconds, 3),
            "tables": tables,
            "warnings": [*self.warnings],
            "sample": sample,
        }

    @classmethod
    def from_json(cls, found: Any) -> RehearsalReport:
        """The inverse of ``to_json``; keys of a later release are left out, missing ones have their defaults.

        Raises:
            TypeError, ValueError, AttributeError: it is no report.
        """
        values = _known(cls, found)
        values["tables"] = tuple(TableChanges(**_known(TableChanges, one)) for one in found.get("tables", ()))
        values["warnings"] = tuple(map(str, found.get("warnings", ())))
        sample = found.get("sample")
        values["sample"] = None if sample is None else Sample(**_known(Sample, sample))
        return cls(**values)


def to_text(report: RehearsalReport) -> str:
    """A report as the ledger stores it."""
    return json.dumps(report.to_json(), separators=(",", ":"))


def from_text(text: str) -> RehearsalReport | None:
    """The inverse of ``to_text``; None where there is no report, or a malformed one."""
    if not text:
        return None
    try:
        return RehearsalReport.from_json(json.loads(text))
    except (ValueError, TypeError, AttributeError):
        return None


def row_counts(tables: Iterable[TableChanges]) -> dict[str, dict[str, int | None]]:
    """The changed rows by table, as a plain value that a test can keep; a table of another database has its alias in front."""
    return {
        one.table if one.alias == "default" else f"{one.alias}:{one.table}": {
            "inserted": one.inserted,
            "updated": one.updated,
            "deleted": one.deleted,
        }
        for one in tables
        if one.is_changed
    }


def _rounded(sample: Sample) -> float:
    return round(sample.seconds, 3)


def _known(cls: Any, found: Any) -> dict[str, Any]:
    return {name: found[name] for name in cls._fields if name in found}
