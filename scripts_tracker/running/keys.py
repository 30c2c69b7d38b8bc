"""The keys of the rows that a batched script goes through: their order, their text, how to share them, and how many at once."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

from django.apps import apps
from django.core.exceptions import EmptyResultSet
from django.core.management.base import CommandError
from django.db import Error, connections, models, router

from scripts_tracker import conf
from scripts_tracker.core.progress import INTEGER, OTHER, UUID, Key
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger.reading import executed, fetch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scripts_tracker.ledger.reading import Statement

Range = tuple[Key | None, Key | None]
"""The key that a range begins after, and its last one; None at an open end."""

_LEAST_RANGES: Final = 16
_RANGES_A_WORKER: Final = 4
# A batch is meant to take less than its goal, as the next one may take longer.
_SHARE: Final = 0.8
# What a 64-bit column holds: no row has a key beyond, and a driver may refuse the number.
_LEAST_INTEGER: Final = -(2**63)
# What the ledger can keep, and what every database takes as a timeout, 20 times and in milliseconds.
_MOST_KEYS: Final = 2**31 - 1
_MOST_SECONDS: Final = 86400


class Step(NamedTuple):
    """The next batch of a range: its last key, the number of its keys, and whether it is the last one."""

    end: Key | None
    keys: int
    is_last: bool


class _Compiled(NamedTuple):
    """The statement that reads keys between bounds, without its LIMIT, and what knows how to read its rows."""

    sql: str
    compiler: Any


class Sizes(NamedTuple):
    """``batch_seconds``, ``batch_max`` and ``batch_size`` of a command."""

    seconds: float
    most: int
    first: int

    @classmethod
    def of(cls, command: Any) -> Sizes:
        """Those of a command.

        Raises:
            CommandError: one of them is no such number.
        """
        sizes = command.batch_size, command.batch_max
        for name, value in zip(("batch_size", "batch_max"), sizes, strict=True):
            if type(value) is not int or not 1 <= value <= _MOST_KEYS:
                raise CommandError(
                    f"{name}: expected a whole number from 1 to {_MOST_KEYS}, got {conf.shown(value)}."
                )
        seconds = command.batch_seconds
        if type(seconds) not in {int, float} or not 0 <= seconds <= _MOST_SECONDS:
            raise CommandError(
                f"batch_seconds: expected a number of seconds from 0 to {_MOST_SECONDS}, got {conf.shown(seconds)}."
            )
        return cls(seconds, command.batch_max, min(sizes))

    def after(self, size: int, keys: int, seconds: float) -> int:
        """The size of the next batch: by the seconds that a key has taken, and doubled at most.

        Args:
            size: of this one.
            keys: how many it had.
            seconds: how long it took.
        """
        if not self.seconds:
            return min(size * 2, self.first)  # smaller for a while, if something was in the way
        if not keys:
            return size
        fitting = int(keys * self.seconds * _SHARE / max(seconds, 1e-6))
        if keys < size and fitting > keys:  # the end of a range says little
            return size
        return max(1, min(fitting, size * 2, self.most))


class KeySpace:
    """The keys of the table behind a queryset.

    Args:
        queryset: what ``batches()`` returned.

    Attributes:
        database: the alias that the rows are written on.
        table: the table of the keys.
        kind: of the key: integer, uuid or other.

    Raises:
        CommandError: the queryset has no batches; the message says why.
    """

    def __init__(self, queryset: Any) -> None:
        _check(queryset)
        model = queryset.model._meta.concrete_model  # noqa: SLF001 - Django's documented Model API
        # An alias that the queryset was given, not the one that a router would read from.
        self.database: str = queryset._db or router.db_for_write(model)  # noqa: SLF001 - only its read alias is public
        self.table: str = model._meta.db_table  # noqa: SLF001 - as above
        self._queryset = queryset.using(self.database)
        # Not a manager of the model, which may hide rows.
        self._rows: Any = models.QuerySet(model, using=self.database)
        self._fields = _fields_of(model)
        self.kind = self._kind()
        # By the names of the bounds. None: it has to be compiled each time.
        self._compiled: dict[tuple[str, ...], _Compiled | None] = {}

    def _kind(self) -> str:
        (field, *others) = self._fields
        if others:
            return OTHER
        if isinstance(field, models.UUIDField) and _is_plain(field, uuid.UUID(int=1)):
            # MariaDB sorts its own type in an order of its own.
            native = connections[self.database].features.has_native_uuid_field
            is_sorted = connections[self.database].vendor == "postgresql" or not native
            return UUID if is_sorted else OTHER
        return INTEGER if isinstance(field, models.IntegerField) and _is_plain(field, 1) else OTHER

    def key(self, value: Any) -> Key:
        """The key of a row as text."""
        values = value if len(self._fields) > 1 else (value,)
        return tuple(_to_text(*pair) for pair in zip(self._fields, values, strict=True))

    def value(self, key: Key) -> Any:
        """The inverse of ``key``."""
        values = tuple(field.to_python(text) for field, text in zip(self._fields, key, strict=True))
        return values if len(self._fields) > 1 else values[0]

    def ranges(self, workers: int) -> tuple[Range, ...]:
        """Cut the key space between the smallest and the largest key; nobody counts the rows.

        Args:
            workers: how many share it.
        """
        if self.kind == OTHER:
            return ((None, None),)
        ends = [value for order in ("pk", "-pk") for value in self._values(self._rows.order_by(order)[:1])]
        if self.kind == UUID and ends and all(isinstance(end, uuid.UUID) for end in ends):
            before = ends[0].int - 1
            return ((self.key(uuid.UUID(int=before)) if before >= 0 else None, self.key(ends[1])),)
        if self.kind == INTEGER and ends and all(type(end) is int for end in ends):
            (least, largest) = ends
            return tuple(_cut(least, largest, max(_LEAST_RANGES, _RANGES_A_WORKER * workers)))
        return ((None, None),)

    def spread(self, count: int) -> tuple[Range, ...]:
        """Cut the key space into at most so many ranges of equal width; one range where keys have no width.

        Args:
            count: how many.
        """
        ranges = self.ranges(1)
        lower, upper = ranges[0][0], ranges[-1][1]
        if self.kind == OTHER or upper is None:
            return ranges
        if self.kind == INTEGER and lower is not None:
            return tuple(_cut(int(lower[0]) + 1, int(upper[0]), count))
        before, largest = uuid.UUID(lower[0]).int if lower else -1, uuid.UUID(upper[0]).int
        count = min(count, largest - before)
        bounds = [before + (largest - before) * number // count for number in range(count + 1)]
        keys = [self.key(uuid.UUID(int=bound)) if bound >= 0 else None for bound in bounds]
        return tuple(itertools.pairwise(keys))

    def step(self, after: Key | None, upper: Key | None, size: int, before: Statement | None = None) -> Step:
        """The next batch after a key, of at most so many keys; ``before`` is a statement to send with the first one."""
        bounds = self._bounds(after, upper)
        for end in self._keys(bounds, size - 1, size, before):
            return Step(self.key(end), size, is_last=False)
        values = self._keys(bounds, 0, size)
        return Step(self.key(values[-1]) if values else None, len(values), is_last=len(values) < size)

    def batch(self, after: Key | None, end: Key | None) -> Any:
        """What ``process()`` gets: the rows of the queryset with these keys."""
        return self._between(self._queryset, after, end)

    def above(self, top: Key | None) -> Key | None:
        """The largest key above this one; None if there is none."""
        rows = self._between(self._rows, top, None).order_by("-pk")
        return next(map(self.key, self._values(rows[:1])), None)

    def _between(self, rows: Any, after: Key | None, upper: Key | None) -> Any:
        bounds = self._bounds(after, upper)
        return rows.filter(**bounds) if bounds else rows.all()

    def _bounds(self, after: Key | None, upper: Key | None) -> dict[str, Any]:
        bounds: dict[str, Any] = {}
        if after is not None and not (self.kind == INTEGER and int(after[0]) < _LEAST_INTEGER):
            bounds["pk__gt"] = self.value(after)
        if upper is not None:
            bounds["pk__lte"] = self.value(upper)
        return bounds

    def _keys(
        self, bounds: dict[str, Any], low: int, high: int, before: Statement | None = None
    ) -> list[Any]:
        """Some of the keys between bounds, in order. Compiling this for each batch would take longer than the rest of it."""
        connection, names = connections[self.database], tuple(bounds)
        params = self._params(bounds)
        if params is not None and names not in self._compiled:
            self._compiled[names] = _compiled(
                self._rows.filter(**bounds).order_by("pk").values_list("pk"), params
            )
        known = self._compiled.get(names)
        if params is None or known is None:
            if before is not None:
                with connection.cursor() as cursor:
                    cursor.execute(*before)
            return self._values(self._rows.filter(**bounds).order_by("pk")[low:high])
        sql = f"{known.sql} {connection.ops.limit_offset_sql(low, high)}"
        return [value for (value,) in executed(known.compiler, connection, sql, params, before)]

    def _params(self, bounds: dict[str, Any]) -> tuple[Any, ...] | None:
        """Bounds as the driver takes them; None if Django may want another statement, as for a number out of range."""
        if self.kind == OTHER:
            return None
        (field,), connection = self._fields, connections[self.database]
        if self.kind == INTEGER and not all(_fits(field, connection.ops, one) for one in bounds.values()):
            return None
        # As a lookup does it: MySQL refuses 0 for the key of a row, not in a comparison.
        return tuple(
            field.get_db_prep_value(field.get_prep_value(one), connection, prepared=True)
            for one in bounds.values()
        )

    def _values(self, rows: Any) -> list[Any]:
        """The keys of rows, past a cache of querysets, which might give old ones."""
        return [value for (value,) in fetch(rows.values_list("pk"))]


def _compiled(rows: Any, expected: tuple[Any, ...]) -> _Compiled | None:
    """The statement of a queryset; None if its parameters are not those, so that others could not take their place."""
    compiler = rows.query.get_compiler(connection=connections[rows.db])
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return None
    return _Compiled(sql, compiler) if tuple(params) == expected else None


def _fits(field: Any, operations: Any, number: int) -> bool:
    """Whether the column can hold a number, as far as Django knows its type."""
    try:
        least, largest = operations.integer_field_range(field.get_internal_type())
    except KeyError:  # a type of the project's
        return False
    return (least is None or least <= number) and (largest is None or number <= largest)


def _check(queryset: Any) -> None:
    if not isinstance(queryset, models.QuerySet):
        raise CommandError(f"batches() must return a queryset, not {type(queryset).__name__}.")
    query: Any = queryset.query
    if query.is_sliced:
        raise CommandError("batches() returned a slice of a queryset; return the queryset, without [...].")
    if query.combinator:
        raise CommandError(f"batches() returned a {query.combinator}(), which cannot be filtered by key.")
    if query.select_for_update_skip_locked:
        raise CommandError(
            "batches() returned select_for_update(skip_locked=True), which would leave out rows that are locked."
        )
    if queryset._fields is not None:  # type: ignore[attr-defined]  # nothing public says it
        raise CommandError("batches() returned values(), which process() cannot write; return the rows.")


def _fields_of(model: Any) -> tuple[Any, ...]:
    """The columns of the key, as the fields that know their values: that of a child is the key of its parent."""
    key = model._meta.pk  # noqa: SLF001 - Django's documented Model API
    fields = getattr(key, "fields", None) if type(key).__name__ == "CompositePrimaryKey" else None
    return tuple(map(_own_field, fields or (key,)))


def _own_field(field: Any) -> Any:
    while field.remote_field:
        field = field.target_field
    return field


def _is_plain(field: Any, value: Any) -> bool:
    """Whether a field keeps values as Django's own does: of others, whose keys may be any objects, only the order is known."""
    if hasattr(field, "from_db_value"):
        return False
    with contextlib.suppress(Exception):  # a field may refuse the value
        return _to_text(field, value) == str(value) and bool(field.to_python(str(value)) == value)
    return False


