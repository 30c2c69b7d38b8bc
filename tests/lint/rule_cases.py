"""Read the cases of the rules from ``fixtures/lint``, write them to disk as projects, and lint them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.lint.engine import project_findings
from scripts_tracker.lint.layout import Request
from tests.analysis.project_cases import folders
from tests.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from _pytest.mark.structures import ParameterSet

    from scripts_tracker.core.values import ProjectIndex
    from scripts_tracker.lint.base import Rule

CASES = ROOT / "fixtures" / "lint"
ALONE = "shop/management/commands/fix.py"
_HEADER = re.compile(r"^--- (.+)\n", re.MULTILINE)
_EXPECT = re.compile(r"#.*expect: (ST\d{3}(?:, ST\d{3})*)")


def passing(code: str) -> Mapping[Path, str]:
    """The cases in which a rule is silent, by file."""
    return _read(code, "passes/*.txt")


def failing(code: str) -> Mapping[Path, str]:
    """The cases with ``# expect:`` on the lines that a rule reports, by file."""
    return _read(code, "fails/*.txt")


def fixing(code: str) -> list[tuple[Path, Path]]:
    """The files with what ``--fix`` gets and with what it makes of it."""
    befores = sorted((CASES / code).glob("fixes/*.before.txt"))
    return [(path, path.with_name(path.name.replace(".before.", ".after."))) for path in befores]


def parameters(rules: Iterable[Rule], kind: Callable[[str], Mapping[Path, str]]) -> list[ParameterSet]:
    """The cases of a kind, each with its rule."""
    return [
        pytest.param(rule, case, id=f"{rule.code}-{path.stem}")
        for rule in rules
        for path, case in kind(rule.code).items()
    ]


def _read(code: str, pattern: str) -> dict[Path, str]:
    return {path: read_text(path) for path in sorted((CASES / code).glob(pattern))}


def read_text(path: Path) -> str:
    """A file with its line ends as they are."""
    return path.read_bytes().decode("utf-8")


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
        (root / path).write_bytes(text.encode("utf-8"))


def expected(case: str) -> set[tuple[str, int, str]]:
    """Path, line and code of what the comments of a case expect."""
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
