"""Ranges of walks: one worker at a time has one, what is committed is committed once, and the end is one worker's."""

from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.core.progress import to_text
from scripts_tracker.ledger import pruning, releasing, walks
from scripts_tracker.ledger.leases import OpenRun
from scripts_tracker.ledger.pruning import Policy
from scripts_tracker.ledger.statements import Place
from scripts_tracker.ledger.walks import Fenced, HeldRange, Saved
from scripts_tracker.ledger.writing import RunFacts
from scripts_tracker.models import Script, ScriptRange, ScriptRun, ScriptWalk
from tests.walks import add_range, add_worker, open_walk

pytestmark = pytest.mark.django_db


def opened(run: ScriptRun) -> OpenRun:
    return OpenRun(run.pk, run.script_id, run.token, Place(), None, run.walk_id)


def take(run: ScriptRun, number: int = 0) -> HeldRange | None:
    part = next(one for one in walks.left(opened(run)) if one.record.number == number)
    return walks.take_range(opened(run), part) if part.is_free else None


def saved(cursor: int, **facts: Any) -> Saved:
    values = {"is_done": False, "keys": 10, "rows": 7, "batch_size": 20, "keys_per_second": 1.0}
    return Saved((str(cursor),), **{**values, "rows_per_second": 1.0, **facts})


def test_a_range_of_a_live_worker_is_not_free() -> None:
    walk = open_walk("shop.fix")
    first, second = add_worker(walk), add_worker(walk)
    assert take(first) is not None
    assert take(second) is None


def test_of_two_that_saw_a_free_range_one_takes_it() -> None:
    walk = open_walk("shop.fix")
    first, second = add_worker(walk), add_worker(walk)
    (seen,) = walks.left(opened(second))
    assert take(first) is not None
    assert walks.take_range(opened(second), seen) is None


def test_a_worker_whose_run_is_over_takes_nothing() -> None:
    walk = open_walk("shop.fix")
    assert take(add_worker(walk, "lost")) is None


def test_who_takes_over_a_range_marks_the_other_as_lost_and_fences_it() -> None:
    walk = open_walk("shop.fix")
    frozen, other = add_worker(walk), add_worker(walk)
    part = take(frozen)
    assert part is not None
    ScriptRun.objects.filter(pk=frozen.pk).update(lease_expires=1)
    assert take(other) is not None
    assert ScriptRun.objects.get(pk=frozen.pk).outcome == "lost"
    assert walks.reread(opened(frozen), part) is None
    with pytest.raises(Fenced):
        walks.save_cursor(opened(frozen), part, saved(50))
    assert ScriptRange.objects.get().cursor == to_text(("43",))


def test_a_batch_is_saved_once() -> None:
    walk = open_walk("shop.fix")
    worker = add_worker(walk)
    part = take(worker)
    assert part is not None
    now = walks.save_cursor(opened(worker), part, saved(50))
    assert (now.record.cursor, now.record.keys, now.record.rows, now.record.batches) == (("50",), 10, 7, 1)
    assert walks.reread(opened(worker), part) == now
    with pytest.raises(Fenced):
        walks.save_cursor(opened(worker), part, saved(50))


def test_a_range_that_was_given_back_is_free_and_goes_on_from_its_cursor() -> None:
    walk = open_walk("shop.fix")
    first, second = add_worker(walk), add_worker(walk)
    part = take(first)
    assert part is not None
    walks.give_back(opened(first), walks.save_cursor(opened(first), part, saved(50)))
    taken = take(second)
    assert taken is not None
    assert taken.record.cursor == ("50",)


def test_a_parked_range_is_not_free_and_says_why() -> None:
    walk = open_walk("shop.fix")
    first, second = add_worker(walk), add_worker(walk)
    part = take(first)
    assert part is not None
    walks.park(opened(first), part, "row 44: bad")
    (left,) = walks.left(opened(second))
    assert (left.is_free, left.record.outcome, left.record.reason) == (False, "parked", "row 44: bad")


def test_the_end_is_one_workers_and_not_before_all_ranges_are_done() -> None:
    walk = open_walk("shop.fix")
    first, second = opened(add_worker(walk)), opened(add_worker(walk))
    assert not walks.begin_finish(first, walks.standing(first))
    ScriptRange.objects.update(outcome="done")
    seen = walks.standing(second)
    assert walks.begin_finish(first, walks.standing(first))
    assert not walks.begin_finish(second, seen)
    assert walks.standing(second).finisher == first.pk


def test_the_end_of_a_lost_worker_is_anothers() -> None:
    walk = open_walk("shop.fix")
    first, second = opened(add_worker(walk)), opened(add_worker(walk))
    ScriptRange.objects.update(outcome="done")
    assert walks.begin_finish(first, walks.standing(first))
    ScriptRun.objects.filter(pk=first.pk).update(outcome="lost")
    assert walks.begin_finish(second, walks.standing(second))
    assert not walks.succeed(first, applies=True)
    assert walks.succeed(second, applies=True)
    script, walk = Script.objects.get(), ScriptWalk.objects.get()
    assert (script.walk_id, script.last_run_id, walk.outcome) == (None, second.pk, "succeeded")
    assert [(one.outcome, one.applies) for one in ScriptRun.objects.order_by("pk")] == [
        ("lost", False),
        ("succeeded", True),
    ]


def test_a_released_worker_need_not_be_the_last_run_and_is_fenced() -> None:
    walk = open_walk("shop.fix")
    first, last = add_worker(walk), add_worker(walk)
    part = take(first)
    assert part is not None
    assert releasing.release(walk.script_id, first.pk, RunFacts("release", reason="web-1 is gone"))
    with pytest.raises(Fenced):
        walks.save_cursor(opened(first), part, saved(50))
    assert take(last) is not None
    assert ScriptRun.objects.get(pk=first.pk).outcome == "lost"
    assert not releasing.release(walk.script_id, first.pk, RunFacts("release"))


def prune() -> None:
    list(pruning.prune(Policy(), None))


def test_the_runs_that_an_open_walk_names_are_kept() -> None:
    walk = open_walk("shop.fix")
    worker, finisher, other = (add_worker(walk, "succeeded") for _ in range(3))
    add_worker(walk, "failed")  # the last run
    ScriptRange.objects.update(worker=worker)
    ScriptWalk.objects.update(finisher=finisher)
    prune()
    kept = set(ScriptRun.objects.values_list("pk", flat=True))
    assert {worker.pk, finisher.pk} <= kept
    assert other.pk not in kept


def test_a_walk_that_is_over_goes_with_its_runs() -> None:
    walk = open_walk("shop.fix")
    add_range(walk, 100, 200, None)
    worker = add_worker(walk, "succeeded")
    ScriptRange.objects.update(worker=worker)
    ScriptWalk.objects.update(finisher=worker, outcome="succeeded")
    later = ScriptRun.objects.create(
        script=walk.script, kind="run", outcome="succeeded", started_at=walk.started_at
    )
    Script.objects.update(walk=None, last_run=later)
    prune()
    assert not ScriptWalk.objects.exists()
    assert not ScriptRange.objects.exists()
    assert list(ScriptRun.objects.values_list("pk", flat=True)) == [later.pk]
