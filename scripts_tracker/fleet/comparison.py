"""Scripts by environments: what is applied where, which versions differ, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from scripts_tracker.fleet.snapshots import Entry, Snapshot


class Row(NamedTuple):
    """One script in every environment.

    Attributes:
        entries: by environment; None where it is not known there.
        versions: a number for the applied version in each environment that has one: 1 for the one that most have.
    """

    script: str
    entries: Mapping[str, Entry | None]
    versions: Mapping[str, int]

    @property
    def differs(self) -> bool:
        """Whether different versions were applied."""
        return len(set(self.versions.values())) > 1

    @property
    def is_uniform(self) -> bool:
        """Whether every environment has applied the same version."""
        return not self.differs and all(
            entry is not None and entry.is_applied for entry in self.entries.values()
        )

    @property
    def path(self) -> str:
        """The file of the script, in the first environment that knows it."""
        return next((entry.path for entry in self.entries.values() if entry is not None), "")


class Fleet(NamedTuple):
    """All environments, in the order of the files, and all scripts, by name."""

    snapshots: tuple[Snapshot, ...]
    rows: tuple[Row, ...]

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of the environments."""
        return tuple(snapshot.environment for snapshot in self.snapshots)


def compare(snapshots: Sequence[Snapshot]) -> Fleet:
    """Join the environments by script."""
    names = sorted({name for snapshot in snapshots for name in snapshot.entries})
    return Fleet(tuple(snapshots), tuple(_row(name, snapshots) for name in names))


def _row(name: str, snapshots: Sequence[Snapshot]) -> Row:
    entries = {snapshot.environment: snapshot.entries.get(name) for snapshot in snapshots}
    applied = {
        environment: entry.applied_fingerprint
        for environment, entry in entries.items()
        if entry is not None and entry.applied_fingerprint is not None
    }
    numbers = {version: number for number, version in enumerate(_by_frequency(applied.values()), start=1)}
    return Row(name, entries, {environment: numbers[version] for environment, version in applied.items()})


def _by_frequency(versions: Iterable[str]) -> list[str]:
    """Each version once, the most frequent first, then in the order of the environments."""
    from collections import Counter

    return [version for version, _ in Counter(versions).most_common()]


def missing(fleet: Fleet, environments: Iterable[str]) -> list[tuple[str, str, str]]:
    """What is not applied in some environments, though a file of it is known in any: environment, script, state there.

    A script whose file is gone everywhere is not missed.
    """
    wanted = [row for row in fleet.rows if any(map(_has_file, row.entries.values()))]
    found = []
    for environment in environments:
        for row in wanted:
            entry = row.entries[environment]
            if entry is None or not entry.is_applied:
                found.append((environment, row.script, entry.state if entry else "unknown"))
    return found


def _has_file(entry: Entry | None) -> bool:
    return entry is not None and entry.state != "missing" and entry.path != ""
