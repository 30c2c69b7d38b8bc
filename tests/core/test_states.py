from __future__ import annotations

from typing import Any

import pytest

from scripts_tracker.core.states import ScriptRecord, State, differs, statuses
from scripts_tracker.core.values import Fingerprint, ScriptDefinition
from tests.builders import definition, fingerprint, record, run, script_id, walk, worker

ONCE: dict[str, Any] = {"rerun": "once"}
ALWAYS: dict[str, Any] = {"rerun": "always"}

CASES: dict[str, tuple[ScriptDefinition | None, ScriptRecord | None, str | None]] = {
    "a record that was never applied or run, without a file, is nothing": (None, record("shop.x"), None),
    "a dry run that failed, without a file, is nothing": (
        None,
        record("shop.x", last_run=run("failed", kind="rehearsal")),
        None,
    ),
    "an unmarked script without a file is nothing": (
        None,
        record("shop.x", last_run=run("succeeded", kind="unmark")),
        None,
    ),
    "a failed script whose file is gone is failed": (
        None,
        record("shop.x", last_run=run("failed")),
        "failed",
    ),
    "an applied script that failed since, and whose file is gone, is failed": (
        None,
        record("shop.x", "a", last_run=run("failed")),
        "failed",
    ),
    "a lost script whose file is gone is lost": (None, record("shop.x", last_run=run("lost")), "lost"),
    "a script that never ended, and whose file is gone, is lost": (
        None,
        record("shop.x", last_run=run("running")),
        "lost",
    ),
    "a running script whose file is gone is running": (
        None,
        record("shop.x", last_run=run("running"), lease_live=True),
        "running",
    ),
    "an applied script whose file is gone is missing": (None, record("shop.x", "a"), "missing"),
    "a file without a record is new": (definition("shop.x"), None, "new"),
    "a file with a record that was never applied is new": (definition("shop.x"), record("shop.x"), "new"),
    "a file that cannot be parsed is unreadable": (definition("shop.x", None), None, "unreadable"),
    "an applied file that cannot be parsed any more is unreadable": (
        definition("shop.x", None),
        record("shop.x", "a"),
        "unreadable",
    ),
    "the version applied last is applied": (definition("shop.x"), record("shop.x", "a"), "applied"),
    "another version is modified": (definition("shop.x", "b"), record("shop.x", "a"), "modified"),
    "another version of a script to run once is edited": (
        definition("shop.x", "b", **ONCE),
        record("shop.x", "a"),
        "edited",
    ),
    "another version of a script to run always is recurring": (
        definition("shop.x", "b", **ALWAYS),
        record("shop.x", "a"),
        "recurring",
    ),
    "an applied script to run always is recurring": (
        definition("shop.x", **ALWAYS),
        record("shop.x", "a"),
        "recurring",
    ),
    "a script to run always that never ran is new": (definition("shop.x", **ALWAYS), None, "new"),
    "a version applied earlier, another one since, is reverted": (
        definition("shop.x", "a"),
        record("shop.x", "b", before="a"),
        "reverted",
    ),
    "an earlier version of a script to run once is reverted": (
        definition("shop.x", "a", **ONCE),
        record("shop.x", "b", before="a"),
        "reverted",
    ),
    "a first attempt that failed is failed": (
        definition("shop.x"),
        record("shop.x", last_run=run("failed")),
        "failed",
    ),
    "an applied script whose rerun failed is failed": (
        definition("shop.x"),
        record("shop.x", "a", last_run=run("failed")),
        "failed",
    ),
    "a new version whose attempt failed is failed": (
        definition("shop.x", "b"),
        record("shop.x", "a", last_run=run("failed", "b")),
        "failed",
    ),
    "a failure of another version leaves the file modified": (
        definition("shop.x", "c"),
        record("shop.x", "a", last_run=run("failed", "b")),
        "modified",
    ),
    "a failure of another version leaves the file new": (
        definition("shop.x", "c"),
        record("shop.x", last_run=run("failed", "b")),
        "new",
    ),
    "going back to the applied version after a failure is applied": (
        definition("shop.x", "a"),
        record("shop.x", "a", last_run=run("failed", "b")),
        "applied",
    ),
    "a live lease is running": (
        definition("shop.x"),
        record("shop.x", last_run=run("running"), lease_live=True),
        "running",
    ),
    "an attempt that never ended is lost": (
        definition("shop.x"),
        record("shop.x", last_run=run("running")),
        "lost",
    ),
    "a lost attempt stays lost when the file changes": (
        definition("shop.x", "b"),
        record("shop.x", "a", last_run=run("running")),
        "lost",
    ),
}


