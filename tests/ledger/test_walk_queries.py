"""What is read of walks: one query for all of them, however many ranges, workers and earlier walks there are."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scripts_tracker.core.progress import progress_of
from scripts_tracker.ledger import queries, walk_queries
from scripts_tracker.models import Script, ScriptWalk
from tests.builders import script_id
from tests.walks import add_range, add_worker, hold, open_walk

pytestmark = pytest.mark.django_db


def selects(asked: CaptureQueriesContext) -> int:
    """Without the savepoints of a test's transaction."""
    return sum(query["sql"].startswith("SELECT") for query in asked.captured_queries)


def test_without_an_open_walk_nothing_more_is_asked() -> None:
    walk = open_walk("shop.fix")
    Script.objects.update(walk=None)
    with CaptureQueriesContext(connection) as asked:
        (record,) = queries.records().values()
    assert selects(asked) == 1
    assert (record.walk_pk, record.walk) == (0, None)
    assert walk_queries.walk_of(walk.script_id) is None
    assert walk_queries.walks([]) == {}


def test_all_open_walks_are_one_query_more() -> None:
    for name in ("shop.one", "shop.two"):
        open_walk(name, outcome="succeeded")
        walk = open_walk(name)
        for number in range(1, 4):
            add_range(walk, number * 100, number * 100 + 100, None)
            add_worker(walk)
    with CaptureQueriesContext(connection) as asked:
        records = queries.records()
    assert selects(asked) == 2
    found = {str(one.id): one.walk for one in records.values()}
    assert {
        name: walk and (len(walk.ranges), len(walk.workers), walk.outcome) for name, walk in found.items()
    } == {
        "shop.one": (4, 3, "open"),
        "shop.two": (4, 3, "open"),
    }


def test_a_walk_that_was_deleted_meanwhile_is_left_out() -> None:
    walk = open_walk("shop.fix")
    assert walk_queries.walks([walk.pk + 1]) == {}
    Script.objects.update(walk=None)
    ScriptWalk.objects.all().delete()
    assert walk_queries.walks([walk.pk]) == {}


def test_more_walks_than_parameters_are_read_as_all_that_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    closed, walk = open_walk("shop.fix", outcome="succeeded"), open_walk("shop.fix")
    monkeypatch.setattr(walk_queries, "_MOST_PARAMETERS", 1)
    assert walk_queries.walks([closed.pk, walk.pk]).keys() == {walk.pk}
    assert walk_queries.walks([closed.pk]).keys() == {closed.pk}


def test_a_walk_is_read_with_all_that_it_has() -> None:
    walk = open_walk("shop.fix", watched='{"shop.p":["st1:aa","bb"]}')
    parked = add_range(walk, 100, 200, 150, outcome="parked", reason="row 151: IntegrityError", rows=3)
    add_worker(walk, "failed", reason="long ago")
    dead = add_worker(walk, live=False)
    alive = add_worker(walk, waiting="replica is 9 s behind")
    decision = hold(walk, "pause")

    found = walk_queries.walk_of(walk.script_id)

    assert found is not None
    assert found.version is not None
    assert (found.pk, found.table, found.key, found.ended_at) == (walk.pk, "shop_order", "integer", None)
    assert [one.module for one in found.watched] == ["shop.p"]
    assert [one.pk for one in found.ranges if one.outcome == "parked"] == [parked.pk]
    assert found.ranges[1].reason == "row 151: IntegrityError"
    assert [(one.run.pk, one.is_live) for one in found.workers] == [(dead.pk, False), (alive.pk, True)]
    assert found.hold is not None
    assert (found.hold.pk, found.hold.user, found.hold.reason) == (decision.pk, "anna", "the disk is full")
    progress = progress_of(found)
    assert (progress.percent, progress.workers, progress.waiting) == (46.5, 1, "replica is 9 s behind")
    assert found.started_at == walk.started_at


def test_the_last_worker_stays_when_it_has_ended() -> None:
    walk = open_walk("shop.fix")
    last = add_worker(walk, "failed")
    found = walk_queries.walk_of(walk.script_id)
    assert found is not None
    assert [(one.run.pk, one.is_live) for one in found.workers] == [(last.pk, False)]


def test_workers_beside_the_last_one_are_running_in_the_history() -> None:
    walk = open_walk("shop.fix")
    add_worker(walk, live=False)
    add_worker(walk)
    add_worker(walk, "succeeded")
    record = queries.record_of(script_id("shop.fix"))
    assert record is not None
    assert record.is_held
    assert [run.outcome for run in queries.history_of(record, 9).runs] == ["succeeded", "running", "lost"]
