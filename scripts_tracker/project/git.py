"""What git knows of the project: whether a file is committed, and which commit is checked out."""

from __future__ import annotations

import contextlib
import io
import os

_SECONDS = 5
# The variables that git sets in a hook would make it answer for another repository or index.
_LEFT_BY_HOOKS = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})


def ask(folder: str, *arguments: str, seconds: float = _SECONDS, given: bytes = b"") -> bytes:
    """What git answers about the repository around a folder; raises GitUnavailable, like ``core.git.ask``."""
    from scripts_tracker.core import git  # seldom needed, and it starts with subprocess

    environment = {name: value for name, value in os.environ.items() if name not in _LEFT_BY_HOOKS}
    return git.ask(folder, *arguments, environment=environment, given=given, seconds=seconds)


def has_uncommitted_changes(file: str) -> bool:
    """Whether a file has changes, or is not tracked by git; raises GitUnavailable."""
    folder, name = os.path.split(file)
    return bool(ask(folder, "status", "--porcelain", "--ignored", "--", f":(literal){name}").strip())


def head_revision(folder: str) -> str:
    """The commit that is checked out in this folder; empty if unknown.

    Read from the files that gitrepository-layout(5) describes, as starting git takes longer than recording a run.
    """
    try:
        repository = _repository(os.path.abspath(folder))
        return _resolve(repository, _read(repository, "HEAD")) if repository else ""
    except OSError:
        return ""


def _read(*path: str) -> str:
    with io.open(os.path.join(*path), encoding="utf-8", errors="replace") as stream:  # noqa: UP020 - as in versions.py
        return stream.read().strip()


def _repository(folder: str) -> str:
    """The git directory of the work tree around a folder; in a linked work tree or a submodule, a file names it."""
    while not os.path.exists(os.path.join(folder, ".git")):
        parent = os.path.dirname(folder)
        if parent == folder:
            return ""
        folder = parent
    found = os.path.join(folder, ".git")
    return found if os.path.isdir(found) else os.path.join(folder, _read(found).removeprefix("gitdir: "))


def _resolve(repository: str, head: str) -> str:
    """The commit of ``HEAD``: in ``HEAD`` itself, in the file of its branch, or in the file of all branches."""
    reference = head.removeprefix("ref: ")
    if reference == head:
        return head if _is_commit(head) else ""
    common = repository
    with contextlib.suppress(FileNotFoundError):
        common = os.path.join(repository, _read(repository, "commondir"))
    for place in (repository, common):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            commit = _read(place, reference)
            return commit if _is_commit(commit) else ""
    for line in _read(common, "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == reference and _is_commit(commit):
            return commit
    return ""


def _is_commit(text: str) -> bool:
    return len(text) in {40, 64} and all(digit in "0123456789abcdef" for digit in text)
