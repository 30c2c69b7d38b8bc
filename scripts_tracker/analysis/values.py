"""What an expression may stand for, known without running it: plain values that become JSON and come back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

Scalar = str | bool | int | None
Constant = Scalar | tuple[Scalar, ...]
Place = tuple[int, int]
"""1-based line and column."""

UNBOUND: Final = "?"
"""Starts the path of a name that the file never binds: ``?name``."""
LOCAL_CLASS: Final = "#"
"""Starts the path of a class of the same file, by its number: ``#0.handle``."""
STAR: Final = "*"
"""Starts the part of a path that came through a star import: ``shop.base:*Command``."""
INSIDE: Final = ":"
"""Parts the module that a ``from`` import names from what it takes out of it: ``shop.base:Command``."""
MAX_TEXT: Final = 10_000
"""Longer texts are cut: nobody reads them in a list of scripts."""


@dataclass(frozen=True, slots=True)
class Ref:
    """Something named elsewhere.

    The path is dotted as in an import statement (``shop.base``, ``..base:Command``), or starts with
    one of the signs above.
    """

    path: str


@dataclass(frozen=True, slots=True)
class Const:
    """A literal: text, flag, whole number, None, or a flat tuple of such."""

    value: Constant


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that only running the code could tell."""


class Argument(NamedTuple):
    """One argument of a call; ``star`` is ``""``, ``"*"`` or ``"**"``."""

    values: Values
    place: Place
    keyword: str | None = None
    star: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """A call, where its function is known by name."""

    function: Values
    arguments: tuple[Argument, ...]
    place: Place


Value = Ref | Const | Call | Opaque
Values = tuple[Value, ...]
"""What a name may be where branches of the code disagree, the likeliest first."""

OPAQUE: Final[Values] = (Opaque(),)


def encode(values: Values) -> list[Any]:
    """The values as JSON."""
    return [_encode_one(value) for value in values]


def _encode_one(value: Value) -> list[Any]:
    if isinstance(value, Ref):
        return ["ref", value.path]
    if isinstance(value, Const):
        return ["const", value.value]
    if isinstance(value, Call):
        arguments = [[encode(one.values), list(one.place), one.keyword, one.star] for one in value.arguments]
        return ["call", encode(value.function), arguments, list(value.place)]
    return ["opaque"]


def decode(data: object) -> Values:
    """The inverse of ``encode``; raises ValueError for anything else."""
    return tuple(_decode_one(item) for item in items(data))


def _decode_one(data: object) -> Value:
    kind, *rest = items(data)
    if kind == "ref" and len(rest) == 1:
        return Ref(text(rest[0]))
    if kind == "const" and len(rest) == 1:
        return Const(_constant(rest[0]))
    if kind == "call":
        function, arguments, where = rest
        return Call(decode(function), tuple(_decode_argument(one) for one in items(arguments)), place(where))
    if kind == "opaque" and not rest:
        return Opaque()
    raise ValueError(f"{kind!r} is no kind of value")


def _decode_argument(data: object) -> Argument:
    values, where, keyword, star = items(data)
    return Argument(decode(values), place(where), None if keyword is None else text(keyword), text(star))


def _constant(data: object) -> Constant:
    if isinstance(data, list | tuple):
        return tuple(_scalar(item) for item in data)
    return _scalar(data)


def _scalar(data: object) -> Scalar:
    if data is None or isinstance(data, str | int):
        return data
    raise ValueError(f"{data!r} is no constant")


def items(data: object) -> tuple[Any, ...]:
    """A JSON list; raises ValueError for anything else."""
    if isinstance(data, list | tuple):
        return tuple(data)
    raise ValueError(f"a list was expected, not {data!r}")


def text(data: object) -> str:
    """A JSON string; raises ValueError for anything else."""
    if isinstance(data, str):
        return data
    raise ValueError(f"a string was expected, not {data!r}")


def place(data: object) -> Place:
    """A line and a column; raises ValueError for anything else."""
    line, column = items(data)
    if type(line) is int and type(column) is int and line > 0 and column > 0:
        return line, column
    raise ValueError(f"{data!r} is no line and column")


def is_storable(content: str) -> bool:
    """Whether every database keeps this text: no NUL, no half of a character pair, no novel."""
    return len(content) <= MAX_TEXT and content == cleaned(content)


def cleaned(content: str) -> str:
    """A text for people to read, bounded, with what databases and terminals refuse replaced."""
    return content[:MAX_TEXT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def dotted(path: str) -> str:
    """A path as people write it."""
    return path.replace(INSIDE, ".").replace(STAR, "").lstrip(UNBOUND)


def first_name(path: str) -> str:
    """The first name of a path."""
    return dotted(path).partition(".")[0]


def last_name(path: str) -> str:
    """The last name of a path."""
    return dotted(path).rpartition(".")[2]
