"""A transaction around a script that ends with a rollback, in which the script begins, commits and rolls back as usual.

To Django the connection looks as it does in autocommit mode, and what would begin or end a transaction sets savepoints
instead. So ``atomic()``, ``durable=True``, ``set_autocommit(False)``, ``commit()`` and an ``IntegrityError`` outside of
a transaction do what they do without a rehearsal.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final

from django.core.management.base import CommandError
from django.db import DatabaseError, Error

from scripts_tracker import conf
from scripts_tracker.ledger import database, sessions
from scripts_tracker.running.recording_sql import patched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django.db.backends.base.base import BaseDatabaseWrapper

    from scripts_tracker.core.sql import Statement
    from scripts_tracker.running.recording_sql import Recorder

_ALL: Final = "scripts_tracker_rehearsal"
_SCRIPT: Final = "scripts_tracker_script"
_WORK: Final = "scripts_tracker_work"
_STATEMENT: Final = "scripts_tracker_statement"

# What Django keeps of a transaction, as it is outside of one.
_FRESH: Final[dict[str, Any]] = {
    "in_atomic_block": False,
    "needs_rollback": False,
    "closed_in_transaction": False,
    "commit_on_exit": True,
    "run_commit_hooks_on_set_autocommit_on": False,
}
_PG_IDLE: Final = 0


class Refused(CommandError):
    """What a script may not do in a rehearsal, as it could not be rolled back; it was not done."""


class Ended(CommandError):
    """The transaction of a rehearsal is no more: what it had changed may be committed."""


class RolledBack:
    """One connection in such a transaction.

    Args:
        connection: of this thread.

    Attributes:
        hooks: how many hooks of ``on_commit`` would have been called.
        commits: how many commits of changes were not made.
        refused: what was refused first, even if the script has swallowed the error.
        recorder: gets to know what the script rolls back itself.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection: Any = connection
        self.hooks = self.commits = 0
        self._has_written = False
        self.refused: Refused | None = None
        self.recorder: Recorder | None = None
        self.fixed_tables: frozenset[str] = frozenset()
        self._driver: Any = None
        self._before: dict[str, Any] = {}
        self._is_own = False
        self._is_open = False
        self._undo: Callable[[], None] = lambda: None

    @property
    def alias(self) -> str:
        """Of the connection."""
        alias: str = self.connection.alias
        return alias

    def begin(self) -> None:
        """Begin the transaction; inside one of the caller, a savepoint.

        Raises:
            Error: the database cannot be used.
        """
        connection = self.connection
        connection.ensure_connection()
        self._is_own = not connection.in_atomic_block and connection.autocommit
        try:
            if self._is_own:
                connection.set_autocommit(False, force_begin_transaction_with_broken_autocommit=True)
            self._execute(f"SAVEPOINT {_ALL}")
            self.fixed_tables = sessions.tables_without_transactions(connection)
            self._driver = connection.connection
            names = (*_FRESH, "autocommit", "atomic_blocks", "savepoint_ids", "run_on_commit")
            self._before = {name: getattr(connection, name) for name in names}
            self._look_fresh()
            self._undo = patched(connection, self._patches())
        except BaseException:  # Ctrl-C, too
            self._put_back()
            if self._is_own:
                self._end_own()
            raise

    def _look_fresh(self) -> None:
        connection = self.connection
        for name, value in _FRESH.items():
            setattr(connection, name, value)
        connection.atomic_blocks, connection.savepoint_ids, connection.run_on_commit = [], [], []
        connection.autocommit = bool(connection.settings_dict["AUTOCOMMIT"])
        self._is_open = False
        if not connection.autocommit:
            self._open()

    def end(self, *, is_hurried: bool = False) -> bool:
        """Roll everything back; gives whether it was still the same transaction.

        Args:
            is_hurried: an interrupt may have cut an answer of the database in two, so nothing is asked.
        """
        connection, is_same = self.connection, True
        self._put_back()
        try:
            if not is_hurried or not self._is_own:
                self._execute(f"ROLLBACK TO SAVEPOINT {_ALL}")
                self._execute(f"RELEASE SAVEPOINT {_ALL}")
        except Error:
            is_same = False
            if not self._is_own and connection.in_atomic_block:
                connection.needs_rollback = True
        if self._is_own:
            self._end_own()
        return is_same

    def _put_back(self) -> None:
        self._undo()
        for name, value in self._before.items():
            setattr(self.connection, name, value)

    def _end_own(self) -> None:
        """Leave nothing of the session either: its settings, temporary tables, locks."""
        connection = self.connection
        if conf.is_under_test():
            with contextlib.suppress(Error):
                connection.rollback()
                connection.set_autocommit(True)
                return
        database.discard(connection)
        connection.autocommit = bool(connection.settings_dict["AUTOCOMMIT"])
        if connection.connection is not None:  # a database in memory
            connection.autocommit = False
            connection.set_autocommit(True)

    # One script

    def begin_script(self, recorder: Recorder) -> None:
        """Set the savepoint that a failing script goes back to; ``recorder`` counts what it does."""
        self.recorder, self.refused = recorder, None
        self._execute(f"SAVEPOINT {_SCRIPT}")

    def end_script(self) -> None:
        """Let what the script has changed be, for the next one to see.

        Raises:
            Ended: the transaction is no more.
        """
        self.check()
        try:
            self._execute(f"RELEASE SAVEPOINT {_SCRIPT}")
        except Error as error:
            raise self._ended() from error

    def undo_script(self) -> None:
        """Take back what a script has changed that has failed.

        Raises:
            Ended: the transaction is no more.
        """
        self._look_fresh_again()
        self.check()
        try:
            self._execute(f"ROLLBACK TO SAVEPOINT {_SCRIPT}")
            self._execute(f"RELEASE SAVEPOINT {_SCRIPT}")
        except Error as error:
            raise self._ended() from error

    def _look_fresh_again(self) -> None:
        """Leave the blocks that the script has left open."""
        self._is_open = False
        for name, value in _FRESH.items():
            setattr(self.connection, name, value)
        self.connection.atomic_blocks, self.connection.savepoint_ids = [], []
        self.connection.run_on_commit = []
        self.connection.autocommit = bool(self.connection.settings_dict["AUTOCOMMIT"])
        if hasattr(self.connection, "search_path_set_schemas"):  # django-tenants: a rollback takes SET back
            self.connection.search_path_set_schemas = None

    def left_open(self) -> str:
        """How the script has left a transaction open; empty if it has not."""
        if self.connection.atomic_blocks:
            return "transaction.atomic() was entered and not left"
        if not self.connection.autocommit and self.connection.settings_dict["AUTOCOMMIT"]:
            return "set_autocommit(False)"
        return ""

    def check(self) -> None:
        """Raise Ended if the driver knows that the transaction is no more."""
        driver = self.connection.connection
        if driver is not self._driver or not _is_in_transaction(self.connection):
            raise self._ended()

    def _ended(self) -> Ended:
        return Ended(
            f"the transaction of the rehearsal in database {self.alias!r} is gone: it was ended past Django, or the"
            " connection was lost. WHAT WAS CHANGED THERE UNTIL THEN MAY BE COMMITTED"
        )

    # What goes around each statement

    @contextlib.contextmanager
    def guarding(self, connection: BaseDatabaseWrapper, parts: tuple[Statement, ...]) -> Iterator[None]:
        """Refuse what cannot be rolled back, and let a failing statement outside of a transaction do no more harm."""
        self.check()
        for part in parts:
            if part.ends:
                self.refuse(f"{part.ends} would end the transaction")
            for change in part.changes:
                if change.table in self.fixed_tables:
                    self.refuse(f"table {change.table} has an engine without transactions")
        if not (connection.vendor == "postgresql" and connection.autocommit):
            yield
            self._note_commit(parts)
            return
        self._execute(f"SAVEPOINT {_STATEMENT}")
        try:
            yield
            self._note_commit(parts)
        except DatabaseError:
            self._execute(f"ROLLBACK TO SAVEPOINT {_STATEMENT}")
            raise
        finally:
            with contextlib.suppress(Error):
                self._execute(f"RELEASE SAVEPOINT {_STATEMENT}")

    def _note_commit(self, parts: tuple[Statement, ...]) -> None:
        """Count the commit of a change that stands alone; that of a transaction is counted at its end."""
        if any(part.changes for part in parts):
            self.commits += self.connection.autocommit
            self._has_written = not self.connection.autocommit

    def note_copy(self) -> None:
        """Say that rows are not counted which come past ``execute()``."""
        if self.recorder is not None and self.connection.vendor == "postgresql":
            self.recorder.warnings["rows of COPY are not counted"] = None

    def refuse(self, why: str) -> None:
        """Raise Refused."""
        error = Refused(f"not possible in a rehearsal, and not done: {why} (database {self.alias!r})")
        self.refused = self.refused or error
        raise error

    # In place of Django's methods

    def _patches(self) -> dict[str, Any]:
        connection, kind = self.connection, type(self.connection)

        def set_autocommit(autocommit: bool) -> None:  # noqa: FBT001 - Django's signature
            self._close() if autocommit else self._open()

        def on_commit(func: Any, *args: Any, **kwargs: Any) -> None:
            if connection.in_atomic_block or not connection.autocommit or not callable(func):
                kind.on_commit(connection, func, *args, **kwargs)
            else:
                self.hooks += 1

        def run_and_clear_commit_hooks() -> None:
            connection.validate_no_atomic_block()
            self.hooks += len(connection.run_on_commit)
            connection.run_on_commit = []

        values = {
            "_set_autocommit": set_autocommit,
            "_commit": self._commit,
            "_rollback": self._rollback,
            "close": lambda: (
                None
            ),  # the next statement would open a new connection, which sees nothing of this one
            "on_commit": on_commit,
            "run_and_clear_commit_hooks": run_and_clear_commit_hooks,
            "make_cursor": lambda cursor: self._guarded(kind.make_cursor(connection, cursor)),
            "make_debug_cursor": lambda cursor: self._guarded(kind.make_debug_cursor(connection, cursor)),
        }
        if hasattr(connection, "_start_transaction_under_autocommit"):
            values["_start_transaction_under_autocommit"] = self._open
        return values

    def _open(self) -> None:
        if not self._is_open:
            self._execute(f"SAVEPOINT {_WORK}")
            self._is_open = True
            if self.recorder is not None:
                self.recorder.mark(self.alias, _WORK)

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._execute(f"RELEASE SAVEPOINT {_WORK}")
            if self.recorder is not None:
                self.recorder.release(self.alias, _WORK)

    def _commit(self) -> None:
        was_open = self._is_open
        self.commits += self._has_written
        self._has_written = False
        self._close()
        if was_open:
            self._open()  # until autocommit is on again

    def _rollback(self) -> None:
        self._has_written = False
        if self._is_open:
            self._execute(f"ROLLBACK TO SAVEPOINT {_WORK}")
            if self.recorder is not None:
                self.recorder.undo(self.alias, _WORK)

    def _execute(self, statement: str) -> None:
        """Past the wrappers, which count the statements of the script."""
        connection = self.connection
        with connection.wrap_database_errors:
            cursor = connection.create_cursor()
            try:
                cursor.execute(statement)
            finally:
                cursor.close()

    def _guarded(self, cursor: Any) -> Any:
        """A cursor whose other methods are watched, too: they do not go through the wrappers."""
        kind = type(cursor)
        if kind not in _GUARDED:
            _GUARDED[kind] = type(kind.__name__, (_GuardedCursor, kind), {})
        cursor.__class__ = _GUARDED[kind]
        cursor.rolled_back = self
        return cursor


class _GuardedCursor:
    """What is mixed into the cursors of Django."""

    def __getattribute__(self, name: str) -> Any:
        if name == "executescript":  # the driver commits first
            vars(self)["rolled_back"].refuse("executescript() would end the transaction")
        if name.startswith("copy"):
            vars(self)["rolled_back"].note_copy()
        return super().__getattribute__(name)

    def callproc(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Refuse a procedure where it may commit."""
        rolled_back: RolledBack = vars(self)["rolled_back"]
        rolled_back.check()
        if rolled_back.connection.vendor in {"mysql", "oracle"}:
            rolled_back.refuse(f"the procedure {name} may commit")
        return super().callproc(name, *args, **kwargs)  # type: ignore[misc]  # as above


_GUARDED: dict[type, type] = {}


def _is_in_transaction(connection: Any) -> bool:
    """Whether the driver says so; true where it does not know."""
    driver = connection.connection
    if driver is None:
        return False
    if connection.vendor == "sqlite":
        return bool(driver.in_transaction)
    if connection.vendor == "postgresql":
        return bool(driver.info.transaction_status != _PG_IDLE)
    return True