def watching(*modules: str, code: str = "a", **options: Any) -> ScriptDefinition:
    return definition("shop.x", code, watches=modules, **options)


def watched(*modules: str, applied: str | None = "a", **facts: Any) -> ScriptRecord:
    return record("shop.x", applied, watched=modules, **facts)


WATCHES: dict[str, tuple[ScriptDefinition, ScriptRecord | None, str, tuple[str, ...]]] = {
    "a module that is what it was": (watching("shop.p=a"), watched("shop.p=a"), "applied", ()),
    "a module that is gone, and was": (watching("shop.p="), watched("shop.p="), "applied", ()),
    "a module that is no longer watched": (watching(), watched("shop.p=a"), "applied", ()),
    "one of two modules changed": (
        watching("shop.p=a", "shop.q=b"),
        watched("shop.p=a", "shop.q=a"),
        "modified",
        ("shop.q",),
    ),
    "a module is gone": (watching("shop.p="), watched("shop.p=a"), "modified", ("shop.p",)),
    "a module is there that was not": (watching("shop.p=a"), watched("shop.p="), "modified", ("shop.p",)),
    "a module that was not watched then": (watching("shop.p=a"), watched(), "modified", ("shop.p",)),
    "a module that cannot be parsed": (
        watching("shop.p=?"),
        watched("shop.p=a"),
        "unreadable",
        ("shop.p",),
    ),
    "a module that could not be analysed, and still cannot": (
        watching("shop.p=?"),
        watched("shop.p=?"),
        "unreadable",
        (),
    ),
    "a module that could not be analysed then": (
        watching("shop.p=a"),
        watched("shop.p=?"),
        "modified",
        ("shop.p",),
    ),
    "a change of a script to run once": (
        watching("shop.p=b", **ONCE),
        watched("shop.p=a"),
        "edited",
        ("shop.p",),
    ),
    "a change of a script to run always": (
        watching("shop.p=b", **ALWAYS),
        watched("shop.p=a"),
        "recurring",
        ("shop.p",),
    ),
    "script and module both changed": (
        watching("shop.p=b", code="b"),
        watched("shop.p=a"),
        "modified",
        ("shop.p",),
    ),
    "an earlier version with the modules as they are now": (
        watching("shop.p=a"),
        watched("shop.p=b", before="a"),
        "reverted",
        ("shop.p",),
    ),
    "a script that was never applied": (watching("shop.p=a"), None, "new", ()),
    "a failure with the modules as they are now": (
        watching("shop.p=a"),
        watched(applied=None, last_run=run("failed", watched=("shop.p=a",))),
        "failed",
        (),
    ),
    "a failure with another version of a module": (
        watching("shop.p=b"),
        watched(applied=None, last_run=run("failed", watched=("shop.p=a",))),
        "new",
        (),
    ),
    "a rerun that failed with another version of a module": (
        watching("shop.p=c"),
        watched("shop.p=a", last_run=run("failed", watched=("shop.p=b",))),
        "modified",
        ("shop.p",),
    ),
    "a module as it was applied, after another version failed": (
        watching("shop.p=a"),
        watched("shop.p=a", last_run=run("failed", watched=("shop.p=b",))),
        "applied",
        (),
    ),
}


@pytest.mark.parametrize(("found", "kept", "expected", "changed"), WATCHES.values(), ids=WATCHES)
def test_state_of_a_script_that_watches(
    found: ScriptDefinition, kept: ScriptRecord | None, expected: str, changed: tuple[str, ...]
) -> None:
    (status,) = statuses([found], {kept.id: kept} if kept else {})
    assert (status.state.value, status.changed_modules) == (expected, changed)


def test_a_script_moved_only_if_what_it_watches_is_the_same() -> None:
    old = record("shop.old", "a", watched=("shop.p=a",))
    for module, expected in {"shop.p=a": "moved", "shop.p=b": "new", "shop.q=a": "new"}.items():
        result = statuses([definition("stock.new", "a", watches=(module,))], {old.id: old})
        assert [one.state.value for one in result] == ["missing", expected]


@pytest.mark.parametrize(("found", "kept", "expected"), CASES.values(), ids=CASES)
def test_state(found: ScriptDefinition | None, kept: ScriptRecord | None, expected: str | None) -> None:
    records = {kept.id: kept} if kept else {}
    result = statuses([found] if found else [], records)
    assert [status.state.value for status in result] == ([expected] if expected else [])


