"""The rows that a script changes, as the tests of a project get them."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError
from django.db import connection
from django.test import TestCase

from scripts_tracker import testing
from scripts_tracker.models import ScriptRun
from tests.jobs import Jobs

IMPORT = "from django.contrib.auth.models import Group, User; from django.db import connection, transaction; "
ROWS: dict[str, tuple[str, dict[str, dict[str, int]]]] = {
    "nothing": ("list(Group.objects.all())", {}),
    "a row is added": (
        "Group.objects.create(name='new')",
        {"auth_group": {"inserted": 1, "updated": 0, "deleted": 0}},
    ),
    "rows are updated": (
        "Group.objects.update(name='x')",
        {"auth_group": {"inserted": 0, "updated": 1, "deleted": 0}},
    ),
    "a row goes with what belongs to it": (
        "Group.objects.all().delete()",
        {
            "auth_group": {"inserted": 0, "updated": 0, "deleted": 1},
            "auth_user_groups": {"inserted": 0, "updated": 0, "deleted": 1},
        },
    ),
    "a script rolls back itself": (
        (
            "b = transaction.atomic(); b.__enter__(); Group.objects.update(name='x'); transaction.set_rollback(True);"
            " b.__exit__(None, None, None)"
        ),
        {},
    ),
}


@pytest.fixture(params=["in a test case", "with transactions of its own"])
def script(request: pytest.FixtureRequest, jobs: Jobs) -> Callable[[str], str]:
    """Writes a script, and gives its name."""
    Group.objects.create(name="old").user_set.create(username="u")
    if request.param == "in a test case":
        request.getfixturevalue("in_a_transaction")

    def write(body: str) -> str:
        jobs.script("it", IMPORT + body)
        return "it"

    return write


@pytest.fixture
def in_a_transaction() -> Any:
    from django.db import transaction

    with transaction.atomic():
        yield


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django itself looks for commands in apps only."""

    def load(name: str) -> Any:
        import importlib

        return importlib.import_module(f"jobs.management.commands.{name}").Command()

    monkeypatch.setattr(testing, "_command", load)


@pytest.mark.parametrize(("body", "expected"), ROWS.values(), ids=ROWS)
def test_a_report_has_the_changed_rows_by_table(
    script: Callable[[str], str], body: str, expected: dict[str, dict[str, int]]
) -> None:
    assert testing.row_report(script(body)) == expected


def test_what_the_script_changes_stays_and_is_recorded(script: Callable[[str], str]) -> None:
    done = testing.run_script(
        script("Group.objects.create(name='new'); self.stdout.write('hello'); return 'x'")
    )
    assert Group.objects.filter(name="new").exists()
    assert ScriptRun.objects.get().outcome == "succeeded"
    assert (done.result, done.output) == ("x", "hello\nx\n")
    assert (done.report.statements, done.report.tables[0].statements) == (1, 1)


def test_an_error_of_the_script_is_its_own_and_nothing_is_watched_any_more(
    script: Callable[[str], str],
) -> None:
    before = list(connection.execute_wrappers)
    with pytest.raises(ValueError, match=r"^no$"):
        testing.row_report(script("raise ValueError('no')"))
    assert connection.execute_wrappers == before
    assert "_savepoint" not in vars(connection)


def test_the_fixture_is_the_function(row_report: Callable[..., Any]) -> None:
    assert row_report is testing.row_report


def test_the_mixin_compares(script: Callable[[str], str]) -> None:
    name = script("Group.objects.create(name=str(Group.objects.count()))")

    class It(testing.RowReportMixin, unittest.TestCase):
        pass

    rows = {"auth_group": {"inserted": 1, "updated": 0, "deleted": 0}}
    It().assert_changes(name, rows)
    with pytest.raises(AssertionError, match="'inserted': 1"):
        It().assert_changes(name, {})
    assert It().row_report(name) == rows


_COMMAND = testing._command


class NamedCommands(TestCase):
    """Commands as a project names them."""

    def test_an_app_and_a_name(self) -> None:
        assert _COMMAND("auth.createsuperuser").__class__.__module__.endswith("createsuperuser")
        assert _COMMAND("createsuperuser") == "createsuperuser"

    def test_what_is_not_there(self) -> None:
        for name in ("auth.nothing", "nothing.createsuperuser"):
            with pytest.raises(CommandError, match=r"there is no command '\w+' in an app '\w+'"):
                _COMMAND(name)
