"""Whether files are as they were, by what the file system says of them: telling that takes a tenth of reading them.

The rules are those by which git trusts its index: number of the file, size, and both times, of which nobody can set
the second; and nothing is trusted that was written so shortly before that a later write may carry the same times.
https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import hashlib
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


def stamp(paths: Iterable[str], since: int | None = None) -> str:
    """One digest of what the file system says of some files; empty where that is not to be trusted.

    Args:
        paths: the files, links are followed; their order counts.
        since: when reading them began, by ``now()``; None where they are only compared with an earlier stamp.
    """
    if not _TELLS_CHANGES:
        return ""
    whole, limit = hashlib.sha256(), None if since is None else since - SETTLED_NS
    try:
        for path in paths:
            found = os.stat(path)
            changed, written = found.st_ctime_ns, found.st_mtime_ns
            if limit is not None and (changed > limit or written > limit):
                return ""
            said = f"{path}\0{found.st_mode} {found.st_ino} {found.st_size} {written} {changed}\n"
            whole.update(said.encode("utf-8", "surrogatepass"))
    except (OSError, ValueError):
        return ""
    return whole.hexdigest()
