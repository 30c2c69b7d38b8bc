"""ST021."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.analysis import codes
from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.source import reading
from scripts_tracker.analysis.source.reading import CommandFile
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.core.git import GitUnavailable, unknown_revision
from scripts_tracker.core.values import CommandsDir, Finding, ScriptDefinition, ScriptId, ScriptOptions
from scripts_tracker.exceptions import UnreadableSource
from scripts_tracker.lint.base import RunRule
from scripts_tracker.lint.config import WrongUseError
from scripts_tracker.lint.git import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.core.values import Location
    from scripts_tracker.lint.base import Run

_DECORATED_HERE: Final = re.compile(rb"@\s*(?:\w+\s*\.\s*)*tracked_script\b")


class SilentChange(RunRule):
    """A script changed without saying whether it must run again.

    ## What it does
    With `--since REV`, compares the code of every script that is decorated in its own file with the code in that
    revision. Formatting, comments and line endings do not count. New scripts are skipped, and so are scripts with
    `rerun` in their decorator. Also reports a script that was renamed and edited, one that moved to another app, and one
    that lost its decorator, or whose base class lost it. A file that was only renamed is skipped. To check only a branch, use the commit where it began:
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
        root = run.request.root
        silent = [one for one in run.scripts if one.options.rerun == ScriptOptions().rerun]
        try:
            repository = Repository(root)
            commit = _commit(repository, run.since)
            changed = _changed(repository, repository.named(silent), commit)
            renamed = _renamed(repository, repository.named(run.scripts), commit)
            lost = _lost(repository, run, commit)
            bases = _changed_bases(repository, run, commit)
        except GitUnavailable as error:
            raise WrongUseError(f"cannot compare with {run.since!r}: {error}") from error
        cache = Cache()
        _load(cache, [(script.location.path, old) for script, old in changed])
        _load(cache, [(script.location.path, old) for script, _, old in renamed])
        _load(cache, [(file.path, old) for file, old in lost])
        for script, old in changed:
            if _differs(script, old, cache) and not _says_rerun(os.path.join(root, script.location.path)):
                yield _finding(script, run.since)
        for script, name, old in renamed:
            yield from _renamed_finding(script, name, old, cache, run.since)
        for file, old in lost:
            yield from _lost_finding(file, old, cache, run)
        if bases:
            yield from _lost_with_bases(bases, run)


def _load(cache: Cache, sources: Sequence[tuple[str, bytes]]) -> None:
    """Have the facts of earlier contents."""
    from scripts_tracker.analysis.linking.modules import FactsLoader

    if sources:
        FactsLoader(cache).load((path, old, reading.content_digest(old)) for path, old in sources)


def _renamed(
    repository: Repository, named: Mapping[str, ScriptDefinition], commit: str
) -> list[tuple[ScriptDefinition, str, bytes]]:
    """The scripts whose files have another name than in a commit, with that name and the bytes there."""
    renamed = {new: one for new, one in repository.renamed(commit).items() if new in named}
    contents = repository.contents([blob for _, blob in renamed.values()])
    rows = zip(renamed.items(), contents, strict=True)
    return [(named[new], old, source) for (new, (old, _)), source in rows if reading.has_marker(source)]


def _renamed_finding(
    script: ScriptDefinition, name: str, before: bytes, cache: Cache, since: str
) -> Iterator[Finding]:
    facts = cache.facts(reading.content_digest(before))
    if facts is None or not _may_have_been_script(script, before, cache):
        return
    *folders, file = name.split("/")
    label = folders[-3] if folders[-2:] == ["management", "commands"] and len(folders) > 2 else ""  # noqa: PLR2004 - app, management, commands
    stem = file.removesuffix(".py")
    is_edited = facts.fingerprint != str(script.fingerprint)
    has_moved = bool(label) and label != os.path.dirname(script.location.path).split("/")[-3:][0]
    if not (is_edited or has_moved):
        return
    change = " and ".join(
        [*(["moved to another app"] if has_moved else ["renamed"]), *(["edited"] if is_edited else [])]
    )
    yield Finding(
        script.location,
        codes.SILENT_CHANGE,
        f"{script.id} is {label}.{stem} of {since}, {change}",
        "Every environment that applied it will run it as a new script. If it need not run there: check_scripts"
        " --mark-applied, or the setting renamed_apps."
        if is_edited
        else "Environments where git cannot tell may run it again. Mark it there, or use the setting renamed_apps.",
    )