AT_WORK, ENDED = (worker(4),), (worker(4, "failed", live=False),)
CUT_OFF = (worker(4, live=False),)
KILLED: dict[str, Any] = {"last_run": run("running")}

WALKS: dict[str, tuple[ScriptDefinition | None, ScriptRecord, str | None]] = {
    "a file that cannot be parsed is unreadable, even if paused": (
        definition("shop.x", None),
        record("shop.x", walk=walk(hold="pause")),
        "unreadable",
    ),
    "a paused one without a file is paused": (None, record("shop.x", walk=walk(hold="pause")), "paused"),
    "one at work without a file is running": (None, record("shop.x", walk=walk(workers=AT_WORK)), "running"),
    "one that stopped, and whose file is gone, is failed": (None, record("shop.x", walk=walk()), "failed"),
    "one whose worker was killed, and whose file is gone, is lost": (
        None,
        record("shop.x", walk=walk(workers=CUT_OFF), **KILLED),
        "lost",
    ),
    "a cancelled one whose file is gone is failed": (
        None,
        record("shop.x", walk=walk(hold="cancel"), **KILLED),
        "failed",
    ),
    "one that waits for its next run is failed": (
        definition("shop.x"),
        record("shop.x", walk=walk()),
        "failed",
    ),
    "one that was begun with other code is failed": (
        definition("shop.x", "b"),
        record("shop.x", walk=walk()),
        "failed",
    ),
    "one that was applied before, and begun again with other code, is failed": (
        definition("shop.x", "b"),
        record("shop.x", "b", walk=walk()),
        "failed",
    ),
    "other code while workers of the earlier one are at work is running": (
        definition("shop.x", "b"),
        record("shop.x", walk=walk(workers=AT_WORK)),
        "running",
    ),
    "a worker at its last batch leaves a paused one paused": (
        definition("shop.x"),
        record("shop.x", walk=walk(hold="pause", workers=AT_WORK)),
        "paused",
    ),
    "a paused one with other code stays paused": (
        definition("shop.x", "b"),
        record("shop.x", walk=walk(hold="pause")),
        "paused",
    ),
    "a worker at its last batch keeps a cancelled one running": (
        definition("shop.x"),
        record("shop.x", walk=walk(hold="cancel", workers=AT_WORK)),
        "running",
    ),
    "a cancelled one is failed": (definition("shop.x"), record("shop.x", walk=walk(hold="cancel")), "failed"),
    "a cancelled one whose worker was killed is failed": (
        definition("shop.x"),
        record("shop.x", walk=walk(hold="cancel", workers=CUT_OFF), **KILLED),
        "failed",
    ),
    "a cancelled one with other code is new": (
        definition("shop.x", "b"),
        record("shop.x", walk=walk(hold="cancel", workers=CUT_OFF), **KILLED),
        "new",
    ),
    "a cancelled one with other code, applied before, is modified": (
        definition("shop.x", "c"),
        record("shop.x", "b", last_run=run("failed"), walk=walk(hold="cancel")),
        "modified",
    ),
    "the last worker ended, another is at work": (
        definition("shop.x"),
        record("shop.x", last_run=run("succeeded"), walk=walk(workers=(*AT_WORK, *ENDED))),
        "running",
    ),
    "a killed worker is lost": (
        definition("shop.x"),
        record("shop.x", walk=walk(workers=CUT_OFF), **KILLED),
        "lost",
    ),
    "a script to run always that was applied before goes on": (
        definition("shop.x", **ALWAYS),
        record("shop.x", "a", walk=walk()),
        "failed",
    ),
}


@pytest.mark.parametrize(("found", "kept", "expected"), WALKS.values(), ids=WALKS)
def test_the_state_of_a_batched_script_that_has_begun(
    found: ScriptDefinition | None, kept: ScriptRecord, expected: str | None
) -> None:
    (status,) = statuses([found] if found else [], {kept.id: kept})
    assert status.state.value == expected
    assert (status.progress is None) is (expected in {"new", "modified"})
    assert status.is_shown


@pytest.mark.parametrize("code", ["a", "z"])
def test_formatting_and_watched_modules_decide_whether_a_walk_goes_on(code: str) -> None:
    found = definition("shop.x", watches=("shop.p=a",))._replace(fingerprint=fingerprint(code))
    for module, expected in {"shop.p=a": "failed", "shop.p=b": "new", "shop.q=a": "new"}.items():
        kept = record("shop.x", walk=walk(hold="cancel", watched=(module,)))
        assert [one.state.value for one in statuses([found], {kept.id: kept})] == [expected]


