"""What ST010 says, and that it says it cheaply."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.linking import modules
from scripts_tracker.analysis.store.cache import MemoryStore
from scripts_tracker.lint.engine import project_findings
from scripts_tracker.lint.rules import all_rules
from scripts_tracker.lint.unseen import unseen
from tests.analysis.lint.rule_cases import (
    ALONE,
    build,
    expected,
    failing,
    linted,
    parameters,
    passing,
    request,
)

if TYPE_CHECKING:
    from pathlib import Path

    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.base import Rule

RULE = all_rules()["ST010"]
TRACKED = """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
"""


def _unseen(root: Path) -> list[Finding]:
    return unseen(map(str, root.rglob("*.py")), request(root), linted(root), None)


def _said(root: Path) -> set[tuple[str, int, str]]:
    return {(one.location.path, one.location.line, one.code) for one in _unseen(root)}


@pytest.mark.parametrize(("rule", "case"), parameters([RULE], passing))
def test_it_is_silent_where_nothing_is_wrong(rule: Rule, case: str, tmp_path: Path) -> None:
    build(case, tmp_path)
    assert _said(tmp_path) == expected(case) == set()


@pytest.mark.parametrize(("rule", "case"), parameters([RULE], failing))
def test_it_names_the_lines_that_its_cases_announce(rule: Rule, case: str, tmp_path: Path) -> None:
    build(case, tmp_path)
    assert _said(tmp_path) == expected(case) != set()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("_fix.py", "_fix.py starts with an underscore, so Django offers no such command"),
        ("fix.old.py", "fix.old.py has a dot in its name, so Django offers no such command"),
        ("__init__.py", "__init__.py is the package of the commands, so Django offers no such command"),
        ("old/fix.py", "fix.py is in a folder below the commands, so Django offers no such command"),
        (
            "fix/__init__.py",
            "shop/management/commands/fix is a package and no file, so Django offers no such command",
        ),
        ("../fix.py", "fix.py is in no folder of commands, so Django offers no such command"),
    ],
)
def test_the_message_says_why(path: str, message: str, tmp_path: Path) -> None:
    build(f"--- shop/management/commands/good.py\n{TRACKED}", tmp_path)
    build(f"--- shop/management/commands/{path}\n{TRACKED}", tmp_path)
    (finding,) = _unseen(tmp_path)
    assert finding.message == message
    assert finding.hint.endswith(".")


def test_a_package_hides_the_file_of_its_name(tmp_path: Path) -> None:
    build(f"--- shop/management/commands/fix/__init__.py\n--- {ALONE}\n{TRACKED}", tmp_path)
    (finding,) = _unseen(tmp_path)
    assert finding.message == "the package fix hides fix.py, so Django offers no such command"


@pytest.mark.parametrize(("names", "prefixes"), [(("FIX.py",), ()), ((), ("fi",))])
def test_an_ignored_script_is_unseen(
    names: tuple[str, ...], prefixes: tuple[str, ...], tmp_path: Path
) -> None:
    build(TRACKED, tmp_path)
    wanted = request(tmp_path)._replace(ignored_files=names, ignored_prefixes=prefixes)
    (finding,) = unseen([str(tmp_path / ALONE)], wanted, project_findings(wanted), None)
    assert finding.message == "fix.py is an ignored file, so nobody knows whether the script has run"


def test_a_folder_that_is_not_looked_into_is_named(tmp_path: Path) -> None:
    build(TRACKED, tmp_path)
    wanted = request(tmp_path)._replace(dirs=())
    (finding,) = unseen([str(tmp_path / ALONE)], wanted, project_findings(wanted), None)
    assert finding.message.startswith("the tracker does not look into shop/management/commands, so")


def test_relative_imports_lead_from_where_the_file_stands(tmp_path: Path) -> None:
    build(f"--- src/shop/management/commands/good.py\n{TRACKED}", tmp_path)
    build("--- src/shop/ours.py\nfrom scripts_tracker import tracked_script as tracked\n", tmp_path)
    hidden = "{}\n\nclass Command:\n    @tracked  # not tracked_script\n    def handle(self): ...\n"
    for path, line in (
        ("src/shop/fix.py", "from .ours import tracked"),
        ("src/shop/management/commands/fix.old.py", "from ...ours import tracked"),
        ("src/shop/management/commands/fix/__init__.py", "from ....ours import tracked"),
    ):
        build(f"--- {path}\n{hidden.format(line)}", tmp_path)
    folder = replace(request(tmp_path).dirs[0], package="shop.management.commands")
    wanted = request(tmp_path)._replace(dirs=(folder,))
    found = unseen(map(str, tmp_path.rglob("*.py")), wanted, project_findings(wanted), None)
    assert len(found) == 3


def test_a_script_that_is_seen_under_another_path_is_seen(tmp_path: Path) -> None:
    build(f"--- shared/fix.py\n{TRACKED}", tmp_path)
    (tmp_path / ALONE).parent.mkdir(parents=True)
    (tmp_path / ALONE).symlink_to(tmp_path / "shared" / "fix.py")
    assert _unseen(tmp_path) == []


def test_what_cannot_be_read_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to("nowhere")
    (tmp_path / "binary.py").write_bytes(b"tracked_script\x00")
    paths = [*map(str, tmp_path.iterdir()), str(tmp_path / "gone.py"), str(tmp_path / "gone.py")]
    assert unseen(paths, request(tmp_path), linted(tmp_path), None) == []


def test_a_second_time_nothing_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for case in failing(RULE.code).values():
        build(case, tmp_path)
    paths, index, store = [*map(str, tmp_path.rglob("*.py"))], linted(tmp_path), MemoryStore()
    found = unseen(paths, request(tmp_path), index, store)
    monkeypatch.setattr(modules, "outcomes", lambda sources, **_: [pytest.fail("parsed") for _ in sources])
    monkeypatch.setattr(modules, "compiled", lambda _source, **_: pytest.fail("parsed"))
    assert unseen(paths, request(tmp_path), index, store) == found != []


WITHOUT_LIBCST = """
import sys
from scripts_tracker.lint.engine import Request
from scripts_tracker.lint.unseen import unseen
from scripts_tracker.core.values import CommandsDir, ProjectIndex
root, folder, *paths = sys.argv[1:]
request = Request((CommandsDir("shop", "shop.management.commands", folder),), root)
assert not unseen(paths, request, ProjectIndex((), ()), None)
loaded = {name.partition(".")[0] for name in sys.modules} & {"libcst", "django"}
assert not loaded, loaded
"""


def test_files_without_the_marker_need_no_libcst(tmp_path: Path) -> None:
    build(f"--- {ALONE}\n{TRACKED}--- shop/models.py\nx = 1\n--- shop/test_fix.py\n{TRACKED}", tmp_path)
    paths = map(str, tmp_path.rglob("*.py"))
    commands = str((tmp_path / ALONE).parent)
    subprocess.run([sys.executable, "-c", WITHOUT_LIBCST, str(tmp_path), commands, *paths], check=True)
