"""ST010 and its messages, and that it parses nothing that it need not parse."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.linking import modules
from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.lint.base import Run
from scripts_tracker.lint.config import Config
from scripts_tracker.lint.engine import Session, listed, project_findings
from scripts_tracker.lint.rules.st010_unreachable_script import UnreachableScript
from tests.lint.rule_cases import (
    ALONE,
    build,
    expected,
    failing,
    parameters,
    passing,
    request,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from scripts_tracker.analysis.store.cache import Cache
    from scripts_tracker.core.values import Finding
    from scripts_tracker.lint.base import Rule
    from scripts_tracker.lint.layout import Request

RULE = UnreachableScript()
TRACKED = """\
from scripts_tracker import tracked_script

class Command:
    @tracked_script
    def handle(self, *args, **options): ...
"""


def _unreachable(
    root: Path,
    wanted: Request | None = None,
    modules: Iterable[Path] | None = None,
    cache: Cache | None = None,
) -> list[Finding]:
    asked = wanted or request(root)
    paths = [*map(str, root.rglob("*.py") if modules is None else modules)]
    return [
        *RULE.check(
            Run(asked, project_findings(asked).definitions, (), listed(asked).files, paths, cache=cache)
        )
    ]


def _reported(root: Path) -> set[tuple[str, int, str]]:
    """What a whole run says, which applies the comments."""
    modules = tuple(map(str, root.rglob("*.py")))
    found = Session(request(root), Config(select=("ST010",)), modules).findings()
    return {(one.location.path, one.location.line, one.code) for one in found}


@pytest.mark.parametrize(("rule", "case"), parameters([RULE], passing))
def test_nothing_is_reported_in_a_passing_case(rule: Rule, case: str, tmp_path: Path) -> None:
    build(case, tmp_path)
    assert _reported(tmp_path) == expected(case) == set()


@pytest.mark.parametrize(("rule", "case"), parameters([RULE], failing))
def test_exactly_the_marked_lines_of_a_failing_case_are_reported(
    rule: Rule, case: str, tmp_path: Path
) -> None:
    build(case, tmp_path)
    assert _reported(tmp_path) == expected(case) != set()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("_fix.py", "_fix.py starts with an underscore, so Django does not offer it as a command"),
        ("fix.old.py", "fix.old.py has a dot in its name, so Django does not offer it as a command"),
        ("__init__.py", "__init__.py makes the folder a package, so Django does not offer it as a command"),
        ("old/fix.py", "fix.py is in a subfolder of the commands, so Django does not offer it as a command"),
        (
            "fix/__init__.py",
            "shop/management/commands/fix is a package, not a file, so Django does not offer it as a command",
        ),
        ("../fix.py", "fix.py is not in a folder of commands, so Django does not offer it as a command"),
    ],
)
def test_the_message_says_why_the_script_is_unreachable(path: str, message: str, tmp_path: Path) -> None:
    build(f"--- shop/management/commands/good.py\n{TRACKED}", tmp_path)
    build(f"--- shop/management/commands/{path}\n{TRACKED}", tmp_path)
    (finding,) = _unreachable(tmp_path)
    assert finding.message == message
    assert finding.hint.endswith(".")


def test_a_package_hides_the_file_with_the_same_name(tmp_path: Path) -> None:
    build(f"--- shop/management/commands/fix/__init__.py\n--- {ALONE}\n{TRACKED}", tmp_path)
    (finding,) = _unreachable(tmp_path)
    assert finding.message == "the package fix hides fix.py, so Django does not offer it as a command"


@pytest.mark.parametrize(("names", "prefixes"), [(("FIX.py",), ()), ((), ("fi",))])
def test_an_ignored_script_is_reported(
    names: tuple[str, ...], prefixes: tuple[str, ...], tmp_path: Path
) -> None:
    build(TRACKED, tmp_path)
    wanted = request(tmp_path)._replace(ignored_files=names, ignored_prefixes=prefixes)
    (finding,) = _unreachable(tmp_path, wanted)
    assert finding.message == "fix.py is an ignored file, so the script is not tracked"


def test_a_commands_folder_that_is_not_scanned_is_named(tmp_path: Path) -> None:
    build(TRACKED, tmp_path)
    wanted = request(tmp_path)._replace(dirs=())
    (finding,) = _unreachable(tmp_path, wanted)
    assert finding.message.startswith("shop/management/commands is not scanned, so")


def test_relative_imports_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    build(f"--- src/shop/management/commands/good.py\n{TRACKED}", tmp_path)
    build("--- src/shop/ours.py\nfrom scripts_tracker import tracked_script as tracked\n", tmp_path)
    hidden = "{}\n\nclass Command:\n    @tracked  # not tracked_script\n    def handle(self): ...\n"
    for path, line in (
        ("src/shop/fix.py", "from .ours import tracked"),
        ("src/shop/management/commands/fix.old.py", "from ...ours import tracked"),
        ("src/shop/management/commands/fix/__init__.py", "from ....ours import tracked"),
    ):
        build(f"--- {path}\n{hidden.format(line)}", tmp_path)
    folder = request(tmp_path).dirs[0]._replace(package="shop.management.commands")
    wanted = request(tmp_path)._replace(dirs=(folder,))
    assert len(_unreachable(tmp_path, wanted)) == 3


def test_a_script_that_is_scanned_under_another_path_is_fine(tmp_path: Path) -> None:
    build(f"--- shared/fix.py\n{TRACKED}", tmp_path)
    (tmp_path / ALONE).parent.mkdir(parents=True)
    (tmp_path / ALONE).symlink_to(tmp_path / "shared" / "fix.py")
    assert _unreachable(tmp_path) == []


def test_unreadable_files_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "folder.py").mkdir()
    (tmp_path / "link.py").symlink_to("nowhere")
    (tmp_path / "binary.py").write_bytes(b"tracked_script\x00")
    paths = [*tmp_path.iterdir(), tmp_path / "gone.py", tmp_path / "gone.py"]
    assert _unreachable(tmp_path, modules=paths) == []


def test_nothing_is_parsed_a_second_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for case in failing(RULE.code).values():
        build(case, tmp_path)
    cache = Cache()
    asked, paths = request(tmp_path), tuple(map(str, tmp_path.rglob("*.py")))
    run = Run(asked, project_findings(asked).definitions, (), listed(asked).files, paths, cache=cache)
    found = [*RULE.check(run)]
    monkeypatch.setattr(
        modules, "compile_all", lambda sources, *_, **__: [pytest.fail("parsed") for _ in sources]
    )
    assert [*RULE.check(run)] == found != []


WITHOUT_LIBCST = """
import sys
from scripts_tracker.core.values import CommandsDir
from scripts_tracker.lint.base import Run
from scripts_tracker.lint.engine import listed
from scripts_tracker.lint.layout import Request
from scripts_tracker.lint.rules.st010_unreachable_script import UnreachableScript
root, folder, *paths = sys.argv[1:]
request = Request((CommandsDir("shop", "shop.management.commands", folder),), root)
run = Run(request, (), (), listed(request).files, paths)
assert not [*UnreachableScript().check(run)]
loaded = {name.partition(".")[0] for name in sys.modules} & {"libcst", "django"}
assert not loaded, loaded
"""


def test_files_without_the_marker_need_no_libcst(tmp_path: Path) -> None:
    build(f"--- {ALONE}\n{TRACKED}--- shop/models.py\nx = 1\n--- shop/test_fix.py\n{TRACKED}", tmp_path)
    paths = map(str, tmp_path.rglob("*.py"))
    commands = str((tmp_path / ALONE).parent)
    subprocess.run([sys.executable, "-c", WITHOUT_LIBCST, str(tmp_path), commands, *paths], check=True)
