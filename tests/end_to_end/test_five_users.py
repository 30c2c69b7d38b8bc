"""Five kinds of people on their way through the product; what it tells them to type is typed, and works."""

from __future__ import annotations

import json
import re
import sys

import pytest

from tests.adoption.old_tracker import SOURCE, TABLE, OldTracker
from tests.conftest import Project
from tests.end_to_end.typist import Typist, commands
from tests.switches import IN_MATRIX

pytestmark = pytest.mark.skipif(IN_MATRIX, reason="the same everywhere: run by make test")

PLAIN = """\
from django.core.management.base import BaseCommand

class Command(BaseCommand):
    help = "{name}"

    def handle(self, *args, **options):
        print("{name} is done")
"""
RAISES = "raise RuntimeError('the disk is full')"


@pytest.fixture
def me(migrated: Project) -> Typist:
    return Typist(migrated)


def test_what_is_printed_is_found() -> None:
    text = (
        "Run 'python manage.py run_scripts a \"b.*\"' to apply them; 'python manage.py show_script a.b' says why.\n"
        'x: manage.py check_scripts --release a.b --reason "..."\n(to go on: manage.py resume_script a.b; or NAME)\n'
        "to mark: manage.py check_scripts --mark-applied NAME. To list all: manage.py check_scripts --all."
    )
    assert [" ".join(words) for words in commands(text)] == [
        "run_scripts a b.*",
        "show_script a.b",
        "check_scripts --release a.b --reason ...",
        "resume_script a.b",
        "check_scripts --all",
    ]


def test_a_newcomer_tracks_a_command_that_is_there_and_sees_it_run(project: Project) -> None:
    me = Typist(project)
    project.write("shop/management/commands/fix_totals.py", PLAIN.format(name="fix_totals"))
    project.write("shop/management/commands/send_mail.py", PLAIN.format(name="send_mail"))
    me.type_next(me.type("check_scripts", 2), "migrate")
    untracked = me.type_next(me.type("check_scripts"), "--untracked")
    assert "shop.fix_totals\n" in untracked.out
    assert (
        "added @tracked_script to shop/management/commands/fix_totals.py\n"
        in me.type_next(untracked, "--adopt").out
    )
    new = me.type("check_scripts shop.fix_totals")
    assert "New scripts (1):" in new.out
    assert "fix_totals is done" in me.type_next(new, "run_scripts").out
    assert "shop.fix_totals: applied" in me.type("show_script fix_totals").out
    assert "No scripts to run." in me.type("run_scripts").out
    project.write(
        "shop/management/commands/fix_totals.py", project.path("shop.fix_totals").read_text() + "X = 1\n"
    )
    modified = me.type("check_scripts --check", 1)
    assert "the code changed since it was applied" in modified.out
    me.type_next(modified, "run_scripts")
    me.type("check_scripts --check")
    me.type("start_script shop new_one --help-text 'Do it'")
    me.type("start_script shop fix_totals", 2)
    assert len(me.typed) > 8


# On call, at night.


def test_somebody_on_call_finds_why_it_failed_and_what_to_type(me: Typist) -> None:
    project = me.project
    project.command("shop.bad", body=f"print('row 86'); {RAISES}")
    project.command(
        "shop.explains",
        body="from django.core.management.base import CommandError; raise CommandError('no rates')",
    )
    project.command("stock.after", decorators='@tracked_script\n    @required_preceding_script("shop.bad")')
    failed = me.type("run_scripts --continue-on-error", 1)
    assert "shop.explains: no rates\n" in failed.out
    shown = me.type_next(failed, "shop.bad")
    assert "RuntimeError: the disk is full" in shown.out
    (number,) = set(re.findall(r"^  #(\d+) ", shown.out, re.MULTILINE))
    whole = me.type(f"show_script shop.bad --run {number}")
    assert "  row 86\n" in whole.out
    assert "attempt.py" not in whole.out
    me.type("show_script shop.bad --run -9", 2)
    me.type("show_script shop.bad --watch", 2)
    refused = me.type("after", 1)
    assert "it requires shop.bad (failed)" in refused.err
    me.type_next(refused, "run_scripts", 1)
    project.command("shop.bad", body="print('all rows')")
    project.command("shop.explains")
    again = me.type_next(me.type("check_scripts"), "run_scripts")
    assert "3 done, 0 failed, 0 blocked, 0 skipped." in again.out
    me.type("check_scripts --check")


