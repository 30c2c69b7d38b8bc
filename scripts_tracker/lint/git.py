"""How git is asked: one process for one question, and reasons where there is no answer."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_SECONDS: Final = 30
_NO_REPOSITORY: Final = "not a git repository"


class NoRepositoryError(Exception):
    """There is no git, or no repository around the project."""


class GitError(Exception):
    """Git cannot say; the text is what it says instead, in a line."""


def answer(folder: str, *arguments: str, given: bytes = b"", fine: Collection[int] = (0,)) -> bytes:
    """What git answers.

    Args:
        folder: where to ask.
        arguments: the command with its options.
        given: its standard input.
        fine: the exit codes of an answer.

    Raises:
        NoRepositoryError: there is no git, or no repository.
        GitError: there is no answer.
    """
    try:
        ended = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=_environment(),
            input=given,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise NoRepositoryError("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git did not answer within {_SECONDS} seconds") from error
    except (OSError, ValueError) as error:
        raise GitError(str(error)) from error
    if ended.returncode not in fine:
        said = ended.stderr.decode(errors="replace").strip()
        line = (said.splitlines() or ["git failed"])[0]
        raise (NoRepositoryError if _NO_REPOSITORY in said else GitError)(line)
    return ended.stdout


def _environment() -> Mapping[str, str]:
    """This process's environment: what a commit hook leaves in it names the index that is to be committed."""
    environment = {**os.environ, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "0"}
    if "GIT_DIR" in environment:
        # Both are meant as seen from here, and git is started elsewhere.
        environment["GIT_DIR"] = os.path.abspath(environment["GIT_DIR"])
        environment["GIT_WORK_TREE"] = os.path.abspath(environment.get("GIT_WORK_TREE", "."))
    return environment
