"""RequireScripts: migrate stops before a column is dropped, until its backfill has run."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import MigrationWriter

from scripts_tracker import conf
from scripts_tracker.core.states import ScriptStatus, State
from scripts_tracker.core.values import Location, ScriptDefinition, ScriptId
from scripts_tracker.operations import RequireScripts, are_in
from scripts_tracker.running import requirements
from tests.conftest import MATRIX, Project, make_project
from tests.databases.fixtures import SERVERS, HostedProject
from tests.databases.kinds import Rows, SQLite

MODELS = """
from django.db import models

class Order(models.Model):
    total = models.IntegerField(default=0)
"""

FIRST = """
from django.db import migrations, models

class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel("Order", [
            ("id", models.BigAutoField(primary_key=True, auto_created=True, serialize=False, verbose_name="ID")),
            ("total", models.IntegerField(default=0)),
            ("old_total", models.IntegerField(default=0)),
        ]),
    ]
"""

SECOND = """
from django.db import migrations
from scripts_tracker.operations import RequireScripts

def add(apps, editor):
    apps.get_model("shop", "Order").objects.using(editor.connection.alias).create()

class Migration(migrations.Migration):
    {atomic}
    dependencies = [("shop", "0001_initial"), ("scripts_tracker", "0007_environments")]
    operations = [{before}RequireScripts("shop.fix_totals"), migrations.RemoveField("order", "old_total")]
