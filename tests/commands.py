"""Many commands one after another in one process, for tests that ask each of them the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.conftest import Project

DRIVE = """
import io, json, os, pathlib, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
from scripts_tracker.lint import cli
class Stream(io.StringIO):
    def isatty(self):
        return "TERMINAL" in os.environ
answers = []
for program, *arguments in json.loads(pathlib.Path("asked.json").read_text()):
    sys.stdout, sys.stderr = streams = Stream(newline=""), Stream(newline="")
    try:
        code = cli.main(arguments) if program == "lint" else execute_from_command_line([program, *arguments])
    except SystemExit as exit_:
        code = exit_.code
    answers.append([code or 0, *(stream.getvalue() for stream in streams)])
sys.stdout = sys.__stdout__
print(json.dumps(answers))
"""


class Answer(NamedTuple):
    """What a command printed and how it ended."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str


def ask(project: Project, *commands: tuple[str, ...], **env: str) -> list[Answer]:
    """Run commands one after another in one process; a program is ``manage.py`` or ``lint``."""
    project.write("asked.json", json.dumps(commands))
    done = project.run_code(DRIVE, **env)
    assert done.code == 0, done
    return [Answer(tuple(command), *one) for command, one in zip(commands, json.loads(done.out), strict=True)]
