"""Statements of SQL without the values of columns that hold secrets. Pure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from scripts_tracker.core.redaction import MASK, is_secret_name
from scripts_tracker.core.sql_tokens import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.core.sql_tokens import Token

    Span = tuple[int, int]


def masked(sql: str, vendor: str) -> str:
    """A statement in which such values are masked: ``"token" = 'x'``, and the columns of an INSERT.

    Args:
        sql: with its values.
        vendor: of the database, as Django names it.
    """
    if not is_secret_name(sql):
        return sql
    found = [*tokens(sql, vendor)]
    pieces, start = list[str](), 0
    for begin, end in sorted({*_compared(sql, found), *_inserted(found)}):
        pieces += [sql[start:begin], f"'{MASK}'"]
        start = end
    return "".join([*pieces, sql[start:]])


def _compared(sql: str, found: Sequence[Token]) -> Iterator[Span]:
    """The values that a name is set to or compared with."""
    for name, sign, value in zip(found, found[1:], found[2:], strict=False):
        is_compared = sql[sign.start : sign.end] == "=" and (name.is_name or name.raw)
        if is_compared and value.text == "?" and is_secret_name(name.text):
            yield value.start, value.end


def _inserted(found: Sequence[Token]) -> Iterator[Span]:
    """The values of such columns in the rows of an INSERT."""
    place = next((place for place, one in enumerate(found) if one.text == "(" and not one.is_name), 0)
    if not found or found[0].text not in {"INSERT", "REPLACE"}:
        return
    depth = found[place].depth
    columns = [one.text for one in itertools.takewhile(lambda one: one.depth > depth, found[place + 1 :])]
    secret = [is_secret_name(one) for one in columns if one != ","]
    column, begin, last = 0, -1, 0
    for one in found[place + len(columns) + 2 :]:
        if one.depth == depth + 1 and begin < 0:
            column, begin = 0, one.start
        if begin >= 0 and (
            one.depth == depth or (one.depth == depth + 1 and one.text == "," and not one.is_name)
        ):
            if secret[column : column + 1] == [True]:
                yield begin, last
            column, begin = column + 1, one.end if one.depth > depth else -1
        last = one.end
