"""What a rule is: a code, its documentation, a check, and a fix if there is a safe one.

A rule is one module in ``rules``, named after its code and the bad pattern: ``st012_interactive_prompt.py``. The
docstring of its class has four headings: What it does, Why is this bad, Example, Use instead. The cases that test it
are in ``fixtures/lint``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import Finding, ScriptDefinition, ScriptId
    from scripts_tracker.lint.file import Tree
    from scripts_tracker.lint.layout import Request
    from scripts_tracker.lint.members import Found
    from scripts_tracker.lint.values import Edit, Violation


class Project(NamedTuple):
    """What a rule over all files may look at.

    Attributes:
        definitions: the tracked scripts.
        files: all commands, including ignored ones.
        findings: makes locations.
        member: looks for what a script's command has under a name.
    """

    definitions: Mapping[ScriptId, ScriptDefinition]
    files: Sequence[CommandFile]
    findings: Findings
    member: Callable[[ScriptDefinition, str], Found]


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
        cache: has the facts of files that were analysed before, and takes new ones.
    """

    request: Request
    definitions: Sequence[ScriptDefinition]
    scripts: Sequence[ScriptDefinition]
    files: Sequence[CommandFile] = ()
    modules: Sequence[str] = ()
    since: str = ""
    cache: Cache | None = None


class Rule:
    """A rule of the lint.

    Attributes:
        code: such as ``ST012``.
        decided_by: functions outside of the rule's file that report findings with its code.
    """

    code: ClassVar[str]
    decided_by: ClassVar[tuple[str, ...]] = ()

    @property
    def is_fixable(self) -> bool:
        """Whether ``--fix`` can repair what the rule finds."""
        return False


class AnalysisRule(Rule):
    """A rule without a check of its own: other parts need its findings too, or need to know them anyway.

    Attributes:
        decided_by: the functions that do.
        fixed_by: the function that makes the edits for ``--fix``; empty if the rule is not fixable.
    """

    fixed_by: ClassVar[str] = ""

    @property
    def is_fixable(self) -> bool:
        """Whether a function makes edits for ``--fix``."""
        return bool(self.fixed_by)


class TreeRule(Rule):
    """A rule over one file at a time; its violations are cached by the digest of the file."""

    def check(self, tree: Tree) -> Iterator[Violation]:
        """Yield what is wrong in a file, provided that a tracked script is defined in it."""
        raise NotImplementedError

    def edits(self, tree: Tree) -> Iterator[Edit]:  # noqa: ARG002 - for the rules that fix something
        """Yield one edit for each fixable violation of ``check``, in the same order."""
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
