"""What a rule is: a code, its documentation, a check, and a fix if there is a safe one.

A rule is one module in ``rules``, named after its code and the bad pattern: ``st012_interactive_prompt.py``. The
docstring of its class has four headings: What it does, Why is this bad, Example, Use instead. The cases that test it
are in ``fixtures/lint``.
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
    from scripts_tracker.lint.file import Tree
    from scripts_tracker.lint.layout import Request


class Where(NamedTuple):
    """A method: the name of its class, and its own; the latter is empty for the rest of the body of the class."""

    owner: str
    method: str


class Hit(NamedTuple):
    """A problem that a rule finds in one file, whatever the other files contain.

    Attributes:
        place: line and column.
        message: what is wrong.
        hint: what to do about it.
        where: the class and method around it; None outside of classes.
        fixable: whether ``--fix`` can repair it.
    """

    place: Place
    message: str
    hint: str
    where: Where | None = None
    fixable: bool = False


class Noqa(NamedTuple):
    """A ``# noqa`` comment: where it starts, and its codes; None if it has none and hides every finding."""

    line: int
    column: int
    codes: tuple[str, ...] | None

    def hides(self, code: str) -> bool:
        """Whether findings with this code are hidden."""
        return self.codes is None or code in self.codes


class FileHits(NamedTuple):
    """What the rules over trees find in one file, and what others need to know of it.

    Attributes:
        hits: the problems with their codes, in the order of their places.
        ends: for each class, the methods that do not call the method of the same name in a base class.
        says_rerun: whether a decorator in the file sets ``rerun``.
        comments: its ``# noqa`` comments.
    """

    hits: tuple[tuple[str, Hit], ...] = ()
    ends: Mapping[str, frozenset[str]] = MappingProxyType({})
    says_rerun: bool = False
    comments: tuple[Noqa, ...] = ()


class Edit(NamedTuple):
    """A replacement in the text of a file: from one offset to another, in characters of the decoded text."""

    start: int
    end: int
    text: str


class Project(NamedTuple):
    """What a rule over all files may look at.

    Attributes:
        definitions: the tracked scripts.
        files: all commands, including ignored ones.
        findings: makes locations.
    """

    definitions: Mapping[ScriptId, ScriptDefinition]
    files: Sequence[CommandFile]
    findings: Findings


class Run(NamedTuple):
    """One run of the lint, for rules that look at more than the files of commands.

    Attributes:
        request: where the tracker looks for commands.
        definitions: all tracked scripts.
        scripts: the scripts to report on.
        files: the commands, including ignored ones.
        modules: absolute paths of Python files that may be misplaced scripts; those below the root start with
            ``request.root`` as it is written.
        since: the git revision to compare with; empty for none.
        store: the facts of files that were analysed before.
    """

    request: Request
    definitions: Sequence[ScriptDefinition]
    scripts: Sequence[ScriptDefinition]
    files: Sequence[CommandFile] = ()
    modules: Sequence[str] = ()
    since: str = ""
    store: FactStore | None = None


class Rule:
    """A rule of the lint.

    Attributes:
        code: such as ``ST012``.
    """

    code: ClassVar[str]

    @property
    def is_fixable(self) -> bool:
        """Whether ``--fix`` can repair what the rule finds."""
        return False


class AnalysisRule(Rule):
    """A rule that is decided during the analysis, because the tracker needs its findings too."""


class TreeRule(Rule):
    """A rule over one file at a time; its hits are cached by the digest of the file."""

    def check(self, tree: Tree) -> Iterator[Hit]:
        """Yield what is wrong in a file, provided that a tracked script is defined in it."""
        raise NotImplementedError

    def edits(self, tree: Tree) -> Iterator[Edit]:  # noqa: ARG002 - for the rules that fix something
        """Yield one edit for each fixable hit of ``check``, in the same order."""
        yield from ()

    @property
    def is_fixable(self) -> bool:
        """Whether the rule has edits of its own."""
        return type(self).edits is not TreeRule.edits


class ProjectRule(Rule):
    """A rule over all files at once."""

    def check(self, project: Project) -> Iterator[Finding]:
        """Yield what is wrong in the project."""
        raise NotImplementedError


class RunRule(Rule):
    """A rule that depends on more than the files of commands, such as git; it is checked in every run."""

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield what is wrong; ``# noqa`` is applied afterwards."""
        raise NotImplementedError
