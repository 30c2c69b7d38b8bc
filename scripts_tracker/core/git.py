"""The one way to ask git: a process for a question, and an exception with a line of reason where there is no answer."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_NO_REPOSITORY: Final = "not a git repository"


class GitUnavailable(Exception):
    """Git gives no answer: it is not installed, failed, or took too long; the text says which, in one line."""


class NoRepository(GitUnavailable):
    """There is no git, or the folder does not lie in a repository."""


def ask(
    folder: str,
    *arguments: str,
    environment: Mapping[str, str],
    given: bytes = b"",
    fine: Collection[int] = (0,),
    seconds: float = 30,
) -> bytes:
    """What git answers.

    Args:
        folder: where git starts.
        arguments: the command with its options.
        environment: the variables of the process, beside those that keep git quiet and in English.
        given: its standard input.
        fine: the exit codes that mean an answer.
        seconds: how long it may take.

    Raises:
        NoRepository: there is no git, or no repository.
        GitUnavailable: there is no answer.
    """
    try:
        ended = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**environment, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"},
            input=given,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError as error:
        raise NoRepository("git is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise GitUnavailable(f"git did not answer within {seconds:g} seconds") from error
    except (OSError, ValueError) as error:
        raise GitUnavailable(str(error)) from error
    if ended.returncode not in fine:
        output = ended.stderr.decode(errors="replace").strip()
        reason = (output.splitlines() or ["git failed"])[0]
        raise (NoRepository if _NO_REPOSITORY in output else GitUnavailable)(reason)
    return ended.stdout
