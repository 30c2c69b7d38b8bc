"""Deletes old runs: a script at a time, a few hundred rows per statement.

Whatever its age, a run stays if the ledger still needs it: a script's last run and its applied run, running ones, the
last unmark, and for each version, and what it watched, the newest run by which it was applied (without that one, the
state "reverted" would become "modified"); and the runs that an open walk of a batched script names. A rehearsal that is still running after a day was killed, as rehearsals are
never taken over.

Versions keep their rows, but lose their source, which is large, once no run names them. A deleted row might be the one
that a run refers to which was just begun in a transaction, and PostgreSQL would say so only at its commit; a deleted
source is stored again by the next run of that content.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Exists, Max, OuterRef, Q

from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.ledger import database
from scripts_tracker.ledger.database import alias, needs_tables, retry
from scripts_tracker.ledger.reading import fetch
from scripts_tracker.ledger.statements import script_id_of
from scripts_tracker.models import Script, ScriptRange, ScriptRun, ScriptWalk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

    from scripts_tracker.core.values import ScriptId

# Keys per statement: every database accepts so many, and no one waits long for the locks.
BATCH = 500
# Keys per read: without statistics, PostgreSQL sorts all runs of a script for each page of them.
PAGE = 10_000
# Seconds to retry while other processes write to the ledger.
_PATIENCE = 30.0
_LONGEST_PAUSE = 0.1
_LONGEST_REHEARSAL = timedelta(days=1)


class Policy(NamedTuple):
    """Which runs to delete: not the newest ``keep`` of their script, and none that began after ``before``."""

    keep: int = 0
    before: datetime | None = None


class Pruned(NamedTuple):
    """What was done to one script's history: runs deleted and kept, versions that lost their source."""

    script_id: ScriptId
    deleted: int
    kept: int
    sources: int


class _History(NamedTuple):
    """A script, the number of its runs, and the key of the newest: later ones are left alone."""

    script_pk: int
    script_id: ScriptId
    runs: int
    newest: int


def _ended(runs: QuerySet[ScriptRun]) -> QuerySet[ScriptRun]:
    killed = Q(kind="rehearsal", started_at__lt=database.now() - _LONGEST_REHEARSAL)
    return runs.filter(~Q(outcome="running") | killed)


def prune(policy: Policy, chosen: Collection[ScriptId] | None, *, dry_run: bool = False) -> Iterator[Pruned]:
    """Delete old runs; yields each script that has a history once its deletions are committed.

    Args:
        policy: which runs to delete.
        chosen: the scripts; None for all.
        dry_run: delete nothing, yield what would be deleted.
    """
    for history in retry(_histories, _PATIENCE):
        if chosen is None or history.script_id in chosen:
            yield _prune(history, policy, dry_run=dry_run)


@needs_tables
def _histories() -> list[_History]:
    counted = fetch(database.runs().values_list("script").annotate(Count("pk"), Max("pk")).order_by())
    counts = {script: rest for script, *rest in counted}
    scripts = database.scripts().filter(pk__in=database.runs().values("script"))
    rows = fetch(scripts.order_by("app_label", "name").values_list("pk", "app_label", "name"))
    return [_History(pk, script_id_of(app, name), *counts[pk]) for pk, app, name in rows if pk in counts]


def _prune(history: _History, policy: Policy, *, dry_run: bool) -> Pruned:
    deleted = 0
    doomed: Counter[int | None] = Counter()
    for batch in _batches(history, policy) if history.runs > policy.keep else ():
        if dry_run:
            deleted += len(batch)
            doomed.update(version for _, version in batch)
        else:
            deleted += _delete([pk for pk, _ in batch])
    if deleted and not dry_run:
        retry(lambda: _drop_walks(history.script_pk), _PATIENCE)
    spare = retry(lambda: _spare_versions(history.script_pk, doomed), _PATIENCE)
    sources = len(spare) if dry_run else sum(map(_drop_source, spare))
    return Pruned(history.script_id, deleted, history.runs - deleted, sources)


def _batches(history: _History, policy: Policy) -> Iterator[Sequence[tuple[int, int | None]]]:
    """The runs to delete, with their versions, oldest first."""
    needed = retry(lambda: _needed(history.script_pk), _PATIENCE)
    is_past = retry(lambda: _is_past(history, policy), _PATIENCE)
    rows = _ended(database.runs().filter(is_past, script=history.script_pk))
    if policy.before is not None:
        rows = rows.filter(started_at__lt=policy.before)
    after = 0
    while page := _page(rows.filter(pk__gt=after)):
        after = page[-1][0]
        free = [row for row in page if row[0] not in needed]
        yield from (free[start : start + BATCH] for start in range(0, len(free), BATCH))


