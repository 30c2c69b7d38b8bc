"""Scripts that django-scripts-tracker may have run wait to be adopted: no deploy runs them a second time."""

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
        assert project.manage(command, code=2).err == f"Nothing was run: {HINT}"


def run(project: Project, *, code: int = 0) -> str:
    """Run all scripts, which nothing may prevent."""
    assert HINT not in project.migrate().text
    return project.manage("run_scripts", code=code).out


def test_a_script_that_the_old_tracker_ran_is_not_run_again(old: OldTracker) -> None:
    old.project.settings("SCRIPTS_TRACKER = {'auto_run': True}")
    old.ran("first", old.write("first"))
    insist_on_waiting(old.project)
    assert "first done" not in old.project.migrate().out
    old.project.manage("adopt_scripts_tracker")
    out = old.project.migrate().out
    assert HINT not in out
    assert "first done" not in out


@MATRIX
def test_a_script_that_the_old_tracker_never_ran_is_run(old: OldTracker) -> None:
    old.write("first")
    old.ran("gone", b"something else")
    assert "first done" in run(old.project)


def test_neither_another_run_nor_a_failure_ends_the_protection(old: OldTracker) -> None:
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
def test_scripts_that_were_marked_by_hand_need_no_adoption(old: OldTracker) -> None:
    old.ran("first", old.write("first"))
    old.project.manage("check_scripts", "--mark-applied", "first")
    assert "first done" not in run(old.project)
    old.project.manage("check_scripts", "--unmark", "first")
    assert "first done" in run(old.project)


def test_nothing_waits_after_adoption(old: OldTracker) -> None:
    old.ran("edited", b"another content")
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
def test_an_unreadable_script_waits_after_it_is_fixed(old: OldTracker) -> None:
    old.ran("broken", old.write("broken", BROKEN))
    old.project.manage("adopt_scripts_tracker")
    assert HINT not in old.project.migrate().text
    old.write("broken", SOURCE.format(name="broken"))
    insist_on_waiting(old.project)
    old.project.manage("adopt_scripts_tracker")
    assert "broken done" in run(old.project)


def test_a_script_that_comes_back_after_adoption_waits_even_if_it_moved_and_has_new_imports(
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
def test_a_renamed_adopted_script_does_not_wait(old: OldTracker) -> None:
    old.ran("first", old.write("first"))
    old.project.manage("adopt_scripts_tracker")
    old.project.path("shop.first").rename(old.project.path("shop.second"))
    assert run(old.project).endswith("shop.second\nNo scripts to run.\n")


def test_a_running_script_is_not_adopted(old: OldTracker) -> None:
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


def test_the_old_table_is_not_queried_if_everything_was_applied(old: OldTracker) -> None:
    old.ran("first", old.write("first"))
    old.project.manage("first")
    assert old.project.python(QUERIES).out == "False 0\n"
    old.write("second")
    assert old.project.python(QUERIES).out == "False 2\n"
    old.write("fails", FAILING)
    old.project.manage("fails", code=1)
    assert old.project.python(QUERIES).out == "False 3\n"
