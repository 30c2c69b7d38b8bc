"""The cases of the rules, as projects on disk, and what the lint makes of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from scripts_tracker.lint.engine import Request, project_findings
from tests.analysis.project_cases import folders

if TYPE_CHECKING:
    from scripts_tracker.core.values import ProjectIndex

ALONE = "shop/management/commands/fix.py"
_HEADER = re.compile(r"^--- (.+)\n", re.MULTILINE)
_EXPECT = re.compile(r"#.*expect: (ST\d{3}(?:, ST\d{3})*)")


def files(case: str) -> dict[str, str]:
    """The files of a case by path."""
    first, *rest = _HEADER.split(case)
    if not rest:
        return {ALONE: first}
    assert not first, "a case of several files starts with the name of one"
    return dict(zip(rest[::2], rest[1::2], strict=True))


def build(case: str, root: Path) -> None:
    for path, text in files(case).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def expected(case: str) -> set[tuple[str, int, str]]:
    """Path, line and code of what the comments of a case announce."""
    return {
        (path, number, code)
        for path, text in files(case).items()
        for number, line in enumerate(text.split("\n"), start=1)
        if (match := _EXPECT.search(line))
        for code in match[1].split(", ")
    }


def request(root: Path) -> Request:
    return Request(tuple(folders(root)), str(root))


def linted(root: Path) -> ProjectIndex:
    return project_findings(request(root))
