"""One run of the lint: the project's findings, those that depend on more than its files, and what of them is reported."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import in_order
from scripts_tracker.analysis.lint import engine, places
from scripts_tracker.analysis.lint.engine import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scripts_tracker.analysis.cache import FactCache
    from scripts_tracker.analysis.lint.config import Config
    from scripts_tracker.analysis.sources import CommandFile
    from scripts_tracker.datatypes import Finding, ProjectIndex, ScriptDefinition

_DECORATED_HERE: Final = re.compile(rb"@\s*(?:\w+\s*\.\s*)*tracked_script\b")


class Session(NamedTuple):
    """What to lint, and what of it to report.

    Attributes:
        request: the project.
        config: its settings.
        modules: the absolute paths of Python files that may be scripts in the wrong place.
        paths: absolute files and folders; only what lies in them is reported. None for the whole project.
        since: a git revision to compare with; empty for none.
    """

    request: Request
    config: Config
    modules: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    since: str = ""

    def findings(self, cache: FactCache | None = None) -> list[Finding]:
        """What is to be reported, sorted, each once.

        Args:
            cache: knows facts and whole results from before; takes new ones.

        Raises:
            UnknownRevisionError: git knows no such revision.
        """
        listing = engine.listed(self.request)
        index = engine.project_findings(self.request, cache, cache, listing)
        found = {*index.findings, *self._of_this_run(index, cache, listing.files)}
        if cache is not None:
            cache.save()
        return in_order(one for one in found if self.config.reports(one) and self._covers(one.location.path))

    def _of_this_run(
        self, index: ProjectIndex, cache: FactCache | None, files: Sequence[CommandFile]
    ) -> Iterator[Finding]:
        found: list[Finding] = []
        wants = self.config.wants
        scripts = [
            one
            for one in index.definitions
            if one.fingerprint is not None and self._covers(one.location.path)
        ]
        if self.modules and wants(codes.UNSEEN):
            from scripts_tracker.analysis.lint.unseen import unseen

            found += unseen(self.modules, self.request, index, cache, files)
        if scripts and wants(codes.NOT_IN_GIT):
            from scripts_tracker.analysis.lint.revisions import not_in_git

            found += not_in_git(scripts, self.request.root)
        if self.since:
            from scripts_tracker.analysis.lint.revisions import changed_silently

            found += changed_silently(scripts, _says_rerun(self.request.root), self.request.root, self.since)
        if found:
            from scripts_tracker.analysis.lint.comments import Comments

            comments = Comments(self.request.root, {})
            yield from (one for one in found if not comments.hides(one))

    def _covers(self, shown: str) -> bool:
        return self.paths is None or _lies_in(os.path.join(self.request.root, shown), self.paths)


def _says_rerun(root: str) -> Callable[[ScriptDefinition], bool]:
    """Tells whether the file of a script says when it is to run again."""
    from scripts_tracker.analysis import sources
    from scripts_tracker.analysis.compiling import compiled
    from scripts_tracker.analysis.lint import hits
    from scripts_tracker.exceptions import UnreadableSource

    def says_rerun(script: ScriptDefinition) -> bool:
        try:
            source = sources.read_bytes(os.path.join(root, script.location.path))
            # What decorates it under another name stands elsewhere, and may say so there.
            if not _DECORATED_HERE.search(source):
                return True
            return b"rerun" in source and hits.read(compiled(source, for_lint=True).hits).says_rerun
        except UnreadableSource:
            return True  # it went meanwhile, or its name cannot be shown: nothing can be compared

    return says_rerun


def session(root: str, config: Config, paths: Sequence[str] | None = None, since: str = "") -> Session:
    """The lint of the project in a folder.

    Args:
        root: the project root, absolute.
        config: its settings.
        paths: absolute files and folders to report on; None for all.
        since: a git revision to compare with; empty for none.
    """
    walked = places.walk(root, config.exclude)
    roots = tuple(dict.fromkeys((*config.roots, *walked.roots)))
    folders = config.commands_dirs or walked.commands
    request = Request(
        places.commands_dirs(folders, root, roots),
        root,
        (*roots, root),
        config.ignored_files,
        config.ignored_cmd_prefixes,
    )
    asked = None if paths is None else tuple(paths)
    modules = tuple(path for path in walked.modules if asked is None or _lies_in(path, asked))
    return Session(request, config, modules, asked, since)


def _lies_in(path: str, asked: Sequence[str]) -> bool:
    return any(path == one or path.startswith(os.path.join(one, "")) for one in asked)
