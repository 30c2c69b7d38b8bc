"""The lint as a function, in a project of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from scripts_tracker.lint import cli

if TYPE_CHECKING:
    from pathlib import Path

CLEAN = """\
from scripts_tracker import tracked_script

class Command:
    help = "Does it"

    @tracked_script
    def handle(self, *args, **options): ...
"""
BROKEN = CLEAN.replace("    @tracked", '    @required_preceding_script("gone")\n    @tracked').replace(
    "import tracked", "import required_preceding_script, tracked"
)
OLD = CLEAN.replace("from scripts_tracker import", "from django_scripts_tracker.core_tracker import")
FIX = "shop/management/commands/fix.py"


class Done:
    """How a run ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def found(self) -> list[tuple[str, int, str]]:
        findings: list[dict[str, Any]] = json.loads(self.out)["findings"]
        return [(one["path"], one["line"], one["code"]) for one in findings]


@pytest.fixture
def lint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs the lint in this process, in a project of its own."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)

    def run(*argv: str) -> Done:
        try:
            code = cli.main(argv)
        except SystemExit as exit_:
            code = int(str(exit_.code))
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return run


Lint = Callable[..., Done]