def _page(rows: QuerySet[ScriptRun]) -> list[tuple[Any, ...]]:
    """The oldest of these runs, with their versions."""
    page = rows.order_by("pk").values_list("pk", "version")[:PAGE]
    return retry(lambda: fetch(page), _PATIENCE)


def _is_past(history: _History, policy: Policy) -> Q:
    if not policy.keep:
        return Q(pk__lte=history.newest)
    newest = database.runs().filter(script=history.script_pk, pk__lte=history.newest).order_by("-pk")
    oldest_kept = fetch(newest.values_list("pk")[policy.keep - 1 : policy.keep])
    return Q(
        pk__lt=oldest_kept[0][0] if oldest_kept else 0
    )  # none if another process prunes at the same time


def _needed(script_pk: int) -> set[int]:
    """The runs that the ledger still needs; a run that it does not need will never be needed again."""
    runs = database.runs().filter(script=script_pk)
    applying = runs.filter(applies=True).values("version", "watched").annotate(newest=Max("pk")).order_by()
    last_unmark = runs.filter(kind="unmark").order_by("-pk").values_list("pk")[:1]
    referred = database.scripts().filter(pk=script_pk).values_list("last_run", "applied_run")
    walks = _walks(script_pk).filter(outcome="open")
    decided = walks.values_list("hold", "finisher")
    workers = _ranges().filter(walk__in=walks).values_list("worker").distinct()
    needed = (applying.values_list("newest"), last_unmark, referred, decided, workers)
    return {pk for rows in needed for row in fetch(rows) for pk in row if pk}


def _walks(script_pk: int) -> QuerySet[ScriptWalk]:
    return ScriptWalk.objects.using(alias()).filter(script=script_pk)


def _ranges() -> QuerySet[ScriptRange]:
    return ScriptRange.objects.using(alias())


def _forget(pks: list[int]) -> None:
    """Let walks that are over name these runs no more; open ones keep theirs."""
    over = ScriptWalk.objects.using(alias()).exclude(outcome="open")
    over.filter(hold__in=pks).update(hold=None)
    over.filter(finisher__in=pks).update(finisher=None)
    _ranges().filter(worker__in=pks, walk__in=over).update(worker=None)


def _drop_walks(script_pk: int) -> None:
    """Delete the walks that are over and that no run names any more."""
    naming = database.runs().filter(walk=OuterRef("pk"))
    rows = _walks(script_pk).exclude(outcome="open").filter(~Exists(naming))
    pks = [pk for (pk,) in fetch(rows.values_list("pk"))]
    if pks:
        ranges: Any = _ranges().filter(walk__in=pks)
        walks: Any = _walks(script_pk).filter(~Exists(naming), pk__in=pks)
        ranges._raw_delete(alias())  # noqa: SLF001 - as below
        walks._raw_delete(alias())  # noqa: SLF001 - as below


def _delete(pks: list[int]) -> int:
    """Delete runs in one statement, but none that a script or an open walk refers to.

    Django's ``delete()`` would load every row with its output, and clear a script's reference rather than fail.
    MariaDB and MySQL refuse a subquery on the table that the statement deletes from; this one is on another.
    """
    referring = Script.objects.filter(Q(last_run=OuterRef("pk")) | Q(applied_run=OuterRef("pk")))
    open_walks = ScriptWalk.objects.filter(Q(hold=OuterRef("pk")) | Q(finisher=OuterRef("pk")))
    ranges = ScriptRange.objects.filter(worker=OuterRef("pk"))
    free = (~Exists(referring), ~Exists(open_walks), ~Exists(ranges))
    runs: Any = _ended(database.runs().filter(*free, pk__in=pks))
    retry(lambda: _forget(pks), _PATIENCE)
    began = time.monotonic()
    deleted = int(retry(lambda: runs._raw_delete(alias()), _PATIENCE))  # noqa: SLF001 - as Django's own fast deletes
    time.sleep(min(time.monotonic() - began, _LONGEST_PAUSE))  # let others write
    return deleted


def _spare_versions(script_pk: int, doomed: Counter[int | None]) -> list[int]:
    """The versions with a source that no run names, except for doomed ones."""
    counts = database.runs().filter(script=script_pk).values_list("version").annotate(Count("pk")).order_by()
    named = {version for version, count in fetch(counts) if count > doomed[version]}
    named.update(pk for (pk,) in fetch(_walks(script_pk).filter(outcome="open").values_list("version")))
    versions = database.versions().filter(script=script_pk, source__isnull=False)
    return [pk for (pk,) in fetch(versions.order_by("pk").values_list("pk")) if pk not in named]


def _drop_source(version_pk: int) -> int:
    naming = ScriptRun.objects.filter(version=OuterRef("pk"))
    version = database.versions().filter(~Exists(naming), pk=version_pk)
    return retry(lambda: version.update(source=None), _PATIENCE)
