"""The heartbeat: a thread that renews the lease of an attempt, on a connection of its own, while the script runs."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from django.db import Error

from scripts_tracker import conf
from scripts_tracker.exceptions import LedgerMissing, Unrenewable
from scripts_tracker.ledger import database, leases, statements, writing
from scripts_tracker.ledger.leases import OF_RUN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scripts_tracker.ledger.leases import OpenRun

    Warn = Callable[[int, str], None]

_RENEW: Final = f"""UPDATE "scripts_tracker_script" SET "lease_expires" = {{now}} + %s, "lease_renewed" = {{now}}
WHERE "id" = %s AND "last_run_id" = %s
AND EXISTS (SELECT 1 FROM "scripts_tracker_scriptrun" WHERE {OF_RUN})"""  # noqa: S608 - our own names
# How long the first heartbeat may take: as long as a pool of connections waits by default.
_PATIENCE: Final = 30.0
# How long a heartbeat is repeated while another process is in its way.
_CONTENTION: Final = 1.0


def may_keep_output(run: OpenRun, *, is_atomic: bool) -> bool:
    """Whether the output may be stored while a script runs.

    A transaction with a snapshot of its beginning (REPEATABLE READ, SERIALIZABLE) could not end the run: it cannot
    change a row that another transaction has changed since.
    """
    if not is_atomic:
        return True
    level = getattr(database.connection(), "isolation_level", None)
    is_read_committed = getattr(level, "name", level) in {"READ_COMMITTED", "read committed"}
    return is_read_committed and run.place.isolation in {"", "read committed"}


@contextlib.contextmanager
def heartbeat(run: OpenRun, name: str, warn: Warn, output: Callable[[], str] | None) -> Iterator[None]:
    """Renew the lease of an attempt while the block runs; the block begins when that was done once.

    Args:
        run: the attempt.
        name: of its script, for warnings.
        warn: gets each failure in a sentence, after its level: an error if another process may run the script before the
            next heartbeat.
        output: what was printed so far, to be stored; None if it may not be.

    Raises:
        Unrenewable: the lease cannot be renewed; the message says why, and what to change.
    """
    heart = _Heart(run, name, warn, output)
    try:
        heart.start()
        yield
    finally:
        heart.stop()


class _Heart:
    def __init__(self, run: OpenRun, name: str, warn: Warn, output: Callable[[], str] | None) -> None:
        settings = conf.tracker_settings()
        self._run, self._name, self._warn, self._output = run, name, warn, output
        self._lease = settings.lease_seconds
        self._interval = min(settings.heartbeat_seconds or self._lease / 4, self._lease / 2)
        self._renewed_at = time.monotonic()
        self._kept = ""
        self._is_failing = False
        self._refusal: str | None = None
        self._has_begun, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="scripts_tracker heartbeat", daemon=True)

    def start(self) -> None:
        """Wait for the first heartbeat; raises Unrenewable if it fails."""
        self._thread.start()
        if not self._has_begun.wait(_PATIENCE):
            self._refusal = f"no answer within {_PATIENCE:g} seconds. {_advice()}"
        if self._refusal is not None:
            raise Unrenewable(self._refusal)

    def stop(self) -> None:
        """End the thread, which closes its connection; one that still waits for its first connection is left to itself."""
        self._stop.set()
        if self._has_begun.is_set():
            self._thread.join()

    def _work(self) -> None:
        try:
            self._refusal = self._first()
            self._has_begun.set()
            while self._refusal is None and not self._stop.wait(self._interval):
                if not self._beat():
                    return
        finally:
            self._has_begun.set()
            database.discard(database.connection())

    def _first(self) -> str | None:
        """Renew the lease for the first time; gives what is wrong, None if nothing is."""
        try:
            return None if self._renew() else f"{self._why_gone()}."
        except Exception as error:  # noqa: BLE001 - a pool may raise its own errors
            return f"{database.error_summary(error).rstrip('.')}. {_advice()}"

    def _renew(self) -> bool:
        began = time.monotonic()
        if not database.retry(lambda: _renew(self._run), _CONTENTION):
            return False
        self._renewed_at = began
        return True

    def _beat(self) -> bool:
        """Renew the lease and store the output; False if there is nothing to renew any more."""
        try:
            if not self._renew():
                self._report_loss()
                return False
            self._keep_output()
        except Exception as error:  # noqa: BLE001 - without a word the lease would run out
            self._report(database.error_summary(error))
            database.discard(database.connection())  # the next heartbeat opens a new one
        else:
            if self._is_failing:
                self._warn(logging.WARNING, f"The lease of {self._name} is renewed again.")
            self._is_failing = False
        return True

    def _keep_output(self) -> None:
        if self._output is not None and (output := self._output()) != self._kept:
            _keep_output(self._run, output)
            self._kept = output

    def _report(self, trouble: str) -> None:
        self._is_failing = True
        left = self._lease - (time.monotonic() - self._renewed_at)
        text = f"The lease of {self._name} could not be renewed ({trouble})"
        if left > self._interval:
            text += f"; it ends in {left:.3g} s."
        elif left > 0:
            text += f" and ends in {left:.3g} s: another process may run the script then."
        else:
            text += " and has ended: another process may run the script now."
        self._warn(logging.ERROR if left <= self._interval else logging.WARNING, text)

    def _report_loss(self) -> None:
        """Say that the run is lost, unless it has just ended: its record is there before this thread is stopped."""
        with contextlib.suppress(Error):
            if leases.has_ended(self._run):
                return
        why = self._why_gone()
        if not self._stop.is_set():
            text = f"{self._name} is still running, but {why}; a success will not be recorded."
            self._warn(logging.ERROR, text)

    def _why_gone(self) -> str:
        try:
            return leases.why_unrecorded(self._run)[0]
        except LedgerMissing as error:
            return str(error)
        except Error as error:
            return database.error_summary(error)


def _advice() -> str:
    ledger = database.connection()
    if ledger.settings_dict["OPTIONS"].get("pool"):
        return f'Let the pool of DATABASES["{ledger.alias}"] have at least two connections ("max_size").'
    return (
        "While a script runs, a second connection renews its lease: let the account have one more connection"
        " that can update the tables of scripts_tracker."
    )


def _renew(run: OpenRun) -> bool:
    """Renew the lease of an attempt; False if it does not hold the script any more."""
    if run.walk_pk is not None:
        from scripts_tracker.ledger import walks  # of batched scripts alone

        return walks.renew(run)
    seconds = conf.tracker_settings().lease_seconds
    keys = (run.script_pk, run.pk, run.pk, run.token, "running")
    return statements.update(_RENEW, seconds, *keys, place=run.place) > 0


def _keep_output(run: OpenRun, output: str) -> None:
    """Store what a running attempt has printed so far: a killed process keeps its last words."""
    writing.in_its_characters(lambda escape: leases.update_run(run, "running", output=escape(output)), output)
