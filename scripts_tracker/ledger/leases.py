"""Who may run a script now: one compare-and-swap begins an attempt, another ends it.

The script's last run is its holder. An attempt begins only if the last run is still the one that was looked up and
does not hold the script; the database's clock decides whether its lease is over. An attempt ends only if its row still
says "running": whoever takes over an attempt with an expired lease changes that first.

A script may change the search path, the role or the database of its connection, and another schema may have a ledger
with a row of the same key. So once it has begun, an attempt finds its row by the full name of the table, the key and a
random token.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from django.db import IntegrityError, transaction

from scripts_tracker import conf
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import Fingerprint, RunRecord
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import database, statements, writing
from scripts_tracker.ledger.database import alias, needs_tables
from scripts_tracker.ledger.reading import fetch
from scripts_tracker.ledger.statements import HERE, LAST_RUN, LEASE, RUN, Place, columns, lease_of, run_record
from scripts_tracker.models import ScriptVersion

if TYPE_CHECKING:
    from scripts_tracker.core.values import Lease, ScriptId
    from scripts_tracker.ledger.writing import Escape, RunFacts, VersionFacts

TAKEN_OVER: Final = "another process took the script over before this one ended"
"""The reason of a lost run whose process has come back."""
RELEASED: Final = "released"
"""How the reason of a lost run begins that a person released."""
_DECIDED: Final = "a person marked or unmarked the script before this run ended"

# One row even for an unknown script: where the tables are is asked, too, and which environment this is.
_LOOK_UP: Final = f"""SELECT {{place}}, p."identity", {HERE.replace("{identity}", 'p."identity"')}, {columns("s", "id", "applied_run_id")}, {LEASE}, {columns("l", *RUN)},
{columns("v", "id", "algorithm", "digest", "facts")}, CASE WHEN v."source" IS NULL THEN 1 ELSE 0 END
FROM (SELECT COUNT(*) AS "none", {{identity}} AS "identity" FROM "scripts_tracker_script" WHERE 1 = 0) p
LEFT JOIN "scripts_tracker_script" s ON s."identity" = %s {LAST_RUN}
LEFT JOIN "scripts_tracker_scriptversion" v ON v."script_id" = s."id" AND v."content_digest" = %s"""  # noqa: S608 - our own names
_TAKE: Final = """UPDATE "scripts_tracker_script" SET "lease_expires" = {now} + %s, "lease_renewed" = {now},
"last_run_id" = %s, "applied_run_id" = %s, "path" = %s WHERE "id" = %s"""
OF_RUN: Final = '"id" = %s AND "token" = %s AND "outcome" = %s'
"""A run that has this outcome; without the token, a row of the same key in another schema would do."""
# Outcome and reason of a run, and the kind of the script's last run.
_STANDING: Final = """SELECT r."outcome", r."reason", l."kind" FROM "scripts_tracker_scriptrun" r
LEFT JOIN "scripts_tracker_script" s ON s."id" = r."script_id"
LEFT JOIN "scripts_tracker_scriptrun" l ON l."id" = s."last_run_id" WHERE r."id" = %s AND r."token" = %s"""


class KnownVersion(NamedTuple):
    """A file content that the ledger has a row of; ``facts`` is JSON text."""

    pk: int
    fingerprint: Fingerprint
    facts: str
    lacks_source: bool


class Entry(NamedTuple):
    """What the ledger holds of a script that is about to run; without a ``script_pk``, nothing.

    ``environment`` is what a run is recorded with, see ``environments.recording``.
    """

    script_pk: int | None = None
    applied_run: int | None = None
    last_run: RunRecord | None = None
    lease: Lease | None = None
    version: KnownVersion | None = None
    place: Place = Place()
    environment: int | None = None

    @property
    def holder(self) -> RunRecord | None:
        """The attempt that holds the script, None if it is free."""
        return self.last_run if self.lease is not None and self.lease.is_live else None


class OpenRun(NamedTuple):
    """A recorded attempt that has not ended.

    Attributes:
        pk: the key of its row.
        script_pk: the key of its script's row.
        token: what its row has beside the key.
        place: where the rows are.
        lost: the attempt with an expired lease that it replaced.
        walk_pk: the key of the walk that it works on, of a batched script.
    """

    pk: int
    script_pk: int
    token: str
    place: Place
    lost: RunRecord | None = None
    walk_pk: int | None = None


@needs_tables
def look_up(script_id: ScriptId, content_digest: str) -> Entry:
    """A script and one content of its file, as the ledger holds them (one query).

    The first time at a place, its row is added; what was running in another place is recorded as lost.
    """
    entry, identity, first = _look_up(script_id, content_digest)
    if not _is_new_here(entry, first):
        return entry
    from scripts_tracker.ledger import environments  # once for each place, as a rule

    if first is None:
        return entry._replace(environment=environments.add(identity))
    here = environments.recording()
    return _look_up(script_id, content_digest)[0]._replace(environment=here)


def _is_new_here(entry: Entry, first: int | None) -> bool:
    """Whether nothing was recorded at this place yet, or the last run goes on in another one."""
    run = entry.last_run
    if entry.environment is None or run is None or run.outcome != "running":
        return entry.environment is None
    return (first if run.environment is None else run.environment) != entry.environment


def _look_up(script_id: ScriptId, content_digest: str) -> tuple[Entry, str, int | None]:
    """The entry, with the identity of the database and the key of the first environment."""
    ((*row,),) = statements.select_here(_LOOK_UP, statements.identity_of(script_id), content_digest)
    schema, role, isolation, identity, here, first, script_pk, applied_run, ago, left, *row = row
    place = Place(schema or "", role or "", isolation or "")
    *run, pk, algorithm, digest, facts, lacks_source = row
    if script_pk is None:
        return Entry(place=place, environment=here), identity, first
    last_run = run_record(run, database.connection().timezone)
    applied_run = last_run.pk if last_run and last_run.applies else applied_run
    known = KnownVersion(pk, Fingerprint(algorithm, digest), facts, bool(lacks_source)) if pk else None
    lease = lease_of(last_run, ago, left)
    return Entry(script_pk, applied_run, last_run, lease, known, place, here), identity, first


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
            script_pk = entry.script_pk or add_script(script_id, path, escape)
            if entry.script_pk and takes:
                require_free_row(script_pk)
            lost = mark_lost(entry.last_run) if takes else None
            known_pk = version_pk(script_pk, entry.version, version)
            facts = facts.escaped(escape)._replace(environment_id=entry.environment)
            run = writing.new_run(script_pk, known_pk, facts, "running")
            run.token = os.urandom(16).hex()
            run.save(using=alias(), force_insert=True)
            if takes:
                take(entry, script_pk, run.pk, escape(path))
    except IntegrityError as error:  # another process has added the script or the version
        raise Overtaken from error
    return OpenRun(run.pk, script_pk, run.token, entry.place, lost)


def add_script(script_id: ScriptId, path: str, escape: Escape) -> int:
    """Add the row of a script; gives its key."""
    row = writing.new_script(script_id, path, escape)
    row.save(using=alias(), force_insert=True)
    return row.pk


def require_free_row(script_pk: int) -> None:
    """Raise Overtaken if a transaction has locked the row: the caller waits for it, and can say so to its user."""
    if database.connection().features.has_select_for_update_skip_locked:
        rows = database.scripts().select_for_update(skip_locked=True).filter(pk=script_pk)
        if not fetch(rows.values_list("pk")):
            raise Overtaken


def mark_lost(run: RunRecord | None) -> RunRecord | None:
    """End an attempt whose lease is over as lost; raise Overtaken if it has ended in the meantime."""
    if run is None or run.outcome != "running":
        return None
    if not database.runs().filter(pk=run.pk, outcome="running").update(outcome="lost"):
        raise Overtaken
    return run


def version_pk(script_pk: int, known: KnownVersion | None, version: VersionFacts) -> int:
    """The key of the version's row, which is added or brought up to date."""
    if known is None:
        row = ScriptVersion(script_id=script_pk, **writing.columns_of(version))
        row.save(using=alias(), force_insert=True)
        return row.pk
    writing.improve_version(
        known.pk, version, algorithm=known.fingerprint.algorithm, lacks_source=known.lacks_source
    )
    return known.pk


