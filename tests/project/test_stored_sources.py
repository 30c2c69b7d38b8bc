"""The source of what was applied: kept once a version, or not at all."""

from __future__ import annotations

import pytest

from tests.conftest import MATRIX, Project

OFF = 'SCRIPTS_TRACKER = {"store_source": False}'
ON = 'SCRIPTS_TRACKER = {"store_source": True}'

SOURCES = """
from scripts_tracker.models import ScriptVersion
versions = ScriptVersion.objects.order_by("script__name", "pk")
print([(version.script.name, version.source and len(version.source)) for version in versions])
"""


def sources(project: Project) -> str:
    return project.python(SOURCES).out.strip()


@pytest.fixture
def shop(migrated: Project) -> Project:
    migrated.command("shop.works")
    return migrated


def test_with_store_source_off_nothing_is_kept(shop: Project) -> None:
    shop.settings(OFF)
    shop.command("shop.other")
    shop.manage("works")
    shop.manage("check_scripts", "--mark-applied", "other")
    assert sources(shop) == "[('other', None), ('works', None)]"


@MATRIX
def test_turning_it_off_later_neither_deletes_nor_adds(shop: Project) -> None:
    size = len(shop.path("shop.works").read_bytes())
    shop.command("shop.later")
    shop.manage("works")
    shop.settings(OFF)
    shop.manage("works")
    shop.manage("check_scripts", "--unmark", "works")
    shop.manage("check_scripts", "--mark-applied", "works")
    shop.manage("later")
    assert sources(shop) == f"[('later', None), ('works', {size})]"


@pytest.mark.parametrize("how", ["run", pytest.param("mark", marks=MATRIX)])
def test_turning_it_on_later_fills_in_what_is_run_or_marked_again(shop: Project, how: str) -> None:
    size = len(shop.path("shop.works").read_bytes())
    shop.settings(OFF)
    shop.command("shop.other")
    shop.manage("works")
    shop.manage("other")
    shop.settings(ON)
    shop.manage("check_scripts", "--all")
    assert sources(shop) == "[('other', None), ('works', None)]"
    if how == "run":
        shop.manage("works")
    else:
        shop.manage("check_scripts", "--unmark", "works")
        shop.manage("check_scripts", "--mark-all-applied")
    assert sources(shop) == f"[('other', None), ('works', {size})]"


@MATRIX
def test_a_version_that_is_run_and_marked_many_times_is_kept_once(shop: Project) -> None:
    file = shop.path("shop.works")
    first = file.read_bytes()
    second = first.replace(b"done", b"finished")
    for source in (first, second, first, second):
        file.write_bytes(source)
        shop.manage("works")
        shop.manage("check_scripts", "--unmark", "works")
        shop.manage("check_scripts", "--mark-all-applied")
    assert sources(shop) == f"[('works', {len(first)}), ('works', {len(second)})]"


def test_of_a_file_that_only_its_formatting_changed_both_contents_are_kept(shop: Project) -> None:
    file = shop.path("shop.works")
    first = file.read_bytes()
    shop.manage("works")
    file.write_bytes(first + b"\n# a comment\n")
    shop.manage("works")
    assert sources(shop) == f"[('works', {len(first)}), ('works', {len(first) + 13})]"
