"""Who may run a script now: an attempt begins by one compare-and-swap, and ends by another.

The script's last run is its holder, the key of that row the token. An attempt begins where the last run is still
the one that was looked at, and nobody holds the script by it; the expiry is measured by the database's clock. It
ends where its row still says "running": whoever takes over an attempt that gave no sign of life changes that first.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from django.db import DatabaseError, DataError, IntegrityError, InterfaceError, connections, transaction
from django.db.models import Case, F, Q, TextField, Value, When

from scripts_tracker import conf
from scripts_tracker.core.values import Fingerprint, RunRecord
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, processes, statements, writing
from scripts_tracker.ledger.database import DatabaseEpoch, alias, is_in_transaction, needs_tables
from scripts_tracker.ledger.statements import IS_HELD, RUN, SCRIPTS, columns, run_record
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.writing import RunFacts, VersionFacts

R = TypeVar("R")

TAKEN_OVER: Final = "another process took the script over before this one ended"

_LOOK: Final = f"""SELECT {columns("s", "id", "applied_run_id")}, {IS_HELD}, {columns("l", *RUN)},
{columns("v", "id", "algorithm", "digest", "facts")}, CASE WHEN v."source" IS NULL THEN 1 ELSE 0 END
{SCRIPTS} LEFT JOIN "scripts_tracker_scriptversion" v ON v."script_id" = s."id" AND v."content_digest" = %s
WHERE s."identity" = %s"""
# MySQL and MariaDB: an invalid or incorrect string, a conversion that is impossible.
_CHARACTER_ERRORS = frozenset({1300, 1366, 1977, 3988})
# What people and machines are called.
_WORDS, _LONGEST_WORD = ("host", "process", "user"), 255


class KnownVersion(NamedTuple):
    """The row of a file content that the ledger has seen before; ``facts`` as JSON text."""

    pk: int
    fingerprint: Fingerprint
    facts: str
    lacks_source: bool


class Entry(NamedTuple):
    """What the ledger says of a script that is about to run; ``script_pk`` is None where it says nothing yet."""

    script_pk: int | None = None
    applied_run: int | None = None
    last_run: RunRecord | None = None
    lease_live: bool = False
    version: KnownVersion | None = None

    @property
    def holder(self) -> RunRecord | None:
        """The attempt that holds the script, None where it is free."""
        run = self.last_run
        return run if run is not None and (self.lease_live or is_held_unrenewed(run, alias())) else None


class OpenRun(NamedTuple):
    """A recorded attempt that has not ended, and the one that it found without a sign of life, if any."""

    pk: int
    script_pk: int
    lost: RunRecord | None = None


def is_held_unrenewed(run: RunRecord | None, using: str) -> bool:
    """Whether a script's last run is held by a living process although nobody renews its lease (SQLite)."""
    if run is None or run.outcome != "running" or connections[using].vendor != "sqlite":
        return False
    return processes.is_running(run.pid, run.process, run.host, run.started_at)


@needs_tables
def look_up(script_id: ScriptId, content_digest: str) -> Entry:
    """A script and one content of its file, as the ledger has them (one query)."""
    rows = statements.select(_LOOK, content_digest, writing.identity_of(script_id))
    if not rows:
        return Entry()
    script_pk, applied_run, is_held, *run, pk, algorithm, digest, facts, lacks_source = rows[0]
    last_run = run_record(run, connections[alias()].timezone)
    applied_run = last_run.pk if last_run and last_run.applies else applied_run
    known = KnownVersion(pk, Fingerprint(algorithm, digest), facts, bool(lacks_source)) if pk else None
    return Entry(script_pk, applied_run, last_run, bool(is_held), known)


@needs_tables
def begin(script_id: ScriptId, path: str, entry: Entry, version: VersionFacts, facts: RunFacts) -> OpenRun:
    """Record that an attempt begins, and take the script (a rehearsal takes nothing), all or nothing.

    Args:
        script_id: whose attempt.
        path: the script's file as reports show it.
        entry: what ``look_up`` said: that nobody holds the script.
        version: the file as it stands.
        facts: who begins it, where, with what.

    Raises:
        Overtaken: what ``entry`` says is no longer so.
    """

    def write(path: str, **words: Any) -> OpenRun:
        return _begin(script_id, path, entry, version, facts._replace(**words))

    return _in_its_characters(write, path=path, **{name: getattr(facts, name) for name in _WORDS})


def _begin(script_id: ScriptId, path: str, entry: Entry, version: VersionFacts, facts: RunFacts) -> OpenRun:
    takes = facts.kind == "run"
    try:
        with transaction.atomic(using=alias()):
            script_pk = entry.script_pk or _add_script(script_id, path)
            if entry.script_pk and takes:
                _require_free_row(script_pk)
            lost = _mark_lost(entry.last_run) if takes else None
            run = writing.new_run(script_pk, _version_pk(script_pk, entry.version, version), facts, "running")
            run.save(using=alias(), force_insert=True)
            if takes:
                _take(entry, script_pk, run.pk, path)
    except IntegrityError as error:  # the script or the version is there by now
        raise Overtaken from error
    return OpenRun(run.pk, script_pk, lost)


