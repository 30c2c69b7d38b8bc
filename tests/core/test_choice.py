from __future__ import annotations

import pytest

from scripts_tracker.core import planning
from scripts_tracker.core.planning import Choice
from scripts_tracker.core.states import ScriptStatus, State, statuses
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import UnknownScript
from tests.builders import definition, record, run, script_id

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
