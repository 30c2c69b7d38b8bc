"""Folders of commands are found, with the labels and packages that Django would give them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scripts_tracker.lint import layout

if TYPE_CHECKING:
    from pathlib import Path


def _make(root: Path, *paths: str, **texts: str) -> None:
    for path in paths:
        if path.endswith("/"):
            (root / path).mkdir(parents=True, exist_ok=True)
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).touch()
    for name, text in texts.items():
        (root / name.replace("__", "/")).with_suffix(".py").write_text(text)


def _found(root: Path, *exclude: str) -> dict[str, tuple[str, str]]:
    walked = layout.walk(str(root), exclude)
    dirs = layout.commands_dirs(walked.commands, str(root), walked.roots)
    return {os.path.relpath(one.path, root): (one.app_label, one.package) for one in dirs}


@pytest.mark.parametrize(
    "folder",
    [
        ".venv/lib/shop",
        ".git/shop",
        "node_modules/shop",
        "env/lib/python3.13/site-packages/shop",
        "build/lib/shop",
        "dist/shop",
    ],
)
def test_what_is_not_the_projects_is_left_out(folder: str, tmp_path: Path) -> None:
    _make(tmp_path, f"{folder}/management/commands/fix.py", "pyproject.toml")
    assert _found(tmp_path) == {}


def test_a_virtual_environment_of_any_name_is_left_out(tmp_path: Path) -> None:
    _make(tmp_path, "mine/pyvenv.cfg", "mine/shop/management/commands/fix.py")
    assert _found(tmp_path) == {}


@pytest.mark.parametrize("path", ["shop/commands/fix.py", "management/fix.py", "management/commands.py"])
def test_what_django_would_not_offer_is_no_folder_of_commands(path: str, tmp_path: Path) -> None:
    _make(tmp_path, path)
    assert _found(tmp_path) == {}


def test_excluded_folders_are_left_out(tmp_path: Path) -> None:
    _make(tmp_path, "a/management/commands/", "legacy/b/management/commands/", "c/management/commands/")
    assert list(_found(tmp_path, "legacy", "*/management/commands/x.py", "c/*")) == ["a/management/commands"]


@pytest.mark.parametrize(
    ("made", "package"),
    [
        pytest.param(["shop/__init__.py"], "shop", id="an app in the root"),
        pytest.param(["shop/"], "shop", id="an app without __init__.py"),
        pytest.param(["__init__.py", "shop/__init__.py"], "shop", id="a root that is a package"),
        pytest.param(["manage.py", "shop/__init__.py"], "shop", id="beside manage.py"),
    ],
)
def test_the_package_of_an_app_in_the_root(made: list[str], package: str, tmp_path: Path) -> None:
    _make(tmp_path, "shop/management/commands/fix.py", *made)
    assert _found(tmp_path) == {"shop/management/commands": ("shop", f"{package}.management.commands")}


@pytest.mark.parametrize(
    ("folder", "made", "package"),
    [
        ("src/shop", ["src/shop/__init__.py"], "shop"),
        ("src/acme/shop", ["src/acme/__init__.py", "src/acme/shop/__init__.py"], "acme.shop"),
        ("src/acme/shop", ["src/acme/shop/__init__.py"], "acme.shop"),
        ("backend/shop", ["backend/manage.py", "backend/shop/__init__.py"], "shop"),
        ("backend/apps/shop", ["backend/manage.py", "backend/apps/shop/__init__.py"], "apps.shop"),
    ],
)
def test_packages_start_where_python_imports_from(
    folder: str, made: list[str], package: str, tmp_path: Path
) -> None:
    _make(tmp_path, f"{folder}/management/commands/fix.py", *made)
    assert _found(tmp_path) == {f"{folder}/management/commands": ("shop", f"{package}.management.commands")}


CONFIG = "from django.apps import AppConfig\nclass {name}Config(AppConfig):\n    {body}\n"


@pytest.mark.parametrize(
    ("text", "label", "package"),
    [
        ("", "shop", "shop"),
        ("x = (", "shop", "shop"),
        ("name = 'not.in.a.class'\n", "shop", "shop"),
        ("# label = 'a comment'\n", "shop", "shop"),
        (CONFIG.format(name="Shop", body="label = compute()"), "shop", "shop"),
        (CONFIG.format(name="Shop", body="label = 'store'"), "store", "shop"),
        (CONFIG.format(name="Shop", body="name: str = 'shop'; label: str = 'store'"), "store", "shop"),
        (CONFIG.format(name="Shop", body="name = 'acme.shop'"), "shop", "acme.shop"),
        (CONFIG.format(name="Shop", body="name = 'acme.shop'; label = 'store'"), "store", "acme.shop"),
        (CONFIG.format(name="Shop", body="name = 'acme.elsewhere'"), "elsewhere", "shop"),
        (
            CONFIG.format(name="A", body="label = 'a'")
            + CONFIG.format(name="B", body="label = 'b'; default = True"),
            "b",
            "shop",
        ),
    ],
)
def test_the_label_comes_from_the_app_config(text: str, label: str, package: str, tmp_path: Path) -> None:
    _make(tmp_path, "shop/management/commands/fix.py", "shop/__init__.py", shop__apps=text)
    assert _found(tmp_path) == {"shop/management/commands": (label, f"{package}.management.commands")}


def test_links_are_followed_once_and_loops_end(tmp_path: Path) -> None:
    _make(tmp_path, "real/shop/management/commands/fix.py", "outside/", "project/")
    (tmp_path / "project" / "apps").symlink_to(tmp_path / "real")
    (tmp_path / "project" / "again").symlink_to(tmp_path / "project")
    (tmp_path / "project" / "zapps").symlink_to(tmp_path / "real")
    assert list(_found(tmp_path / "project")) == ["apps/shop/management/commands"]


def test_what_stands_in_the_project_is_known_by_its_own_path(tmp_path: Path) -> None:
    _make(tmp_path, "shop/management/commands/fix.py")
    (tmp_path / "a-link").symlink_to(tmp_path / "shop")
    assert list(_found(tmp_path)) == ["shop/management/commands"]


def test_python_files_are_listed_wherever_they_are(tmp_path: Path) -> None:
    _make(tmp_path, "a.py", "shop/b.py", "shop/management/commands/c.py", "shop/d.txt", ".hidden/e.py")
    modules = layout.walk(str(tmp_path)).modules
    assert [os.path.relpath(one, tmp_path) for one in modules] == [
        "a.py",
        "shop/b.py",
        "shop/management/commands/c.py",
    ]


def test_folders_that_may_not_be_read_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make(tmp_path, "locked/", "shop/management/commands/fix.py")
    real = os.scandir

    def refuse(path: str) -> os._ScandirIterator[str]:
        if path.endswith("locked"):
            raise PermissionError(path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert list(_found(tmp_path)) == ["shop/management/commands"]
