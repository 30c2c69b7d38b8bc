"""Processes that are started without a standard stream (``<&-``, ``>&-``, ``2>&-``): an exit code, never a traceback."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest
from django.core.management import ManagementUtility

from scripts_tracker.lint import cli
from scripts_tracker.management import base
from tests.conftest import MATRIX, Project, Result
from tests.jobs import Jobs

STREAMS = ("stdin", "stdout", "stderr")
CLOSED = [chosen for count in (1, 2, 3) for chosen in itertools.combinations(STREAMS, count)]

# Our commands, how they exit.
COMMANDS = {
    ("check_scripts",): 0,
    ("check_scripts", "--check", "--format", "json"): 1,
    ("check_scripts", "no_such"): 2,
    ("run_scripts", "--plan"): 0,
    ("run_scripts", "--no-input"): 1,
    ("run_all_scripts", "no_such"): 2,
    ("show_script", "a"): 0,
    ("show_script", "no_such"): 2,
    ("prune_script_runs", "--keep", "3"): 0,
    ("prune_script_runs",): 2,
    ("start_script", "no_such_app", "name"): 2,
    ("adopt_scripts_tracker",): 2,
}


@pytest.mark.parametrize("closed", CLOSED, ids=map("+".join, CLOSED))
def test_every_command_has_its_exit_code_without(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, closed: tuple[str, ...]
) -> None:
    jobs.script("a", "raise ValueError")
    for command, code in COMMANDS.items():
        for name in closed:
            monkeypatch.setattr(sys, name, None)
        assert (command, exit_code(command)) == (command, code)


def exit_code(command: tuple[str, ...]) -> object:
    try:
        ManagementUtility(["manage.py", *command, "--skip-checks"]).execute()
    except SystemExit as left:
        return left.code
    return 0


def test_the_null_device_takes_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int]] = []
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(
        os, "set_inheritable", lambda file, _: opened.append((os.readlink(f"/proc/self/fd/{file}"), file))
    )
    base._open_closed_streams()
    ((path, number),) = opened
    assert path == os.devnull
    assert sys.stdout.fileno() == number


def test_streams_that_are_there_are_left_alone() -> None:
    before = (sys.stdin, sys.stdout, sys.stderr)
    base._open_closed_streams()
    assert (sys.stdin, sys.stdout, sys.stderr) == before


@pytest.mark.parametrize("closed", CLOSED, ids=map("+".join, CLOSED))
def test_the_lint_has_its_exit_code_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: tuple[str, ...]
) -> None:
    for name in closed:
        monkeypatch.setattr(sys, name, None)
    clean = 2 if "stdout" in closed else 0  # nothing could be shown
    assert cli.main(["--root", str(tmp_path), "--no-cache"]) == clean
    assert cli.main([str(tmp_path / "no_such")]) == 2
    with pytest.raises(SystemExit) as left:
        cli.main(["--no-such"])
    assert left.value.code == 2


def shell(project: Project, command: str) -> Result:
    return project.run("sh", "-c", f"'{sys.executable}' {command}")


EACH_CLOSED = pytest.mark.parametrize(
    "closed",
    [*(pytest.param(one, marks=MATRIX) for one in ("<&-", "2>&-")), ">&-", "<&- >&- 2>&-"],
)


@EACH_CLOSED
def test_a_process_has_no_traceback_with(migrated: Project, closed: str) -> None:
    migrated.command("shop.first", body="print('printed')")
    migrated.command("shop.next", decorators="@tracked_script\n    @required_preceding_script('first')")
    asked = shell(migrated, f"manage.py next {closed}")
    assert asked.code == 1
    assert "Traceback" not in asked.text
    if "2>" not in closed:
        assert asked.err.splitlines()[-1].endswith(
            "it requires shop.first (new). Run first: manage.py run_scripts shop.first"
        )
    done = shell(migrated, f"manage.py run_scripts {closed}")
    assert (done.code, done.err) == (0, "")
    assert migrated.states() == {"shop.first": "applied", "shop.next": "applied"}


@EACH_CLOSED
def test_a_tracked_command_by_hand_is_recorded_with(migrated: Project, closed: str) -> None:
    migrated.command("shop.first", body="print('printed')")
    assert shell(migrated, f"manage.py first {closed}").code == 0
    assert migrated.states() == {"shop.first": "applied"}


# Where the app is not installed.


@pytest.mark.parametrize("decorators", ["@tracked_script", "@required_preceding_script('stock.first')"])
def test_without_the_app_a_decorated_command_says_what_to_add(project: Project, decorators: str) -> None:
    project.command("shop.first", decorators=decorators)
    project.settings("INSTALLED_APPS.remove('scripts_tracker')")
    result = project.manage("first", code=1)
    assert result.err == (
        "CommandError: this command is tracked, but the tracker is not installed:"
        ' add "scripts_tracker" to INSTALLED_APPS, then run manage.py migrate scripts_tracker.\n'
    )


def test_where_the_tracker_is_switched_off_the_app_is_not_needed(project: Project) -> None:
    project.command("shop.first")
    project.settings("INSTALLED_APPS.remove('scripts_tracker'); SCRIPTS_TRACKER = {'enabled': False}")
    assert project.manage("first").out == "done\n"
