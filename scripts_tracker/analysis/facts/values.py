"""What one file says by itself, as plain values that are stored as JSON by the digest of the file's bytes."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from scripts_tracker.analysis import ANALYSIS_VERSION
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ALGORITHM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scripts_tracker.core.values import Place

OURS: Final = frozenset({"scripts_tracker", "django_scripts_tracker"})
"""Our package, and the one that it takes the place of."""
COMMAND: Final = "Command"
"""The class that Django looks for in the file of a command."""
HANDLES: Final = ("handle", "handle_noargs")
"""The methods in which Django runs a command."""
PROCESS: Final = "process"
"""The method in which a batched command works on one batch."""
BATCHES: Final = "batches"
"""The method in which a batched command says what to work on."""
METHODS: Final = (*HANDLES, PROCESS)
"""The methods that our decorators can track: PROCESS in a batched command, HANDLES in any other."""
BATCHED: Final = "scripts_tracker.batches.BatchedCommand"
"""The base class of batched commands, by its path, as it is never imported here."""
TRACKED: Final = "tracked_script"
REQUIRED: Final = "required_preceding_script"
HOOKS: Final = ("__init_subclass__", "__new__", "__init__", "__call__", "__prepare__")
"""The methods of a base class or metaclass that are called when a class is made."""

GETATTR: Final = "__getattr__"

UNBOUND: Final = "?"
"""Starts the path of a name that the file never binds: ``?name``."""
LOCAL_CLASS: Final = "#"
"""Starts the path of a class of the same file, by its number: ``#0.handle``."""
LOCAL_FUNCTION: Final = "$"
"""Starts the path of a function of the same file, by its number."""
PARAMETER: Final = "%"
"""Starts the path of a parameter, by the number of its function: ``%0.handle``."""
STAR: Final = "*"
"""Starts the part of a path that came through a star import: ``shop.base:*Command``."""
INSIDE: Final = ":"
"""Separates the module of a ``from`` import from what is imported: ``shop.base:Command``."""


def dotted(path: str) -> str:
    """A path as people write it."""
    return path.replace(INSIDE, ".").replace(STAR, "").lstrip(UNBOUND)


def last_name(path: str) -> str:
    """The last name of a path."""
    return dotted(path).rpartition(".")[2]


NOT_COMPUTED: Final = ""
"""In place of a fingerprint that nobody has asked for."""
MAX_TEXT: Final = 10_000
"""Longer texts are cut; a list of scripts has no room for them."""


def is_storable(content: str) -> bool:
    """Whether every database stores this text as it is: no NUL, no half of a character pair, not too long."""
    return len(content) <= MAX_TEXT and content == cleaned(content)


def cleaned(content: str) -> str:
    """A text for people to read, bounded, with what databases and terminals refuse replaced."""
    return content[:MAX_TEXT].replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


Scalar = str | bool | int | None
Constant = Scalar | tuple[Scalar, ...]


# Named tuples are equal where their fields are: ``kind`` distinguishes a name from a text with the same spelling.
class Ref(NamedTuple):
    """Something named elsewhere.

    The path is dotted as in an import statement (``shop.base``, ``..base:Command``), or starts with one of the
    signs above.
    """

    path: str
    kind: Literal["ref"] = "ref"


class Const(NamedTuple):
    """A literal: text, flag, whole number, None, or a flat tuple of such."""

    value: Constant
    kind: Literal["const"] = "const"


class Opaque(NamedTuple):
    """Something that is known only when the code runs."""

    kind: Literal["opaque"] = "opaque"


class Argument(NamedTuple):
    """One argument of a call; ``star`` is ``""``, ``"*"`` or ``"**"``."""

    values: Values
    place: Place
    keyword: str | None = None
    star: str = ""


class Call(NamedTuple):
    """A call of a function that is known by name."""

    function: Values
    arguments: tuple[Argument, ...]
    place: Place


class Made(NamedTuple):
    """Something that is known only when the code runs, made of these names; on the way from a command to our decorators."""

    parts: tuple[Ref, ...]
    kind: Literal["made"] = "made"


Value = Ref | Const | Call | Opaque | Made
Values = tuple[Value, ...]
"""What a name may be, several where branches of the code disagree, the likeliest first."""

OPAQUE: Final[Values] = (Opaque(),)


class Decoration(NamedTuple):
    """What decorates a method or another object, and where."""

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
    """One definition of one of METHODS, or what a function returns.

    Attributes:
        decorations: its decorators, outermost first.
        super_calls: its calls of base classes.
        inner: what is decorated, where that is not a function of the same body.
    """

    decorations: tuple[Decoration, ...] = ()
    super_calls: tuple[SuperCall, ...] = ()
    inner: Values = ()


