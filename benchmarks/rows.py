"""One line of the table: a figure, what it is compared with, and how good the ratio has to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.measuring import Series


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        what: what is measured; ``against`` is what it is compared with.
        ours: seconds, or another unit.
        other: the same of what it is compared with; None where that cannot be measured here.
        limit: the ratio that must not be passed; None for a row that only informs.
        by_cpu: the ratio of CPU time; of the wall clock's otherwise.
        cpu: the ratio of CPU times, where there is one.
    """

    group: str
    what: str
    against: str
    ours: float
    other: float | None
    limit: float | None = None
    unit: str = "s"
    by_cpu: bool = False
    cpu: float | None = None

    @property
    def ratio(self) -> float | None:
        """Ours by the other."""
        return self.ours / self.other if self.other else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or nothing to compare with."""
        if self.limit is None or (self.unit == "s" and self.ratio is None):
            return None
        return self.ours <= self.limit if self.ratio is None else self.ratio <= self.limit


@dataclass(frozen=True, slots=True)
class Overhead:
    """What a command takes above the floor of its tool, which is ``Tool.floor`` in the same environment."""

    wall: float
    cpu: float

    @classmethod
    def of(cls, series: Mapping[str, Series], command: str, floor: str) -> Overhead:
        """The overhead of one series over another."""
        return cls(series[command].wall - series[floor].wall, series[command].cpu - series[floor].cpu)
