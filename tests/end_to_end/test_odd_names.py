"""What is printed to be typed can be pasted into a shell, whatever the names of the scripts are."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.conftest import NEWCOMER, Project
from tests.end_to_end.typist import Typist, commands

pytestmark = [NEWCOMER, pytest.mark.skipif(os.name != "posix", reason="Windows has no such names of files")]

NAMES = ("fix [b]", "it's", "fix$HOME", 'a"b', "it's\"x$HOME", "a;b&c")


def write(project: Project, body: str) -> None:
    for name in NAMES:
        project.command("shop.x", body=body).rename(project.path(f"shop.{name}"))


def new(project: Project) -> None:
    write(project, "print(1)")


def failed(project: Project) -> None:
    write(project, "raise ValueError('x')")
    project.manage("run_scripts", "--continue-on-error", code=1)


def modified(project: Project) -> None:
    new(project)
    project.manage("run_scripts")
    write(project, "print(2)")


def missing(project: Project) -> None:
    new(project)
    project.manage("run_scripts")
    for name in NAMES:
        project.path(f"shop.{name}").unlink()


@pytest.mark.parametrize("state", [new, failed, modified, missing])
def test_each_printed_command_is_understood_and_is_about_the_script_that_it_names(
    migrated: Project, state: Callable[[Project], None]
) -> None:
    state(migrated)
    typist = Typist(migrated)
    typist.type("check_scripts")
    for name in NAMES:
        shown = migrated.manage("show_script", f"shop.{name}")
        assert f"shop.{name}" in shown.out
        printed = commands(shown.text)
        assert any(f"shop.{name}" in words for words in printed) or state is new, printed
        for words in printed:
            assert migrated.manage(*words, "--help").code == 0, words


def test_what_to_type_after_a_run_names_the_script(migrated: Project) -> None:
    write(migrated, "raise ValueError('x')")
    result = migrated.manage("run_scripts", code=1)
    shown = Typist(migrated).type_next(result, "show_script")
    assert f"shop.{min(NAMES)}" in shown.out
