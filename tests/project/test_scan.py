from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Project

FOLDERS = """
from scripts_tracker.project import scan
print(*(folder.app_label for folder in scan.commands_dirs()))
"""


def test_the_commands_of_the_tracker_itself_are_not_scanned(migrated: Project) -> None:
    assert migrated.python(FOLDERS).out.split() == ["shop", "stock"]
