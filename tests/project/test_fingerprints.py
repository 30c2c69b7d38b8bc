"""A fingerprint is computed when somebody asks for it; the states are the same as with all of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.fingerprint import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import Project

FAILS = "raise SystemExit(3)"


def _edit(file: Path) -> None:
    file.write_text(file.read_text().replace("class Command", "RATE = 2\n\n\nclass Command"))


def _reformat(file: Path) -> None:
    file.write_text(f"# Moved here.\n{file.read_text()}")


def _to_crlf(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def _rename(file: Path) -> None:
    file.rename(file.with_name(f"renamed_{file.name}"))


def _rename_and_reformat(file: Path) -> None:
    _reformat(file)
    _rename(file)


def _break(file: Path) -> None:
    file.write_text(file.read_text().replace("'done'", "'\\x'"))


def _twice(first: Callable[[Path], None], second: Callable[[Path], None]) -> Callable[[Path], None]:
    def both(file: Path) -> None:
        first(file)
        second(file)

    return both


class Case:
    """A script: what its body is, what is done with it first, what happens to its file, and its state then."""

    def __init__(
        self,
        state: str,
        act: str = "",
        change: Callable[[Path], None] | None = None,
        *,
        body: str = "self.stdout.write('done')",
        is_pending: bool = False,
    ) -> None:
        self.state, self.act, self.change, self.body, self.is_pending = state, act, change, body, is_pending


CASES = {
    "untouched": Case("new", is_pending=True),
    "with_crlf": Case("new", change=_to_crlf, is_pending=True),
    "unreadable_literal": Case("unreadable", change=_break),
    "unmarked": Case("new", act="mark unmark", is_pending=True),
    "applied": Case("applied", act="run"),
    "marked": Case("applied", act="mark"),
    "reformatted": Case("applied", act="run", change=_reformat),
    "checked_out_with_crlf": Case("applied", act="run", change=_to_crlf),
    "reformatted_with_crlf": Case("applied", act="run", change=_twice(_reformat, _to_crlf)),
    "edited": Case("modified", act="run", change=_edit),
    "broken": Case("unreadable", act="run", change=_break),
    "failed": Case("failed", act="run", body=FAILS),
    "failed_reformatted": Case("failed", act="run", body=FAILS, change=_reformat),
    "failed_edited": Case("new", act="run", body=FAILS, change=_edit),
    "failed_crlf": Case("failed", act="run", body=FAILS, change=_to_crlf),
}
LOADED = """
import json
from scripts_tracker.project.status import load_status
def look(**options):
    return {
        one.id.name: [one.state.value, one.definition.fingerprint is not None and one.definition.fingerprint.is_pending]
        for one in load_status(**options).statuses
        if one.definition
    }
