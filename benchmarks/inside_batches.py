"""Measures batched scripts from the inside, in a process of the project: ``inside_batches.py WHAT [ROWS]``, prints JSON."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

import django
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import F, Max
from django.test.utils import CaptureQueriesContext

if TYPE_CHECKING:
    from collections.abc import Callable

sys.path.insert(0, os.getcwd())
django.setup()

Row: Any = import_module("shop.models").Row
ROUNDS = 3


def fill(rows: int) -> None:
    """Empty the table and fill it with so many rows, and forget what has run."""
    from scripts_tracker.models import Script, ScriptRun

    Script.objects.update(walk=None, last_run=None, applied_run=None)
    ScriptRun.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE shop_row RESTART IDENTITY")
        cursor.execute("INSERT INTO shop_row (hits) SELECT 0 FROM generate_series(1, %s)", [rows])
        cursor.execute("VACUUM ANALYZE shop_row")


def timed(work: Callable[[], Any]) -> float:
    """The seconds of a piece of work."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def script(name: str) -> Callable[[], Any]:
    """A batched script as its own command, quietly."""
    with open(os.devnull, "w", encoding="utf-8") as nothing:
        stream = os.fdopen(os.dup(nothing.fileno()), "w")
    return lambda: call_command(name, stdout=stream)


def bare(rows: int, size: int) -> Callable[[], None]:
    """The statements of a set-based script without one, each in a transaction."""

    def work() -> None:
        for lower in range(0, rows, size):
            with transaction.atomic():
                Row.objects.filter(pk__gt=lower, pk__lte=lower + size).update(hits=F("hits") + 1)

    return work


def cost(few: int, many: int) -> dict[str, float]:
    """What a batch of 1,000 takes more than its bare statement, by two tables, so that what a run takes once drops out."""
    from scripts_tracker.models import ScriptRange

    sides = {}
    for count in (few, many):
        fill(count)
        ours, alone = script("set_based"), bare(count, 1_000)
        pairs = [(_clocks(ours), _clocks(alone)) for _ in range(ROUNDS)]
        walk = ScriptRange.objects.latest("pk").walk_id
        batches = sum(one.batches for one in ScriptRange.objects.filter(walk=walk))
        (wall, cpu), (bare_wall, bare_cpu) = (
            [min(each) for each in zip(*side, strict=True)] for side in zip(*pairs, strict=True)
        )
        sides[count] = (batches, wall, cpu, bare_wall, bare_cpu)
    batches, *seconds = (large - small for large, small in zip(sides[many], sides[few], strict=True))
    return dict(
        zip(("wall", "cpu", "bare_wall", "bare_cpu"), (one / batches for one in seconds), strict=True)
    )


def _clocks(work: Callable[[], Any]) -> tuple[float, float]:
    """The seconds of a piece of work by the clock, and of CPU time of this process."""
    began = time.process_time()
    return timed(work), time.process_time() - began


def rows(count: int) -> dict[str, float]:
    """Seconds of the same work by ours and by django-maintenance-tasks, in turn."""
    fill(count)
    theirs = _theirs()
    ours = [script(name) for name in ("row_by_row", "saved_together", "set_based")]
    rounds = [(*map(timed, ours), timed(theirs) if theirs else 0) for _ in range(ROUNDS)]
    done = Row.objects.aggregate(most=Max("hits"))["most"]
    if done != ROUNDS * (len(ours) + bool(theirs)):
        raise SystemExit(f"the sides have not done the same: {done}")
    seconds = map(min, zip(*rounds, strict=True))
    return dict(zip(("ours", "together", "set_based", "theirs"), seconds, strict=True))


def _theirs() -> Callable[[], Any] | None:
    try:
        runner = import_module("maintenance_tasks.runner")
        runs = import_module("maintenance_tasks.models").Run
    except ImportError:
        return None

    def work() -> None:
        runner.start("shop.maintenance_tasks.Count")
        if runs.objects.latest("pk").status != "succeeded":
            raise SystemExit(f"django-maintenance-tasks: {runs.objects.latest('pk').error_message}")

    return work


def large() -> dict[str, float]:
    """The longest transaction, and the memory after a tenth and at the end, of a table that is there already."""
    count = Row.objects.aggregate(top=Max("pk"))["top"]
    durations, memory = [0.0], [0.0]
    began = [0.0]
    enter, leave = transaction.Atomic.__enter__, transaction.Atomic.__exit__

    def entering(block: Any) -> Any:
        if not connection.in_atomic_block:
            began[0] = time.perf_counter()
        return enter(block)

    def leaving(block: Any, *error: Any) -> Any:
        result = leave(block, *error)
        if not connection.in_atomic_block:
            durations.append(time.perf_counter() - began[0])
            if not memory[0] and time.perf_counter() - start > estimate / 10:
                memory[0] = _memory()
        return result

    estimate = timed(lambda: Row.objects.update(hits=F("hits") + 1))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM shop_row")
    atomic: Any = transaction.Atomic
    atomic.__enter__, atomic.__exit__ = entering, leaving
    start = time.perf_counter()
    script("adapted")()
    seconds = time.perf_counter() - start
    return {"longest": max(durations), "memory_before": memory[0], "memory": _memory(), "seconds": seconds, "bare": estimate, "rows": count}  # fmt: skip


def _memory() -> float:
    """The peak so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def report() -> dict[str, int]:
    """The queries of one report of progress, after the large table."""
    from scripts_tracker.ledger import walk_queries
    from scripts_tracker.models import ScriptWalk

    walk = ScriptWalk.objects.latest("pk").pk
    with CaptureQueriesContext(connection) as queries:
        walk_queries.walks([walk])
    return {"queries": len(queries)}


def transactions() -> dict[str, int]:
    """How many transactions the server has counted in this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        )
        return {"count": int(cursor.fetchone()[0])}


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    print(json.dumps(globals()[what](*map(int, numbers))))
