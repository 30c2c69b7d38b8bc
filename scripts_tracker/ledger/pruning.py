"""What of the history may go, and its deletion: a script at a time, a few hundred rows a statement.

A run stays whatever its age where the ledger still says something by it: the script's last and its applied run, what
is running, of each version, and of what it watched, the newest run by which it was applied (without it "reverted" would
be "modified"), and the last unmark. A rehearsal that is still running after a day was killed: nobody takes those over. Versions keep their rows; the source of one that no run names any more goes, as it is the big part of it. A
row that went could be the one that a run, begun at that moment inside somebody's transaction, refers to, and
PostgreSQL would tell them only at their commit; a source that went comes back with the next run of that content.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Count, Exists, Max, OuterRef, Q

from scripts_tracker.core.values import ScriptId
from scripts_tracker.ledger import database
from scripts_tracker.ledger.database import alias, needs_tables, retry
from scripts_tracker.models import Script, ScriptRun, ScriptVersion

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from django.db.models import QuerySet

# So many keys a statement: no database minds, and nobody waits long for its locks.
BATCH = 500
# So many keys are read at once: without statistics PostgreSQL sorts all runs of a script for each page of them.
PAGE = 10_000
# How long to try where others write to the ledger at the same moment.
_PATIENCE = 30.0
_LONGEST_PAUSE = 0.1
_LONGEST_REHEARSAL = timedelta(days=1)


class Policy(NamedTuple):
    """Which runs may go: those that are neither among the newest ``keep`` of their script nor begun after ``before``."""

    keep: int = 0
    before: datetime | None = None


class Pruned(NamedTuple):
    """What became of one script's history: runs that went and that stay, versions whose source went."""

    script_id: ScriptId
    deleted: int
    kept: int
    sources: int


class _History(NamedTuple):
    """A script whose runs are to be looked at: how many, and the newest of them; later ones are left alone."""

    script_pk: int
    script_id: ScriptId
    runs: int
    newest: int


def _runs() -> QuerySet[ScriptRun]:
    return ScriptRun.objects.using(alias())


def _ended(runs: QuerySet[ScriptRun]) -> QuerySet[ScriptRun]:
    killed = Q(kind="rehearsal", started_at__lt=database.now() - _LONGEST_REHEARSAL)
    return runs.filter(~Q(outcome="running") | killed)


@needs_tables
def known_scripts() -> set[ScriptId]:
    """Every script that the ledger has a row of (one query)."""
    return {ScriptId(*row) for row in Script.objects.using(alias()).values_list("app_label", "name")}


def prune(policy: Policy, chosen: Collection[ScriptId] | None, *, dry_run: bool = False) -> Iterator[Pruned]:
    """Delete what may go, and tell of each script that has a history; what was told is done for good.

    Args:
        policy: which runs may go.
        chosen: whose; None for every script's.
        dry_run: delete nothing, tell what would be.
    """
    for history in _histories():
        if chosen is None or history.script_id in chosen:
            yield _pruned(history, policy, dry_run=dry_run)


@needs_tables
def _histories() -> list[_History]:
    counts = {
        script: rest
        for script, *rest in _runs().values_list("script").annotate(Count("pk"), Max("pk")).order_by()
    }
    scripts = Script.objects.using(alias()).filter(pk__in=_runs().values("script"))
    rows = scripts.order_by("app_label", "name").values_list("pk", "app_label", "name")
    return [_History(pk, ScriptId(app, name), *counts[pk]) for pk, app, name in rows if pk in counts]


def _pruned(history: _History, policy: Policy, *, dry_run: bool) -> Pruned:
    deleted = 0
    doomed: Counter[int | None] = Counter()
    for batch in _batches(history, policy) if history.runs > policy.keep else ():
        if dry_run:
            deleted += len(batch)
            doomed.update(version for _, version in batch)
        else:
            deleted += _delete([pk for pk, _ in batch])
    spare = _spare_versions(history.script_pk, doomed)
    sources = len(spare) if dry_run else sum(map(_drop_source, spare))
    return Pruned(history.script_id, deleted, history.runs - deleted, sources)


def _batches(history: _History, policy: Policy) -> Iterator[Sequence[tuple[int, int | None]]]:
    """The runs that may go, with their versions, oldest first."""
    needed = _needed(history.script_pk)
    rows = _ended(_runs().filter(_is_past(history, policy), script=history.script_pk))
    if policy.before is not None:
        rows = rows.filter(started_at__lt=policy.before)
    after = 0
    while page := list(rows.filter(pk__gt=after).order_by("pk").values_list("pk", "version")[:PAGE]):
        after = page[-1][0]
        free = [row for row in page if row[0] not in needed]
        yield from (free[start : start + BATCH] for start in range(0, len(free), BATCH))


def _is_past(history: _History, policy: Policy) -> Q:
    if not policy.keep:
        return Q(pk__lte=history.newest)
    newest = _runs().filter(script=history.script_pk, pk__lte=history.newest).order_by("-pk")
    oldest_kept = newest.values_list("pk", flat=True)[policy.keep - 1 : policy.keep]
    return Q(pk__lt=next(iter(oldest_kept), 0))  # none, where somebody else prunes too


def _needed(script_pk: int) -> set[int]:
    """The runs by which the ledger still says something; once a run is none of them, it never is again."""
    runs = _runs().filter(script=script_pk)
    applying = runs.filter(applies=True).values("version", "watched").annotate(newest=Max("pk")).order_by()
    needed = set(applying.values_list("newest", flat=True))
    needed.update(runs.filter(kind="unmark").order_by("-pk").values_list("pk", flat=True)[:1])
    script = Script.objects.using(alias()).filter(pk=script_pk)
    for holding in script.values_list("last_run", "applied_run"):
        needed.update(pk for pk in holding if pk)
    return needed


def _delete(pks: list[int]) -> int:
    """Delete runs in one statement, none that a script refers to.

    Not by ``delete()``: it would load every row with its output, and make a script forget its applied run rather than
    fail. MariaDB and MySQL refuse a subquery on the very table that the statement deletes from; this one is on another.
    """
    referring = Script.objects.filter(Q(last_run=OuterRef("pk")) | Q(applied_run=OuterRef("pk")))
    runs: Any = _ended(_runs().filter(~Exists(referring), pk__in=pks))
    began = time.monotonic()
    deleted = int(retry(lambda: runs._raw_delete(alias()), _PATIENCE))  # noqa: SLF001 - as Django's own fast deletes
    time.sleep(min(time.monotonic() - began, _LONGEST_PAUSE))  # others want to write too
    return deleted


def _spare_versions(script_pk: int, doomed: Counter[int | None]) -> list[int]:
    """The versions with a source that no run names, or none but those that are doomed."""
    counts = _runs().filter(script=script_pk).values_list("version").annotate(Count("pk")).order_by()
    named = {version for version, count in counts if count > doomed[version]}
    versions = ScriptVersion.objects.using(alias()).filter(script=script_pk, source__isnull=False)
    return [pk for pk in versions.order_by("pk").values_list("pk", flat=True) if pk not in named]


def _drop_source(version_pk: int) -> int:
    naming = ScriptRun.objects.filter(version=OuterRef("pk"))
    version = ScriptVersion.objects.using(alias()).filter(~Exists(naming), pk=version_pk)
    return retry(lambda: version.update(source=None), _PATIENCE)
