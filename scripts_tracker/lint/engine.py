"""The findings of a project: those of the analysis, of the rules over single files, and of the rules over all files."""

from __future__ import annotations

import os
from functools import cache, cached_property
from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import Findings, in_script
from scripts_tracker.analysis.linking.scanning import command_files
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.store import index_cache
from scripts_tracker.analysis.store.index_cache import CachedIndex
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.lint import RULES_VERSION, layout
from scripts_tracker.lint.layout import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts_tracker.analysis.linking.linker import Linker
    from scripts_tracker.analysis.source.reading import CommandFile
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.analysis.store.index_cache import Inputs
    from scripts_tracker.core.values import Finding, ProjectIndex, ScriptDefinition
    from scripts_tracker.lint.answers import Answers
    from scripts_tracker.lint.base import Run, RunRule
    from scripts_tracker.lint.config import Config
    from scripts_tracker.lint.members import Found, KnownMembers
    from scripts_tracker.lint.reach import Calls, Reach
    from scripts_tracker.lint.values import Violation
    from scripts_tracker.lint.violations import KnownViolations


class Listing(NamedTuple):
    """The commands of a project, ignored ones included; since when, and what is wrong with their folders."""

    files: list[CommandFile]
    findings: Findings
    since: int


def listed(request: Request) -> Listing:
    """Look for the commands of a project."""
    findings, since = Findings(request.root), reading.now()
    files = command_files(request.dirs, findings, request.ignored_files, request.ignored_prefixes)
    return Listing(files, findings, since)


def project_findings(
    request: Request, cache: Cache | None = None, listing: Listing | None = None
) -> ProjectIndex:
    """The scripts of a project, and everything that is wrong with their files, except what ``# noqa`` hides.

    Args:
        request: what to lint.
        cache: has facts and indexes from before, and takes new ones.
        listing: what was listed just now.
    """
    files, findings, since = listing or listed(request)
    # The cached index knows which files are ignored.
    key = index_cache.key_of(request.root, request.dirs, request.import_roots, "lint", RULES_VERSION)
    cached = CachedIndex(None if any(findings) else cache, key, files, since, root=request.root)
    if cached.index is not None:
        return cached.index
    # These import dozens of modules, which are needed only if something changed.
    from scripts_tracker.analysis.linking.linker import Linker
    from scripts_tracker.analysis.linking.modules import Finder
    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.lint.noqa import Comments
    from scripts_tracker.lint.violations import QUESTION, KnownViolations

    kept = Cache() if cache is None else cache
    finder, violations = Finder(request.dirs, request.root, request.import_roots), KnownViolations(kept)
    linker = Linker(files, finder, kept, findings, QUESTION)
    index = linker.index(cached.inputs if _are_known(cached.inputs, violations) else None)
    found = _RuleFindings(files, index, linker, violations, findings)
    findings.update(found.by_files())
    findings.update(found.by_project())
    comments = Comments(
        request.root, {one.location.path: violations.of(one.content_digest) for one in found.scripts}
    )
    index = index._replace(findings=tuple(comments.applied(tuple(findings))))
    cached.keep(index, linker.inputs)
    return index


def _are_known(inputs: Inputs | None, violations: KnownViolations) -> bool:
    """Whether the cache has the violations in the files of an earlier pass."""
    if inputs is None:
        return False
    scripts = [one for one in inputs.linked.values() if one.definition]
    digests = {one.definition.content_digest for one in scripts if one.definition}
    digests.update(
        inputs.digests.get(path) or inputs.read.get(path, "") for one in scripts for path, _ in one.mro
    )
    return all(map(violations.has, digests))


