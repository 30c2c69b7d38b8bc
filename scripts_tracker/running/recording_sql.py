"""Counts what statements do: the rows they change by table, how many there are, how long they take."""

from __future__ import annotations

import contextlib
import functools
import time
from typing import TYPE_CHECKING, Any, Final

from django.db import connections

from scripts_tracker.core import sql as sql_text
from scripts_tracker.core.reports import TableChanges
from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

    from scripts_tracker.core.sql import Change, Statement

    Statements = tuple[Statement, ...]
    Guard = Callable[[BaseDatabaseWrapper, Statements], contextlib.AbstractContextManager[object]]
    """Goes around what is executed; raises what keeps it from being sent."""

_LEDGER: Final = "scripts_tracker_"
_MISSING: Final = object()
_TRANSACTION: Final = ""  # no savepoint has this name


class _Tally:
    """What was counted of one table."""

    def __init__(self) -> None:
        self.rows: dict[str, int | None] = {sql_text.INSERTED: 0, sql_text.UPDATED: 0, sql_text.DELETED: 0}
        self.statements = 0
        self.seconds = 0.0

    def add(self, column: str, count: int | None) -> None:
        """Add rows; once a number is not known, it stays so."""
        before = self.rows[column]
        self.rows[column] = None if before is None or count is None else before + count


class _Pending(NamedTuple):
    """A statement whose number of rows SQLite knows when the rows that it returns are read."""

    alias: str
    cursor: Any
    tally: _Tally
    column: str


class _Text(NamedTuple):
    """What a cursor was given."""

    text: str
    params: Any
    many: bool


