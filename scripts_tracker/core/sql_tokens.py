"""The words, names and signs of SQL, in the dialect of a database, without white space, comments and values. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Token(NamedTuple):
    """A piece of a text, at a depth of parentheses.

    Attributes:
        text: a word in capitals, a name without its quotes, a sign, or "?" for anything else.
        start, end: where it is.
        is_name: whether it is a quoted name.
        raw: a word as it is written; empty for anything else.
    """

    text: str
    depth: int
    start: int
    end: int
    is_name: bool = False
    raw: str = ""


_BODY: Final = r"""
    (?P<space> \s+ )
  | (?P<values> (?: \( \s* %s(?:::\w+)? (?: \s*,\s* %s(?:::\w+)? )* \s* \) \s* ,? \s* )+ )
  | (?P<string> {strings} )
  | (?P<name> {names} )
  | (?P<word> [^\W\d][\w$]* )
  | (?P<sign> [();,.] )
  | (?P<other> \d[\w.]* | . )
"""
# MySQL executes what is in such a comment.
_EXECUTED: Final = re.compile(r"/\*M?!\d*")
# Comments are cut out first, as far as they are not inside of a text: PostgreSQL nests them.
_PLAIN_TEXT: Final = r"'(?:[^']|'')*'"
_WITH_ESCAPES: Final = r"'(?:[^'\\]|\\.|'')*'"
_DIALECTS: Final = {
    "postgresql": (
        rf"[eE]{_WITH_ESCAPES} | (?:[uU]&|[bBxXnN])?{_PLAIN_TEXT} | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$",
        r'"(?:[^"]|"")*"',
        r"--[^\n]*",
    ),
    "mysql": (_WITH_ESCAPES, r'"(?:[^"\\]|\\.|"")*" | `(?:[^`]|``)*`', r"--(?=\s|$)[^\n]*|\#[^\n]*"),
    "": (_PLAIN_TEXT, r'"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\]', r"--[^\n]*"),
}


@lru_cache(maxsize=8)
def _pattern(vendor: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    strings, names, comment = _DIALECTS.get(vendor, _DIALECTS[""])
    flags = re.VERBOSE | re.DOTALL
    body = _BODY.format(strings=strings, names=names)
    return re.compile(body, flags), re.compile(comment, re.DOTALL)


def tokens(sql: str, vendor: str) -> Iterator[Token]:
    """The pieces of a text without white space and comments.

    Args:
        sql: as a cursor gets it.
        vendor: of the database, as Django names it.
    """
    body, comment = _pattern(vendor)
    place, depth, is_code = 0, 0, False
    while place < len(sql):
        if (found := comment.match(sql, place)) is not None:
            place = found.end()
            continue
        if sql.startswith("/*", place):
            hint = _EXECUTED.match(sql, place) if vendor == "mysql" else None
            is_code = is_code or hint is not None
            place = hint.end() if hint else _end_of_comment(sql, place, nests=vendor == "postgresql")
            continue
        if is_code and sql.startswith("*/", place):
            place += 2
            continue
        match = body.match(sql, place)
        assert match is not None, "a dot matches everything"  # noqa: S101 - for mypy
        place = match.end()
        if match.group() == ")":
            depth -= 1
        if (token := _token(match, depth)) is not None:
            yield token
        if match.group() == "(":
            depth += 1


def _token(match: re.Match[str], depth: int) -> Token | None:
    kind, text = match.lastgroup, match.group()
    if kind == "space":
        return None
    if kind == "word":
        return Token(text.upper(), depth, *match.span(), raw=text)
    if kind == "name":
        return Token(_unquoted(text), depth, *match.span(), is_name=True)
    return Token(text if kind == "sign" else "?", depth, *match.span())


def _end_of_comment(sql: str, start: int, *, nests: bool) -> int:
    if not nests:
        end = sql.find("*/", start + 2)
        return len(sql) if end < 0 else end + 2
    depth = 0
    for found in re.compile(r"/\*|\*/").finditer(sql, start):
        depth += 1 if found.group() == "/*" else -1
        if not depth:
            return found.end()
    return len(sql)


def _unquoted(text: str) -> str:
    mark = text[-1]
    return text[1:-1].replace(mark * 2, mark)
