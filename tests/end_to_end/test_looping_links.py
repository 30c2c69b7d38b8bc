"""Links that lead to each other are one finding, for the lint and for a check; nothing else is hidden by them."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.lint import cli
from tests.conftest import Project

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "shop/management/commands"
AROUND = "the link leads to a folder that contains it"
LOOPS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "a command that leads to itself": (
        {f"{FOLDER}/x.py": "x.py"},
        {f"{FOLDER}/x.py": f"a cycle of links: {FOLDER}/x.py -> {FOLDER}/x.py"},
    ),
    "two commands, and one that leads to them": (
        {f"{FOLDER}/y.py": "x.py", f"{FOLDER}/x.py": "y.py", f"{FOLDER}/z.py": "x.py"},
        {f"{FOLDER}/x.py": f"a cycle of links: {FOLDER}/x.py -> {FOLDER}/y.py -> {FOLDER}/x.py"},
    ),
    "a command and a file with another name": (
        {f"{FOLDER}/x.py": "a", f"{FOLDER}/a": "x.py"},
        {f"{FOLDER}/x.py": f"a cycle of links: {FOLDER}/x.py -> {FOLDER}/a -> {FOLDER}/x.py"},
    ),
    "the folder of commands, to itself": (
        {FOLDER: "commands"},
        {FOLDER: f"a cycle of links: {FOLDER} -> {FOLDER}"},
    ),
    "the folder of commands, to the folder around it": ({FOLDER: "."}, {FOLDER: AROUND}),
    "a command through a folder that leads to itself": (
        {f"{FOLDER}/x.py": "loop/x.py", f"{FOLDER}/loop": "loop"},
        {f"{FOLDER}/loop": f"a cycle of links: {FOLDER}/loop -> {FOLDER}/loop"},
    ),
}
BESIDE_COMMANDS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "two links without an end": (
        {"shop/b": "a", "shop/a": "b"},
        {"shop/a": "a cycle of links: shop/a -> shop/b -> shop/a"},
    ),
    "a link through itself": ({"shop/a": "a/b"}, {"shop/a": "a cycle of links: shop/a -> shop/a"}),
    "a module": ({"shop/m.py": "m.py"}, {"shop/m.py": "a cycle of links: shop/m.py -> shop/m.py"}),
    "an app in itself": ({"shop/shop": "."}, {"shop/shop": AROUND}),
    "the project in a folder of commands": ({f"{FOLDER}/loop": "../../.."}, {f"{FOLDER}/loop": AROUND}),
    "two folders that lead to each other": (
        {"shop/other": "../stock", "stock/other": "../shop"},
        {"shop/other": "a cycle of links: shop/other -> stock/other -> shop/other"},
    ),
}
HARMLESS = {
    "a link to a folder beside it": {"shop/lib": "../stock"},
    "a link to a link": {"shop/lib": "lib2", "shop/lib2": "../stock"},
    "hidden, and what no walk enters": {".loop": ".loop", "node_modules": ".", "shop/.venv": "."},
    "a link that leads nowhere": {"shop/lib": "nowhere"},
    "a folder with the beginning of another's name": {"shop/lib": "../shop2"},
}


def _link(root: Path, links: dict[str, str]) -> None:
    for path, target in links.items():
        if path == FOLDER:
            for file in (root / FOLDER).iterdir():
                file.unlink()
            (root / FOLDER).rmdir()
        (root / path).symlink_to(target)


@pytest.fixture
def shop(migrated: Project) -> Project:
    """A project with a command in each app, and a folder whose name begins as that of one."""
    migrated.command("shop.good")
    migrated.command("stock.better")
    migrated.write("shop2/module.py", "")
    return migrated


def _lint(root: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    code = cli.main(["--root", str(root), "--format", "json"])
    out, err = capsys.readouterr()
    assert err == ""
    findings = json.loads(out)["findings"]
    assert code == (1 if findings else 0)
    found = {one["path"]: one["message"] for one in findings if one["code"] == "ST000"}
    assert len(found) == sum(one["code"] == "ST000" for one in findings)
    assert all(
        one["hint"] == "Delete the link, or correct where it leads."
        for one in findings
        if one["code"] == "ST000"
    )
    return found


@pytest.mark.skipif(os.name != "posix", reason="only who may do so makes links elsewhere")
@pytest.mark.parametrize(
    ("links", "found"), [*LOOPS.values(), *BESIDE_COMMANDS.values()], ids=[*LOOPS, *BESIDE_COMMANDS]
)
def test_a_loop_is_one_finding_of_the_lint(
    links: dict[str, str], found: dict[str, str], shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    _link(shop.root, links)
    for _ in range(2):
        assert _lint(shop.root, capsys) == found


@pytest.mark.parametrize("links", HARMLESS.values(), ids=HARMLESS)
def test_other_links_are_none(
    links: dict[str, str], shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    _link(shop.root, links)
    assert _lint(shop.root, capsys) == {}


def test_a_loop_that_is_excluded_is_none(shop: Project, capsys: pytest.CaptureFixture[str]) -> None:
    shop.write("pyproject.toml", '[tool.scripts_tracker]\nexclude = ["shop/loop"]\n')
    _link(shop.root, {"shop/loop": "."})
    assert _lint(shop.root, capsys) == {}


@pytest.mark.parametrize(("links", "found"), LOOPS.values(), ids=LOOPS)
def test_a_loop_among_the_commands_is_one_problem_of_a_check(
    links: dict[str, str], found: dict[str, str], shop: Project
) -> None:
    _link(shop.root, links)
    document = shop.check("--all")
    assert {one["path"]: one["message"] for one in document["problems"]} == found
    assert len(document["problems"]) == 1
    assert "stock.better" in {script["script"] for script in document["scripts"]}
    deploy = shop.manage("check", "--deploy", "--tag", "scripts_tracker")
    assert deploy.err.count("scripts_tracker.ST000") == 1


@pytest.mark.parametrize("links", [links for links, _ in BESIDE_COMMANDS.values()], ids=BESIDE_COMMANDS)
def test_a_check_does_not_look_at_other_loops(links: dict[str, str], shop: Project) -> None:
    _link(shop.root, links)
    document = shop.check("--all")
    assert document["problems"] == []
    assert [script["script"] for script in document["scripts"]] == ["shop.good", "stock.better"]


def test_a_thousand_links_into_each_other_take_a_moment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(500):
        (tmp_path / f"f{number}").mkdir()
        (tmp_path / f"f{number}" / "next").symlink_to(f"../f{(number + 1) % 500}")
        (tmp_path / f"f{number}" / "last").symlink_to(f"../f{(number - 1) % 500}")
    assert len(_lint(tmp_path, capsys)) > 0
