"""Batched scripts in words: one line that says how far it is, what stops it, and what to type."""

from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.core import stops
from scripts_tracker.core.states import ScriptStatus, State, statuses
from scripts_tracker.core.values import ScriptDefinition
from scripts_tracker.reporting.report import why
from tests.builders import definition, key_range, record, run, walk, worker

BATCHED = definition("shop.x", is_batched=True)
CHANGED = definition("shop.x", "b", is_batched=True)
PARKED = (
    key_range(0, 86, "parked", reason="row 87: IntegrityError: duplicate key\nDETAIL"),
    key_range(1, 100),
)
ENDED = worker(4, "failed", live=False)
FAST: dict[str, Any] = {"worker": 4, "keys_per_second": 5.0, "rows_per_second": 1234.4, "keys": 4300}


def status(found: ScriptDefinition | None = BATCHED, **facts: Any) -> ScriptStatus:
    kept = record("shop.x", last_run=facts.pop("last_run", None), walk=walk(**facts))
    (made,) = statuses([found] if found else [], {kept.id: kept})
    return made


WHY: dict[str, tuple[ScriptStatus, str, str]] = {
    "stopped": (status(), "failed", "stopped at 43 %"),
    "stopped with a reason": (
        status(workers=(ENDED._replace(run=ENDED.run._replace(reason="SIGTERM\nlong")),)),
        "failed",
        "stopped at 43 %: SIGTERM long",
    ),
    "paused": (
        status(hold="pause"),
        "paused",
        "paused by anna on web-1 on 2026-05-01 12:00 UTC: the disk is full; 43 % done",
    ),
    "cancelled": (
        status(hold="cancel"),
        "failed",
        "cancelled by anna on web-1 on 2026-05-01 12:00 UTC: the disk is full; 43 % done",
    ),
    "other code": (
        status(CHANGED),
        "failed",
        (
            "begun with other code at 43 % (to go on with the code of now: manage.py resume_script shop.x --accept-code;"
            " to begin anew: manage.py resume_script shop.x --restart)"
        ),
    ),
    "cancelled, then changed": (
        status(CHANGED, hold="cancel"),
        "new",
        (
            "never applied here; with other code it was cancelled by anna on web-1 on 2026-05-01 12:00 UTC:"
            " the disk is full, at 43 %"
        ),
    ),
    "parked": (
        status(ranges=PARKED),
        "failed",
        "stopped at 43 %, 1 range parked: range 0: row 87: IntegrityError: duplicate key DETAIL",
    ),
    "killed": (
        status(workers=(worker(4, live=False),), last_run=run("running")),
        "lost",
        "the last worker never ended (started 2026-05-01 12:00 UTC by deploy on web-1, process 42), at 43 %",
    ),
    "without its file": (
        status(None),
        "failed",
        "stopped at 43 %, the file is gone; a new file with the same code goes on from there",
    ),
    "with keys that do not say how far": (status(key="other"), "failed", "stopped after 40 keys"),
    "at work": (
        status(workers=(worker(4),), ranges=(key_range(0, 43, **FAST),)),
        "running",
        "43 %, 1,234 rows/s, 19 min left, 1 worker; running since 2026-05-01 12:00 UTC by deploy on web-1, process 42",
    ),
    "at work, with a sign of life of the one that joined last": (
        status(workers=(worker(4, ago=1), worker(5, ago=41))),
        "running",
        (
            "43 %, 0 rows/s, 2 workers; running since 2026-05-01 12:00 UTC by deploy on web-1, process 42;"
            " last sign of life 41 s ago"
        ),
    ),
    "at work beside a parked range": (
        status(workers=(worker(4), worker(5)), ranges=PARKED),
        "running",
        (
            "43 %, 0 rows/s, 2 workers, 1 range parked; range 0: row 87: IntegrityError: duplicate key DETAIL;"
            " running since 2026-05-01 12:00 UTC by deploy on web-1, process 42"
        ),
    ),
    "throttled": (
        status(workers=(worker(4, waiting="the replica is 9 s behind"),)),
        "running",
        (
            "43 %, waiting: the replica is 9 s behind, 1 worker; running since 2026-05-01 12:00 UTC by deploy on web-1,"
            " process 42"
        ),
    ),
    "at work with the code of before": (
        status(CHANGED, workers=(worker(4),)),
        "running",
        (
            "43 %, 0 rows/s, 1 worker; its workers go on with the code that it was begun with, the file has changed"
            " since; running since 2026-05-01 12:00 UTC by deploy on web-1, process 42"
        ),
    ),
    "about to be cancelled": (
        status(hold="cancel", workers=(worker(4),)),
        "running",
        (
            "43 %, 0 rows/s, 1 worker; cancelled by anna on web-1 on 2026-05-01 12:00 UTC: the disk is full"
            " (its workers finish their batches); running since 2026-05-01 12:00 UTC by deploy on web-1, process 42"
        ),
    ),
}


@pytest.mark.parametrize(("found", "state", "words"), WHY.values(), ids=WHY)
def test_why(found: ScriptStatus, state: str, words: str) -> None:
    assert (found.state.value, why(found)) == (state, words)


OBSTACLES = {
    "none for a plain script": (statuses([definition("shop.x")], {})[0], ""),
    "none for one that stopped": (status(), ""),
    "none for one that is at work": (status(workers=(worker(4),)), ""),
    "none for one whose code changed while it is at work": (status(CHANGED, workers=(worker(4),)), ""),
    "none for one that was given up": (status(CHANGED, hold="cancel"), ""),
    "paused": (
        status(hold="pause"),
        "paused by anna on web-1 on 2026-05-01 12:00 UTC: the disk is full (to go on: manage.py resume_script shop.x)",
    ),
    "cancelled": (
        status(hold="cancel", workers=(worker(4),)),
        (
            "cancelled by anna on web-1 on 2026-05-01 12:00 UTC: the disk is full"
            " (to go on: manage.py resume_script shop.x; to begin anew: manage.py resume_script shop.x --restart)"
        ),
    ),
    "other code": (
        status(CHANGED),
        (
            "begun with other code at 43 % (to go on with the code of now: manage.py resume_script shop.x --accept-code;"
            " to begin anew: manage.py resume_script shop.x --restart)"
        ),
    ),
}


@pytest.mark.parametrize(("found", "words"), OBSTACLES.values(), ids=OBSTACLES)
def test_what_a_person_must_decide_first(found: ScriptStatus, words: str) -> None:
    assert stops.obstacle(found) == words


def test_a_plain_script_is_not_described() -> None:
    (plain,) = statuses([definition("shop.x")], {})
    assert (stops.why_stopped(plain), stops.at_work(plain), stops.given_up(plain)) == ("", "", "")


def test_a_long_reason_is_cut() -> None:
    found = status(workers=(ENDED._replace(run=ENDED.run._replace(reason="x" * 999)),))
    assert len(why(found)) < 350
    assert why(found).endswith("x...")


def test_an_unreadable_file_is_the_first_thing_to_say() -> None:
    found = status(definition("shop.x", None), hold="pause")
    assert (found.state, why(found)) == (
        State.UNREADABLE,
        "the file cannot be parsed, see the problems below",
    )
