"""Files mended where the lint found something that can be: on disk, or as a diff."""

from __future__ import annotations

import difflib
import os
from typing import TYPE_CHECKING

from scripts_tracker.analysis import sources
from scripts_tracker.analysis.lint import fixing
from scripts_tracker.exceptions import UnreadableSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.datatypes import Finding


def mend(root: str, findings: Sequence[Finding]) -> tuple[list[str], list[str]]:
    """Write the files that can be mended.

    Args:
        root: the project root.
        findings: what is wrong.

    Returns:
        The paths of the files that were written, and a line for each file that could not be.
    """
    written, troubles = [], []
    for path, before, after in _mended(root, findings):
        try:
            fixing.write(os.path.join(root, path), before, after)
            written.append(path)
        except fixing.ChangedMeanwhileError:
            troubles.append(f"{path} changed meanwhile and was left alone: run --fix again")
        except OSError as error:
            troubles.append(f"{path} cannot be written: {error.strerror}")
    return written, troubles


def diff(root: str, findings: Sequence[Finding]) -> str:
    """What ``mend`` would change, as one unified diff."""
    return "".join(line for one in _mended(root, findings) for line in _diff(*one))


def _mended(root: str, findings: Sequence[Finding]) -> Iterator[tuple[str, bytes, bytes]]:
    """Each file that would change: its path, its bytes, and what they would become."""
    fixable = [finding for finding in findings if finding.fixable]
    for path in dict.fromkeys(finding.location.path for finding in fixable):
        try:
            before = sources.read_bytes(os.path.join(root, path))
            after = fixing.fixed(before, [one for one in fixable if one.location.path == path])
        except UnreadableSource:
            continue
        if after != before:
            yield path, before, after


def _diff(path: str, before: bytes, after: bytes) -> Iterator[str]:
    old, new = (_lines(source.decode("utf-8", "backslashreplace")) for source in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str) -> list[str]:
    """The lines as patch counts them: ``str.splitlines`` ends them at form feeds and the like too."""
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *filter(None, [last])]
