"""What a rule is: a code, its documentation, a check, and a fix where one is safe.

A rule is one module of ``rules``, named after its code and the bad pattern: ``st012_asks_a_person.py``. Its class is
documented under four headings: What it does, Why is this bad, Example, Use instead. Its cases are in ``fixtures/lint``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.cache import FactStore
    from scripts_tracker.core.values import Finding, Place, ScriptDefinition, ScriptId
    from scripts_tracker.lint.file import Tree, Where
    from scripts_tracker.lint.layout import Request


class Hit(NamedTuple):
    """What a rule says of a place in a file, whatever stands in others.

    Attributes:
        place: line and column.
        message: the fact.
        hint: what to type.
        where: the class and method it stands in; None outside of them.
        fixable: whether ``--fix`` mends it.
    """

    place: Place
    message: str
    hint: str
    where: Where | None = None
    fixable: bool = False


class Edit(NamedTuple):
    """A piece of a file's text to be exchanged: from one offset to another, in characters of the decoded text."""

    start: int
    end: int
    text: str


class Project(NamedTuple):
    """Everything that a rule may look at that crosses files.

    Attributes:
        definitions: the tracked scripts.
        files: all commands, also those that are ignored.
        hits: what the rules say of the file of each script.
        findings: makes locations.
    """

    definitions: Mapping[ScriptId, ScriptDefinition]
    files: Sequence[CommandFile]
    hits: Mapping[ScriptId, FileHits]
    findings: Findings


class Rule:
    """What all rules have.

    Attributes:
        code: such as ``ST012``.
    """

    code: ClassVar[str]

    @property
    def is_fixable(self) -> bool:
        """Whether ``--fix`` can repair what the rule finds."""
        return False


class AnalysisRule(Rule):
    """A rule whose findings the analysis has anyway, since the tracker needs to know them."""


class TreeRule(Rule):
    """A rule over one file at a time; what it says is kept by the digest of the file's bytes."""

    def check(self, tree: Tree) -> Iterator[Hit]:
        """What is wrong in a file, provided that a tracked script is made of it."""
        raise NotImplementedError

    def edits(self, tree: Tree) -> Iterator[Edit]:  # noqa: ARG002 - for the rules that fix something
        """What to exchange in the file so that ``check`` finds nothing fixable in it any more."""
        yield from ()

    @property
    def is_fixable(self) -> bool:
        """A rule over trees is fixable where it has edits of its own."""
        return type(self).edits is not TreeRule.edits


class ProjectRule(Rule):
    """A rule over all files at once."""

    def check(self, project: Project) -> Iterator[Finding]:
        """What is wrong in the project."""
        raise NotImplementedError


class Run(NamedTuple):
    """One run of the lint, for the rules that look at more than the files of commands.

    Attributes:
        request: where the tracker looks for commands.
        definitions: all tracked scripts.
        scripts: those that findings are reported for.
        files: the commands, ignored ones included.
        modules: absolute paths of Python files that may be scripts in the wrong place; those below the root start
            with ``request.root`` as it is written.
        since: the git revision to compare with; empty for none.
        store: knows the facts of bytes that were analysed before.
    """

    request: Request
    definitions: Sequence[ScriptDefinition]
    scripts: Sequence[ScriptDefinition]
    files: Sequence[CommandFile] = ()
    modules: Sequence[str] = ()
    since: str = ""
    store: FactStore | None = None


class RunRule(Rule):
    """A rule whose findings depend on more than the files of commands, such as git; it is checked in every run."""

    def check(self, run: Run) -> Iterator[Finding]:
        """What is wrong; the comments ``# noqa`` are applied afterwards."""
        raise NotImplementedError


class Noqa(NamedTuple):
    """One comment: where it starts, and the codes that it names; None where it names none and hides all."""

    line: int
    column: int
    codes: tuple[str, ...] | None

    def hides(self, code: str) -> bool:
        """Whether findings with this code are hidden."""
        return self.codes is None or code in self.codes


class FileHits(NamedTuple):
    """What the rules say of one file.

    Attributes:
        hits: with their codes, in the order of their places.
        ends: for each class the methods that do not call the method of the same name of a base class.
        says_rerun: whether a decorator in the file says in so many words when the script is to run again.
        comments: its ``# noqa`` comments.
    """

    hits: tuple[tuple[str, Hit], ...] = ()
    ends: Mapping[str, frozenset[str]] = MappingProxyType({})
    says_rerun: bool = False
    comments: tuple[Noqa, ...] = ()
