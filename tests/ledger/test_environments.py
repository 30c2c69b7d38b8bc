"""What the ledger makes of rows that a dump has brought from another place."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scripts_tracker.core.states import State, statuses
from scripts_tracker.core.values import Fingerprint
from scripts_tracker.ledger import environments, holds, leases, marking, queries, walk_queries
from scripts_tracker.ledger.marking import Mark
from scripts_tracker.ledger.writing import RunFacts, VersionFacts
from scripts_tracker.models import Script, ScriptEnvironment, ScriptRange, ScriptRun
from tests.builders import definition, script_id
from tests.ledger.test_walk_queries import selects
from tests.places import Move, P, Q
from tests.walks import add_worker, open_walk

pytestmark = pytest.mark.django_db

FIX = script_id("shop.fix")
CONTENT = VersionFacts(Fingerprint("st1", "a" * 64), "content of a", "", b"source")


def begin() -> leases.OpenRun:
    entry = leases.look_up(FIX, CONTENT.content_digest)
    return leases.begin(FIX, "fix.py", entry, CONTENT, RunFacts("run", host="web-1", pid=4))


def apply() -> None:
    leases.end(begin(), "succeeded", applies=True)


def record() -> Any:
    found = queries.record_of(FIX)
    assert found is not None
    return found


def state() -> State:
    return statuses([definition("shop.fix")], {FIX: record()})[0].state


def recorded_in() -> list[tuple[str, str] | None]:
    runs = ScriptRun.objects.order_by("pk").select_related("environment")
    return [(run.environment.name, run.environment.identity) if run.environment else None for run in runs]


def test_every_run_and_decision_says_where_it_was_recorded(at: Move) -> None:
    apply()
    at("production")
    apply()
    marking.unmark({FIX: record().last_run}, RunFacts("unmark"))
    walk = open_walk("shop.fix")
    assert holds.hold(walk_queries.walks([walk.pk])[walk.pk], RunFacts("pause"))
    assert recorded_in() == [("", P), *[("production", P)] * 3]


def test_where_nothing_is_known_of_the_place_nothing_is_said(at: Move) -> None:
    at("", "")
    apply()
    marking.unmark({FIX: record().last_run}, RunFacts("unmark"))
    assert recorded_in() == [None, None]
    assert not ScriptEnvironment.objects.exists()


SAME_PLACE = {
    "as before": ("production", P),
    "a failover": ("production", Q),
    "the setting is missing": ("", P),
}


@pytest.mark.parametrize(("name", "identity"), SAME_PLACE.values(), ids=SAME_PLACE)
def test_in_the_same_place_a_live_run_holds_its_script(at: Move, name: str, identity: str) -> None:
    at("production")
    begin()
    at(name, identity)
    assert (record().inherited_from, record().is_undecided, state()) == ("", False, State.RUNNING)
    assert leases.look_up(FIX, CONTENT.content_digest).holder is not None


def test_what_was_applied_elsewhere_is_inherited_and_stays_applied(at: Move) -> None:
    at("production")
    apply()
    at("staging", Q)
    assert (record().inherited_from, state()) == ("production", State.APPLIED)
    apply()
    assert (record().inherited_from, state()) == ("", State.APPLIED)
    assert [run.record.place for run in queries.history_of(record(), 9).runs] == ["", "production"]


def test_a_later_failure_here_leaves_the_application_inherited(at: Move) -> None:
    at("production")
    apply()
    at("staging", Q)
    leases.end(begin(), "failed", applies=False)
    assert (record().inherited_from, record().last_run.place, state()) == ("production", "", State.FAILED)


def test_what_runs_elsewhere_is_lost_here_at_once(at: Move) -> None:
    at("production")
    begin()
    at("staging", Q)
    assert (record().lease, record().last_run.outcome, state()) == (None, "lost", State.LOST)
    assert ScriptRun.objects.get().outcome == "running", "a check changes nothing"
    run = begin()
    assert [one.outcome for one in ScriptRun.objects.order_by("pk")] == ["lost", "running"]
    assert leases.end(run, "succeeded", applies=True)
    assert state() is State.APPLIED


def test_a_person_can_mark_what_runs_elsewhere(at: Move) -> None:
    at("production")
    begin()
    at("staging", Q)
    mark = Mark(FIX, "fix.py", CONTENT, seen=record().last_run)
    assert marking.mark_applied([mark], RunFacts("mark")) == {}
    assert state() is State.APPLIED


def test_a_process_of_this_place_takes_over_what_began_meanwhile_in_another_one_on_the_same_rows(
    at: Move,
) -> None:
    at("production")
    apply()
    at("staging", Q)
    apply()
    at("production")
    begin()
    at("staging", Q)
    begin()
    assert [one.outcome for one in ScriptRun.objects.order_by("pk")][2:] == ["lost", "running"]


def test_workers_elsewhere_hold_no_range(at: Move) -> None:
    at("production")
    here = environments.recording()
    walk = open_walk("shop.fix")
    worker = add_worker(walk, environment_id=here)
    part = ScriptRange.objects.get()
    ScriptRange.objects.update(worker=worker, token="t" * 32)
    Script.objects.update(last_run=worker)
    at("staging", Q)
    found = record()
    assert (found.walk.live, found.is_held, found.walk.workers[0].run.place) == ((), False, "production")
    environments.recording()
    part.refresh_from_db()
    worker.refresh_from_db()
    assert (part.worker, part.token == "t" * 32, worker.outcome) == (None, False, "lost")


def test_runs_from_before_there_were_places_are_of_the_first_one(at: Move) -> None:
    apply()
    ScriptRun.objects.update(environment=None)
    at("staging", Q)
    assert record().is_undecided
    at("production")
    apply()
    ScriptRun.objects.update(environment=None)
    at("staging", Q)
    assert record().inherited_from == "production"
    ScriptEnvironment.objects.all().delete()
    assert (record().inherited_from, record().is_undecided) == ("", False)


def test_two_rows_of_one_place_are_one_place(at: Move) -> None:
    at("production")
    apply()
    assert environments.add(P) != ScriptRun.objects.get().environment_id
    assert (record().inherited_from, state()) == ("", State.APPLIED)
    at("staging", Q)
    assert record().inherited_from == "production"


def test_a_name_may_have_any_characters(at: Move) -> None:
    at("生产 \N{ROCKET} \\x41")
    apply()
    assert record().inherited_from == ""
    at("staging", Q)
    assert record().inherited_from == "生产 \N{ROCKET} \\x41"
    assert ScriptEnvironment.objects.get().name.isascii()


# What a check asks: in a place like that of its runs, and in another one.
ASKED = {"here": ("production", P, 1), "elsewhere": ("staging", Q, 2)}


@pytest.mark.parametrize(("name", "identity", "count"), ASKED.values(), ids=ASKED)
def test_only_a_ledger_of_several_places_costs_a_query(
    at: Move, name: str, identity: str, count: int
) -> None:
    at("production")
    apply()
    open_walk("shop.other", outcome="succeeded")
    Script.objects.update(walk=None)
    at(name, identity)
    with CaptureQueriesContext(connection) as asked:
        queries.records()
    assert selects(asked) == count


# Decisions of a person


def test_a_database_without_a_name_that_has_changed_is_in_doubt(at: Move) -> None:
    apply()
    begin()
    at("", Q)
    assert (record().is_undecided, record().inherited_from, state()) == (True, "", State.RUNNING)


def test_moved_means_that_nothing_has_changed(at: Move) -> None:
    apply()
    begin()
    at("", Q)
    decision = environments.decide(is_copy=False, user="anna", reason="new server")
    assert decision == environments.Decision("another database", 0)
    assert (record().is_undecided, record().inherited_from, state()) == (False, "", State.RUNNING)
    row = ScriptEnvironment.objects.get(identity=Q)
    assert (row.user, row.reason, row.decided_at is not None) == ("anna", "new server", True)


def test_copied_means_that_everything_is_inherited_and_what_ran_is_lost(at: Move) -> None:
    apply()
    begin()
    at("", Q)
    decision = environments.decide(is_copy=True, user="anna", reason="")
    assert decision == environments.Decision("another database", 1)
    assert (record().is_undecided, record().inherited_from, state()) == (
        False,
        "another database",
        State.LOST,
    )


def test_a_decision_can_be_corrected(at: Move) -> None:
    apply()
    at("", Q)
    for is_copy in (False, True, False):
        assert environments.decide(is_copy=is_copy, user="anna", reason="")
        assert bool(record().inherited_from) is is_copy


def test_another_name_for_the_same_place_is_a_move(at: Move) -> None:
    at("production")
    apply()
    at("live")
    assert record().inherited_from == "production"
    assert environments.decide(is_copy=False, user="anna", reason="renamed") == environments.Decision(
        "production", 0
    )
    assert record().inherited_from == ""


NOTHING = {
    "no runs": (None, "", P),
    "everything ran here": ("", "", P),
    "the names say it": ("production", "staging", Q),
    "nothing is known of this place": ("", "", ""),
}


@pytest.mark.parametrize(("before", "name", "identity"), NOTHING.values(), ids=NOTHING)
def test_there_is_nothing_to_decide(at: Move, before: str | None, name: str, identity: str) -> None:
    if before is not None:
        at(before)
        apply()
    at(name, identity)
    assert environments.decide(is_copy=True, user="anna", reason="") is None
    assert not ScriptEnvironment.objects.filter(decided_at__isnull=False).exists()
