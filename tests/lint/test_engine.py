"""What the lint remembers is what it would find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.store.cache import Cache
from scripts_tracker.core.values import CommandsDir
from scripts_tracker.lint.engine import project_findings
from scripts_tracker.lint.layout import Request
from tests.lint.rule_cases import build

if TYPE_CHECKING:
    from pathlib import Path

    from scripts_tracker.core.values import ProjectIndex

BASE = """\
from django.core.management.base import BaseCommand
from scripts_tracker import tracked_script

class Base(BaseCommand):
    help = "Does it"

    def ask(self):
        input("Sure? ")

    @tracked_script
    def handle(self, *args, **options):
        self.ask()
"""
INHERITS = "from shop.base import Base as Command  # tracked_script\n"
OWN = BASE.replace("Base(", "Command(").replace('input("Sure? ")', "pass")


def _request(root: Path, *folders: str) -> Request:
    dirs = [CommandsDir("shop", "shop.management.commands", str(root / folder)) for folder in folders]
    return Request(tuple(dirs), str(root))


def _linted(request: Request, root: Path) -> ProjectIndex:
    cache = Cache(str(root))
    found = project_findings(request, cache)
    cache.save()
    return found


def test_two_files_with_the_same_identity_keep_their_own_classes(tmp_path: Path) -> None:
    build(
        f"--- shop/base.py\n{BASE}--- new/commands/fix.py\n{INHERITS}--- old/commands/fix.py\n{OWN}", tmp_path
    )
    request = _request(tmp_path, "new/commands", "old/commands")
    assert [one.code for one in _linted(request, tmp_path).findings] == ["ST012", "ST009"]
    (tmp_path / "new/commands/fix.py").write_text("class Command: pass\n")
    assert _linted(request, tmp_path).findings == project_findings(request).findings == ()


def test_lost_findings_are_computed_again(tmp_path: Path) -> None:
    build(f"--- shop/base.py\n{BASE}--- c/fix.py\n{INHERITS}--- c/other.py\n{OWN}", tmp_path)
    request = _request(tmp_path, "c")
    before = _linted(request, tmp_path)
    (tmp_path / ".scripts_tracker_cache" / "facts").unlink()
    (tmp_path / "c/other.py").write_text(OWN + "# more\n")
    assert _linted(request, tmp_path).findings == before.findings


COMPUTED = {
    "a call": ("help = make()", "no help text that can be read"),
    "an import that is not found": ("from elsewhere import help", "no help text that can be read"),
    "an empty text": ('help = ""', "no help text"),
    "nothing": ("", "no help text"),
}
BASES = {
    "Django's class for commands": ("django.core.management.base", "LabelCommand", "no help text"),
    "a command of Django": (
        "django.core.management.commands.shell",
        "Command",
        "no help text that can be read",
    ),
    "a command of another package": ("wagtail.commands", "Base", "no help text that can be read"),
}


@pytest.mark.parametrize(("line", "words"), COMPUTED.values(), ids=COMPUTED)
def test_a_computed_help_text_is_not_called_missing(line: str, words: str, tmp_path: Path) -> None:
    build(f"--- c/fix.py\n{OWN.replace('    help', f'    {line}  #', 1)}", tmp_path)
    (finding,) = (one for one in _linted(_request(tmp_path, "c"), tmp_path).findings if one.code == "ST016")
    assert finding.message.removesuffix(" without running the code") == f"shop.fix has {words}"


@pytest.mark.parametrize(("module", "name", "words"), BASES.values(), ids=BASES)
def test_a_help_text_that_a_base_class_from_a_package_may_have_is_not_called_missing(
    module: str, name: str, words: str, tmp_path: Path
) -> None:
    source = (
        f"from {module} import {name} as Base\nfrom scripts_tracker import tracked_script\n\nclass Command(Base):\n"
        "    @tracked_script\n    def handle(self, *args, **options): ...\n"
    )
    build(f"--- c/fix.py\n{source}", tmp_path)
    (finding,) = (one for one in _linted(_request(tmp_path, "c"), tmp_path).findings if one.code == "ST016")
    assert finding.message.removesuffix(" without running the code") == f"shop.fix has {words}"
