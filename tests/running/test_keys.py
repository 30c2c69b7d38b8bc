"""The keys of a table: every kind of key is walked in its order, and its text leads back to it."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, models
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import isolate_apps

from scripts_tracker.core.progress import INTEGER, OTHER, UUID, from_text, to_text
from scripts_tracker.running import sample
from scripts_tracker.running.keys import KeySpace, Sizes


class Code(str):
    """What hashids and the like make of a number."""

    __slots__ = ()


class CodeField(models.BigAutoField):  # type: ignore[type-arg]  # it is no generic class at run time
    """A number in the database, an object in Python."""

    def from_db_value(self, value: int, *_: object) -> Code:
        return Code(f"C{value}")

    def to_python(self, value: Any) -> Code:
        return Code(value)

    def get_prep_value(self, value: Any) -> int:
        return int(value[1:])


class SpelledField(models.IntegerField):  # type: ignore[type-arg]  # as above
    """Numbers that have a text of their own."""

    def value_to_string(self, obj: Any) -> str:
        return f"no. {self.value_from_object(obj)}"

    def to_python(self, value: Any) -> int:
        return int(str(value).removeprefix("no. "))


NOW = dt.datetime(2026, 3, 29, 2, 30, 0, 5, tzinfo=dt.timezone.utc)
# A field, some of its values in order, and the kind of the key.
FIELDS: dict[str, tuple[Any, list[Any], str]] = {
    "integer": (models.BigAutoField, [-5, 0, 3, 2**62], INTEGER),
    "small": (models.SmallIntegerField, [-32768, 1, 32767], INTEGER),
    "uuid": (models.UUIDField, [uuid.UUID(int=one) for one in (0, 7, 2**127, 2**128 - 1)], UUID),
    "text": (models.TextField, ["", "A", "a", "b 'c'", "ä\\n", "漢"], OTHER),
    "date": (models.DateField, [dt.date(1, 1, 1), dt.date(2024, 2, 29)], OTHER),
    "moment": (models.DateTimeField, [NOW, NOW + dt.timedelta(microseconds=1)], OTHER),
    "decimal": (
        lambda **options: models.DecimalField(max_digits=10, decimal_places=4, **options),
        [decimal.Decimal("-1.5"), decimal.Decimal("0.0001"), decimal.Decimal(7)],
        OTHER,
    ),
    "binary": (models.BinaryField, [b"\x00", b"\x00\xff", b"a"], OTHER),
    "float": (models.FloatField, [-0.1, 0.1, 1e300], OTHER),
    "code": (CodeField, [Code("C1"), Code("C5"), Code("C40")], OTHER),
    "spelled": (SpelledField, [-3, 1, 40], OTHER),
    "duration": (models.DurationField, [dt.timedelta(0), dt.timedelta(days=1)], OTHER),
}


@pytest.fixture(params=FIELDS)
def table(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[tuple[Any, list[Any], str]]:
    make, values, kind = FIELDS[request.param]
    with isolate_apps("django.contrib.auth"):

        class Thing(models.Model):  # noqa: DJ008 - nobody reads its rows
            code = make(primary_key=True, db_column="the key")

            class Meta:
                app_label = "auth"
                ordering = ("-code",)

    with connection.schema_editor() as editor:
        editor.create_model(Thing)
    rows: Any = Thing._default_manager
    for value in values:
        rows.create(code=value)
    yield rows, values, kind
    with connection.schema_editor() as editor:
        editor.delete_model(Thing)


@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_walk_in_steps_meets_every_key_once(table: tuple[Any, list[Any], str], size: int) -> None:
    rows, values, kind = table
    space = KeySpace(rows.all())
    assert space.kind == kind
    met = []
    for lower, upper in space.ranges(1):
        after, is_last = lower, False
        while not is_last:
            step = space.step(after, upper, size)
            batch = space.batch(after, step.end).order_by("pk") if step.keys else ()
            met += [one.pk for one in batch]
            assert len(batch) == step.keys <= size
            after, is_last = from_text(to_text(step.end)) or after, step.is_last
    assert met == values


@pytest.mark.parametrize("table", ["integer", "small", "uuid"], indirect=True)
def test_the_statement_that_reads_keys_is_compiled_once(
    table: tuple[Any, list[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, values, _ = table
    space, as_sql, compiled = KeySpace(rows.all()), SQLCompiler.as_sql, []

    def counted(compiler: Any, **options: Any) -> Any:
        compiled.append(compiler)
        return as_sql(compiler, **options)

    monkeypatch.setattr(SQLCompiler, "as_sql", counted)
    keys = [space.key(one) for one in values]
    for size in (1, 2, 3):
        for lower, upper in itertools.pairwise(keys):
            assert space.step(lower, upper, size) == (upper, 1, size > 1)
    assert len(compiled) == 1


@pytest.mark.parametrize("table", ["integer", "small"], indirect=True)
@pytest.mark.parametrize("knows", [False, True], ids=["at first", "after others"])
def test_bounds_that_the_column_cannot_hold_are_no_bounds(
    table: tuple[Any, list[Any], str], *, knows: bool
) -> None:
    rows, values, _ = table
    space, last = KeySpace(rows.all()), (str(values[-1]),)
    if knows:
        assert space.step((str(values[0]),), last, 10).keys == len(values) - 1
    for lower, upper in (("-32769", str(2**63 - 1)), (str(-(2**63) - 1), str(2**62))):
        assert space.step((lower,), (upper,), 10) == (last, len(values), True)


def test_the_text_of_a_key_leads_back_to_it(table: tuple[Any, list[Any], str]) -> None:
    rows, values, _ = table
    space = KeySpace(rows.all())
    for value in values:
        text = to_text(space.key(value))
        assert text.isascii()
        assert space.value(from_text(text) or ()) == value


def test_keys_above_the_last_one_are_found(table: tuple[Any, list[Any], str]) -> None:
    rows, values, _ = table
    space = KeySpace(rows.all())
    assert space.above(space.key(values[-1])) is None
    for below in (space.key(values[0]), None):
        top = space.above(below)
        assert top is not None
        assert space.value(top) == values[-1]


@pytest.mark.parametrize("workers", [1, 4, 10])
def test_integer_keys_are_cut_into_ranges_without_a_gap(workers: int, transactional_db: None) -> None:
    with isolate_apps("django.contrib.auth"):

        class Thing(models.Model):  # noqa: DJ008 - nobody reads its rows
            class Meta:
                app_label = "auth"

    with connection.schema_editor() as editor:
        editor.create_model(Thing)
    Thing._default_manager.create(pk=-7)
    Thing._default_manager.create(pk=10**12)
    ranges = KeySpace(Thing._default_manager.all()).ranges(workers)
    with connection.schema_editor() as editor:
        editor.delete_model(Thing)
    assert len(ranges) == max(16, 4 * workers)
    assert (ranges[0][0], ranges[-1][1]) == (("-8",), (str(10**12),))
    assert all(one[1] == following[0] for one, following in itertools.pairwise(ranges))


@pytest.mark.parametrize("table", ["integer", "small", "uuid", "text"], indirect=True)
def test_a_sample_is_spread_over_ranges_of_equal_width_that_hold_every_key(
    table: tuple[Any, list[Any], str],
) -> None:
    rows, values, kind = table
    space = KeySpace(rows.all())
    ranges = space.spread(5)
    assert len(ranges) == (1 if kind == OTHER else 5)
    assert all(one[1] == following[0] for one, following in itertools.pairwise(ranges))
    met = [one.pk for lower, upper in ranges for one in space.batch(lower, upper).order_by("pk")]
    assert met == values
    if kind != OTHER:
        ends = [sample._position(one, kind) for one, _ in ranges] + [sample._position(ranges[-1][1], kind)]
        widths = {after - before for before, after in itertools.pairwise(ends)}
        assert max(widths) - min(widths) <= 1


class Hiding(models.Manager[Any]):
    def get_queryset(self) -> Any:
        return super().get_queryset().none()


@pytest.fixture
def family(transactional_db: None) -> Iterator[tuple[Any, Any, Any]]:
    """A parent whose default manager hides all rows, its child table, and a proxy of the child."""
    with isolate_apps("django.contrib.auth"):

        class Parent(models.Model):  # noqa: DJ008 - nobody reads its rows
            name = models.CharField(max_length=9)
            objects = Hiding()

            class Meta:
                app_label = "auth"
                ordering = ("-name",)

        class Child(Parent):  # noqa: DJ008 - nobody reads its rows
            class Meta:
                app_label = "auth"

        class Proxy(Child):  # noqa: DJ008 - nobody reads its rows
            class Meta:
                app_label = "auth"
                proxy = True

    with connection.schema_editor() as editor:
        editor.create_model(Parent)
        editor.create_model(Child)
    yield Parent, Child, Proxy
    with connection.schema_editor() as editor:
        editor.delete_model(Child)
        editor.delete_model(Parent)


def test_a_child_table_is_walked_by_the_key_of_its_parent(family: tuple[Any, Any, Any]) -> None:
    parent, child, proxy = family
    for key in (1, 2, 3, 4):
        (child if key % 2 else parent)(pk=key, name=f"{9 - key}").save()
    for model in (child, proxy):
        space = KeySpace(models.QuerySet(model))
        assert (space.kind, space.table) == (INTEGER, "auth_child")
        assert [one.pk for one in space.batch(("1",), ("3",))] == [3]
        assert space.step(None, None, 1).end == ("1",)
        assert space.step(("1",), None, 9)[:2] == (("3",), 1)


def test_rows_that_the_default_manager_hides_are_walked(family: tuple[Any, Any, Any]) -> None:
    parent, _, _ = family
    parent(pk=5, name="x").save()
    assert KeySpace(parent.objects.all()).step(None, None, 9).keys == 1


@pytest.mark.skipif(not hasattr(models, "CompositePrimaryKey"), reason="Django 5.2 has composite keys")
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_composite_key_is_walked_in_the_order_of_its_columns(size: int, transactional_db: None) -> None:
    composite: Any = getattr(models, "CompositePrimaryKey", None)
    with isolate_apps("django.contrib.auth"):

        class Thing(models.Model):  # noqa: DJ008 - nobody reads its rows
            pk = composite("shop", "code")
            shop = models.IntegerField()
            code = models.CharField(max_length=9)

            class Meta:
                app_label = "auth"

    with connection.schema_editor() as editor:
        editor.create_model(Thing)
    keys = [(-1, "z"), (1, "a"), (1, "b"), (2, ""), (10, "a")]
    Thing._default_manager.bulk_create(Thing(shop=shop, code=code) for shop, code in keys)
    space = KeySpace(Thing._default_manager.all())
    met, after, is_last = [], None, False
    while not is_last:
        step = space.step(after, None, size)
        met += [one.pk for one in space.batch(after, step.end).order_by("pk")] if step.keys else []
        after, is_last = from_text(to_text(step.end)) or after, step.is_last
    top = space.above(("2", ""))
    with connection.schema_editor() as editor:
        editor.delete_model(Thing)
    assert (space.kind, space.ranges(4)) == (OTHER, ((None, None),))
    assert met == keys
    assert top == ("10", "a")


# The goal, the size, keys and seconds of a batch, and the size of the next.
SIZES = {
    "doubled at most": (1.0, 100, 100, 0.001, 200),
    "as much as fits": (1.0, 100, 100, 0.5, 160),
    "less at once where a batch took too long": (1.0, 1000, 1000, 10.0, 80),
    "never none": (1.0, 10, 10, 1000.0, 1),
    "never more than the most": (1.0, 4000, 4000, 0.001, 5000),
    "fixed": (0.0, 100, 100, 50.0, 100),
    "fixed, after it was halved": (0.0, 30, 30, 50.0, 60),
    "the end of a range says little": (1.0, 100, 3, 0.0001, 100),
    "no keys say nothing": (1.0, 100, 0, 9.0, 100),
}


@pytest.mark.parametrize(("goal", "size", "keys", "seconds", "expected"), SIZES.values(), ids=SIZES.keys())
def test_the_size_follows_the_seconds_of_a_key(
    goal: float, size: int, keys: int, seconds: float, expected: int
) -> None:
    assert Sizes(goal, 5000, 100).after(size, keys, seconds) == expected
