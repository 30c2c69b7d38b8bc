"""The places where a ledger was used, and which of them is this one: a restored dump brings the rows of another. Pure."""

from __future__ import annotations

import sys
from itertools import combinations
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scripts_tracker.core.values import RunRecord

OTHER_DATABASE: Final = "another database"
"""What a place without a name is called."""

# The keys of places without a row: newer than any row.
_HERE, _ASKED = sys.maxsize, sys.maxsize - 1


class Environment(NamedTuple):
    """A copy of the row of one place.

    Attributes:
        name: the setting ``environment`` there; empty without one.
        identity: what the database says of itself, see ``is_same_database``; empty where it says nothing.
        continues: the key of the place that this one is, under another name or on another server.
        is_copy: whether a person has said that it is none of the places that were there before.
    """

    pk: int
    name: str
    identity: str
    continues: int | None = None
    is_copy: bool = False


class Origin(NamedTuple):
    """Where a run was recorded, as seen from here.

    Attributes:
        label: the name of another place; empty for this one.
        is_decided: whether it is known to be another one; otherwise a person has to say so.
    """

    label: str = ""
    is_decided: bool = True

    @property
    def is_other(self) -> bool:
        """Whether that is known to be another place."""
        return bool(self.label) and self.is_decided


HERE: Final = Origin()


def is_same_database(one: str, other: str) -> bool:
    """Whether two identities are of one database, as far as they say it.

    An identity is a kind and two parts, any of them empty where it is not known: on PostgreSQL the system identifier and
    the database's oid, on MariaDB and MySQL the server's id and the schema. On SQLite they are inode and path, of which
    one changes where a file is moved, or replaced by a backup: both change where it is copied.
    """
    kind, *parts = one.split(":", 2)
    other_kind, *other_parts = other.split(":", 2)
    if kind != other_kind or not (parts and other_parts):
        return False
    pairs = tuple(zip(parts, other_parts, strict=True))
    if kind == "sqlite":
        return any(part and part == that for part, that in pairs)
    return all(part == that or not (part and that) for part, that in pairs)


class Places:
    """This place and those that the ledger has rows of.

    Two rows are one place if they have the same name, or no names and the same database, or if a person has said so. A
    row without a name is the place that has got one on the same database. Another name is another place, whatever the
    database; without names, another database may be either.

    Args:
        name: the setting here.
        identity: of the database here.
        rows: all rows.
    """

    def __init__(self, name: str, identity: str, rows: Iterable[Environment]) -> None:
        self.name, self.identity = name, identity
        self._here = Environment(_HERE, name, identity)
        self._rows = {row.pk: row for row in (*sorted(rows, key=lambda row: row.pk), self._here)}
        self._groups = _groups(tuple(self._rows.values()))
        self._origins: dict[int | None, Origin] = {}

    @property
    def here(self) -> int | None:
        """The key of the row that runs of this place are recorded with; None where there is none yet."""
        same = (row.pk for row in self._rows.values() if row[1:3] == self._here[1:3] and row.pk != _HERE)
        return max(same, default=None)

    @property
    def is_known(self) -> bool:
        """Whether anything is known of this place."""
        return bool(self.name or self.identity)

    @property
    def others(self) -> tuple[int, ...]:
        """The keys of other places: what was running there is not running here."""
        return tuple(pk for pk in self._rows if pk != _HERE and self.origin(pk).is_other)

    @property
    def latest_other(self) -> Environment | None:
        """The newest row that is not known to be of this place; None if there is none."""
        rows = [row for pk, row in self._rows.items() if pk != _HERE and self.origin(pk) is not HERE]
        return rows[-1] if rows else None

    @property
    def continued(self) -> Environment | None:
        """The row of the place that this one continues, as a person has said; None if it continues none."""
        row = self._rows.get(self.here or 0)
        return self._rows.get(row.continues or 0) if row else None

    def is_other(self, row: Environment) -> bool:
        """Whether a row is known to be of another place."""
        return self.origin(row.pk).is_other

    @property
    def are_unknown_elsewhere(self) -> bool:
        """Whether runs that were recorded before there were places are of another one."""
        return self.origin(None).is_other

    def origin(self, pk: int | None) -> Origin:
        """Where a run was recorded that has this key of a place; without one, it is older than the first row."""
        if pk not in self._origins:
            row = self._rows.get(next(iter(self._rows)) if pk is None else pk)
            self._origins[pk] = HERE if row is None or row is self._here else self._seen(row)
        return self._origins[pk]

    def origin_of(self, name: str, identity: str) -> Origin:
        """Where something comes from that has a place of its own; HERE where it says nothing."""
        asked = Environment(_ASKED, name, identity)
        rows = [row for row in self._rows.values() if row is not self._here]
        return Places(self.name, self.identity, [*rows, asked]).origin(_ASKED)

    def _seen(self, row: Environment) -> Origin:
        group, own = self._groups[row.pk], self._groups[_HERE]
        if group == own or not (row.name or row.identity) or not self.is_known:
            return HERE
        name = self._name_of(group)
        is_decided = (
            bool(name and self._name_of(own)) or self._is_copy(group, own) or self._is_copy(own, group)
        )
        return Origin(name or OTHER_DATABASE, is_decided)

    def _members(self, group: int) -> list[Environment]:
        return [row for pk, row in self._rows.items() if self._groups[pk] == group]

    def _name_of(self, group: int) -> str:
        """The name of a place, the last one if it has had several."""
        return next((row.name for row in reversed(self._members(group)) if row.name), "")

    def _is_copy(self, group: int, original: int) -> bool:
        """Whether a person has said of one place that it is a copy when the other one was there."""
        began = self._members(original)[0].pk
        return any(row.is_copy and row.pk > began for row in self._members(group))

    def as_seen(self, run: RunRecord) -> RunRecord:
        """A run as this place sees it: what runs in another one has no end here, whatever its lease says."""
        origin = self.origin(run.environment)
        if not origin.is_other:
            return run
        outcome = "lost" if run.outcome == "running" else run.outcome
        return run._replace(outcome=outcome, place=origin.label)


def _groups(rows: Sequence[Environment]) -> dict[int, int]:
    """The rows that are one place: each key with the lowest of them."""
    groups = {row.pk: row.pk for row in rows}

    def join(one: int, other: int) -> None:
        low, high = sorted((groups[one], groups[other]))
        groups.update((pk, low) for pk, group in groups.items() if group == high)

    for row in rows:
        if row.continues in groups:
            join(row.pk, row.continues)
    for row, other in combinations(rows, 2):
        if _key(row) == _key(other) and (row.name or is_same_database(row.identity, other.identity)):
            join(row.pk, other.pk)
    for row in rows:
        if not row.name and (named := _named(row, rows)) is not None:
            join(row.pk, named.pk)
    return groups


def _key(row: Environment) -> str:
    """A name as it is compared: not every database knows Production from production."""
    return row.name.strip().casefold()


def _named(row: Environment, rows: Sequence[Environment]) -> Environment | None:
    """The row with a name that one without a name belongs to: the last one before it on its database, or the first after."""
    same = [one for one in rows if one.name and is_same_database(one.identity, row.identity)]
    before = [one for one in same if one.pk < row.pk]
    return before[-1] if before else next(iter(same), None)