def test_the_same_code_under_a_new_name_is_moved_and_the_old_name_missing() -> None:
    old = record("shop.old", "a")
    result = statuses([definition("stock.new", "a")], {old.id: old})
    assert [(str(status.id), status.state.value) for status in result] == [
        ("shop.old", "missing"),
        ("stock.new", "moved"),
    ]
    assert result[1].moved_from == script_id("shop.old")


def test_a_copy_of_a_script_that_is_still_there_is_new() -> None:
    old = record("shop.old", "a")
    result = statuses([definition("shop.old", "a"), definition("shop.copy", "a")], {old.id: old})
    assert [status.state.value for status in result] == ["new", "applied"]


def test_a_gone_script_that_was_never_applied_moves_nothing() -> None:
    old = record("shop.old", last_run=run("failed"))
    result = statuses([definition("shop.new", "a")], {old.id: old})
    assert [status.state.value for status in result] == ["new", "failed"]


def test_the_contract_of_who_needs_action() -> None:
    needy = {state.value for state in State if state.needs_action}
    assert needy == {"new", "modified", "failed", "lost", "unreadable"}
    shown = {state.value for state in State if state.shown and not state.needs_action}
    assert shown == {"edited", "reverted", "moved", "paused", "running"}
    satisfying = {state.value for state in State if state.satisfies}
    assert satisfying == {"applied", "recurring", "edited", "reverted", "moved", "missing"}


def test_equal_bytes_are_applied_whatever_the_algorithm_was_called_then() -> None:
    kept = record("shop.x", "a")
    found = definition("shop.x", "a")
    renamed = type(found)(
        id=found.id,
        location=found.location,
        fingerprint=fingerprint("z"),
        content_digest=found.content_digest,
    )
    assert [status.state.value for status in statuses([renamed], {kept.id: kept})] == ["applied"]


def foreign(found: ScriptDefinition) -> ScriptDefinition:
    """The same bytes under another algorithm's fingerprint, as where the ledger has no source to translate it."""
    return found._replace(fingerprint=fingerprint("z"))


def test_bytes_that_were_applied_earlier_are_reverted_whatever_the_algorithm() -> None:
    kept = record("shop.x", "b")._replace(applied_before=frozenset({Fingerprint.of_bytes("content of a")}))
    assert [one.state.value for one in statuses([foreign(definition("shop.x", "a"))], {kept.id: kept})] == [
        "reverted"
    ]


def test_bytes_of_a_gone_script_are_moved_whatever_the_algorithm() -> None:
    old = record("shop.old", "a")
    result = statuses([foreign(definition("stock.new", "a"))], {old.id: old})
    assert [one.state.value for one in result] == ["missing", "moved"]
    result = statuses([foreign(definition("stock.new", "b"))], {old.id: old})
    assert [one.state.value for one in result] == ["missing", "new"]


DIFFERENCES = {
    "the same code": (definition("shop.x", "a"), record("shop.x", "a"), False),
    "the same bytes": (foreign(definition("shop.x", "a")), record("shop.x", "a"), False),
    "another version": (definition("shop.x", "b"), record("shop.x", "a"), True),
    "a file that cannot be parsed": (definition("shop.x", None), record("shop.x", "a"), False),
    "a script that was never applied": (definition("shop.x", "a"), record("shop.x"), False),
}


@pytest.mark.parametrize(("found", "kept", "expected"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_only_a_file_that_differs_needs_the_history(
    found: ScriptDefinition,
    kept: ScriptRecord,
    expected: bool,  # noqa: FBT001 - a parameter
) -> None:
    assert differs(found, kept) is expected


@pytest.mark.parametrize("outcome", ["failed", "lost", "running"])
def test_without_a_file_nothing_needs_action(outcome: str) -> None:
    (status,) = statuses([], {script_id("shop.x"): record("shop.x", last_run=run(outcome))})
    assert status.is_shown
    assert not status.needs_action


def test_a_script_whose_file_is_there_is_shown_with_the_reason() -> None:
    lost = record("shop.lost", "a")
    (gone,) = statuses([], {lost.id: lost})
    assert (gone.is_shown, gone.absence) == (False, "")
    (there,) = statuses([], {lost.id: lost}, lambda _: "its file is ignored")
    assert (there.is_shown, there.absence) == (True, "its file is ignored")


def test_a_script_whose_file_is_there_has_not_moved() -> None:
    lost = record("shop.lost", "a")
    result = statuses([definition("shop.new", "a")], {lost.id: lost}, lambda _: "its file is ignored")
    assert [status.state.value for status in result] == ["missing", "new"]
