"""The scripts of the project as they were in another revision: its Python files are analysed in a folder of their own."""

from __future__ import annotations

import contextlib
import os
import tempfile
from typing import TYPE_CHECKING, Final

from scripts_tracker import conf
from scripts_tracker.core.git import GitUnavailable, unknown_revision
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import CommandsDir
from scripts_tracker.exceptions import ScriptsTrackerError
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import ProjectIndex, ScriptDefinition, ScriptId
    from scripts_tracker.lint.git import Repository

_AT_ONCE: Final = 1000


class UnknownRevision(ScriptsTrackerError):
    """Git does not know a revision, or cannot answer; the message says which and what to type."""


class Revision(NamedTuple):
    """The scripts in a revision.

    Attributes:
        name: as it was typed.
        commit: what that is.
        definitions: the scripts in it.
        problems: path, code and message of what is wrong in it.
        renamed: the path that a file had in it, by the path of now, for files with another name now.
        root: the folder with its files, which stands in for the project root; only while it is checked out.
    """

    name: str
    commit: str
    definitions: Mapping[ScriptId, ScriptDefinition]
    problems: frozenset[tuple[str, str, str]]
    renamed: Mapping[str, str]
    root: str

    def source(self, path: str) -> bytes:
        """The bytes of a file in the revision; empty if it had none of that path."""
        with contextlib.suppress(OSError), open(os.path.join(self.root, path), "rb") as file:
            return file.read()
        return b""


@contextlib.contextmanager
def checked_out(name: str, cache: Cache) -> Iterator[Revision]:
    """Check the Python files of a revision out into a temporary folder, and look for its scripts.

    Args:
        name: of the revision, as git takes it.
        cache: has facts of files, and takes new ones.

    Raises:
        UnknownRevision: there is no repository, no such revision, or no answer.
    """
    from scripts_tracker.lint.git import Repository

    with tempfile.TemporaryDirectory(prefix="scripts_tracker-") as folder:
        try:
            repository = Repository(conf.base_dir())
            commit = repository.commit(name)
            if commit is None:
                raise UnknownRevision(f"--since: {unknown_revision(name)}")
            _write(repository, commit, folder)
            renamed = _renamed(repository, commit)
        except GitUnavailable as error:
            raise UnknownRevision(f"--since: cannot compare with {name!r}: {error}") from error
        root = _mapped(repository, conf.base_dir(), folder)
        dirs = tuple(_commands_dirs(repository, folder, root))
        roots = [_mapped(repository, one, folder) for one in scan.import_roots()]
        index = _index(dirs, root, roots, cache)
        definitions = {one.id: one for one in index.definitions}
        problems = frozenset((one.location.path, one.code, one.message) for one in index.findings)
        yield Revision(name, commit, definitions, problems, renamed, root)


def _write(repository: Repository, commit: str, folder: str) -> None:
    """Write the Python files of a commit."""
    files = [*repository.python_files(commit).items()]
    for start in range(0, len(files), _AT_ONCE):
        part = files[start : start + _AT_ONCE]
        for (name, _), source in zip(part, repository.contents([blob for _, blob in part]), strict=True):
            path = os.path.join(folder, *name.split("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(source)


def _renamed(repository: Repository, commit: str) -> dict[str, str]:
    """The earlier path of each file that has another name now; both as reports show them."""
    base = repository.place_of(conf.base_dir()) or ""
    return {
        _shown(new, base): _shown(old, base)
        for new, (old, _) in repository.renamed(commit).items()
        if new.endswith(".py")
    }


def _shown(name: str, base: str) -> str:
    return os.path.relpath(name, base).replace(os.sep, "/") if base else name


def _mapped(repository: Repository, path: str, folder: str) -> str:
    """Where a folder of now is in the revision; the folder itself where the repository does not hold it."""
    place = repository.place_of(path)
    if place is None:
        return path
    mapped = os.path.normpath(os.path.join(folder, place))
    return mapped if os.path.isdir(mapped) else path


def _commands_dirs(repository: Repository, folder: str, root: str) -> Iterator[CommandsDir]:
    """The folders of commands in the revision: those of now, and those that are gone."""
    known = set()
    for one in scan.commands_dirs():
        place = repository.place_of(one.path)
        mapped = one.path if place is None else os.path.normpath(os.path.join(folder, place))
        known.add(os.path.realpath(mapped))
        if os.path.isdir(mapped):
            yield CommandsDir(one.app_label, one.package, mapped)
    if conf.commands_dirs() is not None:
        return
    from scripts_tracker.lint import layout

    walked = layout.walk(root)
    for gone in layout.commands_dirs(walked.commands, root, walked.roots):
        now = os.path.join(conf.base_dir(), os.path.relpath(gone.path, root))
        if os.path.realpath(gone.path) not in known and not os.path.isdir(now):
            yield gone


def _index(dirs: Sequence[CommandsDir], root: str, roots: Sequence[str], cache: Cache) -> ProjectIndex:
    from scripts_tracker.analysis.findings import Findings
    from scripts_tracker.analysis.linking.linker import Linker
    from scripts_tracker.analysis.linking.modules import Finder
    from scripts_tracker.analysis.linking.scanning import command_files

    findings = Findings(root)
    files = command_files(dirs, findings, conf.ignored_files(), conf.ignored_prefixes())
    # The index is not kept: its folder is gone soon.
    index = Linker(files, Finder(dirs, root, roots), cache, findings).index()
    cache.save()
    return index