print(json.dumps([
    look(use_cache=False), look(), look(), look(use_cache=False, with_fingerprints=True), look(with_fingerprints=True), look()
]))
"""


def _decide(project: Project, cases: dict[str, Case]) -> None:
    """Run and mark in one process; then change the files."""
    for name, case in cases.items():
        project.command(f"shop.{name}", body=case.body)
        path = project.path(f"shop.{name}")
        path.write_text(path.read_text().replace(f"Does {name}", f"Does {name} and no other"))
    project.python(
        "import contextlib\n"
        "from django.core.management import call_command\n"
        f"for name, act in {[(name, word) for name, case in cases.items() for word in case.act.split()]}:\n"
        "    with contextlib.suppress(SystemExit):\n"
        "        call_command(name) if act == 'run' else call_command('check_scripts', **{\n"
        "            {'mark': 'mark_applied', 'unmark': 'unmark'}[act]: [f'shop.{name}']})"
    )
    for name, case in cases.items():
        if case.change is not None:
            case.change(project.path(f"shop.{name}"))


def test_states_are_the_same_with_and_without_fingerprints_that_nobody_needs(migrated: Project) -> None:
    _decide(migrated, CASES)
    first, cold, warm, whole, kept, after = json.loads(migrated.python(LOADED).out)
    assert {name: state for name, (state, _) in first.items()} == {
        name: case.state for name, case in CASES.items()
    }
    assert {name for name, (_, is_pending) in first.items() if is_pending} == {
        name for name, case in CASES.items() if case.is_pending
    }
    assert first == cold == warm
    assert whole == kept == {name: [state, False] for name, (state, _) in first.items()}
    assert {name: state for name, (state, _) in after.items()} == {
        name: case.state for name, case in CASES.items()
    }


MOVED = {
    "a": Case("", act="run", change=_rename),
    "b": Case("", act="run", change=_rename_and_reformat),
    "c": Case("", act="run", change=_twice(_edit, _rename)),
    "d": Case("", act="run", change=_twice(_to_crlf, _rename)),
    "e": Case("new"),
}


def test_a_script_that_may_have_been_moved_is_compared_with_those_whose_files_are_gone(
    migrated: Project,
) -> None:
    _decide(migrated, MOVED)
    states = {
        "renamed_a": "moved",
        "renamed_b": "moved",
        "renamed_c": "new",
        "renamed_d": "moved",
        "e": "new",
    }
    for look in json.loads(migrated.python(LOADED).out):
        assert look == {name: [state, False] for name, state in states.items()}


PARSES = """
import json, sys
import libcst
parsed, parse = [], libcst.parse_module
libcst.parse_module = lambda source: (parsed.append(source), parse(source))[1]
from scripts_tracker.project.status import load_status
states = {one.id.name: one.state.value for one in load_status(use_cache=False).statuses}
print(json.dumps([states, len(parsed)]))
"""

COUNTS: dict[str, tuple[Case, str, int]] = {
    "a file that is checked out with CRLF": (Case("", act="run", change=_to_crlf), "applied", 0),
    "a file with another name and CRLF": (Case("", act="run", change=_twice(_to_crlf, _rename)), "moved", 0),
    "a file with another name": (Case("", act="run", change=_rename), "moved", 0),
    "a file that is edited": (Case("", act="run", change=_edit), "modified", 1),
    "a file that is reformatted": (Case("", act="run", change=_reformat), "applied", 1),
}


@pytest.mark.parametrize(("case", "state", "parses"), COUNTS.values(), ids=COUNTS)
def test_a_file_that_changed_is_parsed_at_most_once(
    case: Case, state: str, parses: int, migrated: Project
) -> None:
    _decide(migrated, {"one": case})
    states, count = json.loads(migrated.python(PARSES).out)
    assert (list(states.values())[-1], count) == (state, parses)


def test_who_asks_for_a_fingerprint_gets_it(migrated: Project) -> None:
    for name in ("shown", "listed", "marked", "run"):
        migrated.command(f"shop.{name}")
    wanted = {
        name: str(fingerprint(migrated.path(f"shop.{name}").read_bytes())) for name in ("shown", "listed")
    }
    migrated.manage("check_scripts")
    cache = migrated.root / ".scripts_tracker_cache" / "facts"
    assert b"st1:" not in cache.read_bytes(), "a check asks for none"
    migrated.manage("check_scripts", "--mark-applied", "marked")
    migrated.manage("run")
    shown = json.loads(migrated.manage("show_script", "shown", "--format", "json").out)
    assert shown["script"]["fingerprint"] == wanted["shown"]
    assert wanted["shown"] in cache.read_text()
    assert wanted["listed"] not in cache.read_text()
    listed = {one["script"]: one["fingerprint"] for one in migrated.check("--all")["scripts"]}
    assert listed["shop.listed"] == wanted["listed"]
    assert all(one.startswith("st1:") for one in listed.values())
    versions = migrated.python(
        "from scripts_tracker.models import ScriptVersion\n"
        "print(sorted(ScriptVersion.objects.values_list('script__name', 'algorithm')))"
    )
    assert versions.out == "[('marked', 'st1'), ('run', 'st1')]\n"
