"""The documentation cannot rot: its links lead somewhere, and its shell lines do what it shows."""

from __future__ import annotations

import argparse
import functools
import json
import re
from pathlib import Path

import pytest
from django.core.management import load_command_class

import tests.end_to_end.test_docs_operating
import tests.end_to_end.test_docs_typed  # noqa: F401 - plays the other pages
from scripts_tracker.analysis import codes
from scripts_tracker.fleet import cli as fleet
from scripts_tracker.lint import cli
from tests.conftest import ROOT, Project
from tests.end_to_end.pages import PAGES, PATH, PLAYED, blocks, follow_quickstart, plays


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page: Path) -> list[str]:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.DOTALL)
    return [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]


LINKED = [
    *PAGES,
    ROOT / "SECURITY.md",
    ROOT / "tests" / "README.md",
    *(ROOT / "fixtures").glob("*/README.md"),
]


@pytest.mark.parametrize("page", LINKED, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("../../actions/"):  # the badge: tests/test_release.py
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_file(), f"{page.name} links to {path}, which is not there"
        assert not anchor or anchor in anchors(target), f"{target.name} has no heading for #{anchor}"


def test_every_page_is_in_the_list_of_pages() -> None:
    listed = {link.partition("#")[0] for link in links(ROOT / "docs" / "README.md")}
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name in {*listed, "README.md", "index.md"}, f"docs/README.md does not name {page.name}"


CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
PACKAGE = ROOT / "scripts_tracker"


def test_the_example_of_a_new_rule_has_the_next_free_code() -> None:
    assert set(re.findall(r"[sS][tT](\d{3})", CONTRIBUTING)) == {f"{len(codes.ALL):03}"}


def test_every_file_and_folder_named_in_contributing_exists() -> None:
    elsewhere = {"manage.py", "dist/", "screenshots/", f"st{len(codes.ALL):03}_prints_a_password.py"}
    for path in {*re.findall(r"`([\w./-]+(?:/|\.(?:py|md|toml)))`", CONTRIBUTING)} - elsewhere:
        is_there = (PACKAGE / path).exists() or (ROOT / path).exists()
        assert is_there, f"CONTRIBUTING.md names {path}, which does not exist"


def test_every_name_in_contributing_is_defined_where_it_says() -> None:
    places = re.findall(r"((?:`[\w.]+`(?:,| and)?\s+)+)in\s+`([\w/]+\.py)`", CONTRIBUTING)
    assert len(places) > 50
    for spans, path in places:
        text = (PACKAGE / path).read_text()
        for name in re.findall(r"\w+", " ".join(re.findall(r"`([\w.]+)`", spans))):
            pattern = rf"^\s*(?:(?:def|class) {name}\b|{name}\b[^=\n]*=)"
            assert re.search(pattern, text, re.MULTILINE), f"CONTRIBUTING.md: {path} defines no {name}"


def test_the_map_of_the_source_shows_every_room() -> None:
    rooms = [f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")]
    rooms += [f"analysis/{path.parent.name}/" for path in PACKAGE.glob("analysis/*/__init__.py")]
    for room in (*rooms, *(path.name for path in PACKAGE.glob("[!_]*.py"))):
        assert f"`{room}`" in CONTRIBUTING, f"CONTRIBUTING.md does not name {room}"


@plays("quickstart.md")
def test_the_commands_of_the_quickstart_print_what_it_shows(typed: list[str], tmp_path: Path) -> None:
    assert typed
    follow_quickstart(Project(tmp_path, {"PYTHONPATH": str(ROOT)}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_is_run_by_a_test(page: Path) -> None:
    assert page.name in PLAYED or not any(block.is_typed for block in blocks(page))


def test_every_command_of_the_readme_is_run_by_the_demo() -> None:
    assert {block.language for block in blocks(ROOT / "README.md") if block.is_typed} == {"console"}


@functools.cache
def options(command: str) -> dict[str, argparse.Action]:
    """What a command of ours knows, by its dashes and name."""
    if command in {"scripts-tracker-lint", "scripts-tracker-fleet"}:
        parser = cli._parser() if command.endswith("lint") else fleet._parser()
        return dict(parser._option_string_actions)
    parser = load_command_class("scripts_tracker", command).create_parser("manage.py", command)
    return dict(parser._option_string_actions)


OURS = "|".join(path.stem for path in (ROOT / "scripts_tracker/management/commands").glob("[!_]*.py"))
# A synopsis or a command in the text: what it is, and the rest of it, with the lines that go on.
MENTION = re.compile(
    rf"(?:manage\.py |`|^ {{4}})({OURS}|scripts-tracker-lint|scripts-tracker-fleet)\b"
    r"((?:(?!manage\.py)[^\n`])*(?:\n {20,}\[[^\n]*)*)",
    re.MULTILINE,
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_says_of_the_options_is_what_the_commands_have(page: Path) -> None:
    for command, rest in re.findall(MENTION, page.read_text()):
        known = options(command)
        for name, choices in re.findall(r"(--[a-z][a-z-]*)(?: ([a-z]+(?:\|[a-z]+)+))?", rest):
            assert name in known, f"{page.name}: {command} has no {name}"
            assert not choices or {*choices.split("|")} == {*(known[name].choices or choices.split("|"))}


def test_the_synopses_are_found() -> None:
    text = "".join((ROOT / "docs" / page).read_text() for page in ("lint.md", "migrating.md", "reference.md"))
    found = {command for command, rest in re.findall(MENTION, text) if "[--" in rest or "] --" in rest}
    assert found >= {*OURS.split("|"), "scripts-tracker-lint"}


def insist_on_keys(shown: object, printed: object) -> None:
    """The same keys on every level; ``...`` among those that are shown stands for others."""
    if isinstance(shown, dict) and isinstance(printed, dict):
        assert shown.keys() == printed.keys() or ("..." in shown and shown.keys() - {"..."} <= printed.keys())
        for key in shown.keys() & printed.keys():
            insist_on_keys(shown[key], printed[key])
    elif isinstance(shown, list) and isinstance(printed, list):
        assert bool(shown) == bool(printed)
        for one, other in zip(shown, printed, strict=False):
            insist_on_keys(one, other)


def test_the_json_in_the_docs_has_the_keys_that_are_printed(migrated: Project) -> None:
    migrated.command("shop.rates")
    migrated.command("shop.later", decorators='@tracked_script\n    @required_preceding_script("fix_totals")')
    require = '@tracked_script\n    @required_preceding_script("rates")'
    migrated.command("shop.fix_totals", decorators=require)
    migrated.manage("run_scripts", "fix_totals")
    migrated.command("shop.fix_totals", decorators=require, body="self.stdout.write('more')")
    printed = [
        migrated.manage("check_scripts", "fix_totals", "--format", "json").out,
        migrated.manage("show_script", "fix_totals", "--diff", "--format", "json").out,
    ]
    migrated.path("shop.rates").unlink()
    lint = migrated.run("scripts-tracker-lint", "--format", "json", "--select", "ST003", PATH=PATH)
    printed.append(lint.out)
    pages = (ROOT / "docs" / "reference.md", ROOT / "docs" / "lint.md")
    shown = [block.text for page in pages for block in blocks(page) if block.language == "json"]
    for example, output in zip(shown, printed, strict=True):
        insist_on_keys(json.loads(example), json.loads(output))
