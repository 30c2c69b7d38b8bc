"""The documentation cannot rot: its links lead somewhere, and what it tells to type does what it shows."""

from __future__ import annotations

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from scripts_tracker.analysis import codes
from tests.conftest import ROOT, Project
from tests.test_readme import insist_on

PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
# Pages whose commands are typed into an empty folder, one after the other.
PLAYED = ["start.md"]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{page.name} links to {path}, which is not there"
        assert not anchor or anchor in anchors(target), f"{target.name} has no heading for #{anchor}"


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = {link.partition("#")[0] for link in links(ROOT / "docs" / "README.md")}
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name in {*listed, "README.md"}, f"docs/README.md does not name {page.name}"


def test_the_page_on_extending_gives_its_example_a_code_that_is_free() -> None:
    text = (ROOT / "docs" / "extending.md").read_text()
    assert set(re.findall(r"[sS][tT](\d{3})", text)) == {f"{len(codes.ALL):03}"}


def test_what_the_page_on_extending_tells_to_change_is_where_it_says() -> None:
    text = (ROOT / "docs" / "extending.md").read_text()
    places = re.findall(r"`(_?[a-z]\w+|[A-Z_]+)` in `([\w/]+\.py)`", text)
    assert len(places) > 5
    for name, path in places:
        assert re.search(rf"\b{name}\b", (ROOT / path).read_text()), f"{path} has no {name}"


def write(project: Project, block: str) -> None:
    """Carry out a block of Python that begins with the name of the file that it belongs to."""
    place, _, text = block.partition("\n")
    file = project.root / place.removeprefix("# at the end of ")
    with file.open("a") as stream:
        stream.write(f"\n{text}")


def type_in(project: Project, block: str) -> None:
    """Type the commands of a block, and insist on what it shows of their output."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        program, *arguments = shlex.split(command)
        # The programs of this environment, whatever PATH says.
        programs = {"python": [sys.executable], "django-admin": [sys.executable, "-m", "django"]}
        beside = os.path.join(os.path.dirname(sys.executable), program)
        result = project.run(*programs.get(program, [beside]), *arguments)
        assert result.code == 0, f"$ {command}\n{result.text}"
        insist_on(shown, result.text)


@pytest.mark.parametrize("name", PLAYED)
def test_what_a_page_tells_to_type_does_what_it_shows(name: str, tmp_path: Path) -> None:
    project = Project(tmp_path, {"PYTHONPATH": str(ROOT)})
    text = (ROOT / "docs" / name).read_text()
    for language, block in re.findall(r"```(console|python)\n(.*?)```", text, re.DOTALL):
        if language == "console":
            type_in(project, block)
        elif block.startswith("# at the end of "):
            write(project, block)
