"""Files are read, never executed: a project whose modules leave a mark when they are imported, and what leaves none.

Django itself imports the packages of installed apps and their models, and `management` when it migrates; so the marks
are in what Django does not import until a command runs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import Project
from tests.switches import FULL

MARK = "import os as _os; open(_os.path.join({root!r}, 'executed'), 'a').write({name!r} + '\\n')\n"
TRACKED = "from scripts_tracker import required_preceding_script, tracked_script\n"
COMMAND = """
class Command(BaseCommand):
    help = "Does it"

    @tracked_script
    def handle(self, *args, **options): pass
"""
BASE = "from django.core.management.base import BaseCommand\n"
INHERITS = "\nclass Command(Base):\n    help = 'Does it'\n"

FILES = {
    "shop/management/commands/own.py": TRACKED + BASE + COMMAND,
    "shop/management/commands/needs.py": TRACKED
    + "from . import own\n"
    + BASE
    + COMMAND.replace("    @t", "    @required_preceding_script(own, 'stock.inherits')\n    @t"),
    "shop/management/commands/ordinary.py": BASE + COMMAND.replace("    @tracked_script\n", ""),
    "shop/management/commands/broken.py": TRACKED + "import no_such_module\n1 / 0\ndef broken(:\n",
    "shop/management/commands/raises.py": TRACKED + BASE + "raise SystemExit('executed')\n" + COMMAND,
    "shop/management/commands/_private.py": TRACKED + BASE + COMMAND,
    "shop/management/commands/declared.py": "# coding: marked\n" + TRACKED + BASE + COMMAND,
    "shop/management/commands/package/__init__.py": TRACKED + BASE + COMMAND,
    "stock/management/commands/inherits.py": "from library.deep.bases import Base\n" + INHERITS,
    "stock/management/commands/dynamic.py": TRACKED
    + "from importlib import import_module\nBase = import_module('library.dynamic').Base\n"
    + INHERITS,
    "stock/management/commands/starred.py": "from library.star import *\n" + INHERITS,
    "stock/management/commands/decorated.py": BASE
    + "from library.decorators import once\n"
    + COMMAND.replace("tracked_script", "once"),
    "library/__init__.py": "",
    "library/deep/__init__.py": "",
    "library/deep/bases.py": TRACKED + BASE + COMMAND.replace("Command(", "Base("),
    "library/star.py": "from library.deep.bases import *\n",
    "library/dynamic.py": TRACKED + BASE + COMMAND.replace("Command(", "Base("),
    "library/decorators.py": TRACKED + "once = tracked_script(rerun='once')\n",
    **dict.fromkeys(("conftest.py", "setup.py", "sitecustomize.py", "usercustomize.py", "marked.py"), ""),
    **dict.fromkeys(("encodings/marked.py", "tests/conftest.py", "shop/admin.py", "shop/json.py"), TRACKED),
}
# What Django imports itself, or Python where it starts in the folder of the project: for the analysis alone.
MORE_FILES = {
    **dict.fromkeys(
        ("libcst.py", "json.py", "re.py", "django/__init__.py", "scripts_tracker/__init__.py"), ""
    ),
    **dict.fromkeys(
        ("shop/__init__.py", "shop/apps.py", "shop/models.py", "shop/management/__init__.py"), TRACKED
    ),
}
READABLE = {
    "shop.needs": "new",
    "shop.own": "new",
    "shop.raises": "new",
    "stock.decorated": "new",
    "stock.dynamic": "new",
    "stock.inherits": "new",
    "stock.starred": "new",
}
UNREADABLE = {"shop.broken": "unreadable", "shop.declared": "unreadable"}

# What is asked of the interpreter, in the folder of the project.
WAYS = {
    "check_scripts": "manage.py check_scripts",
    "check_scripts --all": "manage.py check_scripts --all",
    "check_scripts --check": "manage.py check_scripts --check",
    "check_scripts as json": "manage.py check_scripts --all --format json",
    "check_scripts as mermaid": "manage.py check_scripts --format mermaid",
    "check_scripts --show-dependencies": "manage.py check_scripts --show-dependencies",
    "check_scripts of one": "manage.py check_scripts shop.own",
    "check_scripts --mark-applied": "manage.py check_scripts --mark-applied shop.own stock.inherits",
    "check_scripts --mark-all-applied": "manage.py check_scripts --mark-all-applied",
    "the notice of migrate": "manage.py migrate --no-color",
    "the system checks": "manage.py check",
    "the deploy checks": "manage.py check --deploy",
    "the lint": "-m scripts_tracker.lint.cli --format json",
    "the lint --fix": "-m scripts_tracker.lint.cli --fix",
}
ALONE = """
import sys
from pathlib import Path
from scripts_tracker.analysis.facts.extraction import extract
from scripts_tracker.analysis.fingerprint import fingerprint
from scripts_tracker.analysis.linking.scanning import analyse
from scripts_tracker.core.values import CommandsDir
from scripts_tracker.exceptions import UnreadableSource
root = Path(sys.argv[1])
folders = [CommandsDir(one, one + ".management.commands", str(root / one / "management" / "commands")) for one in ("shop", "stock")]
before = set(sys.modules)
index = analyse(folders, root=str(root), import_roots=[str(root)])
print(sorted(str(one.id) for one in index.definitions if one.fingerprint))
for path in sorted(root.rglob("*.py")):
    for function in (extract, fingerprint):
        try:
            function(path.read_bytes())
        except UnreadableSource:
            pass