def take(entry: Entry, script_pk: int, run_pk: int, path: str) -> None:
    """Make a run the script's last run, if the one that was looked up still is and holds nothing; or raise Overtaken."""
    seen = entry.last_run
    free = '"last_run_id" = %s' if seen else '"last_run_id" IS NULL'
    if seen and seen.outcome == "running":
        free += ' AND "lease_expires" <= {now}'
    values = [conf.tracker_settings().lease_seconds, run_pk, entry.applied_run, path, script_pk]
    values += [seen.pk] if seen else []
    if not statements.update(f"{_TAKE} AND {free}", *values, place=entry.place):
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
        False if the row does not say "running" any more, or is not found; ``why_unrecorded`` says which. Then nothing
        is applied.
    """
    ended_at = database.connection().ops.adapt_datetimefield_value(database.now())

    def write(escape: Escape) -> bool:
        texts = {"output": escape(output), "traceback": escape(traceback), "ended_at": ended_at}
        if update_run(run, "running", outcome=outcome, applies=applies, reason=escape(reason), **texts):
            return True
        now, why_lost, last_kind = _standing(run)
        if now == outcome:
            return True  # a first try succeeded, and its answer was lost with the connection
        if now == "lost":
            by_default = _DECIDED if last_kind in {"mark", "baseline", "unmark"} else TAKEN_OVER
            update_run(run, "lost", reason=why_lost or by_default, **texts)
        return False

    return writing.in_its_characters(write, output, traceback, reason)


def update_run(run: OpenRun, outcome: str, /, **values: Any) -> bool:
    """Change the row of an attempt if it has this outcome; gives whether it has."""
    settings = ", ".join(f'"{name}" = %s' for name in values)
    statement = f'UPDATE "scripts_tracker_scriptrun" SET {settings} WHERE {OF_RUN}'  # noqa: S608 - our own names
    return statements.update(statement, *values.values(), run.pk, run.token, outcome, place=run.place) > 0


def _standing(run: OpenRun) -> tuple[str, str, str | None]:
    """Outcome and reason of an attempt, both empty if its row is not found, and the kind of the script's last run."""
    rows = statements.select(_STANDING, run.pk, run.token, place=run.place)
    return rows[0] if rows else ("", "", None)


