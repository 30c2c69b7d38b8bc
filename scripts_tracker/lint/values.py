"""What the rules find in one file: violations, edits, and the comments that hide findings."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scripts_tracker.core.values import Place


class Where(NamedTuple):
    """A method: the name of its class, and its own; the latter is empty for the rest of the body of the class."""

    owner: str
    method: str


class Violation(NamedTuple):
    """A problem that a rule finds in one file, whatever the other files contain.

    Attributes:
        place: line and column.
        message: what is wrong.
        hint: what to do about it.
        where: the class and method around it; None outside of classes.
        fixable: whether ``--fix`` can repair it.
        unless: the attributes of the command that make it right if they are made of options in another file; None if
            it is wrong even in a method that never runs.
        batched: whether it is one only in a batched script, or only in any other; None if in both. A file cannot tell
            what its classes inherit from other files.
    """

    place: Place
    message: str
    hint: str
    where: Where | None = None
    fixable: bool = False
    unless: tuple[str, ...] | None = None
    batched: bool | None = None

    def applies(self, *, is_batched: bool) -> bool:
        """Whether it is a problem of a script."""
        return self.batched is None or self.batched is is_batched


class Noqa(NamedTuple):
    """A ``# noqa`` comment.

    Attributes:
        line: where it starts.
        column: where it starts.
        codes: what it hides; None if it has no list and hides every finding.
        first: the first line that it counts for; the last is its own.
        wrong: what stands in its list and is neither a code nor the name of a rule; empty if nothing.
    """

    line: int
    column: int
    codes: tuple[str, ...] | None
    first: int
    wrong: str = ""

    def hides(self, code: str, line: int | None = None) -> bool:
        """Whether findings with this code are hidden, on this line or on its own."""
        is_here = line is None or self.first <= line <= self.line
        return is_here and (self.codes is None or code in self.codes)


class FileViolations(NamedTuple):
    """What the rules over trees find in one file, and what others need to know of it.

    Attributes:
        violations: the problems with their codes, in the order of their places.
        overrides: for each class, the methods that do not call the method of the same name in a base class.
        says_rerun: whether a decorator in the file sets ``rerun``.
        comments: its ``# noqa`` comments.
    """

    violations: tuple[tuple[str, Violation], ...] = ()
    overrides: Mapping[str, frozenset[str]] = MappingProxyType({})
    says_rerun: bool = False
    comments: tuple[Noqa, ...] = ()


class Edit(NamedTuple):
    """A replacement in the text of a file: from one offset to another, in characters of the decoded text."""

    start: int
    end: int
    text: str
