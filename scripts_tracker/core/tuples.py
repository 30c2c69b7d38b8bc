"""``NamedTuple`` as ``typing`` has it, in a tenth of the time to define: a process defines each class again when it starts.

``typing`` looks at the annotations, and ``collections.namedtuple`` compiles a constructor for each class and gives it
methods of its own. Here all classes share one base, and those with as many fields the code of one constructor.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

__all__ = ["NamedTuple"]

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NamedTuple  # noqa: TID251 - what stands in for it below
else:
    try:
        from _collections import _tuplegetter as _getter
    except ImportError:  # as in collections itself

        def _getter(index: int, doc: str) -> property:
            return property(lambda values: values[index], doc=doc)

    _new = tuple.__new__
    _GETTERS = []
    # By the number of fields. Each class has a copy with the names of its own.
    # fmt: off
    _CONSTRUCTORS = (
        lambda _cls: _new(_cls, ()),
        lambda _cls, a: _new(_cls, (a,)),
        lambda _cls, a, b: _new(_cls, (a, b)),
        lambda _cls, a, b, c: _new(_cls, (a, b, c)),
        lambda _cls, a, b, c, d: _new(_cls, (a, b, c, d)),
        lambda _cls, a, b, c, d, e: _new(_cls, (a, b, c, d, e)),
        lambda _cls, a, b, c, d, e, f: _new(_cls, (a, b, c, d, e, f)),
        lambda _cls, a, b, c, d, e, f, g: _new(_cls, (a, b, c, d, e, f, g)),
        lambda _cls, a, b, c, d, e, f, g, h: _new(_cls, (a, b, c, d, e, f, g, h)),
        lambda _cls, a, b, c, d, e, f, g, h, i: _new(_cls, (a, b, c, d, e, f, g, h, i)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j: _new(_cls, (a, b, c, d, e, f, g, h, i, j)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k: _new(_cls, (a, b, c, d, e, f, g, h, i, j, k)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m: _new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n: _new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o: _new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p: _new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p)),
        lambda _cls, a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q: _new(_cls, (a, b, c, d, e, f, g, h, i, j, k, m, n, o, p, q)),
    )
    # fmt: on

    def _constructor(name: str, fields: tuple[str, ...], defaults: tuple[Any, ...]) -> FunctionType:
        """A function with the fields for parameters; errors of a call have its name."""
        if len(fields) < len(_CONSTRUCTORS):
            made = _CONSTRUCTORS[len(fields)]
        else:
            names = ", ".join(f"_{place}" for place in range(len(fields)))
            made = eval(f"lambda _cls, {names}: _new(_cls, ({names}))")  # noqa: S307 - nothing but numbers
        code = made.__code__.replace(co_name="__new__", co_varnames=("_cls", *fields))
        constructor = FunctionType(code, globals(), "__new__", defaults)
        constructor.__qualname__ = f"{name}.__new__"
        return constructor

    _Unexpected = TypeError if sys.version_info >= (3, 13) else ValueError

    class _Values(tuple):
        """What all named tuples can do."""

        __slots__ = ()
        _fields: tuple[str, ...] = ()

        @classmethod
        def _make(cls, values: Iterable[Any]) -> Any:
            made = tuple.__new__(cls, values)
            if len(made) != len(cls._fields):
                raise TypeError(f"expected {len(cls._fields)} values, got {len(made)}")
            return made

        def _replace(self, /, **others: Any) -> Any:
            made = self._make(map(others.pop, self._fields, self))
            if others:
                raise _Unexpected(f"unexpected names of fields: {list(others)!r}")
            return made

        __replace__ = _replace

        def _asdict(self) -> dict[str, Any]:
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self) -> str:
            values = ", ".join(f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
            return f"{type(self).__name__}({values})"

        def __getnewargs__(self) -> tuple[Any, ...]:
            return tuple(self)

    class _Definition(type):
        """Makes a named tuple of a class whose annotations are its fields."""

        def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(cls, name, bases, namespace)
            fields = tuple(namespace["__annotations__"])
            defaults = tuple([namespace.pop(field) for field in fields if field in namespace])
            while len(_GETTERS) < len(fields):
                _GETTERS.append(_getter(len(_GETTERS), f"Alias for field number {len(_GETTERS)}"))
            namespace.update(zip(fields, _GETTERS, strict=False))
            namespace["__slots__"] = ()
            namespace["_fields"] = namespace["__match_args__"] = fields
            namespace["__new__"] = _constructor(name, fields, defaults)
            return type(name, (_Values,), namespace)

    class NamedTuple(metaclass=_Definition):
        """The base of the values."""