def _lost(repository: Repository, run: Run, commit: str) -> list[tuple[CommandFile, bytes]]:
    """The commands that are no scripts now, with their bytes in a commit, if those may be one."""
    known = {one.id for one in run.definitions}
    files = [one for one in run.files if ScriptId(one.folder.app_label, one.name) not in known]
    named = {
        name: one for one in files if one.has_source and (name := repository.name_of(one.path)) is not None
    }
    renamed = {new: blob for new, (_, blob) in repository.renamed(commit).items() if new in named}
    blobs = {**repository.blobs(named, commit), **renamed}
    contents = repository.contents(list(blobs.values()))
    return [(named[name], old) for name, old in zip(blobs, contents, strict=True) if reading.has_marker(old)]


def _changed_bases(repository: Repository, run: Run, commit: str) -> dict[str, bytes]:
    """The modules that may have made scripts of the commands that inherit from them, with their bytes in a commit."""
    commands = {os.path.realpath(one.path) for one in run.files}
    blobs = {one: blob for one, blob in repository.changed_modules(commit).items() if one not in commands}
    contents = zip(blobs, repository.contents(list(blobs.values())), strict=True)
    old = {
        path: source for path, source in contents if reading.has_marker(source) and _is_other(path, source)
    }
    # The tracker finds them below the root as it is written.
    root, real = run.request.root, os.path.realpath(run.request.root)
    return {os.path.normpath(os.path.join(root, os.path.relpath(path, real))): old[path] for path in old}


def _is_other(path: str, source: bytes) -> bool:
    """Whether a file holds other bytes; git also names those that were only touched."""
    try:
        return reading.read_bytes(path) != source
    except UnreadableSource:
        return False


def _lost_with_bases(bases: Mapping[str, bytes], run: Run) -> Iterator[Finding]:
    """The commands that were scripts with those base classes, and are none now."""
    from scripts_tracker.analysis.linking.linker import Linker
    from scripts_tracker.analysis.linking.modules import Finder

    known = {one.id for one in run.definitions}
    files = [one for one in run.files if ScriptId(one.folder.app_label, one.name) not in known]
    request = run.request
    finder = Finder(request.dirs, request.root, request.import_roots)
    linker = Linker(files, finder, Cache(), Findings(request.root), instead=bases)
    for one in linker.index().definitions:
        if one.fingerprint is not None:
            yield _no_script(one.id, one.location, run)


def _lost_finding(file: CommandFile, before: bytes, cache: Cache, run: Run) -> Iterator[Finding]:
    script_id = ScriptId(file.folder.app_label, file.name)
    location = Findings(run.request.root).location(file.path)
    script = ScriptDefinition(script_id, location, None, "")
    if cache.facts(reading.content_digest(before)) is not None and _was_script(script, before, cache):
        yield _no_script(script_id, location, run)


def _no_script(script_id: ScriptId, location: Location, run: Run) -> Finding:
    return Finding(
        location,
        codes.SILENT_CHANGE,
        f"{script_id} was a tracked script in {run.since}, and is none now",
        "Environments that have not applied it will never be told to. Decorate it again, or delete the file.",
    )


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


def _was_script(script: ScriptDefinition, before: bytes, cache: Cache) -> bool:
    """Whether a file was a tracked script by itself with other bytes."""
    return _script_in(script, before, cache)[0]


def _may_have_been_script(script: ScriptDefinition, before: bytes, cache: Cache) -> bool:
    """Whether a file was a tracked script with other bytes, by itself or by what the other files were then."""
    return any(_script_in(script, before, cache))


def _script_in(script: ScriptDefinition, before: bytes, cache: Cache) -> tuple[bool, bool]:
    """Whether some bytes are a tracked script by themselves, and whether that depends on other files."""
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
    return found is not None, bool(finder.probes) or any(findings)


def _commit(repository: Repository, since: str) -> str:
    commit = repository.commit(since)
    if commit is None:
        raise WrongUseError(unknown_revision(since))
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
