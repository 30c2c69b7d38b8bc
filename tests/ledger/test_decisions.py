"""Decisions about what was seen: a script that was run or marked since is left out, and a live run is never ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from scripts_tracker.core.values import Fingerprint, RunRecord, ScriptId
from scripts_tracker.ledger import leases, marking, queries
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.ledger.leases import OpenRun
from scripts_tracker.ledger.marking import Mark
from scripts_tracker.ledger.statements import Place
from scripts_tracker.ledger.writing import RunFacts, VersionFacts
from scripts_tracker.models import Script, ScriptRun, ScriptVersion
from tests.builders import script_id
from tests.running.shops import Shop

pytestmark = pytest.mark.django_db

FIX, OTHER = script_id("shop.fix"), script_id("shop.other")
RUN = RunFacts("run", host="web-1", pid=4)
ONE, TWO = (VersionFacts(Fingerprint("st1", letter * 64), letter * 64, "facts", b"source") for letter in "12")


def last_run(script: ScriptId) -> RunRecord | None:
    record = queries.record_of(script)
    return record.last_run if record else None


def mark(*scripts: ScriptId, seen: dict[ScriptId, RunRecord | None] | None = None) -> dict[ScriptId, Any]:
    last = seen or {one: last_run(one) for one in scripts}
    return marking.mark_applied(
        [Mark(one, "fix.py", TWO, seen=last[one]) for one in scripts], RunFacts("mark")
    )


def unmark(*scripts: ScriptId, seen: dict[ScriptId, RunRecord | None] | None = None) -> dict[ScriptId, Any]:
    return marking.unmark(seen or {one: last_run(one) for one in scripts}, RunFacts("unmark"))


def begin() -> OpenRun:
    return leases.begin(FIX, "fix.py", leases.look_up(FIX, ONE.content_digest), ONE, RUN)


def end(run: OpenRun, outcome: str = "succeeded") -> None:
    assert leases.end(run, outcome, applies=outcome == "succeeded")


def expire() -> None:
    Script.objects.update(lease_expires=DatabaseEpoch() - 1)


def rows(name: str = "fix") -> list[tuple[Any, ...]]:
    """All that the ledger holds of a script."""
    scripts = Script.objects.filter(name=name).values_list("path", "last_run", "applied_run", "lease_expires")
    runs = ScriptRun.objects.filter(script__name=name).order_by("pk").values_list("pk", "outcome", "applies")
    return [*scripts, *runs, (ScriptVersion.objects.filter(script__name=name).count(),)]


def nothing() -> None: ...


def applied() -> None:
    end(begin())


def failed() -> None:
    end(begin(), "failed")


def lost() -> None:
    begin()
    expire()


def renewed() -> None:
    Script.objects.update(lease_expires=DatabaseEpoch() + 60)


def ended_late() -> None:
    script = Script.objects.get(name="fix")
    assert script.last_run is not None
    end(OpenRun(script.last_run.pk, script.pk, script.last_run.token, Place()))


def unmarked() -> None:
    assert unmark(FIX) == {}


def applied_and_unmarked() -> None:
    applied()
    unmarked()


def marked() -> None:
    assert mark(FIX) == {}


def deleted() -> None:
    Script.objects.filter(name="fix").update(last_run=None, applied_run=None)
    ScriptRun.objects.filter(script__name="fix").delete()
    ScriptVersion.objects.filter(script__name="fix").delete()
    Script.objects.filter(name="fix").delete()


SINCE: dict[str, tuple[Callable[[], Any], Callable[[], Any], str]] = {
    "a new script was begun": (nothing, begin, "changed"),
    "a new script was run": (nothing, applied, "changed"),
    "a new script was marked": (nothing, marked, "changed"),
    "an applied script was begun again": (applied, begin, "changed"),
    "an applied script was run again": (applied, applied, "changed"),
    "an applied script was unmarked": (applied, unmarked, "changed"),
    "a failed script succeeded": (failed, applied, "changed"),
    "a lost run was taken over": (lost, begin, "changed"),
    "a lost run renewed its lease": (lost, renewed, "held"),
    "a lost run came to its end": (lost, ended_late, "changed"),
    "the row was deleted": (applied, deleted, "changed"),
}


@pytest.mark.parametrize("decide", [mark, unmark])
@pytest.mark.parametrize(("before", "since", "why"), SINCE.values(), ids=SINCE)
def test_what_changed_since_it_was_seen_is_left_out_alone(
    before: Callable[[], Any], since: Callable[[], Any], why: str, decide: Callable[..., Any]
) -> None:
    before()
    marking.mark_applied([Mark(OTHER, "other.py", ONE)], RunFacts("mark"))
    seen = {one: last_run(one) for one in (FIX, OTHER)}
    since()
    before_it = rows()
    assert decide(FIX, OTHER, seen=seen) == {FIX: why}
    assert rows() == before_it
    newest = ScriptRun.objects.latest("pk")
    assert (newest.script.name, newest.kind) == ("other", decide.__name__)
    assert Script.objects.get(name="other").last_run == newest


BEFORE = {
    "new": nothing,
    "applied": applied,
    "failed": failed,
    "lost": lost,
    "unmarked": applied_and_unmarked,
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_what_is_as_it_was_seen_is_decided(before: Callable[[], Any]) -> None:
    before()
    assert mark(FIX) == {}
    script = Script.objects.get()
    assert script.last_run is not None
    assert (script.last_run.kind, script.last_run.applies, script.lease_expires) == ("mark", True, 0)
    assert not ScriptRun.objects.filter(outcome="running").exists()
    assert unmark(FIX) == {}
    assert not ScriptRun.objects.filter(applies=True).exists()


@pytest.mark.parametrize("decide", [mark, unmark])
def test_a_live_run_is_never_ended(decide: Callable[..., Any]) -> None:
    run = begin()
    before = rows()
    assert decide(FIX) == {FIX: "held"}
    assert rows() == before
    end(run)
    assert ScriptRun.objects.get().applies


def test_a_holder_whose_run_was_marked_after_its_lease_cannot_record_a_success() -> None:
    run = begin()
    expire()
    assert mark(FIX) == {}
    assert not leases.end(run, "succeeded", applies=True)
    assert [run.outcome for run in ScriptRun.objects.order_by("pk")] == ["lost", "succeeded"]


def test_inside_a_transaction_a_decision_ends_with_it() -> None:
    end(begin())
    before = rows()
    with transaction.atomic():
        assert unmark(FIX) == {}
        assert rows() != before
        transaction.set_rollback(True)
    assert rows() == before


@pytest.mark.django_db(transaction=True)
def test_with_autocommit_off_a_decision_ends_with_the_transaction_of_the_caller() -> None:
    end(begin())
    before = rows()
    transaction.set_autocommit(False)
    try:
        assert unmark(FIX) == {}
        connection.rollback()
    finally:
        connection.rollback()
        transaction.set_autocommit(True)
    assert rows() == before


LOCKED = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
django.setup()
from django.db import transaction
from scripts_tracker.models import Script
from shop.doing import hold
with transaction.atomic():
    Script.objects.filter(name="held").update(path="elsewhere.py")
    hold("lock")
"""
DECIDED = {
    "marking": (("--mark-applied", "held", "free"), "Marked as applied (1):"),
    "unmarking": (("--unmark", "held", "free"), "Unmarked (1):"),
}


