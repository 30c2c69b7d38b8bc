"""ST021."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.source import reading
from scripts_tracker.core.git import GitUnavailable
from scripts_tracker.core.values import Finding, ScriptOptions
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.base import RunRule
from scripts_tracker.lint.config import WrongUseError
from scripts_tracker.lint.git import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scripts_tracker.analysis.facts.values import FileFacts
    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.lint.base import Run

_DECORATED_HERE: Final = re.compile(rb"@\s*(?:\w+\s*\.\s*)*tracked_script\b")


class SilentChange(RunRule):
    """A script that is known elsewhere changed, and does not say whether it is to run again.

    ## What it does
    With `--since REV`, compares the code of every script that is decorated in its own file with what it was in that revision. Formatting,
    comments and line ends do not count; scripts that are new since then, or that have `rerun` in their decorator, are
    left alone. To look at a branch only, give the commit where it began: `--since $(git merge-base main HEAD)`.

    ## Why is this bad?
    Environments have applied the script already. Unless it says otherwise they all run it again, over the data that it
    has changed once, which is rarely what somebody had in mind who corrected a log message.

    ## Example
    ```python
    @tracked_script
    def handle(self, *args, **options):
        ...  # edited since it was released
    ```

    ## Use instead
    ```python
    @tracked_script(rerun="once")  # or rerun="on-change", where it is meant to run again
    def handle(self, *args, **options):
        ...
    ```
    """

    code = codes.CHANGED_SILENTLY

    def check(self, run: Run) -> Iterator[Finding]:
        """The scripts whose code is not what it was, and that do not say whether they are to run again.

        Raises:
            WrongUseError: the revision cannot be had.
        """
        from scripts_tracker.analysis.linking.modules import VERDICT
        from scripts_tracker.analysis.store.compiling import outcomes

        root = run.request.root
        silent = [one for one in run.scripts if one.options.rerun == ScriptOptions().rerun]
        try:
            repository = Repository(root)
            changed = _changed(repository, repository.named(silent), _commit(repository, run.since))
        except GitUnavailable as error:
            raise WrongUseError(f"git cannot compare with {run.since!r}: {error}") from error
        before = outcomes([old for _, old in changed], (VERDICT,))
        for (script, _), facts in zip(changed, before, strict=True):
            if isinstance(facts, UnreadableSource) or not _differs(script, facts):
                continue
            if not _says_rerun(os.path.join(root, script.location.path)):
                yield _changed_silently(script, run.since)


def _says_rerun(path: str) -> bool:
    """Whether the file of a script says when it is to run again."""
    from scripts_tracker.analysis.store.compiling import compiled
    from scripts_tracker.lint import hits

    try:
        source = reading.read_bytes(path)
        # What decorates it under another name stands elsewhere, and may say so there.
        if not _DECORATED_HERE.search(source):
            return True
        return b"rerun" in source and hits.read(compiled(source, (hits.WITH_HITS,)).hits).says_rerun
    except UnreadableSource:
        return True  # it went meanwhile, or its name cannot be shown: nothing can be compared


def _differs(script: ScriptDefinition, before: FileFacts) -> bool:
    """Whether a script does something else than before; what was no script then is new."""
    was_script = before.verdict is None or before.verdict.script is not None
    return was_script and before.fingerprint != str(script.fingerprint)


def _commit(repository: Repository, since: str) -> str:
    commit = repository.commit(since)
    if commit is None:
        raise WrongUseError(f"git knows no revision {since!r} here; a shallow clone lacks most of them")
    return commit


def _changed(
    repository: Repository, named: Mapping[str, ScriptDefinition], commit: str
) -> list[tuple[ScriptDefinition, bytes]]:
    """The scripts whose bytes are not those of a commit, with those; without what cannot have been a script."""
    blobs = repository.blobs(named, commit)
    contents = repository.contents(list(blobs.values()))
    return [
        (named[name], old)
        for name, old in zip(blobs, contents, strict=True)
        if reading.has_marker(old) and reading.content_digest(old) != named[name].content_digest
    ]


def _changed_silently(script: ScriptDefinition, since: str) -> Finding:
    return Finding(
        script.location,
        codes.CHANGED_SILENTLY,
        f"{script.id} is not what it was in {since}, and does not say whether it is to run again",
        'As it stands, every environment that applied it runs it again. Say so by rerun="on-change" in'
        ' @tracked_script, or write rerun="once" to keep it from that.',
    )
