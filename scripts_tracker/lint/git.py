"""The repository that a project lies in, as the lint asks about it."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Final

from scripts_tracker.core import git
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from scripts_tracker.core.values import ScriptDefinition

_SECONDS: Final = 30
_LITERALLY: Final = "--literal-pathspecs"


def _environment() -> Mapping[str, str]:
    """This process's environment: during a commit hook it names the index that is about to be committed."""
    environment = {**os.environ, "GIT_LITERAL_PATHSPECS": "0"}
    if "GIT_DIR" in environment:
        # Both are relative to this folder, and git starts in another.
        environment["GIT_DIR"] = os.path.abspath(environment["GIT_DIR"])
        environment["GIT_WORK_TREE"] = os.path.abspath(environment.get("GIT_WORK_TREE", "."))
    return environment


class Pattern(NamedTuple):
    """What makes git ignore a file, and where it stands."""

    file: str
    line: str
    text: str


class Repository:
    """The repository that a project lies in; every question may raise GitUnavailable.

    Args:
        root: the project root, absolute.

    Raises:
        NoRepository: there is none.
        GitUnavailable: there is one, and git cannot read it.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        top = git.ask(
            self._root, "rev-parse", "--show-toplevel", environment=_environment(), seconds=_SECONDS
        ).removesuffix(b"\n")
        self._top = os.path.realpath(os.fsdecode(top))
        self._ours: dict[str, bool] = {}

    def name_of(self, path: str) -> str | None:
        """What git calls a file; None where there is no such file, or it lies in no or another repository.

        Args:
            path: absolute, or relative to the project root.
        """
        folder, name = os.path.split(os.path.join(self._root, path))
        # Git follows no links, so the file keeps its own name; the folder is where it really is.
        folder = os.path.realpath(folder)
        if folder not in self._ours:
            self._ours[folder] = self._is_ours(folder)
        file = os.path.join(folder, name)
        if not self._ours[folder] or not os.path.lexists(file):
            return None
        return os.path.relpath(file, self._top).replace(os.sep, "/")

    def named(self, scripts: Iterable[ScriptDefinition]) -> dict[str, ScriptDefinition]:
        """The readable scripts by what git calls their files, without those that it has no say in."""
        named = ((self.name_of(one.location.path), one) for one in scripts if one.fingerprint)
        return {name: one for name, one in named if name is not None}

    def known(self, names: Collection[str]) -> set[str]:
        """The names of files that are in git, of all that lie beside or below some."""
        if not names:
            return set()
        return set(self._texts(_LITERALLY, "ls-files", "-z", "--cached", "--", *_folders(names)))

    def staged_renames(self) -> dict[str, str]:
        """The files that are about to be committed under a new name: the old absolute path by the new one."""
        found = self._texts("diff-index", "--cached", "-M", "--name-status", "-z", "--diff-filter=R", "HEAD")
        rows = zip(found[::3], found[1::3], found[2::3], strict=True)
        return {os.path.join(self._top, new): os.path.join(self._top, old) for _, old, new in rows}

    def ignored(self, names: Collection[str]) -> dict[str, Pattern]:
        """What makes git ignore files, by their names; without those that it does not ignore."""
        if not names:
            return {}
        # It does not take names literally, but those that start with a folder are safe.
        given = b"".join(os.fsencode(f"./{name}\0") for name in names)
        # It exits with 1 where it ignores none of them.
        found = self._texts("check-ignore", "--stdin", "-z", "-v", given=given, fine=(0, 1))
        rows = [found[start : start + 4] for start in range(0, len(found), 4)]
        # A pattern with an exclamation mark is one that keeps a file from being ignored.
        return {name[2:]: Pattern(*rest) for *rest, name in rows if not rest[2].startswith("!")}

    def commit(self, revision: str) -> str | None:
        """The commit that a revision is; None where git knows none."""
        if not revision.isprintable():
            return None
        # On standard input nothing is taken for an option.
        words = self._ask("cat-file", "--batch-check", given=f"{revision}^{{commit}}\n".encode()).split()
        return words[0].decode() if words[1:-1] == [b"commit"] else None

    def blobs(self, names: Collection[str], commit: str) -> dict[str, str]:
        """What a commit has in place of files that may be different now; without those that it lacks.

        A link may lead to another file than then, or that file may have changed.
        """
        if not names:
            return {}
        behind = {name: self._behind(name) for name in names}
        changed = self._changed(commit, _LITERALLY, _folders({*names, *behind.values()}))
        found = {name: changed.get(name) or changed.get(behind[name]) for name in names}
        return {name: blob for name, blob in found.items() if blob}

    def changed_modules(self, commit: str) -> dict[str, str]:
        """The absolute paths of Python files that are different in a commit, with what it has in their place."""
        changed = self._changed(commit, "--glob-pathspecs", ["**/*.py"])
        return {os.path.join(self._top, name): blob for name, blob in changed.items()}

    def _changed(self, commit: str, reading: str, paths: Sequence[str]) -> dict[str, str]:
        options = ("-z", "--no-renames", "--ignore-submodules=all", "--diff-filter=MT")
        found = self._texts(reading, "diff-index", *options, commit, "--", *paths)
        # Each is `:100644 100755 <old> <new> M`; a mode that starts otherwise is that of a link.
        pairs = zip(found[::2], found[1::2], strict=True)
        return {name: head.split()[2] for head, name in pairs if head.startswith(":100")}

    def _behind(self, name: str) -> str:
        """The file that a link leads to, as git calls it; the name itself for what is no link."""
        path = os.path.join(self._top, name)
        return (os.path.islink(path) and self.name_of(os.path.realpath(path))) or name

    def renamed(self, commit: str) -> dict[str, tuple[str, str]]:
        """The files that have another name than in a commit: the old name and what the commit has, by the new name."""
        options = ("-M", "-z", "--ignore-submodules=all", "--diff-filter=R")
        found = self._texts("diff-index", *options, commit)
        rows = zip(found[::3], found[1::3], found[2::3], strict=True)
        return {new: (old, head.split()[2]) for head, old, new in rows if head.startswith(":100")}

    def python_files(self, commit: str) -> dict[str, str]:
        """The Python files of a commit with their blobs, by name; without links, and without what is in submodules."""
        found = self._texts("ls-tree", "-r", "-z", "--full-tree", commit)
        rows = ((name, *head.split()) for head, _, name in (one.partition("\t") for one in found))
        return {name: blob for name, mode, _, blob in rows if name.endswith(".py") and mode.startswith("100")}

    def place_of(self, folder: str) -> str | None:
        """Where a folder lies below the top of the repository; None where it lies in no or another one."""
        real = os.path.realpath(folder)
        if real not in self._ours:
            self._ours[real] = self._is_ours(real)
        return os.path.relpath(real, self._top) if self._ours[real] else None

    def contents(self, blobs: Sequence[str]) -> Iterator[bytes]:
        """The bytes of some blobs, empty where git lacks them."""
        given = "".join(f"{blob}\n" for blob in blobs).encode()
        stream = io.BytesIO(self._ask("cat-file", "--batch", given=given) if blobs else b"")
        for _ in blobs:
            _id, kind, *size = stream.readline().split()
            yield stream.read(int(size[0]) + 1)[:-1] if kind == b"blob" else b""

    def _is_ours(self, folder: str) -> bool:
        """Whether nothing between a folder and the top is a repository of its own, such as a submodule."""
        while folder != self._top:
            parent = os.path.dirname(folder)
            if parent == folder or os.path.lexists(os.path.join(folder, ".git")):
                return False
            folder = parent
        return True

    def _ask(self, *arguments: str, given: bytes = b"", fine: Collection[int] = (0,)) -> bytes:
        return git.ask(
            self._top, *arguments, environment=_environment(), given=given, fine=fine, seconds=_SECONDS
        )

    def _texts(self, *arguments: str, given: bytes = b"", fine: Collection[int] = (0,)) -> list[str]:
        return os.fsdecode(self._ask(*arguments, given=given, fine=fine)).split("\0")[:-1]


def _folders(names: Iterable[str]) -> list[str]:
    """The folders of some files, which are fewer words for a command line."""
    return sorted({os.path.dirname(name) or "." for name in names})
