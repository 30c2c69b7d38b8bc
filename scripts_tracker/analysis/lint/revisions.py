"""What git knows of the scripts: which of them nobody else gets, and which changed since a revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scripts_tracker.analysis import codes, sources
from scripts_tracker.analysis.lint.git import GitError, NoRepositoryError
from scripts_tracker.analysis.lint.repository import Repository
from scripts_tracker.datatypes import Finding, ScriptOptions
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.analysis.facts import FileFacts
    from scripts_tracker.analysis.lint.repository import Pattern
    from scripts_tracker.datatypes import ScriptDefinition


class UnknownRevisionError(Exception):
    """The revision to compare with cannot be had; the text says why in a line."""


def not_in_git(scripts: Sequence[ScriptDefinition], root: str) -> Iterator[Finding]:
    """The scripts that git ignores or does not know; none where git cannot say.

    Args:
        scripts: the tracked scripts.
        root: the project root, absolute.
    """
    try:
        repository = Repository(root)
        named = _named(repository, scripts)
        unknown = named.keys() - repository.known(named)
        patterns = repository.ignored(unknown)
    except (GitError, NoRepositoryError):
        return
    for name, script in named.items():
        if name in unknown:
            yield _missing(script, patterns.get(name))


def changed_silently(
    scripts: Sequence[ScriptDefinition],
    says_rerun: Callable[[ScriptDefinition], bool],
    root: str,
    since: str,
) -> Iterator[Finding]:
    """The scripts whose code is not what it was, and that do not say whether they are to run again.

    Args:
        scripts: the tracked scripts.
        says_rerun: whether a script says so in its code.
        root: the project root, absolute.
        since: the revision to compare with.

    Raises:
        UnknownRevisionError: the revision cannot be had.
    """
    from scripts_tracker.analysis.compiling import outcomes

    silent = [one for one in scripts if one.options.rerun == ScriptOptions().rerun]
    try:
        repository = Repository(root)
        changed = _changed(repository, _named(repository, silent), _commit(repository, since))
    except (NoRepositoryError, GitError) as error:
        raise UnknownRevisionError(f"git cannot compare with {since!r}: {error}") from error
    before = outcomes([old for _, old in changed])
    for (script, _), facts in zip(changed, before, strict=True):
        if not isinstance(facts, UnreadableSource) and _differs(script, facts) and not says_rerun(script):
            yield _changed_silently(script, since)


def _differs(script: ScriptDefinition, before: FileFacts) -> bool:
    """Whether a script does something else than before; what was no script then is new."""
    was_script = before.verdict is None or before.verdict.script is not None
    return was_script and before.fingerprint != str(script.fingerprint)


def _named(repository: Repository, scripts: Iterable[ScriptDefinition]) -> dict[str, ScriptDefinition]:
    """The scripts by what git calls their files, without those that it has no say in."""
    named = ((repository.name_of(one.location.path), one) for one in scripts if one.fingerprint)
    return {name: one for name, one in named if name is not None}


def _commit(repository: Repository, since: str) -> str:
    commit = repository.commit(since)
    if commit is None:
        raise UnknownRevisionError(
            f"git knows no revision {since!r} here; a shallow clone lacks most of them"
        )
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
        if sources.has_marker(old) and sources.content_digest(old) != named[name].content_digest
    ]


def _missing(script: ScriptDefinition, pattern: Pattern | None) -> Finding:
    import shlex

    path = shlex.quote(script.location.path)
    if pattern is None:
        message = f"git does not know the file of {script.id}, so nobody else gets it"
        return Finding(script.location, codes.NOT_IN_GIT, message, f"Type `git add {path}`.")
    message = f"git ignores the file of {script.id}, so nobody else gets it"
    hint = (
        f"Type `git add --force {path}`, or change {pattern.text} in line {pattern.line} of {pattern.file}."
    )
    return Finding(script.location, codes.NOT_IN_GIT, message, hint)


def _changed_silently(script: ScriptDefinition, since: str) -> Finding:
    return Finding(
        script.location,
        codes.CHANGED_SILENTLY,
        f"{script.id} is not what it was in {since}, and does not say whether it is to run again",
        'As it stands, every environment that applied it runs it again. Say so by rerun="on-change" in'
        ' @tracked_script, or write rerun="once" to keep it from that.',
    )