class _RuleFindings:
    """What the rules find in the scripts of one pass."""

    def __init__(
        self,
        files: Sequence[CommandFile],
        index: ProjectIndex,
        linker: Linker,
        violations: KnownViolations,
        findings: Findings,
    ) -> None:
        self.scripts = [one for one in index.definitions if one.fingerprint is not None]
        self._files = files
        self._linker = linker
        self._violations = violations
        self._findings = findings

    def by_files(self) -> Iterator[Finding]:
        """What the rules over trees find."""
        for script in self.scripts:
            may_run = self._runs_of(script)
            for code, violation in self._violations.of(script.content_digest).violations:
                if may_run(violation):
                    yield self._finding(script.location.path, code, violation)
            yield from self._inherited(script, may_run)

    def _runs_of(self, script: ScriptDefinition) -> Callable[[Violation], bool]:
        """Whether a problem in a class of a script is one of the script, if other files decide about that."""
        mro = self._linker.mro(script.id)

        @cache
        def calls() -> Calls:
            # Few prompts are in a command of several files; this imports libcst.
            from scripts_tracker.lint.reach import Calls

            return Calls(mro, self._reaches, is_batched=script.is_batched)

        def may_run(one: Violation) -> bool:
            if not one.applies(is_batched=script.is_batched):
                return False
            if not mro or one.unless is None or one.where is None:
                return True
            return calls().may_run(one.where, one.unless)

        return may_run

    @cached_property
    def _reaches(self) -> Answers[Reach]:
        from scripts_tracker.lint.reach import known_reaches

        return known_reaches(self._violations.cache, self._linker.digest_of)

    def by_project(self) -> Iterator[Finding]:
        """What the rules over all files find."""
        from scripts_tracker.lint.base import Project
        from scripts_tracker.lint.rules import project_rules

        definitions = {one.id: one for one in self.scripts}
        project = Project(definitions, self._files, self._findings, self._member)
        for rule in project_rules():
            yield from rule.check(project)

    def _member(self, script: ScriptDefinition, name: str) -> Found:
        paths = (
            one.path
            for one in self._files
            if (one.folder.app_label, one.name) == script.id and not one.ignored
        )
        return self._members.find(name, next(paths), self._linker.mro(script.id))

    @cached_property
    def _members(self) -> KnownMembers:
        from scripts_tracker.lint.members import KnownMembers  # few scripts name a method

        return KnownMembers(self._violations.cache, self._linker.digest_of)

    def _inherited(self, script: ScriptDefinition, may_run: Callable[[Violation], bool]) -> Iterator[Finding]:
        """What is wrong in the methods that a script inherits from classes in other files of the project."""
        overridden: set[str] = set()
        for path, name in self._linker.mro(script.id):
            file, shown = self._violations.of(self._linker.digest_of(path)), self._findings.shown(path)
            if shown not in {script.location.path, path}:
                for code, one in file.violations:
                    is_here = one.where and one.where.owner == name and one.where.method not in overridden
                    if is_here and may_run(one):
                        yield in_script(self._finding(shown, code, one), script.location)
            overridden |= file.overrides.get(name, frozenset())

    def _finding(self, path: str, code: str, one: Violation) -> Finding:
        from scripts_tracker.core.values import Finding, Location

        return Finding(Location(path, *one.place), code, one.message, one.hint, one.fixable)


