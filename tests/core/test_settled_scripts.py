"""A script that is settled at first sight is in the state that the whole table gives it."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from scripts_tracker.core import states
from scripts_tracker.core.states import Case, State, differs, is_settled
from scripts_tracker.core.values import Fingerprint, Lease, ScriptOptions
from tests.builders import definition, fingerprint, module, record, run, script_id, walk

FILE, ROW = definition("shop.x"), record("shop.x", "a")
THEN, NOW = (module("shop.pricing=a"),), (module("shop.pricing=b"),)
# What may be different about a script whose last run succeeded, with these bytes.
OF_THE_FILE: dict[str, dict[str, Any]] = {
    "other bytes": {"content_digest": "content of b"},
    "other code": {"fingerprint": fingerprint("b")},
    "unreadable": {"fingerprint": None},
    "once": {"options": ScriptOptions(rerun="once")},
    "always": {"options": ScriptOptions(rerun="always")},
    "watches": {"watches": NOW},
    "watches what cannot be parsed": {"watches": (module("shop.pricing=?"),)},
    "batched": {"is_batched": True},
}
OF_THE_ROW: dict[str, dict[str, Any]] = {
    "unmarked": {"applied": None, "applied_content": None},
    "never run": {"last_run": None},
    **{f"{outcome} last": {"last_run": run(outcome)} for outcome in ("failed", "running", "lost")},
    "failed last with other code": {"last_run": run("failed", "b")},
    "a live lease": {"lease": Lease(is_live=True, ago=None, left=60.0)},
    "a lease that has run out": {"lease": Lease(is_live=False, ago=None, left=-60.0)},
    "applied with other bytes": {"applied_content": "content of b"},
    "applied with other code": {"applied": fingerprint("b")},
    "applied by its bytes": {"applied": Fingerprint.of_bytes("content of a")},
    "applied before": {"applied_before": frozenset({fingerprint("a"), fingerprint("b")})},
    "watched then": {"applied_watched": THEN},
    "equivalent": {"is_equivalent": True},
    "at work on a table": {"walk": walk()},
    "at work with other code": {"walk": walk("b")},
    "paused": {"walk": walk(hold="pause")},
    "cancelled": {"walk": walk("b", hold="cancel")},
}
OF_BOTH = {**OF_THE_FILE, **OF_THE_ROW}
CASES = [names for number in range(4) for names in combinations(OF_BOTH, number)]


def _case(names: tuple[str, ...]) -> Case:
    found, kept = FILE, ROW
    for name in names:
        if name in OF_THE_FILE:
            found = found._replace(**OF_THE_FILE[name])
        else:
            kept = kept._replace(**OF_THE_ROW[name])
    return Case(found, kept)


def _by_the_table(case: Case) -> State:
    return next(state for state, holds in states.DECISIONS if holds(case))


@pytest.mark.parametrize("moved_from", [None, script_id("stock.x")])
def test_what_is_settled_is_what_the_table_says(moved_from: Any) -> None:
    for names in CASES:
        case = _case(names)._replace(moved_from=moved_from)
        assert states.decide(case) is _by_the_table(case), names


def test_what_is_settled_does_not_differ_from_what_was_applied() -> None:
    settled = [names for names in CASES if is_settled(*_case(names)[:2])]
    assert {name for names in settled for name in names} >= {
        "once",
        "other code",
        "applied before",
        "batched",
    }
    for case in map(_case, settled):
        assert case.is_same
        assert not differs(case.definition, case.record)


def test_every_state_is_among_them() -> None:
    found = {_by_the_table(_case(names)) for names in CASES}
    assert found == {*State} - {State.MOVED, State.MISSING}
