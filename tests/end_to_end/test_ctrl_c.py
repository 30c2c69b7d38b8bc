"""Ctrl-C while a command only looks: a line, the exit code that a shell expects, and no traceback."""

from __future__ import annotations

import pytest

from tests.conftest import NEWCOMER, Project

pytestmark = NEWCOMER

PRESSED = """
import os, signal
from django.db.backends.signals import connection_created

def press(**_facts):
    os.kill(os.getpid(), signal.SIGINT)

connection_created.connect(press, weak=False)
"""
COMMANDS = {
    "a check": ("check_scripts",),
    "a plan": ("run_scripts", "--plan"),
    "a script in detail": ("show_script", "fix"),
    "a decision": ("check_scripts", "--mark-all-applied"),
    "pruning": ("prune_script_runs", "--keep", "3"),
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_is_interrupted_says_so_in_a_line(
    migrated: Project, arguments: tuple[str, ...]
) -> None:
    migrated.command("shop.fix")
    migrated.settings(PRESSED)
    result = migrated.manage(*arguments, code=130)
    (line,) = result.err.splitlines()
    assert line.startswith("Interrupted")
    assert "Traceback" not in result.text


def test_a_developer_gets_the_traceback_that_was_asked_for(migrated: Project) -> None:
    migrated.settings(PRESSED)
    result = migrated.manage("check_scripts", "--traceback", code=None)
    assert "KeyboardInterrupt" in result.err


def test_code_that_calls_a_command_gets_the_interrupt(migrated: Project) -> None:
    migrated.settings(PRESSED)
    code = (
        "from django.core.management import call_command\n"
        "try: call_command('check_scripts')\n"
        "except KeyboardInterrupt: print('caught')\n"
    )
    assert migrated.python(code).out.endswith("caught\n")