def is_lost(run: OpenRun) -> bool:
    """Whether another process has taken the script over, or a person has decided about it."""
    return _standing(run)[0] == "lost"


def has_ended(run: OpenRun) -> bool:
    """Whether the outcome of an attempt is recorded, which only its own process does."""
    return _standing(run)[0] in {"succeeded", "failed"}


@needs_tables
def why_unrecorded(run: OpenRun) -> tuple[str, bool]:
    """Why an attempt cannot end or be renewed, as a clause, and whether its row is there.

    Raises:
        LedgerMissing: the tables are gone.
    """
    from scripts_tracker.core.escaping import escaped  # seldom needed

    outcome, reason, last_kind = _standing(run)
    if outcome in {"", "running"}:  # a transaction that deleted it was rolled back
        return "its row in the ledger was deleted while it ran", False
    if outcome != "lost":
        return f"its run was recorded as {outcome} in the meantime", True
    if reason.startswith(RELEASED):
        return f"its run was {escaped(' '.join(reason.split()))}", True
    if reason == _DECIDED or last_kind in {"mark", "baseline", "unmark"}:
        return "a person marked or unmarked it in the meantime", True
    return "its lease had expired and another process took over", True


def add(run: OpenRun, *, output: str, traceback: str, reason: str) -> bool:
    """Add to a recorded success what went wrong after it; False if no success is recorded."""

    def write(escape: Escape) -> bool:
        outcome, kept, _ = _standing(run)
        if outcome != "succeeded":
            return False
        texts = {"output": escape(output), "traceback": escape(traceback)}
        # A reason that is there says why the success does not count.
        return update_run(run, outcome, reason=kept or escape(reason), **texts)

    return writing.in_its_characters(write, output, traceback, reason)


def needs_heartbeat() -> bool:
    """Whether a second connection renews the lease of an attempt.

    On SQLite it cannot, as the script itself is the one writer; there, the process is looked for instead. In a test,
    a second connection would keep the test's database from being dropped. In a transaction, it would not see the row.
    """
    is_sqlite = database.connection().vendor == "sqlite"
    return not (is_sqlite or conf.is_under_test() or database.is_in_transaction())
