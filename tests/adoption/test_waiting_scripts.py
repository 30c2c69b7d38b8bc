"""What django-scripts-tracker may have run waits to be adopted: no deploy runs it a second time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.adoption.old_tracker import NEW_IMPORT, OLD_IMPORT, SOURCE, OldTracker
from tests.conftest import ENVIRONMENT, MATRIX, PLAIN, Project
from tests.waiting import wait_for

BROKEN = SOURCE.format(name="broken") + "    def ("
FAILING = SOURCE.format(name="fails").replace("self.stdout.write('fails done')", "raise ValueError")
HINT = (
    "django-scripts-tracker ran scripts here before. To adopt its records:"
    " manage.py adopt_scripts_tracker --plan\n"
)

QUERIES = """
from django.db import connection
from django.test.utils import CaptureQueriesContext
from scripts_tracker.adoption import survey
from scripts_tracker.project import status
found = status.load_status()
with CaptureQueriesContext(connection) as queries:
    print(survey.is_pending(found), len(queries))
"""


@pytest.fixture
def old(migrated: Project) -> OldTracker:
    tracker = OldTracker(migrated)
    tracker.create()
    return tracker


def insist_on_waiting(project: Project) -> None:
    assert project.migrate().out.endswith(HINT)
    for command in ("run_scripts", "run_all_scripts"):
        assert project.manage(command, code=2).err == f"CommandError: Nothing was run: {HINT}"


def run(project: Project, *, code: int = 0) -> str:
    """Run what is to be run, for which nothing may be in the way."""
    assert HINT not in project.migrate().text
    return project.manage("run_scripts", code=code).out


def test_what_another_tracker_ran_is_not_run_again(old: OldTracker) -> None:
    old.project.settings("SCRIPTS_TRACKER = {'auto_run': True}")
    old.ran("first", old.write("first"))
    insist_on_waiting(old.project)
    assert "first done" not in old.project.migrate().out
    old.project.manage("adopt_scripts_tracker")
    out = old.project.migrate().out
    assert HINT not in out
    assert "first done" not in out


@MATRIX
def test_what_no_other_tracker_ran_is_run(old: OldTracker) -> None:
    old.write("first")
    old.ran("gone", b"something else")
    assert "first done" in run(old.project)


def test_neither_a_run_of_something_new_nor_a_failed_attempt_lifts_the_protection(old: OldTracker) -> None:
    old.ran("first", old.write("first"))
    old.write("brand_new")
    old.project.manage("brand_new")
    insist_on_waiting(old.project)
    old.project.manage("check_scripts", "--mark-applied", "first")
    old.ran("fails", old.write("fails", FAILING))
    old.project.manage("fails", code=1)
    insist_on_waiting(old.project)
    old.project.manage("adopt_scripts_tracker")
    assert run(old.project) == "No scripts to run.\n"


@MATRIX
def test_who_decides_by_hand_has_nothing_to_adopt(old: OldTracker) -> None:
    old.ran("first", old.write("first"))
    old.project.manage("check_scripts", "--mark-applied", "first")
    assert "first done" not in run(old.project)
    old.project.manage("check_scripts", "--unmark", "first")
    assert "first done" in run(old.project)


def test_after_adopting_nothing_waits_whatever_became_of_the_scripts(old: OldTracker) -> None:
    old.ran("edited", b"what nobody knows any more")
    for name in ("edited", "new"):
        old.write(name)
    old.ran("unchanged", old.write("unchanged"))
    old.ran("broken", old.write("broken", BROKEN))
    insist_on_waiting(old.project)
    old.project.manage("adopt_scripts_tracker")
    out = run(old.project, code=1)
    assert "new done" in out
    assert "edited done" in out
    assert "unchanged done" not in out


@MATRIX
def test_what_could_not_be_analysed_waits_once_it_is_mended(old: OldTracker) -> None:
    old.ran("broken", old.write("broken", BROKEN))
    old.project.manage("adopt_scripts_tracker")
    assert HINT not in old.project.migrate().text
    old.write("broken", SOURCE.format(name="broken"))
    insist_on_waiting(old.project)
    old.project.manage("adopt_scripts_tracker")
    assert "broken done" in run(old.project)


def test_what_comes_back_after_adopting_waits_even_where_it_moved_and_has_new_imports(
    old: OldTracker,
) -> None:
    old.ran("first", old.write("first"))
    old.ran("comes_back", SOURCE.format(name="comes_back").encode())
    old.project.manage("adopt_scripts_tracker")
    assert run(old.project) == "No scripts to run.\n"
    old.write("elsewhere", SOURCE.format(name="comes_back").replace(OLD_IMPORT, NEW_IMPORT))
    insist_on_waiting(old.project)
    old.project.manage("adopt_scripts_tracker")
    assert run(old.project) == "No scripts to run.\n"


@MATRIX
def test_a_renamed_script_that_came_over_waits_for_nothing(old: OldTracker) -> None:
    old.ran("first", old.write("first"))
    old.project.manage("adopt_scripts_tracker")
    old.project.path("shop.first").rename(old.project.path("shop.second"))
    assert run(old.project) == "No scripts to run.\n"


def test_what_is_being_run_is_left_alone(old: OldTracker) -> None:
    wait = "import time; open('began', 'w').close(); time.sleep(600)"
    old.ran("script", old.write("script", FAILING.replace("raise ValueError", wait)))
    began = old.project.root / "began"
    command = [sys.executable, "manage.py", "script"]
    with subprocess.Popen(command, cwd=old.project.root, env={**ENVIRONMENT, **PLAIN}) as process:
        try:
            wait_for(began.exists, "the script runs")
            (found,) = json.loads(old.project.manage("adopt_scripts_tracker", "--format", "json").out)[
                "scripts"
            ]
            assert (found["fate"], found["recorded"]) == ("running", False)
            assert HINT in old.project.migrate().text
        finally:
            process.kill()


def test_a_ledger_in_which_everything_was_applied_never_asks_for_the_old_table(old: OldTracker) -> None:
    old.ran("first", old.write("first"))
    old.project.manage("first")
    assert old.project.python(QUERIES).out == "False 0\n"
    old.write("second")
    assert old.project.python(QUERIES).out == "False 2\n"
    old.write("fails", FAILING)
    old.project.manage("fails", code=1)
    assert old.project.python(QUERIES).out == "False 3\n"
