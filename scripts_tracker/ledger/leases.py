"""Who may run a script now: one compare-and-swap begins an attempt, another ends it.

The script's last run is its holder, and the key of that row is the token. An attempt begins only if the last run is
still the one that was looked up and does not hold the script; the database's clock decides whether its lease is over.
An attempt ends only if its row still says "running": whoever takes over an attempt with an expired lease changes that
first.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, IntegrityError, InterfaceError, connections, transaction
from django.db.models import Case, F, Q, TextField, Value, When

from scripts_tracker import conf
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint, RunRecord
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, statements, writing
from scripts_tracker.ledger.database import DatabaseEpoch, alias, needs_tables
from scripts_tracker.ledger.statements import LEASE, RUN, SCRIPTS, columns, lease_of, run_record
from scripts_tracker.models import ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

    from scripts_tracker.core.values import Lease, ScriptId
    from scripts_tracker.ledger.writing import Escape, RunFacts, VersionFacts
    from scripts_tracker.models import Script

TAKEN_OVER: Final = "another process took the script over before this one ended"
RELEASED: Final = "released"
"""How the reason of a lost run begins that a person released."""

_LOOK_UP: Final = f"""SELECT {columns("s", "id", "applied_run_id")}, {LEASE}, {columns("l", *RUN)},
{columns("v", "id", "algorithm", "digest", "facts")}, CASE WHEN v."source" IS NULL THEN 1 ELSE 0 END
{SCRIPTS} LEFT JOIN "scripts_tracker_scriptversion" v ON v."script_id" = s."id" AND v."content_digest" = %s
WHERE s."identity" = %s"""


class KnownVersion(NamedTuple):
    """A file content that the ledger has a row of; ``facts`` is JSON text."""

    pk: int
    fingerprint: Fingerprint
    facts: str
    lacks_source: bool


class Entry(NamedTuple):
    """What the ledger holds of a script that is about to run; without a ``script_pk``, nothing."""

    script_pk: int | None = None
    applied_run: int | None = None
    last_run: RunRecord | None = None
    lease: Lease | None = None
    version: KnownVersion | None = None

    @property
    def holder(self) -> RunRecord | None:
        """The attempt that holds the script, None if it is free."""
        return self.last_run if self.lease is not None and self.lease.is_live else None


class OpenRun(NamedTuple):
    """A recorded attempt that has not ended; ``lost`` is the one with an expired lease that it replaced."""

    pk: int
    script_pk: int
    lost: RunRecord | None = None


@needs_tables
def look_up(script_id: ScriptId, content_digest: str) -> Entry:
    """A script and one content of its file, as the ledger holds them (one query)."""
    rows = statements.select(_LOOK_UP, content_digest, statements.identity_of(script_id))
    if not rows:
        return Entry()
    script_pk, applied_run, ago, left, *run, pk, algorithm, digest, facts, lacks_source = rows[0]
    last_run = run_record(run, database.connection().timezone)
    applied_run = last_run.pk if last_run and last_run.applies else applied_run
    known = KnownVersion(pk, Fingerprint(algorithm, digest), facts, bool(lacks_source)) if pk else None
    return Entry(script_pk, applied_run, last_run, lease_of(last_run, ago, left), known)


@needs_tables
def begin(script_id: ScriptId, path: str, entry: Entry, version: VersionFacts, facts: RunFacts) -> OpenRun:
    """Record the beginning of an attempt and take the script (a rehearsal does not take it), all or nothing.

    Args:
        script_id: the script.
        path: its file, as reports show it.
        entry: what ``look_up`` returned, without a holder.
        version: the file as it is now.
        facts: who begins the attempt, where, and how.

    Raises:
        Overtaken: ``entry`` is out of date.
    """

    def write(escape: Escape) -> OpenRun:
        return _begin(script_id, path, entry, version, facts, escape=escape)

    return writing.in_its_characters(write, *script_id, path, *facts.texts)


def _begin(
    script_id: ScriptId, path: str, entry: Entry, version: VersionFacts, facts: RunFacts, *, escape: Escape
) -> OpenRun:
    takes = facts.kind == "run"
    try:
        with transaction.atomic(using=alias()):
            script_pk = entry.script_pk or _add_script(script_id, path, escape)
            if entry.script_pk and takes:
                _require_free_row(script_pk)
            lost = _mark_lost(entry.last_run) if takes else None
            version_pk = _version_pk(script_pk, entry.version, version)
            run = writing.new_run(script_pk, version_pk, facts.escaped(escape), "running")
            run.save(using=alias(), force_insert=True)
            if takes:
                _take(entry, script_pk, run.pk, escape(path))
    except IntegrityError as error:  # another process has added the script or the version
        raise Overtaken from error
    return OpenRun(run.pk, script_pk, lost)


def _add_script(script_id: ScriptId, path: str, escape: Escape) -> int:
    row = writing.new_script(script_id, path, escape)
    row.save(using=alias(), force_insert=True)
    return row.pk


def _require_free_row(script_pk: int) -> None:
    """Raise Overtaken if a transaction has locked the row: the caller waits for it, and can say so to its user."""
    if database.connection().features.has_select_for_update_skip_locked:
        rows = database.scripts().select_for_update(skip_locked=True).filter(pk=script_pk)
        if not rows.values_list("pk"):
            raise Overtaken


def _mark_lost(run: RunRecord | None) -> RunRecord | None:
    """End an attempt whose lease is over as lost; raise Overtaken if it has ended in the meantime."""
    if run is None or run.outcome != "running":
        return None
    if not database.runs().filter(pk=run.pk, outcome="running").update(outcome="lost"):
        raise Overtaken
    return run


def _version_pk(script_pk: int, known: KnownVersion | None, version: VersionFacts) -> int:
    """The key of the version's row, which is added or brought up to date."""
    if known is None:
        row = ScriptVersion(script_id=script_pk, **writing.columns_of(version))
        row.save(using=alias(), force_insert=True)
        return row.pk
    writing.improve_version(
        known.pk, version, algorithm=known.fingerprint.algorithm, lacks_source=known.lacks_source
    )
    return known.pk