class Parameter(NamedTuple):
    """A parameter of a function and its default; the name starts with a star where it takes all that is left."""

    name: str
    default: Values = ()


class Patch(NamedTuple):
    """An assignment to one of METHODS of a class in a function.

    Attributes:
        name: of the method.
        method: what is assigned.
        needs_own: whether it is done only for a class that has a method of that name of its own.
    """

    name: str
    method: MethodFacts
    needs_own: bool = False


class FunctionFacts(NamedTuple):
    """A function that may lead to our decorators: at module level, inside another, or a hook of a class.

    Attributes:
        end: its last line.
        params: its parameters, in order.
        decorations: its own decorators, outermost first.
        returns: what it may return.
        patches: what it makes of the METHODS of a class.
        parts: the names that its result may be made of.
    """

    name: str
    place: Place
    end: int
    params: tuple[Parameter, ...] = ()
    decorations: tuple[Decoration, ...] = ()
    returns: tuple[MethodFacts, ...] = ()
    patches: tuple[Patch, ...] = ()
    parts: tuple[Ref, ...] = ()


class ClassFacts(NamedTuple):
    """One class at module level, or of a function in ``FileFacts.functions``.

    Attributes:
        bases: for each base class what it may be.
        help: what ``help`` is in the class body; None where it is not bound there.
        doc: its docstring.
        methods: for each of METHODS that the class binds, its definitions (several where branches disagree).
        end: its last line.
        decorations: its own decorators, outermost first.
        metaclass: empty where none is given.
        hooks: the number of the function for each of HOOKS that may make another class of it.
        has_batches: whether the class binds BATCHES.
        attributes: what other names of the class body are, where that may lead to our decorators.
    """

    name: str
    place: Place
    bases: tuple[Values, ...] = ()
    help: Values | None = None
    doc: str | None = None
    methods: Mapping[str, tuple[MethodFacts, ...]] = MappingProxyType({})
    end: int = 0
    decorations: tuple[Decoration, ...] = ()
    metaclass: Values = ()
    hooks: Mapping[str, int] = MappingProxyType({})
    has_batches: bool = False
    attributes: Mapping[str, Values] = MappingProxyType({})


class OurImport(NamedTuple):
    """A name that is imported from our package, or an attribute of it that decorates.

    Attributes:
        path: as in a Ref.
        is_used: whether the code names it again.
    """

    path: str
    place: Place
    is_used: bool


class TooLittle(Exception):
    """A fact may come of what was left out of a skeleton."""


class FileFacts(NamedTuple):
    """Everything one file says by itself; a pure function of its bytes.

    Attributes:
        fingerprint: ``str()`` of the Fingerprint; NOT_COMPUTED as long as nobody has asked for it; None for a file without
            a ``Command``, which is no script.
        command: where ``Command`` is bound; None where it is not.
        doc: the docstring of the module.
        names: what each name of the module is once it has been executed.
        stars: the modules of its star imports, the last first.
        classes: its classes, by number; those at module level first.
        misplaced_uses: uses of what may be our decorator on anything but one of METHODS.
        functions: the functions that may lead to our decorators, by number.
        imports: what the module takes from our package, except the decorators of METHODS.
        unread: why a statement was left out of all this, and where it is; the fingerprint is that of the bytes then.
    """

    fingerprint: str | None
    command: Place | None = None
    doc: str | None = None
    names: Mapping[str, Values] = MappingProxyType({})
    stars: tuple[str, ...] = ()
    classes: tuple[ClassFacts, ...] = ()
    misplaced_uses: tuple[Decoration, ...] = ()
    functions: tuple[FunctionFacts, ...] = ()
    imports: tuple[OurImport, ...] = ()
    unread: tuple[str, Place] | None = None

    @property
    def has_fingerprint(self) -> bool:
        """Whether the fingerprint is known, or there is none."""
        return self.fingerprint != NOT_COMPUTED

    def to_text(self) -> str:
        """The facts as JSON, after the version of the analysis and the algorithm of the fingerprint."""
        content = [ANALYSIS_VERSION, ALGORITHM, self._asdict()]
        return json.dumps(content, separators=(",", ":"), default=dict)  # of mapping proxies

    @classmethod
    def from_text(cls, content: str) -> FileFacts:
        """The inverse of ``to_text``; raises ValueError for anything malformed or of another ANALYSIS_VERSION."""
        try:
            version, algorithm, data = json.loads(content)
            if (version, algorithm) != (ANALYSIS_VERSION, ALGORITHM):
                raise ValueError("these facts are of another version of the analysis")
            return cls(
                _optional(text, data["fingerprint"]),
                _optional(place, data["command"]),
                _optional(text, data["doc"]),
                {name: _values(values) for name, values in data["names"].items()},
                _each(text, data["stars"]),
                _each(_class, data["classes"]),
                _each(_decoration, data["misplaced_uses"]),
                _each(_function, data["functions"]),
                _each(_our_import, data["imports"]),
                _optional(_unread, data["unread"]),
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"these facts are malformed: {error!r}") from error


