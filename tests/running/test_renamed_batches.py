"""A batched script whose file gets another name before it is finished."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management.base import CommandError

from scripts_tracker.models import Script, ScriptWalk
from scripts_tracker.project.status import load_status
from scripts_tracker.reporting import text
from scripts_tracker.reporting.report import Report
from scripts_tracker.running import batch
from tests.jobs import Jobs, forget
from tests.reporting.test_progress import PLAIN
from tests.running.batches import DATA, add_rows, hits, script
from tests.running.test_batches import POISON
from tests.walks import add_worker


@pytest.fixture
def begun(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """A script that has stopped at a bad row, which is good now."""
    monkeypatch.setattr(batch, "pause", lambda tries: 0.0)
    add_rows(range(1, 41))
    script(jobs, POISON, finish="pass")
    DATA.add(22)
    assert jobs.run().code == 1
    DATA.clear()
    return jobs


def rename(jobs: Jobs, *, change: str = "", copies: bool = False) -> None:
    source = jobs.path("walk").read_text()
    jobs.write("renamed", source.replace("pass", change) if change else source)
    if not copies:
        jobs.path("walk").unlink()
    forget()


def notice() -> str:
    overview = load_status()
    return text.notice(Report(overview.statuses, overview.by_id, overview.findings), PLAIN)


def by_hand(jobs: Jobs) -> str:
    return jobs.run_alone("renamed")


def by_the_runner(jobs: Jobs) -> str:
    result = jobs.run()
    assert result.code == 0
    return result.err


def test_formatting_is_no_other_code_under_a_new_name(begun: Jobs) -> None:
    rename(begun, change="pass  # formatted")
    assert begun.states() == {"renamed": "failed"}


@pytest.mark.parametrize("run", [by_hand, by_the_runner])
def test_with_the_same_code_it_goes_on_under_the_new_name(begun: Jobs, run: Any) -> None:
    rename(begun)
    assert begun.states() == {"renamed": "failed"}
    said = "jobs.renamed: stopped at 97.5 %"
    for report in (begun.run(command="check_scripts").out, notice()):
        assert said in report
        assert ", as jobs.walk" in report
    assert "its code is that of jobs.walk, whose file is gone: it goes on from there at 9" in run(begun)
    assert hits() == {1: 40}
    assert begun.states() == {"renamed": "applied"}
    assert [str(one) for one in Script.objects.all()] == ["jobs.renamed"]
    assert begun.outcomes() == ["renamed failed", "renamed succeeded"]


def test_with_other_code_the_old_one_is_named_where_people_look(begun: Jobs) -> None:
    rename(begun, change="self.stdout.write('the end')")
    assert begun.states() == {"renamed": "new", "walk": "failed"}
    gone = "the file is gone; a new file with the same code goes on from there"
    for report in (begun.run(command="check_scripts").out, notice()):
        assert "jobs.walk: stopped at 97.5 %" in report
        assert gone in report
    err = begun.run().err
    assert "jobs.walk has begun on the same table, has stopped at 97.5 %, and its file is gone" in err
    assert 'to end it: manage.py cancel_script jobs.walk --reason "..."' in err
    assert hits()[2] > 0


def test_a_cancelled_one_is_not_named_any_more(begun: Jobs) -> None:
    rename(begun, change="self.stdout.write('the end')")
    assert begun.run("walk", command="cancel_script", reason="replaced").code == 0
    assert "jobs.walk" not in notice()
    assert begun.run().err == ""


def test_a_copy_beside_its_original_begins_by_itself(begun: Jobs) -> None:
    rename(begun, copies=True)
    assert begun.states() == {"renamed": "new", "walk": "failed"}
    assert begun.run("renamed").err == ""
    assert ScriptWalk.objects.count() == 2


def test_a_pause_holds_under_the_new_name_until_it_is_resumed_there(begun: Jobs) -> None:
    begun.run("walk", command="pause_script", reason="the disk is full")
    rename(begun)
    assert begun.states() == {"renamed": "paused"}
    with pytest.raises(CommandError, match="the disk is full"):
        by_hand(begun)
    assert begun.run("renamed", command="resume_script").code == 0
    by_the_runner(begun)
    assert hits() == {1: 40}


def test_workers_of_the_old_name_go_on_beside_those_of_the_new_one(begun: Jobs) -> None:
    add_worker(ScriptWalk.objects.get())
    rename(begun)
    assert begun.states() == {"renamed": "running"}


def test_it_can_be_marked_as_applied_under_the_new_name(begun: Jobs) -> None:
    rename(begun)
    assert begun.run(command="check_scripts", mark_applied=["renamed"]).code == 0
    assert begun.states() == {"renamed": "applied"}
    assert ScriptWalk.objects.get().outcome == "cancelled"
