"""How long scripts took, as the ledger knows it: the last run that succeeded, of a batched script the whole walk."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from scripts_tracker.core.forecast import Success
from scripts_tracker.ledger.statements import identity_of
from scripts_tracker.ledger.successes import last_successes
from scripts_tracker.models import Script, ScriptEnvironment, ScriptRun, ScriptWalk
from tests.builders import fingerprint, script_id
from tests.walks import add_range, open_walk, version_of

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)


def script(name: str) -> Script:
    one = script_id(name)
    found, _ = Script.objects.get_or_create(
        identity=identity_of(one), defaults={"app_label": one.app_label, "name": one.name}
    )
    return found


def add(name: str, start: float, seconds: float | None, **facts: Any) -> ScriptRun:
    """A run that began so many seconds after noon."""
    began = NOON + timedelta(seconds=start)
    ended = None if seconds is None else began + timedelta(seconds=seconds)
    one = script(name)
    defaults = {"kind": "run", "outcome": "succeeded", "version": version_of(one)}
    return ScriptRun.objects.create(script=one, started_at=began, ended_at=ended, **{**defaults, **facts})


NOT_COUNTED: dict[str, dict[str, Any]] = {
    "a failure": {"outcome": "failed"},
    "a lost run": {"outcome": "lost"},
    "a run that goes on": {"outcome": "running", "seconds": None},
    "a dry run": {"reason": "dry run"},
    "a mark": {"kind": "mark", "applies": True},
    "a rehearsal": {"kind": "rehearsal"},
}


@pytest.mark.parametrize("facts", NOT_COUNTED.values(), ids=NOT_COUNTED)
def test_the_last_success_stays_the_last_after(facts: dict[str, Any]) -> None:
    add("shop.a", 0, 5, applies=True)
    add("shop.a", 100, 7, applies=True)
    facts = dict(facts)
    add("shop.a", 200, facts.pop("seconds", 9), **facts)
    assert last_successes() == {
        script_id("shop.a"): Success(NOON + timedelta(seconds=100), 7.0, str(fingerprint("a")))
    }


def test_a_success_with_an_error_after_its_commit_counts_and_names_the_place_of_its_run() -> None:
    place = ScriptEnvironment.objects.create(name="production", first_seen_at=NOON)
    add("shop.a", 0, 5, applies=True, reason="succeeded; error after commit: x", environment=place)
    assert last_successes()[script_id("shop.a")].environment == "production"


def _walk(name: str, **facts: Any) -> ScriptWalk:
    script(name)
    return open_walk(name, outcome="succeeded", started_at=NOON, ended_at=NOON + timedelta(hours=9), **facts)


def test_of_a_batched_script_all_workers_count_without_the_pauses() -> None:
    walk = _walk("shop.b")
    walk.ranges.update(keys=40, rows=30)
    add_range(walk, 100, 250, 250, keys=100, rows=5)
    # Two side by side, then one after a pause of an hour.
    add("shop.b", 0, 100, walk=walk, reason="the others go on")
    add("shop.b", 50, 100, walk=walk, reason="the others go on")
    add("shop.b", 3750, 10, walk=walk, applies=True)
    found = last_successes()[script_id("shop.b")]
    assert found == Success(
        NOON, 160.0, str(fingerprint("a")), "", 210.0, keys=140, rows=35, table="shop_order", key_span=250
    )


@pytest.mark.parametrize("kind", ["uuid", "other"])
def test_keys_that_are_no_numbers_have_no_span(kind: str) -> None:
    walk = _walk("shop.b", key=kind)
    add("shop.b", 0, 100, walk=walk, applies=True)
    assert last_successes()[script_id("shop.b")].key_span is None


def test_however_many_scripts_and_runs_there_are_it_takes_two_queries() -> None:
    for number in range(3):
        walk = _walk(f"shop.b{number}")
        for start in range(3):
            add(f"shop.b{number}", start, 1, walk=walk, applies=start == 2)
            add(f"shop.a{number}", start, 1, applies=True)
    with CaptureQueriesContext(connection) as queries:
        assert len(last_successes()) == 6
    assert len([one for one in queries if "SELECT" in one["sql"]]) == 2
