"""The one way to ask git: a process per question, and GitUnavailable with a line of reason if there is no answer.

The repository may come from a stranger, so nothing that its configuration names is run.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import as_typed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_NO_REPOSITORY: Final = "not a git repository"
_HARMLESS: Final = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "diff.external": "",
    "log.showSignature": "false",
}
"""What overrides the settings by which git runs programs; filters have names and are looked up."""
_REMOTES: Final = frozenset({"origin", "upstream"})
_FILTER_KEYS: Final = ("clean", "smudge", "process")
_COMPARE_FILES: Final = frozenset({"status", "diff-index"})
"""The commands that read files of the work tree, through filters."""


class GitUnavailable(Exception):
    """Git gives no answer: it is not installed, failed, or took too long; the text says which, in one line."""


class NoRepository(GitUnavailable):
    """There is no git, or the folder does not lie in a repository."""


def unknown_revision(revision: str) -> str:
    """That git knows no such revision, and what fetches it: a shallow clone has one branch, and the last commit of it."""
    remote, _, branch = revision.partition("/")
    how = "git fetch --unshallow"
    if remote in _REMOTES and branch:
        how = f"git fetch {remote} {as_typed([f'+{branch}:refs/remotes/{revision}'])}"
    return f"unknown revision {revision!r}. In a shallow clone, fetch it first: {how}"


def ask(
    folder: str,
    *arguments: str,
    environment: Mapping[str, str],
    given: bytes = b"",
    fine: Collection[int] = (0,),
    seconds: float = 30,
) -> bytes:
    """What git answers, without running a program that the repository names: no hook, filter, pager or transport.

    Args:
        folder: where git starts.
        arguments: the options of git itself, the command, and its options.
        environment: the variables of the process, beside those that keep git quiet and in English.
        given: its standard input.
        fine: the exit codes that mean an answer.
        seconds: how long it may take.

    Raises:
        NoRepository: there is no git, or no repository.
        GitUnavailable: there is no answer.
    """
    overrides = dict(_HARMLESS)
    if not _COMPARE_FILES.isdisjoint(arguments):
        filters = ["config", "--null", "--name-only", "--get-regexp", r"^filter\."]
        names = _answer(folder, filters, _with_config(environment, overrides), fine=(0, 1), seconds=seconds)
        overrides.update(_disabled(names))
    return _answer(
        folder, arguments, _with_config(environment, overrides), given=given, fine=fine, seconds=seconds
    )


def _disabled(names: bytes) -> Iterator[tuple[str, str]]:
    """Settings that keep the filters with some keys from running."""
    for key in os.fsdecode(names).split("\0"):
        section, _, _ = key.rpartition(".")
        if section:
            yield from ((f"{section}.{name}", "") for name in _FILTER_KEYS)
            yield f"{section}.required", "false"


def _with_config(environment: Mapping[str, str], overrides: Mapping[str, str]) -> Mapping[str, str]:
    """An environment in which git works with other settings, beside those that the environment has already."""
    made = {**environment, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "none"}
    given = environment.get("GIT_CONFIG_COUNT", "")
    start = int(given) if given.isdecimal() else 0
    for number, (key, value) in enumerate(overrides.items(), start):
        made |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return {**made, "GIT_CONFIG_COUNT": str(start + len(overrides))}


def _answer(
    folder: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    *,
    fine: Collection[int],
    seconds: float,
    given: bytes = b"",
) -> bytes:
    try:
        ended = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
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
        raise GitUnavailable(escaped(str(error))) from error
    if ended.returncode not in fine:
        output = ended.stderr.decode(errors="replace").strip()
        reason = escaped((output.splitlines() or ["git failed"])[0])
        raise (NoRepository if _NO_REPOSITORY in output else GitUnavailable)(reason)
    return ended.stdout