def _unread(data: object) -> tuple[str, Place]:
    reason, where = items(data)
    return text(reason), place(where)


def _class(data: object) -> ClassFacts:
    name, where, bases, help_, doc, methods, end, decorations, metaclass, *others = items(data)
    hooks, has_batches, attributes = others
    return ClassFacts(
        text(name),
        place(where),
        _each(_values, bases),
        _optional(_values, help_),
        _optional(text, doc),
        {method: _each(_method, definitions) for method, definitions in methods.items()},
        number(end),
        _each(_decoration, decorations) if decorations else (),
        _values(metaclass) if metaclass else (),
        {hook: number(one) for hook, one in hooks.items()} if hooks else {},
        bool(has_batches),
        {one: _values(values) for one, values in attributes.items()} if attributes else {},
    )


def _our_import(data: object) -> OurImport:
    path, at, used = items(data)
    return OurImport(text(path), place(at), bool(used))


def _function(data: object) -> FunctionFacts:
    name, where, end, params, decorations, returns, patches, parts = items(data)
    return FunctionFacts(
        text(name),
        place(where),
        number(end),
        tuple(Parameter(text(one), _values(default)) for one, default in map(items, items(params))),
        _each(_decoration, decorations),
        _each(_method, returns),
        tuple(Patch(text(one), _method(made), bool(own)) for one, made, own in map(items, items(patches))),
        _refs(parts),
    )


def _refs(data: object) -> tuple[Ref, ...]:
    return tuple(one for one in _values(data) if isinstance(one, Ref))


def _method(data: object) -> MethodFacts:
    decorations, calls, inner = items(data)
    return MethodFacts(
        _each(_decoration, decorations),
        _each(_super_call, calls) if calls else (),
        _values(inner) if inner else (),
    )


def _super_call(data: object) -> SuperCall:
    method, base, after = items(data)
    return SuperCall(text(method), _optional(_values, base), bool(after))


def _decoration(data: object) -> Decoration:
    values, where = items(data)
    return Decoration(_values(values), place(where))


def _values(data: object) -> Values:
    return _each(_value, data)


def _value(data: object) -> Value:
    match data:
        case [str(path), "ref"]:
            return Ref(path)
        case [constant, "const"]:
            return Const(_each(_scalar, constant) if isinstance(constant, list) else _scalar(constant))
        case ["opaque"]:
            return Opaque()
        case [list(parts), "made"]:
            return Made(_refs(parts))
        case [function, arguments, where]:
            return Call(_values(function), _each(_argument, arguments), place(where))
    raise ValueError(f"{data!r} is no value")


def _argument(data: object) -> Argument:
    values, where, keyword, star = items(data)
    return Argument(_values(values), place(where), _optional(text, keyword), text(star))


def _scalar(data: object) -> Scalar:
    if data is None or isinstance(data, str | int):
        return data
    raise ValueError(f"{data!r} is no constant")


_T = TypeVar("_T")


def _each(read: Callable[[object], _T], data: object) -> tuple[_T, ...]:
    return tuple(map(read, items(data)))


def _optional(read: Callable[[object], _T], data: object) -> _T | None:
    return None if data is None else read(data)


def items(data: object) -> list[Any]:
    """A JSON list; raises ValueError for anything else."""
    if isinstance(data, list):
        return data
    raise ValueError(f"a list was expected, not {data!r}")


def text(data: object) -> str:
    """A JSON string; raises ValueError for anything else."""
    if isinstance(data, str):
        return data
    raise ValueError(f"a string was expected, not {data!r}")


def number(data: object) -> int:
    """A JSON number that counts something; raises ValueError for anything else."""
    if type(data) is int and data >= 0:
        return data
    raise ValueError(f"{data!r} is no count")


def place(data: object) -> Place:
    """A line and a column; raises ValueError for anything else."""
    line, column = items(data)
    if type(line) is int and type(column) is int and line > 0 and column > 0:
        return line, column
    raise ValueError(f"{data!r} is no line and column")
