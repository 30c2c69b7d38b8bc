"""Whether Python has compiled a file as it is: then it holds no error of syntax, and nothing needs to compile it again."""

from __future__ import annotations

import os
from importlib.util import MAGIC_NUMBER, cache_from_source
from typing import Final

from scripts_tracker.analysis.source.reading import SETTLED_NS

_HEADER_BYTES: Final = 16
_WORD: Final = 0xFFFFFFFF


def has_bytecode(path: str, size: int, since: int) -> bool:
    """Whether Python would load the bytecode of a file that was read.

    Args:
        path: the file.
        size: how many bytes were read.
        since: when reading began, by ``reading.now()``.

    Returns:
        False also where the file may have changed since it was compiled, or since it was read: both times are compared
        with more than the steps in which file systems count.
    """
    try:
        status = os.stat(path)
        with open(cache_from_source(path), "rb") as file:
            header = file.read(_HEADER_BYTES)
            compiled = os.fstat(file.fileno()).st_mtime_ns
    except (OSError, ValueError, NotImplementedError):  # no bytecode, path or folder for it
        return False
    written = status.st_mtime_ns
    # As importlib compares; the first is not 0 where a hash stands in place of time and size.
    expected = (0, int(status.st_mtime) & _WORD, size & _WORD)
    return (
        status.st_size == size
        and written + SETTLED_NS < min(compiled, since)
        and header == MAGIC_NUMBER + b"".join(one.to_bytes(4, "little") for one in expected)
    )