"""

STOPPED = (
    "CommandError: shop.0002_drop was not applied: it requires shop.fix_totals (new)."
    " Run first: manage.py run_scripts shop.fix_totals"
    " (or, to skip the run: manage.py check_scripts --mark-applied shop.fix_totals)"
)


def add_gate(project: Project, *, before: str = "", atomic: str = "") -> None:
    project.write("shop/models.py", MODELS)
    project.write("shop/migrations/__init__.py", "")
    project.write("shop/migrations/0001_initial.py", FIRST)
    project.write("shop/migrations/0002_drop.py", SECOND.format(before=before, atomic=atomic))
    project.command("shop.fix_totals")


def ask(project: Project, statement: str) -> Rows:
    return SQLite().execute(str(project.root / "db.sqlite3"), statement)


@pytest.fixture(scope="session")
def used_database(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Path:
    made = make_project(tmp_path_factory.mktemp("used"), {})
    shutil.copy(migrated_database, made.root / "db.sqlite3")
    add_gate(made)
    made.migrate("shop", "0001")
    ask(made, "INSERT INTO shop_order (total, old_total) VALUES (1, 2)")
    return made.root / "db.sqlite3"


@pytest.fixture
def used(project: Project, used_database: Path) -> Project:
    """A database in use, before a migration with a gate."""
    add_gate(project)
    shutil.copy(used_database, project.root / "db.sqlite3")
    return project


def test_migrate_stops_until_the_script_has_run(used: Project) -> None:
    result = used.manage("migrate", code=1)
    assert result.err == STOPPED + "\n"
    assert ask(used, "SELECT old_total FROM shop_order") == [(2,)]
    used.manage("run_scripts", "shop.fix_totals")
    used.migrate()
    assert ask(used, "SELECT * FROM shop_order") == [(1, 1)]


def test_showing_or_faking_the_migration_is_not_stopped(used: Project) -> None:
    assert "Require that scripts are applied: shop.fix_totals" in used.manage("migrate", "--plan").out
    assert (
        "-- Require that scripts are applied: shop.fix_totals"
        in used.manage("sqlmigrate", "shop", "0002").out
    )
    assert used.manage("makemigrations", "--check", "--dry-run").code == 0
    used.manage("migrate", "shop", "--fake")


def test_an_empty_database_passes_although_a_migration_fills_it_and_so_does_the_way_back(
    project: Project,
) -> None:
    add_gate(project, before="migrations.RunPython(add, migrations.RunPython.noop), ")
    project.migrate()
    assert ask(project, "SELECT total FROM shop_order") == [(0,)]
    project.migrate("shop", "0001")
    # From now on it is in use.
    assert STOPPED in project.manage("migrate", code=1).err


@MATRIX
def test_migrate_in_two_steps_passes_where_nothing_was_put_in_between(migrated: Project) -> None:
    add_gate(migrated)
    migrated.migrate("shop", "0001")
    migrated.migrate()


@MATRIX
def test_a_ledger_that_is_not_there_is_a_clear_line(used: Project) -> None:
    used.settings("DATABASES['ledger'] = {**DATABASES['default'], 'NAME': BASE_DIR / 'ledger.sqlite3'}")
    used.settings("SCRIPTS_TRACKER = {'database': 'ledger'}")
    err = used.manage("migrate", code=1).err
    assert "manage.py migrate scripts_tracker --database ledger" in err
    assert 'a migration that needs them must depend on ("scripts_tracker", "0007_environments")' in err
    used.manage("migrate", "scripts_tracker", "--database", "ledger", "--verbosity", "0")
    assert STOPPED in used.manage("migrate", code=1).err
    used.manage("check_scripts", "--mark-applied", "shop.fix_totals")
    used.migrate()


def test_squashed_migrations_keep_the_gate_between_its_neighbours(used: Project) -> None:
    used.manage("squashmigrations", "shop", "0002", "--no-input")
    text = next((used.root / "shop/migrations").glob("0001_squashed*")).read_text()
    assert "scripts_tracker.operations.RequireScripts(" in text
    assert "scripts=['shop.fix_totals']" in text.replace('"', "'")  # by black, where it is on the PATH
    assert text.index("CreateModel") < text.index("RequireScripts") < text.index("RemoveField")
    assert STOPPED.partition(":")[2].partition(" was")[2] in used.manage("migrate", code=1).err
    used.manage("fix_totals")
    used.migrate()


@MATRIX
@SERVERS
def test_servers_stop_before_what_follows(hosted: HostedProject) -> None:
    add_gate(hosted)
    hosted.migrate("shop", "0001")
    hosted.execute("INSERT INTO shop_order (total, old_total) VALUES (1, 2)")
    assert hosted.manage("migrate", code=1).err == STOPPED + "\n"
    assert hosted.execute("SELECT old_total FROM shop_order") == [(2,)]
    hosted.manage("run_scripts", "shop.fix_totals")
    hosted.migrate()
    assert hosted.execute("SELECT * FROM shop_order") == [(1, 1)]


@MATRIX
@pytest.mark.parametrize("kind_name", ["sqlite", "postgresql", "mariadb"])
@pytest.mark.parametrize("atomic", ["", "atomic = False"])
def test_operations_before_the_gate_are_rolled_back_or_reported(
    hosted: HostedProject, kind_name: str, atomic: str
) -> None:
    add_gate(hosted, before='migrations.RenameField("order", "total", "sum"), ', atomic=atomic)
    hosted.migrate("shop", "0001")
    hosted.execute("INSERT INTO shop_order (total, old_total) VALUES (1, 2)")
    err = hosted.manage("migrate", code=1).err
    stays = kind_name == "mariadb" or bool(atomic)
    assert ("make it the first operation" in err) is stays
    assert hosted.execute("SELECT sum FROM shop_order" if stays else "SELECT total FROM shop_order") == [(1,)]


@MATRIX
def test_an_empty_server_passes(hosted: HostedProject) -> None:
    add_gate(hosted)
    hosted.migrate()


# What the operation is to Django


@pytest.mark.parametrize(
    "arguments",
    [(), ("",), ("shop.",), ("shop.commands.fix",), ("shop fix",), (print,), ("shop.fix", None)],
    ids=str,
)
def test_an_invalid_name_is_refused_when_it_is_written(arguments: Any) -> None:
    with pytest.raises(TypeError, match="RequireScripts takes names"):
        RequireScripts(*arguments)


def test_a_string_instead_of_a_list_is_refused() -> None:
    with pytest.raises(TypeError, match="RequireScripts takes names"):
        RequireScripts(scripts="shop.fix")


@pytest.mark.parametrize(
    "gate",
    [
        RequireScripts("shop.fix"),
        RequireScripts("a.b", "import_kingston-upon-hull"),
        RequireScripts("a.b", elidable=True),
    ],
    ids=repr,
)
def test_what_django_writes_is_what_was_read(gate: RequireScripts) -> None:
    migration = Migration("0009_x", "shop")
    migration.operations = [gate]  # type: ignore[misc]  # as makemigrations does
    names: dict[str, Any] = {}
    exec(MigrationWriter(migration).as_string(), names)  # noqa: S102 - what Django has written
    (found,) = names["Migration"].operations
    assert (found.scripts, found.elidable) == (gate.scripts, gate.elidable)
    assert RequireScripts(**gate.deconstruct()[2]).scripts == gate.scripts


def test_its_name_and_description_list_the_scripts() -> None:
    gate = RequireScripts("shop.fix", "import_kingston-upon-hull")
    assert gate.migration_name_fragment == "require_fix_import_kingston_upon_hull"
    assert (
        gate.formatted_description()
        == "p Require that scripts are applied: shop.fix, import_kingston-upon-hull"
    )


ADD = migrations.AddField("order", "sum", models.IntegerField(default=0))
ALTER = migrations.AlterField("order", "sum", models.IntegerField(default=1))
CREATE = migrations.CreateModel("Order", [("id", models.AutoField(primary_key=True))])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (ADD, migrations.RemoveField("order", "sum")),
        (ADD, ALTER),
        (CREATE, migrations.DeleteModel("Order")),
        (CREATE, ADD),
        (ALTER, migrations.RemoveField("order", "sum")),
    ],
    ids=lambda operation: type(operation).__name__,
)
@pytest.mark.parametrize("elidable", [False, True])
def test_the_optimizer_moves_nothing_across_a_gate_that_stays(
    before: Operation,
    after: Operation,
    elidable: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    operations = [before, RequireScripts("a.b", elidable=elidable), after]
    optimize = MigrationOptimizer().optimize
    expected = optimize([before, after], "shop") if elidable else operations
    assert repr(optimize(operations, "shop")) == repr(expected)


def test_a_gate_is_found_in_the_plan_at_any_depth() -> None:
    inner = migrations.SeparateDatabaseAndState(database_operations=[RequireScripts("a.b")])
    deep = SimpleNamespace(
        operations=[CREATE, migrations.SeparateDatabaseAndState(database_operations=[inner])]
    )
    plain: Any = SimpleNamespace(operations=[CREATE])
    gated: Any = deep
    assert are_in([(plain, False), (gated, False)])
    assert not are_in([(plain, False), (gated, True)])


# What it goes by


def judge(
    monkeypatch: pytest.MonkeyPatch, *statuses: ScriptStatus, names: tuple[str, ...] = ("shop.a",)
) -> str:
    """What a gate says in a database in use; empty where it lets pass."""
    by_id = {status.id: status for status in statuses}
    monkeypatch.setattr(requirements, "load_status", lambda: SimpleNamespace(by_id=by_id))
    monkeypatch.setattr(requirements, "is_empty", lambda *_: False)
    monkeypatch.setattr(conf, "is_under_test", lambda: False)
    editor: Any = SimpleNamespace(connection=SimpleNamespace(alias="default"), atomic_migration=True)
    try:
        requirements.check_migration(names, "shop", editor, ProjectState())
    except requirements.RequiredScripts as error:
        return str(error)
    return ""


def in_state(state: State, name: str = "a") -> ScriptStatus:
    script_id = ScriptId("shop", name)
    definition = ScriptDefinition(script_id, Location(f"shop/management/commands/{name}.py"), None, "")
    return ScriptStatus(script_id, state, definition, None)


@pytest.mark.parametrize("state", State)
def test_a_gate_opens_for_what_satisfies_scripts_too(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    said = judge(monkeypatch, in_state(state), in_state(State.APPLIED, "b"), names=("b", "a"))
    assert bool(said) is not state.satisfies
    assert not said or f"it requires shop.a ({state.value})." in said
    assert ("Wait until it ends: shop.a." in said) is (state is State.RUNNING)
    assert ("Fix the file first: shop.a." in said) is (state is State.UNREADABLE)


def test_an_unknown_script_gets_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    said = judge(monkeypatch, in_state(State.NEW, "fix_totals"), names=("fix_total", "gone.long_ago"))
    assert "shop.fix_total (no such tracked script; did you mean shop.fix_totals?)" in said
    assert "gone.long_ago (no such tracked script)" in said
    assert said.endswith("Restore the file to run it, or remove the name from the migration.")
    assert "run_scripts" not in said


TESTS = """
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import TransactionTestCase