class Recorder:
    """Counts the statements of one script; those about the ledger are left out.

    Args:
        show: gets every statement as the database got it, with its alias; None if nothing is shown.

    Attributes:
        statements: how many there were.
        warnings: what could not be counted, a line each, in order.
    """

    def __init__(self, show: Callable[[str, str], None] | None = None) -> None:
        self.statements = 0
        self.warnings: dict[str, None] = {}
        self._show = show
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._pending: list[_Pending] = []
        # What is undone by a rollback to a savepoint: its name, and what was counted since.
        self._marks: dict[str, list[tuple[str, int]]] = {}
        self._journals: dict[str, list[tuple[_Tally, str, int]]] = {}
        self._turns = {"savepoint": self.mark, "release": self.release, "rollback": self.undo}

    @property
    def tables(self) -> tuple[TableChanges, ...]:
        """What was counted, by alias and table."""
        self._settle()
        return tuple(
            TableChanges(alias, table, **tally.rows, statements=tally.statements, seconds=tally.seconds)
            for (alias, table), tally in sorted(self._tallies.items())
        )

    @property
    def rows(self) -> int | None:
        """How many rows were changed so far; None where that is not known."""
        self._settle()
        counts = [count for tally in self._tallies.values() for count in tally.rows.values()]
        return None if None in counts else sum(one for one in counts if one is not None)

    def record(
        self,
        connection: BaseDatabaseWrapper,
        parts: Statements,
        cursor: Any,
        seconds: float,
        *,
        is_done: bool,
    ) -> None:
        """Count what was executed.

        Args:
            connection: where.
            parts: the statements of the text; the number of rows is that of one.
            cursor: that executed it.
            seconds: how long it took.
            is_done: whether it succeeded.
        """
        for number, part in enumerate(parts):
            if part.is_control:
                if is_done and part.table:
                    self._turns[part.verb](connection.alias, part.table)
                continue
            if _is_of_ledger(part):
                continue
            self.statements += 1
            if part.table:
                tally = self._tally(connection.alias, part.table)
                tally.statements += 1
                tally.seconds += 0 if number else seconds
            for change in part.changes if is_done else ():
                self._count(connection, part, change, cursor, is_alone=len(parts) == 1)

    def _tally(self, alias: str, table: str) -> _Tally:
        return self._tallies.setdefault((alias, table), _Tally())

    def _count(
        self, connection: BaseDatabaseWrapper, part: Statement, change: Change, cursor: Any, *, is_alone: bool
    ) -> None:
        tally = self._tally(connection.alias, change.table)
        count: int | None = None
        if change.is_counted and is_alone:
            if part.returns and connection.vendor == "sqlite":
                self._pending.append(_Pending(connection.alias, cursor, tally, change.column))
                return
            count = _row_count(connection, cursor)
        if count is None:
            text = f"{change.table}: not known how many rows {part.verb.upper()} has {change.column}"
            self.warnings[text] = None
        self._add(connection.alias, tally, change.column, count)

    def _add(self, alias: str, tally: _Tally, column: str, count: int | None) -> None:
        tally.add(column, count)
        if count and self._marks.get(alias):
            self._journals.setdefault(alias, []).append((tally, column, count))

    def _settle(self) -> None:
        """Read the numbers that were not known at once."""
        pending, self._pending = self._pending, []
        for alias, cursor, tally, column in pending:
            count = cursor.rowcount
            self._add(alias, tally, column, count if count >= 0 else None)

    # What the script rolls back itself

    def mark(self, alias: str, name: str) -> None:
        """Remember what was counted when a savepoint was set, or a transaction begun."""
        self._settle()
        self._marks.setdefault(alias, []).append((name, len(self._journals.get(alias, ()))))

    def release(self, alias: str, name: str) -> None:
        """Leave what was counted since a savepoint as it is."""
        self._settle()
        marks = self._marks.get(alias, [])
        place = _last(marks, name)
        if place is not None:
            del marks[place:]
        if not marks:
            self._journals.pop(alias, None)

    def undo(self, alias: str, name: str) -> None:
        """Take back what was counted since a savepoint, which is still there."""
        self._settle()
        marks, journal = self._marks.get(alias, []), self._journals.get(alias, [])
        place = _last(marks, name)
        if place is None:
            return
        length = marks[place][1]
        for tally, column, count in journal[length:]:
            tally.add(column, -count)
        del journal[length:], marks[place + 1 :]

    # The wrapper of the connections

    @contextlib.contextmanager
    def watching(self, connection: BaseDatabaseWrapper, guard: Guard | None = None) -> Iterator[None]:
        """Count what is executed on a connection while the block runs; this opens no connection."""

        def wrapper(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
            if many and self._show is not None:
                params = list(params)
            call = functools.partial(execute, sql, params, many, context)
            text = sql if isinstance(sql, str) else sql.as_string(connection.connection)  # psycopg's Composed
            parts = sql_text.statements(text, connection.vendor)
            with guard(connection, parts) if guard else contextlib.nullcontext():
                result = self._timed(call, connection, parts, context["cursor"])
                self._shown(connection, parts, context["cursor"], _Text(text, params, bool(many)))
            return result

        connection.execute_wrappers.append(wrapper)
        undo = patched(connection, {} if guard else self._of_transactions(connection))
        try:
            yield
        finally:
            undo()
            with contextlib.suppress(ValueError):
                connection.execute_wrappers.remove(wrapper)

    def _timed(
        self, call: Callable[[], Any], connection: BaseDatabaseWrapper, parts: Statements, cursor: Any
    ) -> Any:
        self._settle()
        is_done, began = False, time.perf_counter()
        try:
            result = call()
            is_done = True
        finally:
            seconds = time.perf_counter() - began
            self.record(connection, parts, cursor, seconds, is_done=is_done)
        return result

    def _shown(self, connection: BaseDatabaseWrapper, parts: Statements, cursor: Any, given: _Text) -> None:
        """Show a statement with its parameters, as the backend gives them."""
        if self._show is None or all(one.is_control or _is_of_ledger(one) for one in parts):
            return
        if given.many:
            text = f"{given.text} -- {len(given.params)} times"
        else:
            text = connection.ops.last_executed_query(cursor, given.text, given.params) or given.text
        self._show(connection.alias, text)

    def _of_transactions(self, connection: BaseDatabaseWrapper) -> dict[str, Any]:
        """Where nothing stands in for the transactions of the script."""
        kind: Any = type(connection)
        alias = connection.alias

        def set_autocommit(autocommit: bool) -> None:  # noqa: FBT001 - Django's signature
            kind._set_autocommit(connection, autocommit)  # noqa: SLF001 - what Django's backends override
            (self.release if autocommit else self.mark)(alias, _TRANSACTION)

        def start() -> None:
            kind._start_transaction_under_autocommit(connection)  # noqa: SLF001 - as above
            self.mark(alias, _TRANSACTION)

        def commit() -> None:
            kind._commit(connection)  # noqa: SLF001 - as above
            self.release(alias, _TRANSACTION)

        def rollback() -> None:
            kind._rollback(connection)  # noqa: SLF001 - as above
            self.undo(alias, _TRANSACTION)

        values = {"_set_autocommit": set_autocommit, "_commit": commit, "_rollback": rollback}
        if hasattr(kind, "_start_transaction_under_autocommit"):
            values["_start_transaction_under_autocommit"] = start
        return values


def _last(marks: list[tuple[str, int]], name: str) -> int | None:
    """The place of the last mark of a name: of several savepoints with one name, that is the one that is meant."""
    return next((place for place in reversed(range(len(marks))) if marks[place][0] == name), None)


def _is_of_ledger(part: Statement) -> bool:
    return part.table.rpartition(".")[2].startswith(_LEDGER)


def _row_count(connection: BaseDatabaseWrapper, cursor: Any) -> int | None:
    """How many rows the last statement has changed; None if that is not known."""
    count: int = cursor.rowcount
    if count >= 0:
        return count
    if connection.vendor != "sqlite":
        return None
    return int(connection.connection.execute("SELECT changes()").fetchone()[0])  # of WITH ... UPDATE


def patched(target: Any, values: dict[str, Any]) -> Callable[[], None]:
    """Set attributes of one object; gives what puts back what was there."""
    before = {name: vars(target).get(name, _MISSING) for name in values}
    for name, value in values.items():
        setattr(target, name, value)

    def undo() -> None:
        for name, value in before.items():
            if value is _MISSING:
                delattr(target, name)
            else:
                setattr(target, name, value)

    return undo


@contextlib.contextmanager
def recorded(recorder: Recorder) -> Iterator[None]:
    """Count what is executed on every database while the block runs; nothing else is changed."""
    with contextlib.ExitStack() as stack:
        for alias in connections:
            stack.enter_context(recorder.watching(connections[alias]))
        yield
