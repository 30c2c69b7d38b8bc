"""The pages of the documentation: what they tell to type, and how a test types it."""

from __future__ import annotations

import os
import re
import shlex
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import ROOT, Project
from tests.end_to_end.test_readme import insist_on

PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
)
# test_readme.py plays the README.
PLAYED = {"README.md"}
# The programs of this environment come first, whatever PATH says.
PATH = f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}"

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_TYPED = re.compile(
    r"^\$ |^ *(?:- )?(?:run|command|args|release): |\b(?:manage\.py|scripts-tracker-lint) ", re.MULTILINE
)


class Block(NamedTuple):
    """A piece of code of a page, without what indents it."""

    language: str
    text: str

    @property
    def is_typed(self) -> bool:
        """Whether a person types it, or a machine in their place."""
        if self.language in {"python", "toml", "json"}:
            return False
        return self.language in {"console", "sh", "bash", "shell"} or bool(_TYPED.search(self.text))


def blocks(page: Path) -> list[Block]:
    found = _FENCE.findall(page.read_text())
    return [Block(language, textwrap.dedent(text)) for _, language, text in found]


def plays(name: str) -> Callable[[Any], Any]:
    """A test that types the shell lines of a page of docs/, and takes it as ``typed``: all of it, so that it is counted."""
    PLAYED.add(name)
    typed = [block.text for block in blocks(ROOT / "docs" / name) if block.is_typed]
    return pytest.mark.parametrize("typed", [typed], ids=[name])


def write(project: Project, block: str) -> None:
    """Carry out a block of Python that begins with the name of the file that it belongs to."""
    place, _, text = block.partition("\n")
    file = project.root / place.removeprefix("# at the end of ")
    with file.open("a") as stream:
        stream.write(f"\n{text}")


def type_in(project: Project, block: str, *codes: int) -> None:
    """Type the commands of a block, and insist on what it shows of their output.

    Args:
        project: where.
        block: the text, with a ``$`` before each command.
        codes: how the commands end, one by one; those that are left end well.
    """
    for number, part in enumerate(re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]):
        command, _, shown = part.partition("\n")
        words = shlex.split(command)
        if words[:2] == ["python", "manage.py"]:
            result = project.manage(*words[2:], code=None)
        else:
            result = project.run(*words, PATH=PATH)
        expected = codes[number] if number < len(codes) else 0
        assert result.code == expected, f"$ {command}\n{result.text}"
        insist_on(shown, result.text)


def follow_quickstart(project: Project) -> None:
    """Do what quickstart.md says, in an empty folder, one after the other."""
    for block in blocks(ROOT / "docs" / "quickstart.md"):
        if block.is_typed:
            type_in(project, block.text)
        elif block.text.startswith("# at the end of "):
            write(project, block.text)
