"""A release changes the very run that was seen, and no other."""

from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.ledger import leases, releasing
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.ledger.leases import OpenRun
from scripts_tracker.ledger.writing import RunFacts
from scripts_tracker.models import Script, ScriptRun
from tests.jobs import Jobs

BY_ADA = RunFacts("release", host="web-2", user="ada", reason="host is gone")
RELEASED = "released by ada on web-2: host is gone"


@pytest.fixture
def run(jobs: Jobs) -> OpenRun:
    jobs.script("slow")
    return jobs.begin_elsewhere("slow")


def release(run: OpenRun) -> bool:
    return releasing.release(run.script_pk, run.pk, BY_ADA)


def rows() -> list[Any]:
    return [*Script.objects.values(), *ScriptRun.objects.order_by("pk").values()]


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_run_that_has_ended_is_not_released(run: OpenRun, outcome: str) -> None:
    assert leases.end(run, outcome, applies=outcome == "succeeded")
    before = rows()
    assert not release(run)
    assert rows() == before


def test_a_later_run_is_not_released(jobs: Jobs, run: OpenRun) -> None:
    Script.objects.update(lease_expires=DatabaseEpoch() - 1)
    jobs.begin_elsewhere("slow", pid=5)
    before = rows()
    assert not release(run)
    assert rows() == before


def test_a_release_happens_once(run: OpenRun) -> None:
    assert release(run)
    before = rows()
    assert not release(run)
    assert rows() == before


def test_a_released_run_is_lost_and_holds_nothing(jobs: Jobs, run: OpenRun) -> None:
    assert release(run)
    assert jobs.states() == {"slow": "lost"}
    row, decision = ScriptRun.objects.order_by("pk")
    assert (row.outcome, row.reason) == ("lost", RELEASED)
    assert (decision.kind, decision.user, decision.reason) == ("release", "ada", "host is gone")
    assert Script.objects.get().last_run_id == run.pk, "a release is no attempt"
    assert jobs.run("slow").code == 0
    assert jobs.states() == {"slow": "applied"}


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_the_end_of_a_released_run_keeps_the_reason_and_adds_its_last_words(
    run: OpenRun, outcome: str
) -> None:
    assert release(run)
    assert not leases.end(run, outcome, applies=outcome == "succeeded", output="late", traceback="trace")
    row = ScriptRun.objects.get(pk=run.pk)
    assert (row.outcome, row.applies, row.reason) == ("lost", False, RELEASED)
    assert (row.output, row.traceback) == ("late", "trace")
    assert leases.why_unrecorded(run) == (f"its run was {RELEASED}", True)


def test_a_release_needs_a_reason(jobs: Jobs, run: OpenRun) -> None:
    for arguments in ({"release": ["slow"]}, {"release": ["slow"], "reason": "  "}):
        result = jobs.run(command="check_scripts", **arguments)
        assert (result.code, result.err.strip()) == (
            2,
            '--release needs a reason, which the ledger keeps: --reason "host web-1 is gone"',
        )
    assert ScriptRun.objects.get().outcome == "running"


def test_a_script_whose_file_is_broken_meanwhile_is_released_too(jobs: Jobs, run: OpenRun) -> None:
    jobs.write("slow", jobs.path("slow").read_text() + "\ndef (")
    assert jobs.states() == {"slow": "unreadable"}
    result = jobs.run(command="check_scripts", release=["slow"], reason="dead")
    assert result.code == 0, result.err
    assert "it was running since" in result.out
    assert ScriptRun.objects.get(pk=run.pk).outcome == "lost"