def test_somebody_on_call_meets_a_killed_process(me: Typist) -> None:
    """Its lease has run out at once: nothing else renews it."""
    me.project.settings("SCRIPTS_TRACKER = {'lease_seconds': 0.5}")
    me.project.command("shop.slow", body="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    me.project.manage("run_scripts", code=-9)
    me.project.command("shop.slow")
    me.project.run("sleep", "1")
    lost = me.type("check_scripts --check", 3)
    shown = me.type_next(lost, "show_script")
    assert "shop.slow: lost" in shown.out
    assert "it never ended" in shown.out or "never ended" in shown.out
    me.type_next(shown, "run_scripts")
    me.type("check_scripts --check")


def test_somebody_on_call_meets_a_script_that_runs_elsewhere(me: Typist) -> None:
    me.project.settings("SCRIPTS_TRACKER = {'lease_seconds': 600}")
    me.project.command("shop.slow", body="import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    me.project.manage("run_scripts", code=-9)
    me.project.command("shop.slow")
    running = me.project.manage("check_scripts")
    assert commands(running.out)[-1] == ["show_script", "shop.slow", "--watch"]
    held = me.project.manage("run_scripts", "--wait", "0", code=1)
    assert commands(held.err)[-1] == ["show_script", "shop.slow", "--watch"]
    shown = me.project.manage("show_script", "slow")
    released = me.type_next(shown, "--release")
    me.type_next(released, "run_scripts")
    me.type("check_scripts --check")


# A lead with three environments.

PLACES = ("development", "staging", "production")
SCRIPTS = 300
THERE = """\
from settings import *
DATABASES = {{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "{name}.sqlite3"}}}}
SCRIPTS_TRACKER = {{"environment": "{name}"}}
"""


def fleet(project: Project, *arguments: str, code: int = 0) -> str:
    """Compare the environments by what each of them prints."""
    files = []
    for place in PLACES:
        out = project.manage("check_scripts", "--all", "--format", "json", "--settings", place).out
        files.append(str(project.write(f"{place}.json", out)))
    python = "from scripts_tracker.fleet.cli import process; process()"
    result = project.run(sys.executable, "-c", python, *files, *arguments)
    assert result.code == code, result
    return result.out


def test_a_lead_of_300_commands_in_three_environments(project: Project) -> None:
    me = Typist(project)
    for place in PLACES:
        project.write(f"{place}.py", THERE.format(name=place))
    for number in range(SCRIPTS - 1):
        project.command(f"shop.old_{number:03}")
    for place in PLACES:
        notice = project.manage("migrate", "--settings", place)
        assert f"Environment: {place}\n" in notice.out
        assert "and 289 more; to list all: manage.py check_scripts --verbosity 2 --settings" in notice.out
        planned = project.manage("check_scripts", "--mark-all-applied", "--plan", "--settings", place)
        assert "Would mark as applied (299):" in planned.out
        project.manage("check_scripts", "--mark-all-applied", "--reason", "ran before", "--settings", place)
    project.command("shop.fix_totals", body="print('fixed')")

    waiting = project.manage("check_scripts", "--settings", "staging")
    me.project.manage(*commands(waiting.out)[-1])
    missing = fleet(project, "--check", code=1)
    assert "shop.fix_totals" in missing
    assert "shop.old_000" not in missing
    done = json.loads((project.root / "staging.json").read_text())["counts"]["applied"]
    assert done == SCRIPTS
    plan = project.manage("run_scripts", "--plan", "--from", "staging.json", "--settings", "production")
    assert "1. shop.fix_totals: new, never applied here\n" in plan.out
    assert "staging" in plan.out
    rehearsed = project.manage("run_scripts", "--rehearse", "--settings", "production")
    assert "Everything was rolled back; no script was marked as applied." in rehearsed.out
    assert fleet(project, "--check", code=1) == missing
    for place in ("development", "production"):
        found = project.manage("check_scripts", "--settings", place)
        (words,) = {tuple(each) for each in commands(found.out) if "run_scripts" in each}
        assert "fixed\n" in project.manage(*words).out
    fleet(project, "--check")


# A team that comes from django-scripts-tracker 0.2.


def test_a_team_from_django_scripts_tracker_changes_one_line(project: Project) -> None:
    me, old = Typist(project), OldTracker(project)
    old.create()
    for name in ("ran", "edited", "new"):
        source = old.write(
            name, SOURCE.format(name=name).replace("django_scripts_tracker", "scripts_tracker")
        )
        if name != "new":
            old.ran(name, source)
    project.write(
        "shop/management/commands/edited.py", project.path("shop.edited").read_text().replace("done", "gone")
    )
    notice = me.type("migrate")
    assert "django-scripts-tracker ran scripts here before." in notice.out
    refused = me.type("run_scripts", 2)
    assert "Nothing was run: " in refused.err
    me.type("run_all_scripts", 2)
    plan = me.type_next(refused, "adopt_scripts_tracker")
    assert "2 scripts would be recorded" in plan.out
    me.type("adopt_scripts_tracker")
    found = me.type("check_scripts")
    assert "You have 1 new and 1 modified management scripts to be applied." in found.out
    ran = me.type_next(found, "run_scripts")
    assert "2 done, 0 failed" in ran.out
    assert "ran done" not in ran.out
    assert TABLE in me.type("adopt_scripts_tracker --plan").out
    me.type("check_scripts --check")