class Session(NamedTuple):
    """What to lint, and what of it to report.

    Attributes:
        request: the project.
        config: its settings.
        modules: the absolute paths of Python files that may be scripts in the wrong place.
        paths: absolute files and folders; only what lies in them is reported. None for the whole project.
        since: a git revision to compare with; empty for none.
        loops: links that lead to each other in a cycle, absolute.
    """

    request: Request
    config: Config
    modules: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    since: str = ""
    loops: tuple[tuple[str, ...], ...] = ()

    def findings(self, cache: Cache | None = None) -> list[Finding]:
        """The findings to report, sorted, each once.

        Args:
            cache: knows facts and whole results from before; takes new ones.

        Raises:
            WrongUseError: git has no such revision.
        """
        listing = listed(self.request)
        index = project_findings(self.request, cache, listing)
        found = {*index.findings, *self._of_this_run(index, cache, listing.files), *self._cycles_of_links()}
        if cache is not None:
            cache.save()
        reported = [one for one in found if self.config.reports(one)]
        covered = {one for one in reported if self._covers(one.location.path)}
        return sorted(covered | self._left_behind(index, [one for one in reported if one not in covered]))

    def _cycles_of_links(self) -> Findings:
        findings = Findings(self.request.root)
        for loop in self.loops:
            findings.cycle_of_links(loop)
        return findings

    def _left_behind(self, index: ProjectIndex, others: Sequence[Finding]) -> set[Finding]:
        """Findings in other files about scripts that get another name by the commit, in the files to report on."""
        unknown = {one.cause: one for one in others if one.code == codes.UNKNOWN_REQUIREMENT}
        if not unknown:
            return set()
        from scripts_tracker.core.git import GitUnavailable
        from scripts_tracker.lint.git import Repository

        try:
            renames = Repository(self.request.root).staged_renames()
        except GitUnavailable:
            return set()
        gone = {os.path.realpath(old) for new, old in renames.items() if _lies_in(new, self._real_paths())}
        folders = {one.app_label: os.path.realpath(one.path) for one in self.request.dirs}
        found = set()
        for script in index.definitions:
            for each in script.requires:
                label, _, name = each.text.rpartition(".")
                path = os.path.join(folders.get(label or script.id.app_label, ""), f"{name}.py")
                if each.location in unknown and path in gone:
                    found.add(unknown[each.location])
        return found

    def _real_paths(self) -> list[str]:
        return [os.path.realpath(one) for one in self.paths or ()]

    def _of_this_run(
        self, index: ProjectIndex, cache: Cache | None, files: Sequence[CommandFile]
    ) -> Iterator[Finding]:
        from scripts_tracker.lint.base import Run

        scripts = [
            one
            for one in index.definitions
            if one.fingerprint is not None and self._covers(one.location.path)
        ]
        run = Run(self.request, index.definitions, scripts, files, self.modules, self.since, cache)
        found = [one for rule in self._run_rules(run) for one in rule.check(run)]
        if found:
            from scripts_tracker.lint.noqa import Comments

            comments = Comments(self.request.root, {})
            yield from (one for one in found if not comments.hides(one))

    def _run_rules(self, run: Run) -> Iterator[RunRule]:
        """The rules that have something to look at; by their modules, since all rules together import libcst."""
        wants = self.config.wants
        if run.modules and wants(codes.UNREACHABLE_SCRIPT):
            from scripts_tracker.lint.rules.st010_unreachable_script import UnreachableScript

            yield UnreachableScript()
        if run.scripts and wants(codes.UNCOMMITTED_SCRIPT):
            from scripts_tracker.lint.rules.st020_uncommitted_script import UncommittedScript

            yield UncommittedScript()
        if run.since:
            from scripts_tracker.lint.rules.st021_silent_change import SilentChange

            yield SilentChange()

    def _covers(self, shown: str) -> bool:
        return self.paths is None or _lies_in(os.path.join(self.request.root, shown), self.paths)


def session(root: str, config: Config, paths: Sequence[str] | None = None, since: str = "") -> Session:
    """The lint of the project in a folder.

    Args:
        root: the project root, absolute.
        config: its settings.
        paths: absolute files and folders to report on; None for all.
        since: a git revision to compare with; empty for none.
    """
    walked = layout.walk(root, config.exclude)
    roots = tuple(dict.fromkeys((*config.roots, *walked.roots)))
    folders = config.commands_dirs or walked.commands
    request = Request(
        layout.commands_dirs(folders, root, roots),
        root,
        (*roots, root),
        config.ignored_files,
        config.ignored_cmd_prefixes,
    )
    asked = None if paths is None else tuple(paths)
    modules = tuple(path for path in walked.modules if asked is None or _lies_in(path, asked))
    return Session(request, config, modules, asked, since, tuple(walked.loops))


def _lies_in(path: str, asked: Sequence[str]) -> bool:
    return any(path == one or path.startswith(os.path.join(one, "")) for one in asked)
