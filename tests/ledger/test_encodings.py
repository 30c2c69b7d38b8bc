"""A database that has not every character: what a script printed or raised is no reason to lose its outcome."""

from __future__ import annotations

import ast
import contextlib
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MATRIX, Project, make_project
from tests.databases import kinds
from tests.databases.kinds import MariaDB, PostgreSQL

LATIN1_CONNECTION = "DATABASES['default']['OPTIONS'] = {'charset': 'latin1'}"


@contextlib.contextmanager
def mariadb(charset: str) -> Iterator[tuple[MariaDB, str]]:
    kind, name = kinds.mariadb(), f"scripts_tracker_{uuid.uuid4().hex[:16]}"
    kind.need()
    kind.execute("mysql", f"CREATE DATABASE `{name}` CHARACTER SET {charset}")
    yield kind, name
    kind.drop(name)


@contextlib.contextmanager
def postgresql(encoding: str) -> Iterator[tuple[PostgreSQL, str]]:
    kind, name = kinds.postgresql(), f"scripts_tracker_{uuid.uuid4().hex[:16]}"
    kind.need()
    order = f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"
    kind.execute(kind.server.database or "postgres", order)
    yield kind, name
    kind.drop(name)


DATABASES = {
    "MariaDB utf8mb3": (mariadb, "utf8mb3", ""),
    "MariaDB latin1": (mariadb, "latin1", ""),
    "MariaDB latin1, as the driver": (mariadb, "latin1", LATIN1_CONNECTION),
    "PostgreSQL LATIN1": (postgresql, "LATIN1", ""),
    "PostgreSQL SQL_ASCII": (postgresql, "SQL_ASCII", ""),
}


def _param(name: str) -> Any:
    return pytest.param(DATABASES[name], id=name, marks=() if name == "PostgreSQL LATIN1" else MATRIX)


@pytest.fixture(params=map(_param, DATABASES))
def narrow(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """A migrated project whose database knows no emoji."""
    made, encoding, more = request.param
    with made(encoding) as (kind, name):
        project = make_project(tmp_path / "a project", {})
        project.settings(f"{kind.settings(name)}\n{more}")
        project.migrate()
        yield project


ROWS = (
    "from scripts_tracker.models import ScriptRun\n"
    "for row in ScriptRun.objects.order_by('script__name'):\n"
    "    print(ascii([row.outcome, row.output, row.reason, row.user]))"
)


def escaped(text: Any) -> Any:
    return text.encode("ascii", "backslashreplace").decode() if isinstance(text, str) else text


def read(project: Project, code: str) -> list[list[Any]]:
    """The rows that the code prints, with escapes: a database without an encoding has kept the characters."""
    return [[*map(escaped, ast.literal_eval(line))] for line in project.python(code).out.splitlines()]


def test_the_outcome_does_not_depend_on_what_was_printed_and_raised(narrow: Project) -> None:
    narrow.command("shop.a_plain", body="self.stdout.write('\\u00fc \\U0001f600')")
    narrow.command(
        "shop.b_whole",
        decorators="@tracked_script(atomic=True)",
        body="from scripts_tracker.models import Script\n"
        "        Script.objects.create(app_label='x', identity='x')\n"
        "        self.stdout.write('\\U0001f600')",
    )
    narrow.command("shop.c_fails", body="raise ValueError('\\U0001f600')")
    result = narrow.manage("run_scripts", "--continue-on-error", code=1, PYTHONUTF8="1", LOGNAME="\U0001f600")
    assert "2 done, 1 failed" in result.out
    assert narrow.states() == {"shop.a_plain": "applied", "shop.b_whole": "applied", "shop.c_fails": "failed"}
    plain, whole, fails = read(narrow, ROWS)
    user = "\\U0001f600"
    assert plain == ["succeeded", "\\xfc \\U0001f600\n", "", user]
    assert whole == ["succeeded", "\\U0001f600\n", "", user]
    assert fails == ["failed", "", "ValueError: \\U0001f600", user]
    left = "from scripts_tracker.models import Script; print(Script.objects.filter(app_label='x').count())"
    assert narrow.python(left).out == "1\n"


def test_a_script_is_known_by_a_name_that_the_database_has_no_characters_for(narrow: Project) -> None:
    name = "shop.fix_\U0001f600"
    narrow.command(name)
    assert "1 done" in narrow.manage("run_scripts", PYTHONUTF8="1").out
    found = narrow.manage("check_scripts", "--all", "--format", "json", PYTHONUTF8="1").out
    assert [(one["script"], one["state"]) for one in json.loads(found)["scripts"]] == [(name, "applied")]
    assert "up to date" in narrow.manage("run_scripts", name, PYTHONUTF8="1").out
    pruned = narrow.manage("prune_script_runs", "--keep", "0", "--verbosity", "2", name, PYTHONUTF8="1").out
    assert f"{name}: 0 runs deleted; 1 kept" in pruned


DECISIONS = (
    "from scripts_tracker.models import ScriptRun\n"
    "for row in ScriptRun.objects.order_by('pk'):\n"
    "    print(ascii([row.script.name, row.kind, row.applies, row.user, row.reason]))"
)
OLD_TABLE = """
from django.db import connection
from scripts_tracker.adoption.legacy_sources import md5
row = ["shop/management/commands/adopted.py", md5(open("shop/management/commands/adopted.py", "rb").read())]
with connection.cursor() as cursor:
    cursor.execute(
        "CREATE TABLE django_scripts_tracker_appliedmanagementscripts"
        " (id integer PRIMARY KEY, file_path varchar(500), file_hash varchar(100), applied_date timestamp)"
    )
    cursor.execute(
        "INSERT INTO django_scripts_tracker_appliedmanagementscripts VALUES (1, %s, %s, '2019-03-04 10:22:33')", row
    )
"""


def test_decisions_do_not_depend_on_the_characters_of_their_reasons(narrow: Project) -> None:
    env: Any = {"PYTHONUTF8": "1", "LOGNAME": "\U0001f600"}
    name, why = "shop.fix_\U0001f600", ("--reason", "\u00fc \U0001f600")
    narrow.command(name)
    narrow.command("shop.adopted")
    narrow.python(OLD_TABLE)
    assert "Recorded 1 script" in narrow.manage("adopt_scripts_tracker", **env).out
    narrow.manage("check_scripts", "--mark-applied", name, *why, **env)
    narrow.manage("check_scripts", "--unmark", name, "adopted", *why, **env)
    adopted, *decided = read(narrow, DECISIONS)
    assert adopted[:4] == ["adopted", "mark", False, ""]
    assert "by \\U0001f600 on" in adopted[4]
    texts = {text for row in decided for text in (f"shop.{row[0]}", row[3], row[4])} - {"shop.adopted"}
    assert texts == {*map(escaped, (name, why[1], env["LOGNAME"]))}
    assert [row[1] for row in decided] == ["mark", "unmark", "unmark"]
    found = narrow.manage("check_scripts", "--format", "json", "--all", **env).out
    assert {one["script"]: one["state"] for one in json.loads(found)["scripts"]} == {
        name: "new",
        "shop.adopted": "new",
    }
