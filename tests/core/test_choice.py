from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.core import planning
from scripts_tracker.core.planning import Choice
from scripts_tracker.core.states import ScriptStatus, State, statuses
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import UnknownScript
from tests.builders import definition, record, run, script_id, walk, worker

FOUND = [
    definition("a.new"),
    definition("a.failed", tags=("nightly",)),
    definition("a.lost", tags=("nightly", "slow")),
    definition("a.running", rerun="always"),
    definition("a.applied", tags=("nightly",)),
    definition("a.recurring", rerun="always", tags=("slow",)),
    definition("a.unreadable", None),
    definition("b.edited", "z", rerun="once"),
]
RECORDS = [
    record("a.failed", last_run=run("failed")),
    record("a.lost", last_run=run("running")),
    record("a.running", last_run=run("running"), lease_live=True),
    record("a.applied", "a"),
    record("a.recurring", "a"),
    record("b.edited", "e"),
    record("b.missing", "q"),
]
BY_ID: dict[ScriptId, ScriptStatus] = {
    status.id: status for status in statuses(FOUND, {one.id: one for one in RECORDS})
}


def names(found: tuple[ScriptStatus, ...]) -> str:
    return " ".join(status.id.name for status in found)


def choose(wanted: str = "", tags: str = "", *, retries: bool = True) -> Choice:
    return planning.choose(BY_ID, wanted.split(), tags.split(), retries=retries)


WRONG = {
    "a wrong name": ("nwe", "", "there is no tracked script 'nwe'; did you mean a.new?"),
    "a wrong tag": ("", "nihgtly", "no tracked script has the tag 'nihgtly'; did you mean nightly?"),
    "a wrong tag like none": ("", "x", "no tracked script has the tag 'x'; the tags are: nightly, slow"),
    "a right tag and a wrong one": ("", "slow x", "no tracked script has the tag 'x'"),
    "a name without the tag": ("a.new", "slow", "a.new does not have the tag 'slow'"),
    "a name without any of the tags": (
        "lost new",
        "slow nightly",
        "a.new does not have the tag 'slow' or 'nightly'",
    ),
}


@pytest.mark.parametrize(("wanted", "tags", "words"), WRONG.values(), ids=WRONG)
def test_it_refuses(wanted: str, tags: str, words: str) -> None:
    with pytest.raises(UnknownScript) as error:
        choose(wanted, tags)
    assert words in str(error.value)


def test_a_project_without_tags_is_reported() -> None:
    with pytest.raises(UnknownScript, match="no script has a tag"):
        planning.choose({}, (), ["x"])


CHOICES = {
    "without names all that needs action, recurs or runs": (
        "",
        "",
        "failed lost new recurring running unreadable",
        "",
    ),
    "a name": ("new", "", "new", ""),
    "names in the order typed, each once": ("new a.failed new", "", "new failed", ""),
    "a name of what is applied already": ("applied", "", "", "applied"),
    "a name of what is shown only": ("edited new", "", "new", "edited"),
    "a name of what is gone": ("missing", "", "", "missing"),
    "a name of a running script": ("running", "", "running", ""),
    "a tag, and nothing idle": ("", "nightly", "failed lost", ""),
    "one of several tags": ("", "nightly slow", "failed lost recurring", ""),
    "a name and its tag": ("applied failed", "nightly", "failed", "applied"),
}


@pytest.mark.parametrize(("wanted", "tags", "chosen", "up_to_date"), CHOICES.values(), ids=CHOICES)
def test_it_picks(wanted: str, tags: str, chosen: str, up_to_date: str) -> None:
    choice = choose(wanted, tags)
    assert (names(choice.chosen), names(choice.up_to_date)) == (chosen, up_to_date)
    assert (choice.not_retried, choice.skipped_by_no_retry) == ({}, ())


SKIPPED = {
    "all that failed or was lost": ("", "", "new recurring running unreadable", "failed lost"),
    "by tag": ("", "slow", "recurring", "lost"),
    "by name": ("failed new", "", "new", "failed"),
    "nothing, if it was not asked for": ("new", "", "new", ""),
}


