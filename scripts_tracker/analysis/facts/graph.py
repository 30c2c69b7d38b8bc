"""The graph of the names of one file, as plain values that are stored as JSON by the digest of the file's bytes."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis.facts.values import items, place, text
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.values import Place

PASSED: Final = "()"
"""Ends the node of what is passed to a function or class, and of its local names."""
DECORATED: Final = "@"
"""Ends the node of what decorates a class or one of its METHODS, and of its metaclass."""
DECIDED: Final = "="
"""Ends the node of what a class inherits from, and binds one of METHODS to."""
RUN: Final = "!"
"""Ends the node of what the METHODS of a class are made of."""
SET: Final = "."
"""Starts the node of an attribute that is set on something: ``.handle``."""


class Mention(NamedTuple):
    """A name in the code that something may be made of: dotted as it is written, or a path as in a Ref; or a node."""

    name: str
    place: Place


class NameGraph(NamedTuple):
    """What the names of one file may be made of that are no values; a pure function of its bytes.

    Attributes:
        mentions: for each node what it is named with. A node is a name of the module, or one with a sign of those above;
            the empty one is for names that are computed.
    """

    mentions: Mapping[str, tuple[Mention, ...]] = MappingProxyType({})

    def of(self, node: str) -> tuple[Mention, ...]:
        """What a node is named with."""
        return self.mentions.get(node, ())

    def to_text(self) -> str:
        """The graph as JSON."""
        return json.dumps(dict(self.mentions), separators=(",", ":"))

    @classmethod
    def from_text(cls, content: str) -> NameGraph:
        """The inverse of ``to_text``; raises ValueError for anything malformed."""
        try:
            return cls(
                {node: tuple(map(_mention, items(several))) for node, several in json.loads(content).items()}
            )
        except (TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"this graph of names is malformed: {error!r}") from error


def _mention(data: object) -> Mention:
    name, where = items(data)
    return Mention(text(name), place(where))
