"""What every value does by its fields: compare, hash and show itself.

``@dataclass`` would write these methods anew for each class and compile them, each time a process starts: half of what
it takes to define a value, and a check or a lint that finds nothing new spends a tenth of its time on defining them.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, ClassVar


class ByFields:
    """The base of a ``@dataclass(frozen=True, slots=True, eq=False, repr=False)``, which behaves as without the last two."""

    __slots__ = ()
    # Of a value without fields its class is all there is.
    _of: ClassVar[attrgetter[Any]] = attrgetter("__class__")

    def __init_subclass__(cls) -> None:
        if cls.__annotations__:
            cls._of = attrgetter(*cls.__annotations__)

    def __eq__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._of(self) == self._of(other))

    def __hash__(self) -> int:
        return hash(self._of(self))

    def __repr__(self) -> str:
        fields = self.__class__.__match_args__  # type: ignore[attr-defined]
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in fields)
        return f"{self.__class__.__qualname__}({shown})"


class OrderedByFields(ByFields):
    """A value with an order: that of its fields, the first first."""

    __slots__ = ()

    def __lt__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._of(self) < self._of(other))

    def __le__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._of(self) <= self._of(other))

    def __gt__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._of(self) > self._of(other))

    def __ge__(self, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(self._of(self) >= self._of(other))
