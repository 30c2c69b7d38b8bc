from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, Project
from tests.waiting import PATIENCE

CTRL_C = "Ctrl-C"
SECOND = '@tracked_script\n    @required_preceding_script("first")'


@pytest.fixture
def shop(migrated: Project) -> Project:
    migrated.command("shop.first")
    migrated.command("shop.second", decorators=SECOND)
    return migrated


def is_asleep(pid: int) -> bool:
    """After its prompt it sleeps only where it reads the answer: a signal before that is seen after the read."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("S")


def at_a_terminal(project: Project, *arguments: str, answers: str, **env: str) -> tuple[int, str]:
    """Run manage.py with a terminal on both ends, type the answers, return the exit code and the screen."""
    ours, theirs = pty.openpty()
    environment = {**ENVIRONMENT, **project.env, **env}
    if "CI" not in env:
        environment.pop("CI", None)
    process = subprocess.Popen(
        [sys.executable, "manage.py", *arguments],
        cwd=project.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
        close_fds=True,
        # A test run in the background ignores SIGINT, and its children would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread forks here
    )
    os.close(theirs)
    if answers != CTRL_C:
        os.write(ours, answers.encode())
    screen, interrupted = b"", False
    until = time.monotonic() + PATIENCE
    while True:
        if not select.select([ours], [], [], 0.1)[0]:
            if answers == CTRL_C and b"[y/N]" in screen and not interrupted and is_asleep(process.pid):
                process.send_signal(signal.SIGINT)
                interrupted = True
            if time.monotonic() > until:
                process.kill()
            continue
        try:
            read = os.read(ours, 4096)
        except OSError:  # Linux says EIO when the other end is closed
            break
        if not read:
            break
        screen += read
    os.close(ours)
    return process.wait(PATIENCE), screen.decode().replace("\r\n", "\n")


def test_without_a_terminal_it_is_an_error_that_names_what_is_missing_and_what_to_type(shop: Project) -> None:
    result = shop.manage("second", code=1)
    assert result.err.strip() == (
        "CommandError: shop.second was not run: it requires shop.first (new). Run first: manage.py run_scripts shop.first"
    )
    assert "done" not in result.out
    assert shop.states()["shop.second"] == "new"


def test_a_refused_run_is_no_attempt_wherever_the_decorator_stands(shop: Project) -> None:
    shop.command("shop.third", decorators='@required_preceding_script("first")\n    @tracked_script')
    shop.manage("second", code=1)
    shop.manage("third", code=1)
    count = shop.python("from scripts_tracker.models import ScriptRun; print(ScriptRun.objects.count())")
    assert count.out.strip() == "0"


def test_an_applied_requirement_lets_it_run(shop: Project) -> None:
    shop.manage("first")
    assert shop.manage("second").out == "done\n"


def test_a_modified_requirement_does_not(shop: Project) -> None:
    shop.manage("first")
    shop.command("shop.first", body="print('changed')")
    assert "shop.first (modified)" in shop.manage("second", code=1).err


def test_a_requirement_that_does_not_exist_gets_the_nearest_name(shop: Project) -> None:
    shop.command("shop.third", decorators='@tracked_script\n    @required_preceding_script("frist")')
    assert "shop.frist (no such tracked script; did you mean shop.first?)" in shop.manage("third", code=1).err


def test_the_advice_names_the_whole_chain_in_order(shop: Project) -> None:
    shop.command("stock.third", decorators='@tracked_script\n    @required_preceding_script("shop.second")')
    assert "Run first: manage.py run_scripts shop.first shop.second" in shop.manage("third", code=1).err


def test_modules_are_taken_as_django_scripts_tracker_takes_them(shop: Project) -> None:
    file = shop.command("stock.third", decorators="@tracked_script\n    @required_preceding_script(first)")
    file.write_text("from shop.management.commands import first\n" + file.read_text())
    assert "it requires shop.first (new)" in shop.manage("third", code=1).err
    shop.manage("first")
    shop.manage("third")


@pytest.mark.parametrize("argument", ["42", "None", "''", "lambda: 0"])
def test_anything_else_is_refused_when_the_decorator_is_applied(project: Project, argument: str) -> None:
    project.command("shop.odd", decorators=f"@required_preceding_script({argument})")
    result = project.manage("odd", code=1)
    assert "takes the scripts that must run first, as strings or modules" in result.err


def test_at_a_terminal_a_no_aborts_and_says_what_to_run(shop: Project) -> None:
    code, screen = at_a_terminal(shop, "second", answers="what\nn\n")
    assert code == 1
    assert "You have 1 management scripts that should be applied before applying this script." in screen
    assert "It is advised to abort this script" in screen
    assert screen.count("Run it anyway? [y/N]") == 2
    assert "was not run, as you chose. Run first: manage.py run_scripts shop.first" in screen
    assert "Traceback" not in screen
    assert shop.states()["shop.second"] == "new"


def test_at_a_terminal_no_answer_is_a_no(shop: Project) -> None:
    code, screen = at_a_terminal(shop, "second", answers="\n")
    assert (code, "was not run, as you chose" in screen) == (1, True)


def test_at_a_terminal_a_yes_runs_it(shop: Project) -> None:
    code, screen = at_a_terminal(shop, "second", answers="y\n")
    assert (code, "done" in screen) == (0, True)
    assert screen.count("[y/N]") == 1
    assert shop.states()["shop.second"] == "applied"


def test_at_a_terminal_the_end_of_input_aborts(shop: Project) -> None:
    code, _ = at_a_terminal(shop, "second", answers="\x04")
    assert code == 1


def test_in_ci_there_is_no_prompt_even_at_a_terminal(shop: Project) -> None:
    code, screen = at_a_terminal(shop, "second", answers="y\n", CI="true")
    assert code == 1
    assert "[y/N]" not in screen


def test_with_no_input_there_is_no_prompt_even_at_a_terminal(shop: Project) -> None:
    file = shop.path("shop.second")
    file.write_text(
        file.read_text()
        + "\n    def add_arguments(self, parser):\n"
        + "        parser.add_argument('--no-input', action='store_false', dest='interactive')\n"
    )
    code, screen = at_a_terminal(shop, "second", "--no-input", answers="y\n")
    assert code == 1
    assert "[y/N]" not in screen


def test_a_report_at_a_narrow_terminal_fits_and_is_coloured(shop: Project) -> None:
    shop.command("shop.wordy", body="pass")
    file = shop.path("shop.wordy")
    file.write_text(file.read_text().replace("Does wordy", "Says a lot of things " * 8))
    _, screen = at_a_terminal(shop, "check_scripts", answers="", COLUMNS="60", TERM="xterm-256color")
    assert "\x1b[" in screen
    _, plain = at_a_terminal(shop, "check_scripts", answers="", COLUMNS="60", NO_COLOR="1")
    assert "\x1b[" not in plain
    assert max(map(len, plain.splitlines())) <= 60


def test_at_a_terminal_ctrl_c_aborts(shop: Project) -> None:
    code, screen = at_a_terminal(shop, "second", answers=CTRL_C)
    assert code == 1
    assert "was not run, as you chose" in screen
    assert "Traceback" not in screen
    assert shop.states()["shop.second"] == "new"


def test_scripts_that_require_each_other_are_named_as_a_cycle(shop: Project) -> None:
    shop.command("shop.first", decorators='@tracked_script\n    @required_preceding_script("second")')
    words = "Circular requirement: shop.first -> shop.second -> shop.first."
    assert words in shop.manage("second", code=1).err


def test_a_migration_that_calls_a_tracked_command_too_early_gets_one_clear_line(project: Project) -> None:
    project.app("an_app")
    project.settings('INSTALLED_APPS.append("an_app")')
    project.command("an_app.early")
    project.write("an_app/migrations/__init__.py", "")
    project.write(
        "an_app/migrations/0001_initial.py",
        "from django.core.management import call_command\n"
        "from django.db import migrations\n"
        "class Migration(migrations.Migration):\n"
        "    operations = [migrations.RunPython(lambda apps, editor: call_command('early'))]\n",
    )
    result = project.manage("migrate", code=1)
    assert 'must depend on ("scripts_tracker", "0007_environments")' in result.err
    assert "Traceback" not in result.err
