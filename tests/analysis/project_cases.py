"""Small projects in text files, with what the analysis should find in them.

A file of `fixtures/analysis/` holds many cases:

    === a sentence that names the case
    --- shop:fix                        shop/management/commands/fix.py; any other word is a path
    <the file>
    --- expect
    {"shop.fix": {"rerun": "once"}}     the tracked scripts, with what to compare of each

A comment `# expect: ST003` asks for that finding on its line, and no other finding may come up.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scripts_tracker.analysis.linking.scanning import analyse
from scripts_tracker.core.values import CommandsDir, ProjectIndex, ScriptDefinition
from tests.conftest import IS_SAMPLE

FIXTURES = Path(__file__).parents[2] / "fixtures" / "analysis"
_EXPECTED = re.compile(r"# expect: (ST\d{3}(?:, ST\d{3})*)")


@dataclass
class Case:
    title: str
    files: dict[str, str] = field(default_factory=dict)
    expect: dict[str, dict[str, Any]] = field(default_factory=dict)

    def findings(self) -> set[tuple[str, int, str]]:
        return {
            (path, number, code)
            for path, text in self.files.items()
            for number, line in enumerate(text.split("\n"), start=1)
            for match in _EXPECTED.finditer(line)
            for code in match.group(1).split(", ")
        }

    def build(self, root: Path) -> None:
        for path, text in self.files.items():
            target = root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="")


def read_cases(name: str) -> list[Case]:
    cases: list[Case] = []
    for chunk in re.split(r"^=== ", (FIXTURES / name).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        title, _, body = chunk.partition("\n")
        case = Case(title.strip())
        for section in re.split(r"^--- ", body, flags=re.MULTILINE)[1:]:
            path, _, text = section.partition("\n")
            if path == "expect":
                case.expect = json.loads(text)
            else:
                case.files[_path(path.strip())] = text
        cases.append(case)
    assert len({case.title for case in cases}) == len(cases), f"two cases of {name} have one title"
    return cases


def some_cases() -> pytest.MarkDecorator:
    """For tests of what holds for every case: with some of each file by make test, with all by tox."""
    every = 4 if IS_SAMPLE else 1
    cases = [case for path in sorted(FIXTURES.glob("*.case")) for case in read_cases(path.name)[::every]]
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.title) for case in cases])


def _path(word: str) -> str:
    app, colon, name = word.partition(":")
    return f"{app}/management/commands/{name}.py" if colon else word


def folders(root: Path) -> list[CommandsDir]:
    found = sorted(path for path in root.glob("**/management/commands") if path.is_dir())
    packages = [path.relative_to(root).parts for path in found]
    return [
        CommandsDir(parts[-3], ".".join(parts), str(path))
        for parts, path in zip(packages, found, strict=True)
    ]


def index_of(root: Path, **options: Any) -> ProjectIndex:
    return analyse(folders(root), root=str(root), **options)


def described(definition: ScriptDefinition) -> dict[str, Any]:
    options = definition.options
    return {
        "rerun": options.rerun,
        "atomic": options.atomic,
        "tags": list(options.tags),
        "unless": list(options.unless),
        "watch": list(options.watch),
        "arguments": list(options.arguments),
        "watches": {
            one.module: "missing" if one.is_missing else "unreadable" if one.is_unreadable else "there"
            for one in definition.watches
        },
        "help": definition.help,
        "line": definition.location.line,
        "requires": [str(one.target) if one.target else f"? {one.text}" for one in definition.requires],
        "readable": definition.fingerprint is not None,
        "is_batched": definition.is_batched,
    }
