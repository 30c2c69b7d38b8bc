"""The file contents that a digest of django-scripts-tracker may stand for: other line endings, imports, git's history."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.git import GitUnavailable
from scripts_tracker.project import git

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

_IMPORT: Final = re.compile(
    rb"^([ \t]*from[ \t]+)((?:django_)?scripts_tracker(?:\.(?:core|dependency)_tracker)?)"
    rb"([ \t]+import[ \t]+\(?[ \t\r\n]*(tracked_script|required_preceding_script)\b)",
    re.MULTILINE,
)
_MODULES: Final = {b"tracked_script": b"core_tracker", b"required_preceding_script": b"dependency_tracker"}

# For each of two commands: one lists the files, one reads them.
_SECONDS: Final = 60
_BATCH: Final = 500
_COMMANDS: Final = ":(top,glob)**/management/commands/*.py"


def md5(source: bytes) -> str:
    """The digest that django-scripts-tracker stored of a file."""
    return hashlib.md5(source, usedforsecurity=False).hexdigest()


def line_endings(source: bytes) -> tuple[bytes, bytes, bytes]:
    """The source as it is, with Unix and with Windows line endings: a checkout may have either."""
    unix = source.replace(b"\r\n", b"\n")
    return source, unix, unix.replace(b"\n", b"\r\n")


def with_new_imports(source: bytes) -> bytes:
    """The source with its imports as ``scripts-tracker-lint --fix`` writes them."""
    return _IMPORT.sub(rb"\1scripts_tracker\3", source)


def with_old_imports(source: bytes) -> Iterator[bytes]:
    """What the source may have been before ``scripts-tracker-lint --fix``, for each name of the old package."""
    for package in (b"django_scripts_tracker", b"scripts_tracker"):
        yield _IMPORT.sub(lambda m, name=package: m[1] + name + b"." + _MODULES[m[4]] + m[3], source)  # type: ignore[misc]  # a default binds it


def contents_in_git(folder: str, digests: Collection[str]) -> tuple[dict[str, bytes], str]:
    """The contents that git has of these digests, and why git could not answer, if it could not.

    Args:
        folder: in the repository; every command file on any branch is read.
        digests: MD5.
    """
    found: dict[str, bytes] = {}
    try:
        blobs = _blobs(folder) if digests else []
        for start in range(0, len(blobs), _BATCH):
            for source in _read(folder, blobs[start : start + _BATCH]):
                found.update({md5(one): one for one in line_endings(source) if md5(one) in digests})
            if len(found) == len(digests):
                break
    except GitUnavailable as error:
        return found, str(error)
    return found, ""


def _blobs(folder: str) -> list[str]:
    """Every content that a command file ever had, newest first; of a merge, what is in none of its parents."""
    log = ("log", "--all", "-c", "--raw", "--no-abbrev", "--no-renames", "--format=", "--", _COMMANDS)
    lines = git.ask(folder, *log, seconds=_SECONDS).decode(errors="replace").splitlines()
    return list(dict.fromkeys(blob for line in lines if (blob := _result_of(line)).strip("0")))


def _result_of(line: str) -> str:
    """The last blob in a line of ``git log --raw``: two modes and two blobs, and one more of each for each parent."""
    parents = len(line) - len(line.lstrip(":"))
    words = line.split("\t", 1)[0].split()
    return words[2 * parents + 1] if parents and len(words) > 2 * parents + 1 else ""


def _read(folder: str, blobs: Sequence[str]) -> Iterator[bytes]:
    names = "".join(f"{blob}\n" for blob in blobs).encode()
    answer = git.ask(folder, "cat-file", "--batch", seconds=_SECONDS, given=names)
    at = 0
    while at < len(answer):
        end = answer.index(b"\n", at)
        words = answer[at:end].split()
        at = end + 1
        if len(words) == 3 and words[1] == b"blob":  # noqa: PLR2004 - name, kind, size; otherwise "missing"
            size = int(words[2])
            yield answer[at : at + size]
            at += size + 1
