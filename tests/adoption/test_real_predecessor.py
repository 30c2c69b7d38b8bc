"""The real django-scripts-tracker 0.2 runs scripts, then the project migrates; as the package, and as a copy with our name."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from benchmarks import tools
from benchmarks.tools import Tool
from tests.adoption.old_tracker import SCHEMA, SOURCE, commit, everything
from tests.conftest import MATRIX, Project

SETTINGS = "COMMANDS_DIRS = ['shop/management/commands']\nINSTALLED_APPS[0] = {package!r}"


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    try:
        return tools.predecessor(str(tmp_path_factory.mktemp("predecessor")))
    except tools.UnavailableError as error:
        pytest.skip(str(error))


def install(project: Project, real: Tool, package: str) -> None:
    project.settings(SETTINGS.format(package=package))
    if package == "scripts_tracker":
        code = "import os, django_scripts_tracker as x; print(os.path.dirname(x.__file__))"
        found = project.run(real.python, "-c", code, PYTHONPATH="").out.strip()
        for file in Path(shutil.copytree(found, project.root / package)).rglob("*.py"):
            file.write_text(file.read_text().replace("django_scripts_tracker", package))


@MATRIX
@pytest.mark.parametrize("package", ["django_scripts_tracker", "scripts_tracker"])
def test_a_team_migrates(package: str, project: Project, real: Tool) -> None:
    install(project, real, package)
    for name in ("ran", "marked", "formatted", "edited"):
        text = SOURCE.format(name=name).replace("django_scripts_tracker", package)
        project.write(f"shop/management/commands/{name}.py", text)

    def manage(*arguments: str) -> str:
        result = project.run(real.python, "manage.py", *arguments, PYTHONPATH="")
        assert result.code == 0, result
        return result.out

    manage("migrate")
    for name in ("ran", "formatted", "edited"):
        manage(name)
    manage("check_scripts", "--mark-all-applied")
    assert "You have 0 new and 0 modified" in manage("check_scripts")
    table = f"{package}_appliedmanagementscripts"
    made = [row[-1] for row in everything(project, "sqlite_master") if row[1] == table]
    assert made == [SCHEMA.format(table=table)]
    rows = everything(project, table)
    commit(project.root, "one")

    # The one line, the new package, the lint's new imports.
    shutil.rmtree(project.root / "scripts_tracker", ignore_errors=True)
    project.settings("INSTALLED_APPS[0] = 'scripts_tracker'")
    formatted, edited = project.path("shop.formatted"), project.path("shop.edited")
    formatted.write_text(formatted.read_text().replace("'", '"'))
    edited.write_text(edited.read_text().replace(" done", " done, and more"))
    project.run(sys.executable, "-m", "scripts_tracker.lint.cli", "--fix")
    assert "from scripts_tracker import tracked_script" in project.path("shop.ran").read_text()
    project.migrate()
    project.manage("adopt_scripts_tracker")
    assert project.states() == {
        "shop.ran": "applied",
        "shop.marked": "applied",
        "shop.formatted": "applied",
        "shop.edited": "modified",
    }
    assert everything(project, table) == rows
