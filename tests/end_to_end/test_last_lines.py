"""The last line at every kind of end says what to type, and there is none where nothing is left to do."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.conftest import NEWCOMER, Project, Result
from tests.end_to_end.typist import commands

pytestmark = NEWCOMER

KILLED = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"


def nothing_is_tracked(project: Project) -> None:
    project.command("shop.plain", decorators="")


def nothing_to_do(project: Project) -> None:
    project.command("shop.fix")
    project.manage("run_scripts")


def new(project: Project) -> None:
    project.command("shop.fix")


def failed(project: Project) -> None:
    project.command("shop.fix", body="raise ValueError('x')")
    project.manage("run_scripts", code=1)


def failed_in_part(project: Project) -> None:
    failed(project)
    project.command("shop.other")


def running(project: Project) -> None:
    project.settings("SCRIPTS_TRACKER = {'lease_seconds': 600}")
    project.command("shop.fix", body=KILLED)
    project.manage("run_scripts", code=-9)
    project.command("shop.fix")


def lost(project: Project) -> None:
    project.settings("SCRIPTS_TRACKER = {'lease_seconds': 0.5}")
    project.command("shop.fix", body=KILLED)
    project.manage("run_scripts", code=-9)
    project.run("sleep", "1")


def unreadable(project: Project) -> None:
    project.write("shop/management/commands/fix.py", "from scripts_tracker import tracked_script\nclass (\n")


def unreadable_beside_new(project: Project) -> None:
    unreadable(project)
    project.command("shop.other")


def blocked(project: Project) -> None:
    unreadable(project)
    project.command("shop.other", decorators='@tracked_script\n    @required_preceding_script("shop.fix")')


def moved(project: Project) -> None:
    nothing_to_do(project)
    project.path("shop.fix").rename(project.path("shop.renamed"))


def modified(project: Project) -> None:
    nothing_to_do(project)
    project.command("shop.fix", body="print(2)")


def adopted(project: Project) -> None:
    from tests.adoption.old_tracker import OldTracker

    old = OldTracker(project)
    old.create()
    new(project)
    old.ran("fix", b"before")


FIRST = "show_script shop.fix"
# What check_scripts and run_scripts end with: the command to type, or the sentence where there is none.
ENDS: dict[Callable[[Project], None], tuple[str, str]] = {
    nothing_is_tracked: ("check_scripts --untracked", "No scripts to run."),
    nothing_to_do: ("check_scripts --all", "No scripts to run."),
    new: ("run_scripts", "1 done, 0 failed, 0 blocked, 0 skipped."),
    modified: ("run_scripts", "1 done, 0 failed, 0 blocked, 0 skipped."),
    failed: (FIRST, FIRST),
    failed_in_part: (FIRST, FIRST),
    running: (f"{FIRST} --watch", f"{FIRST} --watch"),
    lost: (FIRST, ""),
    unreadable: (FIRST, FIRST),
    unreadable_beside_new: ("run_scripts", FIRST),
    blocked: ("run_scripts", FIRST),
    moved: ("check_scripts --mark-applied shop.renamed", "No scripts to run."),
    adopted: ("adopt_scripts_tracker --plan", "adopt_scripts_tracker --plan"),
}


def last(result: Result) -> str:
    """The last command of the last line, or that line."""
    *_, line = result.text.rstrip().splitlines()
    found = commands(line)
    return " ".join(found[-1]) if found else line


@pytest.mark.parametrize(
    ("arrange", "checked", "ran"),
    [(arrange, *ends) for arrange, ends in ENDS.items()],
    ids=[arrange.__name__ for arrange in ENDS],
)
def test_the_last_line(arrange: Callable[[Project], None], checked: str, ran: str, migrated: Project) -> None:
    arrange(migrated)
    assert last(migrated.manage("check_scripts")) == checked
    if ran:
        assert last(migrated.manage("run_scripts", "--wait", "0", code=None)) == ran
