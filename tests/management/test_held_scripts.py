"""``pause_script``, ``resume_script`` and ``cancel_script``: who may be held, what is said, what is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scripts_tracker.core.states import ScriptStatus
from scripts_tracker.models import Script, ScriptRange, ScriptRun, ScriptWalk
from scripts_tracker.project import holds
from scripts_tracker.project.status import load_status
from tests.builders import script_id
from tests.jobs import Jobs
from tests.walks import add_worker, batched, begin, hold

pytestmark = pytest.mark.django_db

WHY = "the replica is behind"


@pytest.fixture
def fix(jobs: Jobs) -> Jobs:
    jobs.write("fix", batched("fix"))
    return jobs


def decide(jobs: Jobs, command: str, name: str = "fix", **options: Any) -> tuple[int, str, str]:
    options = options if command == "resume" else {"reason": WHY, **options}
    return tuple(jobs.run(name, command=f"{command}_script", **options).__dict__.values())


def kinds() -> list[str]:
    return [*ScriptRun.objects.order_by("pk").values_list("kind", flat=True)]


def status(name: str = "fix") -> ScriptStatus:
    return load_status().by_id[script_id(f"jobs.{name}")]


# What is refused


@pytest.mark.parametrize("command", ["pause", "cancel", "resume"])
def test_a_plain_script_is_refused(fix: Jobs, command: str) -> None:
    fix.script("plain")
    code, out, err = decide(fix, command, "plain")
    assert (code, out) == (1, "")
    assert "jobs.plain was not changed: it is not a batched script, and only those can be" in err


@pytest.mark.parametrize("command", ["pause", "cancel", "resume"])
def test_a_script_that_has_not_begun_is_refused(fix: Jobs, command: str) -> None:
    code, out, err = decide(fix, command)
    assert (code, out) == (1, "")
    words = f"it has not begun or is finished (state: new), so there is nothing to {command}."
    assert f"jobs.fix was not changed: {words}" in err
    assert not ScriptRun.objects.exists()


@pytest.mark.parametrize("command", ["pause", "cancel", "resume"])
def test_a_slip_in_the_name_is_answered_with_the_nearest_one(fix: Jobs, command: str) -> None:
    code, _, err = decide(fix, command, "jobs.fxi")
    assert (code, "did you mean jobs.fix?" in err) == (2, True)


@pytest.mark.parametrize("command", ["pause", "cancel"])
@pytest.mark.parametrize("reason", ["", "  "])
def test_without_a_reason_nothing_is_decided(fix: Jobs, command: str, reason: str) -> None:
    begin("jobs.fix")
    code, _, err = decide(fix, command, reason=reason)
    assert code == 2
    assert f'{command}_script needs a reason, which the ledger keeps: --reason "' in err
    assert kinds() == []


def test_without_tables_it_says_so(fix: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    from scripts_tracker.exceptions import LedgerMissing

    def missing() -> None:
        raise LedgerMissing("no tables")

    monkeypatch.setattr("scripts_tracker.management.holding.load_status", missing)
    assert decide(fix, "pause") == (2, "", "no tables\n")


REFUSED: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "paused twice": ("pause", "pause", {}, "already paused by anna on "),
    "paused when cancelled": ("cancel", "pause", {}, "already cancelled by anna on "),
    "cancelled twice": ("cancel", "cancel", {}, "already cancelled by anna on "),
    "resumed though not paused": (
        "",
        "resume",
        {},
        "it is not paused (state: failed); to run it: manage.py run_",
    ),
    "the same code accepted": (
        "pause",
        "resume",
        {"accept_code": True},
        "its code is what it was begun with; ",
    ),
}


@pytest.mark.parametrize(("held", "command", "options", "words"), REFUSED.values(), ids=REFUSED)
def test_it_refuses(fix: Jobs, held: str, command: str, options: dict[str, Any], words: str) -> None:
    walk = begin("jobs.fix")
    if held:
        hold(walk, held)
    before = kinds()
    code, out, err = decide(fix, command, **options)
    assert (code, out, kinds()) == (1, "", before)
    assert f"jobs.fix was not changed: {words}" in err
    if held and not options:
        assert err.endswith(": the disk is full (to go on: manage.py resume_script jobs.fix).\n")


@pytest.mark.parametrize("options", [{"restart": True}, {"accept_code": True}], ids=["restart", "accept"])
def test_nothing_is_replaced_below_a_worker(fix: Jobs, options: dict[str, Any]) -> None:
    add_worker(begin("jobs.fix"))
    fix.write("fix", batched("fix", 1))
    code, _, err = decide(fix, "resume", **options)
    assert (code, "1 worker still at work; pause it first, or wait." in err) == (1, True)


def test_a_running_script_is_not_resumed(fix: Jobs) -> None:
    add_worker(begin("jobs.fix"))
    assert "jobs.fix was not changed: it is running, not paused." in decide(fix, "resume")[2]


def test_other_code_does_not_go_on_by_itself(fix: Jobs) -> None:
    hold(begin("jobs.fix"), "pause")
    fix.write("fix", batched("fix", 1))
    code, _, err = decide(fix, "resume")
    assert code == 1
    assert (
        "it was begun with other code, at 43 %; add --accept-code to go on with the code of now, or --restart"
        in err
    )
    assert status().state.value == "paused"


def test_code_that_is_plain_now_cannot_go_on(fix: Jobs) -> None:
    begin("jobs.fix")
    fix.script("fix")
    assert "no longer that of a batched script" in decide(fix, "resume", accept_code=True)[2]
    assert decide(fix, "resume", restart=True)[0] == 0
    assert fix.states() == {"fix": "new"}


def test_without_its_file_only_a_cancel_is_possible(fix: Jobs) -> None:
    hold(begin("jobs.fix"), "pause")
    fix.path("fix").unlink()
    flags: tuple[dict[str, Any], ...] = ({}, {"restart": True}, {"accept_code": True})
    for options in flags:
        code, _, err = decide(fix, "resume", **options)
        assert (code, "its file is gone; restore it" in err) == (1, True)
    assert decide(fix, "cancel")[0] == 0
    assert "Failed scripts (1):" in fix.run(command="check_scripts").out


# What is done


def test_pause_resume_and_cancel_are_kept_with_who_when_and_why(fix: Jobs) -> None:
    walk = begin("jobs.fix")
    add_worker(walk, "failed")
    assert decide(fix, "pause")[:2] == (
        0,
        "jobs.fix is paused at 43 %.\nTo go on: manage.py resume_script jobs.fix\n",
    )
    assert fix.states() == {"fix": "paused"}
    shown = fix.run("fix", command="show_script", history=True).out
    assert f": {WHY}; 43 % done\n" in shown
    assert "  go on: manage.py resume_script jobs.fix\n" in shown
    assert "  paused, " in shown

    assert decide(fix, "resume", reason="it caught up")[:2] == (
        0,
        "jobs.fix can go on at 43 %.\nTo run it: manage.py run_scripts jobs.fix\n",
    )
    assert fix.states() == {"fix": "failed"}

    code, out, _ = decide(fix, "cancel")
    assert (code, out.splitlines()[0]) == (0, "jobs.fix is cancelled at 43 %; what is done is not undone.")
    assert fix.states() == {"fix": "failed"}
    rows = (
        ScriptRun.objects.order_by("pk").exclude(kind="run").values_list("kind", "reason", "walk", "outcome")
    )
    assert [*rows] == [
        ("pause", WHY, walk.pk, "succeeded"),
        ("resume", "it caught up", walk.pk, "succeeded"),
        ("cancel", WHY, walk.pk, "succeeded"),
    ]
    assert all(ScriptRun.objects.values_list("user", flat=True).exclude(kind="run"))
    history = fix.run("fix", command="show_script", history=True).out
    assert [word for word in ("cancelled, ", "resumed, ", "paused, ") if word in history] == [
        "cancelled, ",
        "resumed, ",
        "paused, ",
    ]


def test_a_decision_is_not_the_last_run(fix: Jobs) -> None:
    worker = add_worker(begin("jobs.fix"), "failed")
    decide(fix, "pause")
    assert Script.objects.get().last_run_id == worker.pk


def test_workers_stop_after_their_batches(fix: Jobs) -> None:
    walk = begin("jobs.fix")
    add_worker(walk)
    assert "paused at 43 %. 1 worker stops after its batch.\n" in decide(fix, "pause")[1]
    add_worker(walk)
    assert "not undone. 2 workers stop after their batches.\n" in decide(fix, "cancel")[1]


def test_a_paused_script_can_be_cancelled_and_resumed(fix: Jobs) -> None:
    hold(begin("jobs.fix"), "pause")
    assert [decide(fix, one)[0] for one in ("cancel", "resume")] == [0, 0]
    assert status().walk is not None
    assert status().walk.hold is None  # type: ignore[union-attr]  # as above


def test_several_are_decided_at_once_and_the_rest_is_named(fix: Jobs) -> None:
    begin("jobs.fix")
    fix.script("plain")
    result = fix.run("fix", "plain", command="pause_script", reason=WHY)
    assert (result.code, fix.states()["fix"]) == (1, "paused")
    assert "jobs.plain was not changed" in result.err


def test_a_restart_ends_the_walk_for_good(fix: Jobs) -> None:
    walk = begin("jobs.fix")
    hold(walk, "cancel")
    token = ScriptRange.objects.get().token
    code, out, _ = decide(fix, "resume", restart=True)
    assert code == 0
    assert out == (
        "jobs.fix was stopped at 43 % for good; what is done is not undone.\n"
        "To begin anew: manage.py run_scripts jobs.fix\n"
    )
    walk.refresh_from_db()
    assert (walk.outcome, walk.ended_at is not None, Script.objects.get().walk_id) == (
        "restarted",
        True,
        None,
    )
    assert ScriptRange.objects.get().token != token  # a worker that comes back commits nothing more
    assert fix.states() == {"fix": "new"}


@pytest.mark.parametrize("held", ["", "pause", "cancel"])
def test_other_code_goes_on_where_a_person_accepts_it(fix: Jobs, held: str) -> None:
    walk = begin("jobs.fix")
    if held:
        hold(walk, held)
    fix.write("fix", batched("fix", 1))
    code, out, _ = decide(fix, "resume", accept_code=True)
    assert (code, out.splitlines()[0]) == (0, "jobs.fix can go on with the code of now at 43 %.")
    walk.refresh_from_db()
    assert walk.hold_id is None
    assert walk.version is not None
    assert walk.version.content_digest == status().definition.content_digest  # type: ignore[union-attr]  # it has one
    assert (fix.states(), status().progress is not None) == ({"fix": "failed"}, True)


def test_formatting_is_no_other_code(fix: Jobs) -> None:
    hold(begin("jobs.fix"), "pause")
    fix.write("fix", batched("fix").replace("return 0", "return (0)  # nothing"))
    assert decide(fix, "resume")[0] == 0


def test_of_two_decisions_at_once_the_second_hears_of_the_first(fix: Jobs) -> None:
    begin("jobs.fix")
    seen = status()
    assert holds.pause([seen], WHY, user="anna").done == (seen.id,)
    ((_, why),) = holds.cancel([seen], "wrong totals", user="bob").refused
    assert why.startswith("in the meantime it was paused by anna on ")
    assert f": {WHY}" in why
    assert kinds() == ["pause"]


def test_a_decision_about_what_has_ended_since_changes_nothing(fix: Jobs) -> None:
    walk = begin("jobs.fix")
    seen = status()
    ScriptWalk.objects.filter(pk=walk.pk).update(outcome="succeeded")
    Script.objects.update(walk=None)
    ((_, why),) = holds.cancel([seen], WHY).refused
    assert (why, kinds()) == ("it ended in the meantime", [])


def test_a_mark_ends_what_has_begun(fix: Jobs) -> None:
    walk = begin("jobs.fix")
    hold(walk, "cancel")
    assert fix.run(command="check_scripts", mark_applied=["fix"]).code == 0
    walk.refresh_from_db()
    assert (walk.outcome, Script.objects.get().walk_id, fix.states()) == (
        "cancelled",
        None,
        {"fix": "applied"},
    )


@pytest.mark.parametrize("held", ["", "pause"])
def test_a_mark_ends_no_worker(fix: Jobs, held: str) -> None:
    walk = begin("jobs.fix")
    add_worker(walk)
    add_worker(walk, "succeeded")  # the last one to join
    if held:
        hold(walk, held)
    for options in ({"mark_applied": ["fix"]}, {"unmark": ["fix"]}):
        result = fix.run(command="check_scripts", **options)
        assert (result.code, "it is running; wait until it ends" in result.err) == (1, True)
    assert Script.objects.get().walk_id == walk.pk


def test_json_has_the_progress(fix: Jobs) -> None:
    add_worker(begin("jobs.fix"))
    (found,) = json.loads(fix.run(command="check_scripts", format="json").out)["scripts"]
    assert found["progress"] == {
        "percent": 43.0,
        "keys": 0,
        "rows": 0,
        "rows_per_second": 0,
        "eta_seconds": None,
        "workers": 1,
        "waiting": None,
        "parked": 0,
        "batch_size": None,
    }
    detail = json.loads(fix.run("fix", command="show_script", format="json").out)
    assert detail["script"]["progress"] == found["progress"]
