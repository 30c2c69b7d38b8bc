"""One batch: its transaction, the timeouts in it, ``process()``, and how far the range has come, committed as one."""

from __future__ import annotations

import contextlib
import inspect
import math
import random
from typing import TYPE_CHECKING, Any, Final

from django.db import Error, InterfaceError, OperationalError, connections

from scripts_tracker.ledger import database, sessions
from scripts_tracker.ledger.reading import takes_two
from scripts_tracker.ledger.walks import MARK
from scripts_tracker.running.calls import PlainError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.db.backends.base.base import BaseDatabaseWrapper

    from scripts_tracker.core.progress import Key
    from scripts_tracker.ledger.reading import Statement
    from scripts_tracker.ledger.sessions import Level
    from scripts_tracker.running.keys import KeySpace

# PostgreSQL: query_canceled, by the statement timeout. MariaDB, MySQL: the same.
_CANCELLED: Final = "57014"
_CANCELLED_IN_MYSQL: Final = frozenset({1969, 3024})
_LOCK_SECONDS: Final = 1.0
# Larger than any count, and many of them still fit into the ledger's sum.
_MOST_ROWS: Final = 2**40
_LEAST_STATEMENT_SECONDS: Final = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_LOCAL: Final = "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout", MARK
_SET_LOCAL: Final = f"SELECT {', '.join(f'set_config({name!r}, %s, true)' for name in _LOCAL)}"


class Processing:
    """Calls ``process()`` for a key range, checks what it leaves behind, and gives how many rows it has changed.

    Args:
        process: the method of the command.
        space: the keys.
        levels: what was open on the connections of this thread before; None in a test, which ends what is open.
        is_marked: whether the transaction has a mark of its own, which who commits looks for.
    """

    def __init__(
        self,
        process: Callable[[Any], Any],
        space: KeySpace,
        levels: Mapping[str, Level] | None,
        *,
        is_marked: bool,
    ) -> None:
        self._process = process
        self._space = space
        self._levels = levels
        self._is_marked = is_marked

    def __call__(self, after: Key | None, end: Key | None, keys: int) -> int:
        """Process a batch inside its transaction."""
        using = self._space.database
        # A savepoint proves that the transaction is still the same: COMMIT in plain SQL would take it away.
        mark = None if self._is_marked else connections[using].savepoint()
        result = self._process(self._space.batch(after, end))
        self._check(result)
        try:
            if mark is not None:
                connections[using].savepoint_commit(mark)
        except Error as error:
            raise BrokenBatch(ENDED) from error
        return result if type(result) is int and 0 <= result <= _MOST_ROWS else keys

    def _check(self, result: Any) -> None:
        if inspect.isgenerator(result) or inspect.iscoroutine(result):
            result.close()
            kind = type(result).__name__
            raise BrokenBatch(f"process() returned a {kind}, which is not run; make it a plain function")
        using = self._space.database
        if how := sessions.lost_block(using):
            raise BrokenBatch(f"process() undid the transaction of its batch ({how})")
        if self._levels is None:
            return
        if left := sessions.left_open(sessions.inside(self._levels, using)):
            where = " and ".join(f"{alias!r} ({how})" for alias, how in left.items())
            raise BrokenBatch(f"process() left a transaction open in database {where}")


ENDED: Final = "process() ended the transaction of its batch"


class BrokenBatch(PlainError):
    """``process()`` has done something to its transaction that no repetition makes better."""


def pause(tries: int) -> float:
    """How long to wait before another try: longer each time, and at random, so that two do not meet again."""
    return float(min(_FIRST_PAUSE * 2**tries, _LONGEST_PAUSE) * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


def is_in_the_way(error: BaseException, using: str) -> bool:
    """Whether a smaller batch may succeed: a deadlock, a lock or a statement that took too long."""
    vendor = connections[using].vendor
    if database.is_contention(error, vendor):
        return True
    if vendor == "mysql":
        return bool({*error.args[:1]} & _CANCELLED_IN_MYSQL)
    return database.sqlstate(error) == _CANCELLED


def may_be_lost(error: BaseException) -> bool:
    """Whether the connection may be gone."""
    return isinstance(error, OperationalError | InterfaceError)


class Timeouts:
    """How long a statement of a batch may wait for a lock, may take, and the batch may stand still.

    PostgreSQL forgets them with the transaction, behind PgBouncer as well. MariaDB and MySQL set them for the session:
    once for each connection, and ``restore`` puts them back.

    Args:
        using: the alias of the rows.
        seconds: the goal of a batch.
        idle: after how many seconds without a statement the server ends a transaction, and with it its locks.
        mark: for PostgreSQL, a text that marks the transaction until its end; empty for none.
    """

    def __init__(self, using: str, seconds: float, idle: float, mark: str = "") -> None:
        self._connection = connections[using]
        lock = seconds or _LOCK_SECONDS
        self._values = lock, max(_LEAST_STATEMENT_SECONDS, 20 * seconds), max(idle, 1.0)
        self._params = (*(f"{math.ceil(value * 1000)}ms" for value in self._values), mark)
        self._driver: Any = None
        self._before: dict[str, Any] = {}

    def apply(self) -> Statement | None:
        """Set them, inside the transaction of a batch; gives the statement that does it with the next one, if it can."""
        connection = self._connection
        if connection.vendor == "postgresql":
            if takes_two(connection):
                return _SET_LOCAL, self._params
            with connection.cursor() as cursor:
                cursor.execute(_SET_LOCAL, self._params)
        elif connection.vendor == "mysql" and self._driver is not connection.connection:
            self._set_for_session(connection)
        return None

    def _set_for_session(self, connection: BaseDatabaseWrapper) -> None:
        lock, statement, idle = (math.ceil(value) for value in self._values)
        wanted: dict[str, Any] = {"innodb_lock_wait_timeout": lock}
        if getattr(connection, "mysql_is_mariadb", False):
            wanted.update(max_statement_time=statement, idle_transaction_timeout=idle)
        else:
            wanted.update(max_execution_time=statement * 1000, wait_timeout=idle)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(f'@@SESSION.{name}' for name in wanted)}")
            self._before = dict(zip(wanted, cursor.fetchone(), strict=True))
        self._set(wanted)
        self._driver = connection.connection

    def _set(self, values: Mapping[str, Any]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"SET {', '.join(f'SESSION {name} = %s' for name in values)}", list(values.values())
            )

    def restore(self) -> None:
        """Put back what the session had."""
        before, self._before = self._before, {}
        if before and self._driver is self._connection.connection:
            with contextlib.suppress(Error):
                self._set(before)
        self._driver = None