names = {name for name in set(sys.modules) - before if name.partition(".")[0] in ("shop", "stock", "library", "marked")}
assert not names, names
"""


def _marked(project: Project, files: dict[str, str]) -> None:
    for path, text in files.items():
        mark = MARK.format(root=str(project.root), name=path)
        first, line_end, rest = text.partition("\n") if text.startswith("# coding") else ("", "", text)
        project.write(path, first + line_end + mark + rest)


def _executed(project: Project) -> str:
    mark = project.root / "executed"
    return mark.read_text() if mark.exists() else ""


@pytest.fixture
def trap(migrated: Project) -> Project:
    """The project with its marks, migrated."""
    _marked(migrated, FILES)
    return migrated


def test_the_marks_work(trap: Project) -> None:
    trap.python("import shop.management.commands.own, stock.management.commands.starred")
    assert _executed(trap).split() == [
        "shop/management/commands/own.py",
        "stock/management/commands/starred.py",
        "library/__init__.py",
        "library/star.py",
        "library/deep/__init__.py",
        "library/deep/bases.py",
    ]


@pytest.mark.parametrize("way", list(WAYS)[:: 1 if FULL else 3])
def test_no_way_to_look_at_scripts_imports_them(way: str, trap: Project) -> None:
    result = trap.run(sys.executable, *WAYS[way].split())
    assert "Traceback" not in result.text
    assert "executed" not in result.text
    assert _executed(trap) == ""


def test_files_that_are_not_imported_are_still_read(trap: Project) -> None:
    assert trap.states() == {**READABLE, **UNREADABLE}
    assert _executed(trap) == ""


def test_the_analysis_imports_nothing_of_what_it_reads(project: Project, tmp_path: Path) -> None:
    _marked(project, {**FILES, **MORE_FILES})
    elsewhere = Project(tmp_path, project.env)
    result = elsewhere.run(sys.executable, "-c", ALONE, str(project.root))
    assert result.out == f"{sorted(READABLE)}\n", result
    assert _executed(project) == ""


@pytest.mark.parametrize("arguments", [[], ["--fix"], ["--diff", "--no-cache"]], ids=" ".join)
def test_the_lint_imports_nothing_of_what_it_reads(
    arguments: list[str], project: Project, tmp_path: Path
) -> None:
    _marked(project, {**FILES, **MORE_FILES})
    elsewhere = Project(tmp_path, project.env)
    lint = ["-m", "scripts_tracker.lint.cli", "--root", str(project.root)]
    result = elsewhere.run(sys.executable, *lint, *arguments)
    assert result.code == (0 if "--diff" in arguments else 1), result
    assert result.err == ("scripts-tracker-lint: Fixed 0 of 4.\n" if "--fix" in arguments else "")
    assert _executed(project) == ""
