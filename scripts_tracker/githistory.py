"""Contents that command files once had, from the history of git, by their MD5: django-scripts-tracker kept no more."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from scripts_tracker import git
from scripts_tracker.git import GitUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

# For each of the two questions: which files there were, and what was in them.
_SECONDS: Final = 60
_BATCH: Final = 500
_COMMANDS: Final = ":(top,glob)**/management/commands/*.py"


def md5(source: bytes) -> str:
    """The digest that django-scripts-tracker took of a file."""
    return hashlib.md5(source, usedforsecurity=False).hexdigest()


def line_endings(source: bytes) -> tuple[bytes, bytes, bytes]:
    """The source as it is, as Unix and as Windows have it: the same file may be checked out on either."""
    unix = source.replace(b"\r\n", b"\n")
    return source, unix, unix.replace(b"\n", b"\r\n")


def contents(folder: str, wanted: Collection[str]) -> tuple[dict[str, bytes], str]:
    """What git knows of these digests, and why it knows no more where it could not be asked.

    Args:
        folder: lies in the repository; every command file on any branch counts.
        wanted: MD5 digests.
    """
    found: dict[str, bytes] = {}
    try:
        blobs = _blobs(folder) if wanted else []
        for start in range(0, len(blobs), _BATCH):
            for source in _read(folder, blobs[start : start + _BATCH]):
                found.update({md5(one): one for one in line_endings(source) if md5(one) in wanted})
            if len(found) == len(wanted):
                break
    except GitUnavailable as error:
        return found, str(error)
    return found, ""


def _blobs(folder: str) -> list[str]:
    """Every content that a command file ever had, newest first; of merges, what is in none of the parents."""
    log = ("log", "--all", "-c", "--raw", "--no-abbrev", "--no-renames", "--format=", "--", _COMMANDS)
    lines = git.ask(folder, *log, seconds=_SECONDS).decode(errors="replace").splitlines()
    return list(dict.fromkeys(blob for line in lines if (blob := _result_of(line)).strip("0")))


def _result_of(line: str) -> str:
    """The content that a line of ``git log --raw`` ends with: two modes and two blobs, one more of each for each parent."""
    parents = len(line) - len(line.lstrip(":"))
    words = line.split("\t", 1)[0].split()
    return words[2 * parents + 1] if parents and len(words) > 2 * parents + 1 else ""


def _read(folder: str, blobs: Sequence[str]) -> Iterator[bytes]:
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    answer = git.ask(folder, "cat-file", "--batch", seconds=_SECONDS, given=asked)
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        words = answer[at:end].split()
        at = end + 1
        if len(words) == 3 and words[1] == b"blob":  # noqa: PLR2004 - name, kind, size; else "missing"
            size = int(words[2])
            yield answer[at : at + size]
            at += size + 1
