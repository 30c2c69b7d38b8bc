"""Two versions of a file, compared."""

from __future__ import annotations

import pytest

from scripts_tracker.diffing import MOST_LINES, TooLong, unified


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"a\nb\n", b"a\nb\n", ""),
        (b"a\r\nb\r\n", b"a\nb\n", ""),
        (b"a\nb", b"a\nb\n", ""),
        (b"", b"", ""),
        (b"", b"a\n", "@@ -0,0 +1 @@\n+a"),
        (b"a\nb\nc\n", b"a\nB\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+B\n c"),
        (b"# coding: latin-1\n\xe9\n", b"# coding: latin-1\ne\n", "@@ -1,2 +1,2 @@\n # coding: latin-1\n-é\n+e"),
        (b"\xff\n", b"a\n", "@@ -1 +1 @@\n-\\xff\n+a"),
        (b"# coding: nonsense\na\n", b"# coding: rot13\na\n", "@@ -1,2 +1,2 @@\n-# coding: nonsense\n+# coding: rot13\n a"),
        (b"\xef\xbb\xbfa\n", b"b\n", "@@ -1 +1 @@\n-a\n+b"),
    ],
    ids=["same", "ends of lines", "the last newline", "empty", "from nothing", "a line", "an encoding", "not utf-8",
         "no such encoding", "a byte order mark"],
)  # fmt: skip
def test_the_lines_that_differ(old: bytes, new: bytes, text: str) -> None:
    assert unified(old, new) == text


def test_as_much_context_as_is_asked_for() -> None:
    old = b"\n".join(b"%d" % number for number in range(20))
    assert unified(old, old.replace(b"10", b"x"), context=1) == "@@ -10,3 +10,3 @@\n 9\n-10\n+x\n 11"


def test_what_would_take_too_long_is_refused() -> None:
    with pytest.raises(TooLong, match="more than 5000 lines"):
        unified(b"a\n" * (MOST_LINES + 1), b"b\n")
