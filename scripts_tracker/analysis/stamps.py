"""Whether files are as they were, by what the file system says of them: telling that takes a tenth of reading them.

The rules are those by which git trusts its index: number of the file, size, and both times, of which nobody can set
the second; and nothing is trusted that was written so shortly before that a later write may carry the same times.
https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SETTLED_NS: Final = 2_000_000_000
"""So long before a look a file must have been written to be trusted: FAT counts in steps of two seconds."""
_TELLS_CHANGES: Final = os.name == "posix"  # elsewhere st_ctime is the time of creation


def now() -> int:
    """When a look begins, in nanoseconds; to be asked for before anything is read."""
    return time.time_ns()


def stamps(paths: Iterable[str], since: int | None = None) -> list[str]:
    """What the file system says of some files; empty for those of which that is not to be trusted.

    Args:
        paths: the files; links are followed.
        since: when reading them began, by ``now()``; None where they are only compared with earlier stamps.
    """
    limit = None if since is None else since - SETTLED_NS
    return [_stamp(path, limit) for path in paths]


def _stamp(path: str, limit: int | None) -> str:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    changed, written = found.st_ctime_ns, found.st_mtime_ns
    if not _TELLS_CHANGES or (limit is not None and (changed > limit or written > limit)):
        return ""
    return f"{found.st_mode:o} {found.st_ino} {found.st_size} {written} {changed}"