@pytest.mark.parametrize(("wanted", "tags", "chosen", "skipped"), SKIPPED.values(), ids=SKIPPED)
def test_without_retries_it_skips(wanted: str, tags: str, chosen: str, skipped: str) -> None:
    choice = choose(wanted, tags, retries=False)
    assert (names(choice.chosen), names(choice.skipped_by_no_retry)) == (chosen, skipped)
    assert set(choice.not_retried) == {
        script_id("a.failed"),
        script_id("a.lost"),
    }  # whoever requires them has to know
    assert "failed" in choice.not_retried[script_id("a.failed")]
    assert "never ended" in choice.not_retried[script_id("a.lost")]


def test_the_table_above_has_each_state_that_matters() -> None:
    there = {status.state for status in BY_ID.values()}
    assert {state for state in State if state.needs_action} - there == {State.MODIFIED}


def batched(text: str, **facts: Any) -> ScriptStatus:
    (status,) = statuses(
        [definition(text, is_batched=True)],
        {script_id(text): record(text, walk=walk(**facts))} if facts else {},
    )
    return status


BATCHED = {
    status.id: status
    for status in (
        batched("b.cancelled", hold="cancel"),
        batched("b.new"),
        batched("b.other", code="z"),
        batched("b.paused", hold="pause"),
        batched("b.running", workers=(worker(4),)),
        batched("b.stopped", ranges=()),
        *statuses([definition("b.waiting", requires=("b.cancelled",))], {}),
    )
}


def plan(*wanted: str, **options: Any) -> tuple[str, dict[str, str]]:
    choice = planning.choose(BATCHED, wanted, **options)
    made = planning.make_plan(choice.chosen, BATCHED, choice.excluded)
    return names(made.steps), {status.id.name: reasons[0] for status, reasons in made.blocked}


def test_what_a_person_stopped_does_not_run() -> None:
    steps, blocked = plan()
    assert steps == "new running stopped"
    assert blocked == {
        "cancelled": stopped("cancelled") + "; to begin anew: manage.py resume_script b.cancelled --restart)",
        "other": "begun with other code at 43 % (to go on with the code of now: manage.py resume_script b.other"
        " --accept-code; to begin anew: manage.py resume_script b.other --restart)",
        "paused": stopped("paused") + ")",
        "waiting": "requires b.cancelled, which cannot run",
    }


def stopped(how: str) -> str:
    why = "by anna on web-1 on 2026-05-01 12:00 UTC: the disk is full"
    return f"{how} {why} (to go on: manage.py resume_script b.{how}"


def test_a_cancelled_script_is_left_alone_where_nothing_names_or_requires_it() -> None:
    alone = {key: one for key, one in BATCHED.items() if key.name in {"cancelled", "new"}}
    choice = planning.choose(alone)
    assert (names(choice.chosen), names(choice.cancelled)) == ("new", "cancelled")
    assert names(planning.choose(alone, retries=False).skipped_by_no_retry) == ""
    choice = planning.choose(alone, ["cancelled"])
    assert (names(choice.chosen), names(choice.cancelled)) == ("cancelled", "")
    assert list(plan("cancelled")[1]) == ["cancelled"]


def test_migrate_runs_no_batched_script_and_names_those_that_wait() -> None:
    choice = planning.choose(BATCHED, in_migrate=True)
    assert names(choice.batched) == "cancelled new other paused running stopped"
    assert names(choice.chosen) == "waiting"
    assert names(choice.cancelled) == ""
    waiting = {**BATCHED, **by_id("b.last", requires=("b.new",))}
    made = planning.make_plan(waiting.values(), waiting, planning.choose(waiting, in_migrate=True).excluded)
    assert not made.steps
    assert dict(made.blocked)[BATCHED[script_id("b.new")]] == ("is batched, which never runs inside migrate",)


def by_id(text: str, **options: Any) -> dict[ScriptId, ScriptStatus]:
    return {one.id: one for one in statuses([definition(text, **options)], {})}