class Tests(TransactionTestCase):
    def setUp(self):
        call_command("migrate", "shop", "0001", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO shop_order (total, old_total) VALUES (1, 1)")

    def test_by_migrate(self):
        call_command("migrate", "shop", verbosity=0)

    def test_by_the_executor(self):
        MigrationExecutor(connection).migrate([("shop", "0002_drop")])
"""


def test_the_tests_of_a_project_pass_with_rows_and_with_a_database_that_is_kept(used: Project) -> None:
    used.settings("DATABASES['default']['TEST'] = {'NAME': BASE_DIR / 'test.sqlite3'}")
    used.write("shop/tests.py", TESTS)
    for _ in range(2):
        assert "Ran 2 tests" in used.manage("test", "--keepdb").err


def test_a_tracker_that_is_switched_off_lets_pass(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.SCRIPTS_TRACKER = {"enabled": False}
    assert judge(monkeypatch, in_state(State.NEW)) == ""


def nothing() -> None:
    """As migrate leaves it: with content types and permissions."""


def a_row() -> None:
    User.objects.create(username="a")


@pytest.mark.django_db
@pytest.mark.parametrize(("fill", "expected"), [(nothing, True), (a_row, False)])
def test_empty_is_what_holds_no_more_than_migrate_puts_there(
    fill: Callable[[], None],
    expected: bool,  # noqa: FBT001 - as above
) -> None:
    from django.apps import apps
    from django.db import connection

    fill()
    state = MigrationLoader(connection).project_state()
    assert requirements.is_empty("default", state.apps) is expected
    assert requirements.is_empty("default", apps) is expected
    assert requirements.is_empty("default") is True
