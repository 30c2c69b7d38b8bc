"""What a statement of SQL does to which table, and whether it would end a transaction. Pure.

Not a parser: it reads tokens until it knows. What it takes for something else than it is, the database still decides.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from scripts_tracker.core.sql_tokens import tokens
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scripts_tracker.core.sql_tokens import Token

INSERTED: Final = "inserted"
UPDATED: Final = "updated"
DELETED: Final = "deleted"
_COLUMNS: Final = (INSERTED, UPDATED, DELETED)


class Change(NamedTuple):
    """Rows of a table that a statement changes.

    Attributes:
        table: its name without quotes, with a schema if the statement has one.
        column: inserted, updated or deleted.
        is_counted: whether the number of rows that the driver gives is theirs; otherwise it is not known.
    """

    table: str
    column: str
    is_counted: bool = True


class Statement(NamedTuple):
    """One statement.

    Attributes:
        verb: its first word that says what it does, in lower case; empty if it has none.
        table: what it is about; empty if that is not known. Of SAVEPOINT, RELEASE and ROLLBACK TO the name of the mark.
        changes: the rows that it changes.
        ends: the words that end a transaction, or that the database commits by itself after; empty for none.
        returns: whether it changes rows and returns some of them.
        words: its first words, for messages.
    """

    verb: str
    table: str = ""
    changes: tuple[Change, ...] = ()
    ends: str = ""
    returns: bool = False
    words: str = ""

    @property
    def is_control(self) -> bool:
        """Whether it only begins or ends a transaction, or marks a point of one."""
        return self.verb in _CONTROL


_MYSQL_LIKE: Final = ("mysql", "oracle")
"""Where the database commits by itself before and after many statements."""

# fmt: off
# What these leave open, by their first word; whatever else commits by itself.
_LEAVE_OPEN: Final = frozenset({
    "SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE", "MERGE", "WITH", "VALUES", "TABLE", "LOAD", "HANDLER", "DO",
    "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "HELP", "SET", "USE", "SAVEPOINT", "RELEASE", "ROLLBACK", "KILL",
})
# What may follow a table that has no alias.
_NO_ALIAS: Final = frozenset({
    "JOIN", "INNER", "LEFT", "RIGHT", "CROSS", "NATURAL", "STRAIGHT_JOIN", "ON", "USING", "PARTITION",
    "SET", "WHERE", "ORDER", "LIMIT", "RETURNING", "FROM",
})
# fmt: on
_ENDS: Final = frozenset({"COMMIT", "END", "ABORT", "BEGIN"})
_CONTROL: Final = frozenset({"begin", "start", "commit", "end", "rollback", "savepoint", "release"})
_VERBS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "VALUES", "TABLE"})
_WRITES: Final = _VERBS - {"SELECT", "VALUES", "TABLE"}
_LONGEST_KEPT: Final = 20_000
_SHOWN: Final = 4


def statements(sql: str, vendor: str) -> tuple[Statement, ...]:
    """The statements of a text, in order.

    Args:
        sql: as a cursor gets it.
        vendor: of the database, as Django names it.
    """
    return _kept(sql, vendor) if len(sql) <= _LONGEST_KEPT else _statements(sql, vendor)


def _statements(sql: str, vendor: str) -> tuple[Statement, ...]:
    return tuple(_statement(part, vendor) for part in _split(tokens(sql, vendor)))


_kept = lru_cache(maxsize=512)(_statements)


def _split(tokens: Iterator[Token]) -> Iterator[Sequence[Token]]:
    part: list[Token] = []
    for token in tokens:
        if token.text == ";" and not token.is_name:
            if part:
                yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


def _statement(tokens: Sequence[Token], vendor: str) -> Statement:
    start = next((place for place, one in enumerate(tokens) if one.text != "(" or one.is_name), 0)
    tokens = tokens[start:]
    words = [one.text for one in tokens if one.text.isidentifier() and not one.is_name]
    first = words[0] if words else ""
    if first == "SET" and words[1:2] == ["STATEMENT"]:  # MariaDB: SET STATEMENT name = value FOR statement
        place = next((place for place, one in enumerate(tokens) if one.text == "FOR"), len(tokens))
        return _statement(tokens[place + 1 :], vendor) if place < len(tokens) else Statement("set")
    ends = _ending(first, words, vendor)
    shown = " ".join(words[:2] if ends else words[:_SHOWN])
    verb, table, changes = _effect(tokens, first, vendor)
    if first in {"SAVEPOINT", "RELEASE", "ROLLBACK"} and not ends:
        table = tokens[-1].text.lower()
    returns = bool(changes) and any(one.text == "RETURNING" and not one.is_name for one in tokens)
    return Statement(verb.lower(), table, changes, ends, returns, shown)


def _ending(first: str, words: Sequence[str], vendor: str) -> str:
    """The words that end a transaction; empty where none does."""
    second = words[1] if len(words) > 1 else ""
    if first in {"START", "XA"}:
        return f"{first} {second}"
    if first in _ENDS or (first == "ROLLBACK" and "TO" not in words):
        return first
    if first == "PREPARE" and second == "TRANSACTION":
        return "PREPARE TRANSACTION"
    return _ending_in_mysql(first, second, words) if vendor in _MYSQL_LIKE else ""


def _ending_in_mysql(first: str, second: str, words: Sequence[str]) -> str:
    """The words of what commits by itself."""
    if first == "SET":
        return "SET autocommit" if "AUTOCOMMIT" in words else "SET PASSWORD" if second == "PASSWORD" else ""
    is_temporary = first in {"CREATE", "DROP"} and second == "TEMPORARY"
    # MariaDB: ANALYZE UPDATE ... executes it, ANALYZE TABLE is something else.
    is_analysed = first == "ANALYZE" and _WRITES.union({"SELECT", "FORMAT"}).intersection(words[1:3])
    return "" if first in _LEAVE_OPEN or is_temporary or is_analysed else f"{first} {second}".strip()


def _effect(tokens: Sequence[Token], first: str, vendor: str) -> tuple[str, str, tuple[Change, ...]]:
    """The verb, the table and the changes of a statement."""
    if first == "WITH":
        return _of_with(tokens, vendor)
    if first in {"EXPLAIN", "ANALYZE"}:
        return _of_explain(tokens, first, vendor)
    read = _READERS.get(first)
    if read is None:
        return first, "", ()
    changes = read(tokens, vendor)
    table = changes[0].table if changes else _read_table(tokens)
    return first, table, changes


def _of_with(tokens: Sequence[Token], vendor: str) -> tuple[str, str, tuple[Change, ...]]:
    base = tokens[0].depth
    inner: list[Change] = []
    for place, (before, one) in enumerate(itertools.pairwise(tokens), start=1):
        if one.is_name or one.text not in _VERBS:
            continue
        if one.depth == base and before.text == ")":
            verb, table, changes = _effect(tokens[place:], one.text, vendor)
            return verb, table or _read_table(tokens), (*changes, *inner)
        if one.depth == base + 1 and before.text == "(" and one.text in _WRITES:
            _, _, changes = _effect(_inside(tokens[place:]), one.text, vendor)
            inner += [change._replace(is_counted=False) for change in changes]
    return "with", _read_table(tokens), tuple(inner)


def _of_explain(tokens: Sequence[Token], first: str, vendor: str) -> tuple[str, str, tuple[Change, ...]]:
    """Only with ANALYZE the statement is executed, and the rows that the driver counts are those of the plan."""
    runs = first == "ANALYZE" or any(one.text == "ANALYZE" for one in tokens)
    place = next((number for number, one in enumerate(tokens) if one.text in _VERBS), None)
    if place is None:
        return first, "", ()
    _, table, changes = _effect(tokens[place:], tokens[place].text, vendor)
    return first, table, tuple(one._replace(is_counted=False) for one in changes) if runs else ()


def _inside(tokens: Sequence[Token]) -> Sequence[Token]:
    """The tokens up to the parenthesis that closes around the first one."""
    depth = tokens[0].depth
    end = next((place for place, one in enumerate(tokens) if one.depth < depth), len(tokens))
    return tokens[:end]


def _name_at(tokens: Sequence[Token], place: int) -> tuple[str, int]:
    """The dotted name that begins there, and the place behind it; empty if there is none."""
    parts: list[str] = []
    while place < len(tokens) and (tokens[place].is_name or tokens[place].raw):
        parts.append(tokens[place].raw or tokens[place].text)
        place += 1
        if place >= len(tokens) or tokens[place].text != ".":
            break
        place += 1
    return ".".join(parts), place


def _name_after(tokens: Sequence[Token], *skipped: str) -> str:
    """The name that follows the first word and any of these."""
    place = 1
    while place < len(tokens) and not tokens[place].is_name and tokens[place].text in skipped:
        place += 2 if tokens[place].text == "OR" else 1
    return _name_at(tokens, place)[0]


def _has(tokens: Sequence[Token], *wanted: str) -> bool:
    """Whether these words follow each other outside of parentheses."""
    plain = [one.text for one in tokens if one.depth == tokens[0].depth and not one.is_name]
    size = len(wanted)
    return any(tuple(plain[place : place + size]) == wanted for place in range(len(plain) - size + 1))


def _read_table(tokens: Sequence[Token]) -> str:
    """The first table that is read from."""
    callers = {tokens[0].depth: ""} if tokens else {}
    before = ""
    for place, one in enumerate(tokens):
        if one.text == "(" and not one.is_name:
            callers[one.depth + 1] = before
        is_from = one.text in {"FROM", "TABLE"} and not one.is_name
        if is_from and callers.get(one.depth) not in _WITH_FROM:
            name, behind = _name_at(tokens, place + 1)
            is_function = behind < len(tokens) and tokens[behind].text == "("
            if name and not is_function and name.upper() not in {"LATERAL", "ONLY", "SELECT"}:
                return name
        before = one.text
    return ""


# Functions whose arguments may have a FROM.
_WITH_FROM: Final = frozenset({"EXTRACT", "SUBSTRING", "SUBSTR", "TRIM", "OVERLAY"})


def _insert(tokens: Sequence[Token], vendor: str) -> tuple[Change, ...]:
    skipped = ("OR", "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO", "OVERWRITE")
    table = _name_after(tokens, *skipped)
    if _has(tokens, "OR", "REPLACE"):
        return _replace(tokens, vendor)
    if _has(tokens, "DO", "UPDATE") or _has(tokens, "DUPLICATE", "KEY", "UPDATE"):
        return Change(table, INSERTED, is_counted=False), Change(table, UPDATED, is_counted=False)
    return (Change(table, INSERTED),)


def _replace(tokens: Sequence[Token], vendor: str) -> tuple[Change, ...]:
    table = _name_after(tokens, "OR", "LOW_PRIORITY", "DELAYED", "INTO")
    # MySQL counts those that it deletes as well.
    return Change(table, INSERTED, is_counted=vendor == "sqlite"), Change(table, DELETED, is_counted=False)


def _update(tokens: Sequence[Token], _vendor: str) -> tuple[Change, ...]:
    end = next(
        (place for place, one in enumerate(tokens) if one.text == "SET" and not one.is_name), len(tokens)
    )
    tables = _listed(tokens[:end], "OR", "LOW_PRIORITY", "IGNORE", "ONLY")
    is_one = len(tables) == 1
    return tuple(Change(name, UPDATED, is_counted=is_one) for name in dict.fromkeys(tables.values()))


def _delete(tokens: Sequence[Token], vendor: str) -> tuple[Change, ...]:
    if vendor != "mysql":
        return (Change(_name_after(tokens, "FROM", "ONLY", "OR"), DELETED),)
    skipped = ("LOW_PRIORITY", "QUICK", "IGNORE")
    begin = next((place for place, one in enumerate(tokens) if one.text == "FROM"), 0)
    using = next((place for place, one in enumerate(tokens) if one.text == "USING"), 0)
    if using:  # DELETE FROM a USING a JOIN b
        targets, tables = tokens[begin:using], _listed(tokens[using:])
    elif begin and _name_after(tokens, *skipped, "FROM") == _name_at(tokens, begin + 1)[0]:
        targets, tables = tokens[begin:], {}
        return (Change(_name_at(targets, 1)[0], DELETED),)
    else:  # DELETE a FROM a JOIN b
        targets, tables = tokens[:begin], _listed(tokens[begin:])
    names = [tables.get(name.split(".")[0], name) for name in _listed(targets, *skipped)]
    return tuple(Change(name, DELETED, is_counted=len(names) == 1) for name in dict.fromkeys(names))


def _listed(tokens: Sequence[Token], *skipped: str) -> dict[str, str]:
    """The tables that follow the first word, a comma or JOIN, by their alias."""
    found: dict[str, str] = {}
    place, is_next = 1, True
    depth = tokens[0].depth if tokens else 0
    while place < len(tokens):
        one = tokens[place]
        if is_next and not (one.text in skipped and not one.is_name):
            name, behind = _name_at(tokens, place)
            place = max(behind, place + 1)
            has_as = place < len(tokens) and tokens[place].text == "AS"
            alias, behind = _name_at(tokens, place + has_as)
            is_alias = bool(alias) and (has_as or alias.upper() not in _NO_ALIAS)
            if name:
                found[alias if is_alias else name] = name
            is_next = False
            continue
        if one.depth == depth and one.text in {",", "JOIN"} and not one.is_name:
            is_next = True
        if one.depth == depth and one.text in {"WHERE", "ORDER", "LIMIT", "RETURNING"} and not one.is_name:
            break
        place += 2 if one.text == "OR" and is_next else 1
    return found


def _merge(tokens: Sequence[Token], _vendor: str) -> tuple[Change, ...]:
    table = _name_after(tokens, "INTO", "ONLY")
    return tuple(Change(table, column, is_counted=False) for column in _COLUMNS)


def _truncate(tokens: Sequence[Token], _vendor: str) -> tuple[Change, ...]:
    names = _listed(tokens, "TABLE", "ONLY").values()
    return tuple(Change(name, DELETED, is_counted=False) for name in names)


def _copy(tokens: Sequence[Token], _vendor: str) -> tuple[Change, ...]:
    return (Change(_name_after(tokens), INSERTED),) if _has(tokens, "FROM") else ()


def _load(tokens: Sequence[Token], _vendor: str) -> tuple[Change, ...]:
    place = next((place for place, one in enumerate(tokens) if one.text == "TABLE"), len(tokens))
    return (Change(_name_at(tokens, place + 1)[0], INSERTED),)


def _nothing(_tokens: Sequence[Token], _vendor: str) -> tuple[Change, ...]:
    return ()


_READERS: Final = {
    "INSERT": _insert,
    "REPLACE": _replace,
    "UPDATE": _update,
    "DELETE": _delete,
    "MERGE": _merge,
    "TRUNCATE": _truncate,
    "COPY": _copy,
    "LOAD": _load,
    "SELECT": _nothing,
    "VALUES": _nothing,
    "TABLE": _nothing,
}