@pytest.mark.parametrize(("decision", "heading"), DECIDED.values(), ids=DECIDED)
def test_what_another_transaction_has_locked_is_left_out_with_a_line(
    shop: Shop, decision: tuple[str, ...], heading: str
) -> None:
    shop.script("shop.held", "pass")
    shop.script("shop.free", "pass")
    assert shop.run("run_scripts").code == 0
    if decision[0] == "--mark-applied":
        assert shop.run("check_scripts", "--unmark", "held", "free").code == 0
    is_sqlite = shop.project.kind.engine == "sqlite"
    if is_sqlite:
        shop.project.settings("DATABASES['default']['OPTIONS'] = {'timeout': 0.1}")
    holder = shop.hold("lock", "-c", LOCKED)
    decided = shop.run("check_scripts", *decision)
    shop.go("lock")
    assert holder.wait() == 0, holder.err
    if is_sqlite:  # one transaction locks everything
        busy = "the ledger in database 'default' is busy: database is locked; try again\n"
        assert (decided.code, decided.out, decided.err) == (2, "", busy)
    else:
        why = "shop.held skipped: it is locked by another transaction; wait until that ends\n"
        assert (decided.code, decided.out, decided.err) == (1, f"{heading}\n  shop.free\n", why)
    assert shop.run("check_scripts", *decision[:2]).code == 0
