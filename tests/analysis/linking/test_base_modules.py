from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.findings import Findings
from scripts_tracker.analysis.linking.linker import Linker
from scripts_tracker.analysis.linking.modules import Finder
from scripts_tracker.analysis.linking.scanning import command_files
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.core.values import ScriptId
from tests.analysis.project_cases import folders

if TYPE_CHECKING:
    from pathlib import Path

TRACKED = """\
from scripts_tracker import tracked_script
class Command:
    @tracked_script
    def handle(self): pass
"""
COMMAND = "shop/management/commands/fix.py"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param(TRACKED, [], id="its own"),
        pytest.param(f"{TRACKED}class Command(Command): pass\n", [], id="two of its own"),
        pytest.param(
            "from shop.base import Command as Base\nclass Command(Base): pass\n",
            [COMMAND, "shop/base.py"],
            id="a base class",
        ),
        pytest.param("from shop.base import Command\n", ["shop/base.py"], id="nothing but the base class"),
    ],
)
def test_what_a_script_is_made_of_outside_of_its_file(
    command: str, expected: list[str], tmp_path: Path
) -> None:
    for path, text in {"shop/base.py": TRACKED, COMMAND: command}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    findings = Findings(str(tmp_path))
    dirs = folders(tmp_path)
    linker = Linker(command_files(dirs, findings), Finder(dirs, str(tmp_path), ()), Cache(), findings)
    linker.index()
    found = linker.mro(ScriptId("shop", "fix"))
    assert [findings.shown(path) for path, _ in found] == expected
