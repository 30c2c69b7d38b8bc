"""The sign of life of a running script: its lease is renewed from a thread with a connection of its own."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from django.db import DatabaseError, InterfaceError, connections

from scripts_tracker import conf, database, environment
from scripts_tracker.clock import DatabaseEpoch
from scripts_tracker.models import Script

if TYPE_CHECKING:
    from types import TracebackType

    from scripts_tracker.leases import OpenRun


def beats(using: str) -> bool:
    """Whether a lease can be renewed from a second connection.

    Not on SQLite, whose one writer is the script itself: there a process is looked for instead, as all of them
    share the machine. Not in a test environment (the second connection would keep its database from being
    dropped), and not inside a transaction (the row is not there for others yet).
    """
    is_sqlite = connections[using].vendor == "sqlite"
    return not (is_sqlite or environment.is_under_test() or database.is_in_transaction())


class Heartbeat:
    """Renews the lease of an attempt while the ``with`` block runs."""

    def __init__(self, run: OpenRun, using: str) -> None:
        settings = conf.tracker_settings()
        self._lease = Script.objects.using(using).filter(pk=run.script_pk, last_run=run.pk)
        self._using = using
        self._seconds = settings.lease_seconds
        wanted = settings.heartbeat_seconds or settings.lease_seconds / 4
        self._interval = min(wanted, settings.lease_seconds / 2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="scripts_tracker heartbeat", daemon=True)

    def __enter__(self) -> None:
        if beats(self._using):
            self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _beat(self) -> None:
        try:
            while not self._stop.wait(self._interval):
                if not self._renew():
                    return
        finally:
            connections[self._using].close()

    def _renew(self) -> bool:
        """Push the expiry on; False once somebody else holds the script."""
        try:
            return bool(self._lease.update(lease_expires=DatabaseEpoch() + self._seconds))
        except (DatabaseError, InterfaceError):
            connections[self._using].close()  # a lost connection heals itself at the next beat
            return True
