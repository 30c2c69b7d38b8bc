"""Who may run a script: one of several that look at the same moment, and only while the row says so."""

from __future__ import annotations

import os
from typing import Any

import pytest
from django.db import connection

from scripts_tracker.core.values import Fingerprint
from scripts_tracker.exceptions import Overtaken
from scripts_tracker.ledger import leases, processes
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.ledger.heartbeat import _Heart
from scripts_tracker.ledger.leases import Entry, OpenRun
from scripts_tracker.ledger.statements import Place
from scripts_tracker.ledger.writing import RunFacts, VersionFacts
from scripts_tracker.models import Script, ScriptRun, ScriptVersion
from tests.builders import script_id

pytestmark = pytest.mark.django_db

FIX = script_id("shop.fix")
RUN = RunFacts("run", host="web-1", pid=4)
ONE, TWO = (VersionFacts(Fingerprint("st1", letter * 64), letter * 64, "facts", b"source") for letter in "12")


def look(version: VersionFacts = ONE) -> Entry:
    return leases.look_up(FIX, version.content_digest)


def begin(entry: Entry | None = None, version: VersionFacts = ONE, facts: RunFacts = RUN) -> OpenRun:
    return leases.begin(FIX, "fix.py", entry or look(version), version, facts)


def end(run: OpenRun, outcome: str = "succeeded", **facts: Any) -> bool:
    return leases.end(run, outcome, **{"applies": outcome == "succeeded", **facts})


def expire() -> None:
    Script.objects.update(lease_expires=DatabaseEpoch() - 1)


def rows() -> list[str]:
    return [f"{row.outcome}{' applies' if row.applies else ''}" for row in ScriptRun.objects.order_by("pk")]


def test_an_unknown_script_has_no_holder() -> None:
    assert look()._replace(place=Place()) == Entry()
    assert look().holder is None


def known() -> None:
    end(begin())


def failed() -> None:
    end(begin(), "failed")


def unmarked_version() -> None:
    end(begin(version=TWO))


def lost() -> None:
    begin()
    expire()


BEFORE = {
    "never seen": lambda: None,
    "known": known,
    "failed": failed,
    "modified": unmarked_version,
    "without a sign of life": lost,
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_of_two_that_look_at_once_only_one_begins(before: Any) -> None:
    before()
    first, second = look(), look()
    assert (first.holder, second.holder) == (None, None)
    begin(first)
    counts = Script.objects.count(), ScriptVersion.objects.count(), ScriptRun.objects.count()
    with pytest.raises(Overtaken):
        begin(second)
    assert (Script.objects.count(), ScriptVersion.objects.count(), ScriptRun.objects.count()) == counts


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_of_two_that_look_at_once_the_second_is_too_late_even_where_the_first_has_ended(before: Any) -> None:
    before()
    first, second = look(), look()
    end(begin(first))
    with pytest.raises(Overtaken):
        begin(second)
    assert rows()[-1] == "succeeded applies"


def test_a_holder_is_visible_to_others() -> None:
    run = begin()
    found = look().holder
    assert found is not None
    assert (found.pk, found.host, found.pid, found.outcome) == (run.pk, "web-1", 4, "running")
    end(run)
    assert look().holder is None


def test_a_lease_that_was_renewed_after_the_look_is_not_taken() -> None:
    begin()
    expire()
    entry = look()
    Script.objects.update(lease_expires=DatabaseEpoch() + 60)
    with pytest.raises(Overtaken):
        begin(entry)
    assert rows() == ["running"]


def test_an_attempt_with_an_expired_lease_is_marked_lost_by_the_next_one() -> None:
    first = begin()
    expire()
    second = begin()
    assert second.lost is not None
    assert second.lost.pk == first.pk
    assert rows() == ["lost", "running"]
    assert end(second)
    assert rows() == ["lost", "succeeded applies"]


def test_an_attempt_that_ended_in_the_meantime_is_not_marked_lost() -> None:
    first = begin()
    expire()
    entry = look()
    end(first)
    with pytest.raises(Overtaken):
        begin(entry)
    assert rows() == ["succeeded applies"]


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_an_attempt_that_was_taken_over_records_only_that(outcome: str) -> None:
    first = begin()
    expire()
    second = begin()
    assert not end(first, outcome, output="late", traceback="trace")
    row = ScriptRun.objects.get(pk=first.pk)
    assert (row.outcome, row.applies, row.reason) == ("lost", False, leases.TAKEN_OVER)
    assert (row.output, row.traceback) == ("late", "trace")
    assert row.ended_at is not None
    assert end(second)
    assert not end(first, outcome)
    assert rows() == ["lost", "succeeded applies"]


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_recording_the_same_outcome_twice_changes_nothing(outcome: str) -> None:
    run = begin()
    assert end(run, outcome, reason="first")
    before = ScriptRun.objects.values().get()
    assert end(run, outcome, reason="again")
    assert ScriptRun.objects.values().get() == before


def test_a_failure_after_a_recorded_success_changes_nothing() -> None:
    run = begin()
    end(run)
    before = ScriptRun.objects.values().get()
    assert not end(run, "failed", reason="interrupted: Ctrl-C", traceback="trace")
    assert ScriptRun.objects.values().get() == before


def test_a_dry_run_takes_no_lease_and_marks_nothing_lost() -> None:
    held = begin()
    rehearsal = begin(look(), facts=RUN._replace(kind="rehearsal"))
    assert rehearsal.lost is None
    assert Script.objects.get().last_run_id == held.pk
    assert end(rehearsal, applies=False)
    assert end(held)
    assert Script.objects.get().last_run_id == held.pk


def test_the_applied_version_stays_while_other_attempts_fail() -> None:
    first = begin()
    end(first)
    for version in (TWO, TWO, ONE):
        end(begin(version=version), "failed")
    assert Script.objects.get().applied_run_id == first.pk
    last = begin(version=TWO)
    assert Script.objects.get().applied_run_id == first.pk
    end(last)
    assert look(TWO).applied_run == last.pk


@pytest.mark.parametrize(
    ("facts", "is_held"),
    [
        ({"pid": 2**22 + 1}, False),
        ({"host": "elsewhere"}, False),
        ({"process": "another start of the kernel"}, False),
        ({}, True),
    ],
    ids=["no such process", "another host", "another process of that number", "this very process"],
)
def test_on_sqlite_a_living_process_holds_the_script_past_its_lease(
    facts: dict[str, Any], *, is_held: bool
) -> None:
    own = {"host": processes.host(), "pid": os.getpid(), "process": processes.own()}
    begin(facts=RunFacts("run", **{**own, **facts, **({"process": ""} if "host" in facts else {})}))
    expire()
    entry = look()
    assert (entry.holder is not None) is (is_held and connection.vendor == "sqlite")


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_heartbeat_between_the_record_of_an_end_and_its_own_end_warns_of_nothing(outcome: str) -> None:
    warnings: list[str] = []
    run = begin()
    heart = _Heart(run, "shop.fix", lambda _, text: warnings.append(text), None)
    end(run, outcome)
    assert not heart._beat()
    assert warnings == []


def test_a_run_that_was_released_before_its_first_heartbeat_is_refused_without_advice_on_connections() -> (
    None
):
    run = begin()
    heart = _Heart(run, "shop.fix", lambda *_: None, None)
    ScriptRun.objects.update(outcome="lost", reason="released by ada: the host is gone")
    assert heart._first() == "its run was released by ada: the host is gone."
