"""The two questions that are put to git: is this file committed, and what is checked out here."""

from __future__ import annotations

import os
import subprocess

_SECONDS = 5
# What a commit hook leaves behind would make git answer for another repository or index.
_LEFT_BY_HOOKS = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})


class GitUnavailable(Exception):
    """Git cannot say: there is none, no repository, or it did not answer in time."""


def _git(folder: str, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in _LEFT_BY_HOOKS}
    environment["GIT_OPTIONAL_LOCKS"] = "0"
    try:
        answer = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except FileNotFoundError as error:
        raise GitUnavailable("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise GitUnavailable(f"git did not answer within {_SECONDS} seconds") from error
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").strip().splitlines() or ["git failed"]
        raise GitUnavailable(lines[0]) from error
    except OSError as error:
        raise GitUnavailable(str(error)) from error
    return answer.stdout.decode(errors="replace").strip()


def has_uncommitted_changes(file: str) -> bool:
    """Whether git sees changes in this file, or does not know it; raises GitUnavailable."""
    folder, name = os.path.split(file)
    return bool(_git(folder, "status", "--porcelain", "--ignored", "--", f":(literal){name}"))


def head_revision(folder: str) -> str:
    """The commit that is checked out where this folder lies, empty where git cannot say."""
    try:
        return _git(folder, "rev-parse", "HEAD")[:64]
    except GitUnavailable:
        return ""