def _to_text(field: Any, value: Any) -> str:
    text: str = field.value_to_string(SimpleNamespace(**{field.attname: value}))
    return text


def _cut(least: int, largest: int, count: int) -> Iterator[Range]:
    """Ranges of equal width from the least to the largest key."""
    before = least - 1
    count = min(count, largest - before)
    bounds = [before + (largest - before) * number // count for number in range(count + 1)]
    for lower, upper in itertools.pairwise(bounds):
        yield (str(lower),), (str(upper),)


def key_span(table: str) -> int | None:
    """How far the largest key of a table here is from the smallest, by two small queries; None where keys do not say.

    Args:
        table: its name in the database, of any model of the project.
    """
    of_table = (
        one
        for one in apps.get_models(include_auto_created=True)
        if one._meta.db_table == table and not one._meta.proxy  # noqa: SLF001 - Django's documented Model API
    )
    model = next(of_table, None)
    if model is None:
        return None
    rows: models.QuerySet[Any] = models.QuerySet(model)
    try:
        space = KeySpace(rows)
        if space.kind != INTEGER:
            return None
        ends = space.ranges(1)
        lower, upper = ends[0][0], ends[-1][1]
        if lower is None or upper is None:
            return None if rows.exists() else 0
    except (Error, CommandError):  # it may be a table that a later migration adds
        return None
    return max(int(upper[0]) - int(lower[0]), 0)
