"""What one file says by itself, as plain values that are kept by the digest of the file's bytes."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal

from scripts_tracker.analysis import ANALYSIS_VERSION
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.values import Place

Scalar = str | bool | int | None
Constant = Scalar | tuple[Scalar, ...]

UNBOUND: Final = "?"
"""Starts the path of a name that the file never binds: ``?name``."""
LOCAL_CLASS: Final = "#"
"""Starts the path of a class of the same file, by its number: ``#0.handle``."""
STAR: Final = "*"
"""Starts the part of a path that came through a star import: ``shop.base:*Command``."""
INSIDE: Final = ":"
"""Parts the module that a ``from`` import names from what it takes out of it: ``shop.base:Command``."""
MAX_TEXT: Final = 10_000
"""Longer texts are cut; a list of scripts has no room for them."""


# Named tuples equal each other where their fields are equal: ``kind`` parts a name from a text that is spelled like it.
class Ref(NamedTuple):
    """Something named elsewhere.

    The path is dotted as in an import statement (``shop.base``, ``..base:Command``), or starts with
    one of the signs above.
    """

    path: str
    kind: Literal["ref"] = "ref"


class Const(NamedTuple):
    """A literal: text, flag, whole number, None, or a flat tuple of such."""

    value: Constant
    kind: Literal["const"] = "const"


class Opaque(NamedTuple):
    """Something that only running the code could tell."""

    kind: Literal["opaque"] = "opaque"


class Argument(NamedTuple):
    """One argument of a call; ``star`` is ``""``, ``"*"`` or ``"**"``."""

    values: Values
    place: Place
    keyword: str | None = None
    star: str = ""


class Call(NamedTuple):
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


COMMAND: Final = "Command"
"""The class that Django looks for in a file of a command."""
TRACKED: Final = "tracked_script"
REQUIRED: Final = "required_preceding_script"
HANDLES: Final = ("handle", "handle_noargs")
"""The methods in which Django runs a command."""


class Decoration(NamedTuple):
    """Something applied to a method or another object, and where."""

    values: Values
    place: Place


class SuperCall(NamedTuple):
    """A call of the method of a base class.

    Attributes:
        method: the name of the method that is called.
        base: None for ``super()``; else the class that is named.
        after: whether the search starts after ``base`` (``super(X, self)``) or with it (``X.handle(self)``).
    """

    method: str
    base: Values | None = None
    after: bool = False


class MethodFacts(NamedTuple):
    """One definition of ``handle()`` or ``handle_noargs()``: its decorators, outermost first, and its calls of base classes."""

    decorations: tuple[Decoration, ...] = ()
    super_calls: tuple[SuperCall, ...] = ()


class ClassFacts(NamedTuple):
    """One class at module level.

    Attributes:
        bases: for each base class what it may be.
        help: what ``help`` is in the class body; None where it is not bound there.
        doc: its docstring.
        methods: for each of HANDLES that the class binds, its definitions (several where branches disagree).
    """

    name: str
    place: Place
    bases: tuple[Values, ...] = ()
    help: Values | None = None
    doc: str | None = None
    methods: Mapping[str, tuple[MethodFacts, ...]] = MappingProxyType({})


class FileFacts(NamedTuple):
    """Everything one file says by itself; a pure function of its bytes.

    Attributes:
        fingerprint: ``str()`` of the Fingerprint; None for a file without a ``Command``, which is no script.
        command: where ``Command`` is bound; None where it is not.
        doc: the docstring of the module.
        names: what each name of the module is once it has been executed.
        stars: the modules of its star imports, the last first.
        classes: its classes at module level, by number.
        misplaced_uses: uses of what may be our decorator on anything but a ``handle()``.
    """

    fingerprint: str | None
    command: Place | None = None
    doc: str | None = None
    names: Mapping[str, Values] = MappingProxyType({})
    stars: tuple[str, ...] = ()
    classes: tuple[ClassFacts, ...] = ()
    misplaced_uses: tuple[Decoration, ...] = ()

    def to_text(self) -> str:
        """The facts as JSON, after the version of the analysis and the algorithm of the fingerprint."""
        return json.dumps([ANALYSIS_VERSION, ALGORITHM, self._to_json()], separators=(",", ":"))

    def _to_json(self) -> dict[str, Any]:
        return {
            "fingerprint": self.fingerprint,
            "command": None if self.command is None else list(self.command),
            "doc": self.doc,
            "names": {name: encode(values) for name, values in self.names.items()},
            "stars": list(self.stars),
            "classes": [_class_to_json(one) for one in self.classes],
            "misplaced_uses": [_decoration_to_json(one) for one in self.misplaced_uses],
        }

    @classmethod
    def from_text(cls, content: str) -> FileFacts:
        """The inverse of ``to_text``; raises ValueError for anything malformed or of another ANALYSIS_VERSION."""
        try:
            version, algorithm, data = json.loads(content)
            if (version, algorithm) != (ANALYSIS_VERSION, ALGORITHM):
                raise ValueError("these facts are of another version of the analysis")
            return cls(
                fingerprint=_optional_text(data["fingerprint"]),
                command=None if data["command"] is None else place(data["command"]),
                doc=_optional_text(data["doc"]),
                names={text(name): decode(values) for name, values in data["names"].items()},
                stars=tuple(text(path) for path in items(data["stars"])),
                classes=tuple(_class_from_json(one) for one in items(data["classes"])),
                misplaced_uses=tuple(_decoration_from_json(one) for one in items(data["misplaced_uses"])),
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"these facts are malformed: {error!r}") from error


def _optional_text(data: object) -> str | None:
    return None if data is None else text(data)


def _decoration_to_json(one: Decoration) -> list[Any]:
    return [encode(one.values), list(one.place)]


def _decoration_from_json(data: object) -> Decoration:
    values, where = items(data)
    return Decoration(decode(values), place(where))


def _class_to_json(one: ClassFacts) -> dict[str, Any]:
    return {
        "name": one.name,
        "place": list(one.place),
        "bases": [encode(values) for values in one.bases],
        "help": None if one.help is None else encode(one.help),
        "doc": one.doc,
        "methods": {
            name: [_method_to_json(method) for method in methods] for name, methods in one.methods.items()
        },
    }


def _class_from_json(data: Any) -> ClassFacts:
    return ClassFacts(
        name=text(data["name"]),
        place=place(data["place"]),
        bases=tuple(decode(values) for values in items(data["bases"])),
        help=None if data["help"] is None else decode(data["help"]),
        doc=_optional_text(data["doc"]),
        methods={
            text(name): tuple(_method_from_json(method) for method in items(methods))
            for name, methods in data["methods"].items()
        },
    )


def _method_to_json(one: MethodFacts) -> list[Any]:
    calls = [
        [step.method, None if step.base is None else encode(step.base), step.after]
        for step in one.super_calls
    ]
    return [[_decoration_to_json(decoration) for decoration in one.decorations], calls]


def _method_from_json(data: object) -> MethodFacts:
    decorations, calls = items(data)
    return MethodFacts(
        tuple(_decoration_from_json(one) for one in items(decorations)),
        tuple(_super_call_from_json(one) for one in items(calls)),
    )


def _super_call_from_json(data: object) -> SuperCall:
    method, start, after = items(data)
    return SuperCall(text(method), None if start is None else decode(start), bool(after))