def _add_script(script_id: ScriptId, path: str) -> int:
    identity = writing.identity_of(script_id)
    row = Script(identity=identity, app_label=script_id.app_label, name=script_id.name, path=path)
    row.save(using=alias(), force_insert=True)
    return row.pk


def _require_free_row(script_pk: int) -> None:
    """Do not wait at the row for somebody's long transaction: the caller can tell its user that it waits."""
    if connections[alias()].features.has_select_for_update_skip_locked:
        rows = Script.objects.using(alias()).select_for_update(skip_locked=True).filter(pk=script_pk)
        if not rows.values_list("pk"):
            raise Overtaken


def _mark_lost(run: RunRecord | None) -> RunRecord | None:
    """An attempt that gave no sign of life ends as lost, unless it has ended meanwhile."""
    if run is None or run.outcome != "running":
        return None
    runs = ScriptRun.objects.using(alias()).filter(pk=run.pk, outcome="running")
    if not runs.update(outcome="lost"):
        raise Overtaken
    return run


def _version_pk(script_pk: int, known: KnownVersion | None, version: VersionFacts) -> int:
    """The version's row, made where there is none, brought up to date where there is one."""
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
    free = Script.objects.using(alias()).filter(last_run, pk=script_pk)
    if not free.update(last_run=run_pk, applied_run=entry.applied_run, lease_expires=expires, path=path):
        raise Overtaken


def end(
    run: OpenRun, outcome: str, *, applies: bool, output: str = "", traceback: str = "", reason: str = ""
) -> bool:
    """Record how an attempt ended, and give the script back, in one statement.

    Args:
        run: what ``begin`` returned.
        outcome: succeeded or failed.
        applies: whether the version is applied from now on.
        output: the tail of what it printed.
        traceback: what the script raised.
        reason: why a success does not apply, or what failed, in a line.

    Returns:
        False where another holder has taken the script over meanwhile: then nothing is applied.
    """
    row = ScriptRun.objects.using(alias()).filter(pk=run.pk)
    ended_at = database.now()

    def write(reason: str, **told: Any) -> bool:
        told["ended_at"] = ended_at
        if row.filter(outcome="running").update(outcome=outcome, applies=applies, reason=reason, **told):
            return True
        if row.filter(outcome=outcome).exists():
            return True  # the answer to the first try was lost with its connection
        row.filter(outcome="lost").update(reason=TAKEN_OVER, **told)
        return False

    return _in_its_characters(write, output=output, traceback=traceback, reason=reason)


def is_lost(run: OpenRun) -> bool:
    """Whether another process has taken the script over."""
    return ScriptRun.objects.using(alias()).filter(pk=run.pk, outcome="lost").exists()


def add(run: OpenRun, *, output: str, traceback: str, reason: str) -> bool:
    """Keep with a success what went wrong after it was recorded; False where there is none."""
    row = ScriptRun.objects.using(alias()).filter(pk=run.pk, outcome="succeeded")

    def write(reason: str, **told: Any) -> bool:
        why = Case(
            When(reason="", then=Value(reason)), default=F("reason"), output_field=TextField()
        )  # why it does not apply
        return bool(row.update(reason=why, **told))

    return _in_its_characters(write, output=output, traceback=traceback, reason=reason)


def _in_its_characters(write: Callable[..., R], **texts: str) -> R:
    """Write texts as they are; escaped, where the database has not all of their characters: it is no reason to fail."""
    if all(text.isascii() for text in texts.values()):
        return write(**texts)
    try:
        # A savepoint: what else was done in this transaction is to stay.
        with transaction.atomic(using=alias()) if is_in_transaction() else contextlib.nullcontext():
            return write(**texts)
    except (DatabaseError, UnicodeError) as error:
        if not _is_about_characters(error):
            raise
    return write(**{name: _escaped(name, text) for name, text in texts.items()})


def _is_about_characters(error: Exception) -> bool:
    if isinstance(error, DataError | UnicodeError):
        return True
    return connections[alias()].vendor == "mysql" and bool({*error.args[:1]} & _CHARACTER_ERRORS)


def _escaped(name: str, text: str) -> str:
    plain = text.encode("ascii", "backslashreplace").decode()
    return plain[:_LONGEST_WORD] if name in _WORDS else plain


def beats(using: str) -> bool:
    """Whether a lease can be renewed from a second connection.

    Not on SQLite, whose one writer is the script itself: there a process is looked for instead, as all of them
    share the machine. Not in a test environment (the second connection would keep its database from being
    dropped), and not inside a transaction (the row is not there for others yet).
    """
    is_sqlite = connections[using].vendor == "sqlite"
    return not (is_sqlite or conf.is_under_test() or database.is_in_transaction())


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
