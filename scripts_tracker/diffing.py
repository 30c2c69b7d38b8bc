"""What changed between two versions of a file, as a unified diff."""

from __future__ import annotations

import difflib
import io
import tokenize

MOST_LINES = 5_000
"""Longer files are not compared: difflib's time grows with the square of what differs."""


class TooLong(ValueError):
    """The files are too long to be compared while somebody waits."""


def unified(old: bytes, new: bytes, *, context: int = 3) -> str:
    """The lines that differ, as a unified diff without its two lines of file names; empty where none differs.

    Raises:
        TooLong: one of the files has more than MOST_LINES lines.
    """
    before, after = _lines(old), _lines(new)
    if max(len(before), len(after)) > MOST_LINES:
        raise TooLong(f"the file has more than {MOST_LINES} lines")
    lines = list(difflib.unified_diff(before, after, n=context, lineterm=""))
    return "\n".join(lines[2:])


def _lines(source: bytes) -> list[str]:
    """The lines of a Python file in its own encoding, whatever ends them."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        text = source.decode(encoding, "backslashreplace")
    except (SyntaxError, LookupError):  # it names an encoding that there is not, or one that is not for text
        text = source.decode("utf-8", "backslashreplace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]
