"""A folder of scripts that are run inside the test's own process: 50 times as fast as manage.py."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from scripts_tracker.ledger import leases
from scripts_tracker.ledger.writing import RunFacts
from scripts_tracker.models import ScriptRun
from scripts_tracker.project.status import load_status
from scripts_tracker.project.versions import describe, read_source
from tests.builders import script_id
from tests.conftest import Result

SCRIPT = """\
from django.core.management.base import BaseCommand, CommandError
from scripts_tracker import required_preceding_script, tracked_script

class Command(BaseCommand):
    help = "Does {name}"
    {attributes}

    {decorators}
    def handle(self, *args, **options):
        {body}
"""
PACKAGE = "jobs.management.commands"


@dataclass
class Jobs:
    """The scripts of a folder that only COMMANDS_DIRS knows; their label is ``jobs``."""

    root: Path

    def path(self, name: str) -> Path:
        return self.root / "jobs" / "management" / "commands" / f"{name}.py"

    def script(
        self,
        name: str,
        body: str = "self.stdout.write('done')",
        *,
        decorators: str = "@tracked_script",
        requires: str = "",
        attributes: str = "",
    ) -> None:
        if requires:
            decorators += f"\n    @required_preceding_script({requires!r})"
        text = SCRIPT.format(name=name, body=body, decorators=decorators, attributes=attributes)
        self.write(name, text)

    def write(self, name: str, text: str) -> None:
        self.path(name).write_text(text)
        forget()

    def run(self, *names: str, command: str = "run_scripts", **options: Any) -> Result:
        """Run them as call_command does; the exit code as manage.py would give it."""
        out, err, code = io.StringIO(), io.StringIO(), 0
        try:
            call_command(command, *names, stdout=out, stderr=err, **options)
        except CommandError as error:
            err.write(f"{error}\n")
            code = error.returncode
        except SystemExit as error:
            code = int(error.code or 0)
        return Result(code, out.getvalue(), err.getvalue())

    def run_alone(self, name: str, **options: Any) -> str:
        """Run one of them as its own command, by hand."""
        out = io.StringIO()
        module = importlib.import_module(f"{PACKAGE}.{name}")
        call_command(module.Command(), stdout=out, stderr=out, **options)
        return out.getvalue()

    def states(self) -> dict[str, str]:
        return {status.id.name: status.state.value for status in load_status().statuses}

    def outcomes(self) -> list[str]:
        """Every run, oldest first, as "name outcome"."""
        rows = ScriptRun.objects.order_by("pk").values_list("script__name", "outcome")
        return [" ".join(row) for row in rows]

    def begin_elsewhere(self, name: str, **facts: Any) -> leases.OpenRun:
        """Let a process of another host take the script."""
        script = script_id(f"jobs.{name}")
        source, digest = read_source(str(self.path(name)))
        entry = leases.look_up(script, digest)
        run = RunFacts("run", host="elsewhere", pid=4)._replace(**facts)
        path = f"jobs/management/commands/{name}.py"
        return leases.begin(script, path, entry, describe(source, digest, entry.version), run)


def forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "jobs"]:
        del sys.modules[name]


@pytest.fixture
def jobs(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> Iterator[Jobs]:
    """An empty folder of scripts, and a ledger that no transaction is around."""
    folder = tmp_path / "jobs" / "management" / "commands"
    folder.mkdir(parents=True)
    settings.BASE_DIR = tmp_path
    settings.COMMANDS_DIRS = ["jobs/management/commands"]
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield Jobs(tmp_path)
    forget()
