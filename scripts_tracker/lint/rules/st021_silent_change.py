"""ST021."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.source.reading import CommandFile
from scripts_tracker.core.git import GitUnavailable
from scripts_tracker.core.values import CommandsDir, Finding, ScriptOptions
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.base import RunRule
from scripts_tracker.lint.config import WrongUseError
from scripts_tracker.lint.git import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.lint.base import Run

_DECORATED_HERE: Final = re.compile(rb"@\s*(?:\w+\s*\.\s*)*tracked_script\b")


class SilentChange(RunRule):
    """A script changed without saying whether it must run again.

    ## What it does
    With `--since REV`, compares the code of every script that is decorated in its own file with the code in that
    revision. Formatting, comments and line endings do not count. New scripts are skipped, and so are scripts with
    `rerun` in their decorator. To check only a branch, use the commit where it began:
    `--since $(git merge-base main HEAD)`.

    ## Why is this bad?
    Environments have already applied the script. Without `rerun`, all of them run it again, on data that it has
    changed before. That is rarely the intention of a small correction, such as of a log message.

    ## Example
    ```python
    @tracked_script
    def handle(self, *args, **options):
        ...  # edited since it was released
    ```

    ## Use instead
    ```python
    @tracked_script(rerun="once")  # or rerun="on-change", if it must run again
    def handle(self, *args, **options):
        ...
    ```
    """

    code = codes.SILENT_CHANGE

    def check(self, run: Run) -> Iterator[Finding]:
        """Yield the scripts whose code changed and whose decorators do not set ``rerun``.

        Raises:
            WrongUseError: the revision is unknown, or git cannot answer.
        """
        from scripts_tracker.analysis.linking.modules import FactsLoader
        from scripts_tracker.analysis.store.cache import Cache

        root = run.request.root
        silent = [one for one in run.scripts if one.options.rerun == ScriptOptions().rerun]
        try:
            repository = Repository(root)
            changed = _changed(repository, repository.named(silent), _commit(repository, run.since))
        except GitUnavailable as error:
            raise WrongUseError(f"cannot compare with {run.since!r}: {error}") from error
        cache = Cache()
        FactsLoader(cache).load(
            (script.location.path, old, reading.content_digest(old)) for script, old in changed
        )
        for script, old in changed:
            if _differs(script, old, cache) and not _says_rerun(os.path.join(root, script.location.path)):
                yield _finding(script, run.since)


def _says_rerun(path: str) -> bool:
    """Whether the file of a script sets ``rerun``."""
    from scripts_tracker.analysis.store.compiling import compiled
    from scripts_tracker.lint import violations

    try:
        source = reading.read_bytes(path)
        # A decorator with another name is defined elsewhere, and may set it there.
        if not _DECORATED_HERE.search(source):
            return True
        return (
            b"rerun" in source
            and violations.read(compiled(source, violations.QUESTION.function).answer).says_rerun
        )
    except UnreadableSource:
        return True  # deleted in the meantime, or its name cannot be shown: there is nothing to compare


def _differs(script: ScriptDefinition, before: bytes, cache: Cache) -> bool:
    """Whether the code of a script differs; a file that was not a script before is new."""
    facts = cache.facts(reading.content_digest(before))
    if facts is None or facts.fingerprint == str(script.fingerprint):
        return False
    return _may_have_been_script(script, before, cache)


def _may_have_been_script(script: ScriptDefinition, before: bytes, cache: Cache) -> bool:
    """Whether a file was a tracked script with other bytes, by itself or by what the other files were then."""
    from scripts_tracker.analysis.linking.linker import Linker
    from scripts_tracker.analysis.linking.modules import Finder

    folder, name = os.path.split(script.location.path)
    file = CommandFile(
        CommandsDir(script.id.app_label, folder.replace("/", "."), folder),
        name.removesuffix(".py"),
        script.location.path,
        ignored=False,
    )
    finder, findings = Finder((), os.devnull, ()), Findings("")
    found = Linker((), finder, cache, findings).script_in(file, before)
    return found is not None or bool(finder.probes) or any(findings)


def _commit(repository: Repository, since: str) -> str:
    commit = repository.commit(since)
    if commit is None:
        raise WrongUseError(f"unknown revision {since!r} (shallow clone?)")
    return commit


def _changed(
    repository: Repository, named: Mapping[str, ScriptDefinition], commit: str
) -> list[tuple[ScriptDefinition, bytes]]:
    """The scripts whose bytes differ from a commit, with the bytes in it, if those may be a script."""
    blobs = repository.blobs(named, commit)
    contents = repository.contents(list(blobs.values()))
    return [
        (named[name], old)
        for name, old in zip(blobs, contents, strict=True)
        if reading.has_marker(old) and reading.content_digest(old) != named[name].content_digest
    ]


def _finding(script: ScriptDefinition, since: str) -> Finding:
    return Finding(
        script.location,
        codes.SILENT_CHANGE,
        f"{script.id} changed since {since} without an explicit rerun",
        'Every environment that applied it will run it again. If this is intended, add rerun="on-change" to'
        ' @tracked_script; otherwise add rerun="once".',
    )
