"""Named tuples: whatever those of ``typing`` do, ours do too."""

from __future__ import annotations

import copy
import pickle
import types
import typing
from typing import TYPE_CHECKING, Any

import pytest

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = [f"field_{number}" for number in range(40)]


class Ours(NamedTuple):
    """A value."""

    name: str
    size: int = 1
    words: tuple[str, ...] = ()

    @property
    def double(self) -> int:
        """Twice the size."""
        return self.size * 2

    @classmethod
    def of(cls, text: str) -> Ours:
        """Another way to make one."""
        return cls(text, len(text))


class Theirs(typing.NamedTuple):
    """A value."""

    name: str
    size: int = 1
    words: tuple[str, ...] = ()

    @property
    def double(self) -> int:
        """Twice the size."""
        return self.size * 2

    @classmethod
    def of(cls, text: str) -> Theirs:
        """Another way to make one."""
        return cls(text, len(text))


WAYS: dict[str, Callable[[Any], object]] = {
    "no value": lambda kind: kind(),
    "too many values": lambda kind: kind("a", 1, (), 4),
    "a value twice": lambda kind: kind("a", name="b"),
    "a value of no field": lambda kind: kind("a", colour="red"),
    "too few for _make": lambda kind: kind._make(["a"]),
    "no field to replace": lambda kind: kind("a")._replace(colour="red"),
    "an attribute to set": lambda kind: setattr(kind("a"), "name", "b"),
    "an attribute of no field": lambda kind: setattr(kind("a"), "colour", "red"),
    "positions": lambda kind: kind("a", 2, ("b",)),
    "names": lambda kind: kind(words=("b",), name="a", size=2),
    "defaults": lambda kind: kind("a"),
    "a default left out": lambda kind: kind("a", words=("b",)),
    "repr": lambda kind: repr(kind("a")).removeprefix(kind.__name__),
    "equal": lambda kind: kind("a") == ("a", 1, ()),
    "hash": lambda kind: hash(kind("a", 2)),
    "order": lambda kind: sorted([kind("b"), kind("a", 2), kind("a")]),
    "fields": lambda kind: (kind("a", 2).name, kind("a", 2).size, kind("a", 2).words),
    "names of fields": lambda kind: (kind._fields, kind.__match_args__, kind("a")._asdict()),
    "documentation": lambda kind: (kind.__doc__, kind.double.__doc__, kind.name.__doc__),
    "module": lambda kind: (kind.__module__, kind.__qualname__ == kind.__name__),
    "_make": lambda kind: kind._make(["a", 2, ()]),
    "_replace": lambda kind: kind("a")._replace(size=3),
    "a property": lambda kind: kind("a", 4).double,
    "a class method": lambda kind: kind.of("four"),
    "copy": lambda kind: copy.deepcopy(kind("a", 2, ("b",))),
    "pickle": lambda kind: pickle.loads(pickle.dumps(kind("a"))),  # noqa: S301 - what was dumped here
    "kind": lambda kind: [type(one) is kind for one in (kind("a"), kind("a")._replace(size=2), kind.of("a"))],
}


def result(way: Callable[[Any], object], kind: Any) -> object:
    try:
        return way(kind)
    except (TypeError, ValueError, AttributeError) as error:
        return type(error)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_named_tuple_does_what_one_of_typing_does(way: Callable[[Any], object]) -> None:
    assert result(way, Ours) == result(way, Theirs)


def test_what_is_wrong_with_a_call_names_the_class_and_the_field() -> None:
    with pytest.raises(TypeError, match=r"Ours.*'name'"):
        Ours()  # type: ignore[call-arg]  # as it should be


@pytest.mark.parametrize("count", [1, 13, 14, 15, len(MANY)])
def test_a_named_tuple_has_as_many_fields_as_it_needs(count: int) -> None:
    fields = MANY[:count]
    body = {"__module__": __name__, "__qualname__": "Made", "__annotations__": dict.fromkeys(fields, "int")}
    made: Any = types.new_class(
        "Made", (NamedTuple,), exec_body=lambda names: names.update({**body, fields[-1]: 7})
    )

    assert tuple(made(*range(count))) == tuple(range(count))
    assert made(**dict.fromkeys(fields, 3)) == (3,) * count
    assert made(*range(count - 1)) == (*range(count - 1), 7)
    assert [getattr(made(*range(count)), name) for name in fields] == list(range(count))
