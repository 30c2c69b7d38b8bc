"""Rows and querysets of the ledger for Django's admin, which cannot do without them.

Every process of a project that has the admin imports this, so the rest of the ledger is imported when a page is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.ledger.database import alias, needs_tables
from scripts_tracker.models import Script

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from django.db.models import Model, QuerySet

    from scripts_tracker.core.environments import Origin, Places
    from scripts_tracker.core.progress import WalkRecord
    from scripts_tracker.core.values import Lease, RunRecord, ScriptId
    from scripts_tracker.models import ScriptRun

    M = TypeVar("M", bound=Model)

_PLACES = "_scripts_tracker_places"
# Databases limit the number of parameters; and what is longer is no word for a list.
_MOST_WORDS, _LONGEST_WORDS = 500, 200


def in_ledger(rows: QuerySet[M]) -> QuerySet[M]:
    """The same rows, read from the ledger's database."""
    return rows.using(alias())


def script_row(script_id: ScriptId) -> Script | None:
    """The row of a script, None if the ledger does not know it (one query)."""
    from scripts_tracker.ledger.statements import identity_of

    return Script.objects.using(alias()).filter(identity=identity_of(script_id)).first()


def script_id(pk: int) -> ScriptId | None:
    """The script whose row has this key, None if there is none (one query)."""
    row = Script.objects.using(alias()).filter(pk=pk).only("app_label", "name").first()
    return id_of(row) if row else None


def id_of(row: Script) -> ScriptId:
    """The script of a row."""
    from scripts_tracker.ledger.statements import script_id_of

    return script_id_of(row.app_label, row.name)


def unsaved_row(script_id: ScriptId, path: str) -> Script:
    """A row for Django's change list to show; it is never saved."""
    return Script(app_label=script_id.app_label, name=script_id.name, path=path)


def runs_with_scripts(runs: QuerySet[ScriptRun]) -> QuerySet[ScriptRun]:
    """Runs with their script and version, without the source, and with the time by the clock of the database."""
    runs = runs.select_related("script", "version", "environment").defer("version__facts", "version__source")
    return cast("QuerySet[ScriptRun]", runs.annotate(now=DatabaseEpoch()))


def without_long_texts(runs: QuerySet[ScriptRun]) -> QuerySet[ScriptRun]:
    """Runs without what no list shows: each text may be 64 KiB long."""
    return runs.defer("output", "traceback", "arguments")


def with_value(rows: QuerySet[M], column: str, value: str | int) -> QuerySet[M]:
    """The rows that have this value in a column."""
    return rows.filter(**{column: value})


@needs_tables
def environments() -> list[tuple[int, str]]:
    """The places where runs were recorded, by key, with their names (one query)."""
    from scripts_tracker.models import ScriptEnvironment

    found = ScriptEnvironment.objects.using(alias()).order_by("pk")
    return [(one.pk, str(one)) for one in found]


@needs_tables
def check_readable(runs: QuerySet[Any]) -> None:
    """Read every column of no row; raises LedgerMissing or a database error where one is missing."""
    list(runs.filter(pk=0))


def place_of(run: ScriptRun) -> str:
    """The name of the environment where a run was recorded; empty where that is not known."""
    from scripts_tracker.ledger.statements import unescaped

    name = unescaped(run.environment.name) if run.environment else ""
    return name or _origin(run).label


def _is_elsewhere(run: ScriptRun) -> bool:
    """Whether a run is known to be of another environment, where its lease and its process are."""
    return _origin(run).is_other


def attach_places(runs: Iterable[ScriptRun]) -> None:
    """Let these runs know all places at once (one query)."""
    from scripts_tracker.ledger import environments  # only when a page is shown

    places = environments.places()
    for run in runs:
        setattr(run, _PLACES, places)


@needs_tables
def last_words(pks: Collection[int]) -> dict[int, str]:
    """The last line of the output of each of these runs, by their keys, without those that have none (one query)."""
    from django.db.models.functions import Right  # only when a page is shown

    from scripts_tracker.models import ScriptRun

    if not pks:
        return {}
    runs = ScriptRun.objects.using(alias()).filter(pk__in=list(pks)[:_MOST_WORDS])
    ends = runs.annotate(end=Right("output", _LONGEST_WORDS)).values_list("pk", "end")
    lines = {pk: end.strip().replace("\r", "\n").rpartition("\n")[2].strip() for pk, end in ends}
    return {pk: line for pk, line in lines.items() if line}


@needs_tables
def walks_of(runs: Iterable[ScriptRun]) -> Mapping[int, WalkRecord]:
    """What these runs work on, by its key (one query, if there is any)."""
    from scripts_tracker.ledger.walk_queries import walks  # as above

    return walks({run.walk_id for run in runs if run.walk_id is not None})


def _origin(run: ScriptRun) -> Origin:
    """Where a run comes from, as seen from here (one query, unless ``attach_places`` has made it)."""
    if not hasattr(run, _PLACES):
        attach_places([run])
    return cast("Places", getattr(run, _PLACES)).origin(run.environment_id)


def lease_now(run: ScriptRun) -> Lease | None:
    """How one of ``runs_with_scripts`` holds its script; None if it is not running, or another run came after it.

    A worker of a batched script has a lease of its own.
    """
    from scripts_tracker.ledger.statements import lease_of, lease_of_worker

    if run.outcome == "running" and _is_elsewhere(run):
        return None
    script, now = run.script, getattr(run, "now")  # noqa: B009 - an annotation, which the model does not have
    if run.walk_id is not None:
        return lease_of_worker(cast("RunRecord", run), run.lease_expires - now)
    if script.last_run_id != run.pk:
        return None
    ago = now - script.lease_renewed if script.lease_renewed else None
    return lease_of(cast("RunRecord", run), ago, script.lease_expires - now)


def outcome_now(run: ScriptRun) -> str:
    """The outcome of one of ``runs_with_scripts`` as a check reports it: ``lost`` if no process can be running it."""
    from scripts_tracker.ledger import queries

    if run.outcome == "running" and _is_elsewhere(run):
        return "lost"
    lease = lease_now(run)
    return queries.outcome_of(run, holds=lease is not None and lease.is_live)