def _take(entry: Entry, script_pk: int, run_pk: int, path: str) -> None:
    seen = entry.last_run
    last_run = Q(last_run=seen.pk) if seen else Q(last_run__isnull=True)
    if seen and seen.outcome == "running":
        last_run &= Q(lease_expires__lte=DatabaseEpoch())
    expires = DatabaseEpoch() + conf.tracker_settings().lease_seconds
    free = database.scripts().filter(last_run, pk=script_pk)
    if not free.update(last_run=run_pk, applied_run=entry.applied_run, lease_expires=expires, path=path):
        raise Overtaken


def end(
    run: OpenRun, outcome: str, *, applies: bool, output: str = "", traceback: str = "", reason: str = ""
) -> bool:
    """Record the end of an attempt and release the script, in one statement.

    Args:
        run: what ``begin`` returned.
        outcome: succeeded or failed.
        applies: whether the version counts as applied from now on.
        output: the end of what the script printed.
        traceback: of what it raised.
        reason: why a success does not count, or what failed, in a line.

    Returns:
        False if another process has taken the script over: then nothing is applied.
    """
    row = database.runs().filter(pk=run.pk)
    ended_at = database.now()

    def write(escape: Escape) -> bool:
        texts = {"output": escape(output), "traceback": escape(traceback), "ended_at": ended_at}
        running = row.filter(outcome="running")
        if running.update(outcome=outcome, applies=applies, reason=escape(reason), **texts):
            return True
        if row.filter(outcome=outcome).exists():
            return True  # a first try succeeded, and its answer was lost with the connection
        row.filter(outcome="lost").update(reason=_kept_or(TAKEN_OVER), **texts)
        return False

    return writing.in_its_characters(write, output, traceback, reason)


def is_lost(run: OpenRun) -> bool:
    """Whether another process has taken the script over, or a person has released it."""
    return why_lost(run) is not None


def why_lost(run: OpenRun) -> str | None:
    """Why an attempt does not hold the script any more; None if it does, or has ended."""
    return database.runs().filter(pk=run.pk, outcome="lost").values_list("reason", flat=True).first()


def _kept_or(reason: str) -> Case:
    """The reason that a row has, or else this one."""
    return Case(When(reason="", then=Value(reason)), default=F("reason"), output_field=TextField())


def add(run: OpenRun, *, output: str, traceback: str, reason: str) -> bool:
    """Add to a recorded success what went wrong after it; False if no success is recorded."""
    row = database.runs().filter(pk=run.pk, outcome="succeeded")

    def write(escape: Escape) -> bool:
        # A reason that is there says why the success does not count.
        kept = _kept_or(escape(reason))
        return bool(row.update(reason=kept, output=escape(output), traceback=escape(traceback)))

    return writing.in_its_characters(write, output, traceback, reason)


@contextlib.contextmanager
def heartbeat(run: OpenRun) -> Iterator[None]:
    """Renew the lease of an attempt while the block runs."""
    if not _can_renew():
        yield
        return
    settings, stop = conf.tracker_settings(), threading.Event()
    lease = database.scripts().filter(pk=run.script_pk, last_run=run.pk)
    seconds = settings.lease_seconds
    interval = min(settings.heartbeat_seconds or seconds / 4, seconds / 2)
    arguments = (lease, seconds, interval, stop)
    thread = threading.Thread(target=_beat, args=arguments, name="scripts_tracker heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        if thread.is_alive():
            thread.join()


def _can_renew() -> bool:
    """Whether a second connection can renew a lease.

    On SQLite it cannot, as the script itself is the one writer; there, the process is looked for instead. In a test,
    a second connection would keep the test's database from being dropped. In a transaction, it would not see the row.
    """
    is_sqlite = database.connection().vendor == "sqlite"
    return not (is_sqlite or conf.is_under_test() or database.is_in_transaction())


def _beat(lease: QuerySet[Script], seconds: float, interval: float, stop: threading.Event) -> None:
    ledger = connections[lease.db]
    try:
        while not stop.wait(interval):
            try:
                if not lease.update(lease_expires=DatabaseEpoch() + seconds):
                    return  # another process holds the script
            except (DatabaseError, InterfaceError):
                ledger.close()  # the next beat opens a new connection
    finally:
        ledger.close()
