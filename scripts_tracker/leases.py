"""Who may run a script now: a lease with a token, taken by one statement, measured by the database's clock."""

from __future__ import annotations

import os
import socket
import sys
import threading
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import DatabaseError, connections
from django.db.models import Q

from scripts_tracker import conf
from scripts_tracker.clock import DatabaseEpoch
from scripts_tracker.models import Script

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from scripts_tracker.datatypes import RunRecord
    from scripts_tracker.models import ScriptRun


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a script, as its last recorded attempt says."""

    host: str
    pid: int | None
    started_at: datetime

    def is_alive_here(self) -> bool:
        """Whether this very machine can see that the process still runs.

        A process that is younger than the attempt only has its number: containers start counting at 1.
        """
        if os.name != "posix" or self.pid is None or self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        born = _born(self.pid)
        return born is None or born <= self.started_at.timestamp() + 1  # the kernel counts in hundredths


def _born(pid: int) -> float | None:
    """When a process started, in seconds since the epoch (proc(5)); None where there is no /proc to tell."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stream:
            ticks = int(stream.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="utf-8") as stream:
            booted = next(int(line.split()[1]) for line in stream if line.startswith("btime"))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def is_held_unrenewed(run: RunRecord | ScriptRun | None, using: str) -> bool:
    """Whether a script's last run is held by a living process although nobody renews its lease (SQLite)."""
    if run is None or run.outcome != "running" or connections[using].vendor != "sqlite":
        return False
    return Holder(run.host, run.pid, run.started_at).is_alive_here()


def take(script_pk: int, using: str) -> str:
    """Take the lease of a script by one compare-and-swap; returns the token, empty where somebody holds it."""
    token = uuid.uuid4().hex
    free = Q(lease_token="") | Q(lease_expires__lte=DatabaseEpoch())
    taken = (
        Script.objects.using(using)
        .filter(free, pk=script_pk)
        .update(lease_token=token, lease_expires=DatabaseEpoch() + conf.tracker_settings().lease_seconds)
    )
    return token if taken else ""


def beats(using: str) -> bool:
    """Whether a lease can be renewed from a second connection.

    Not inside a transaction (the row is not there for others yet), not in a test environment (the second
    connection would keep its database from being dropped), and not on SQLite, whose one writer is the
    script itself: there a process is looked for instead, as all of them share the machine.
    """
    connection = connections[using]
    # What setup_test_environment() leaves behind; a start without tests has not even imported the module.
    in_tests = hasattr(sys.modules.get("django.core.mail"), "outbox")
    return not connection.in_atomic_block and not in_tests and connection.vendor != "sqlite"


class Heartbeat:
    """Renews a lease from a thread with a connection of its own, while the ``with`` block runs."""

    def __init__(self, script_pk: int, token: str, using: str) -> None:
        settings = conf.tracker_settings()
        self._lease = Script.objects.using(using).filter(pk=script_pk, lease_token=token)
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
        """Push the expiry on; False once somebody else holds the lease."""
        try:
            return bool(self._lease.update(lease_expires=DatabaseEpoch() + self._seconds))
        except DatabaseError:
            connections[self._using].close()  # a lost connection heals itself at the next beat
            return True
