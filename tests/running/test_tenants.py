"""Scripts of a django-tenants project, with the ledger in every tenant's schema, in the shared one, or in both."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.admin.projects import ADMIN, URLS
from tests.conftest import MATRIX
from tests.running.tenants import ADD_TENANTS, LEDGERS, Layouts, TenantShop

PER_TENANT = pytest.mark.parametrize("layout", ["tenant", "both"])
ONLY_IN_TENANTS = pytest.mark.parametrize("layout", ["tenant"])
SHARED = pytest.mark.parametrize("layout", ["shared"])

NOTICE = "Checking management scripts:"

# One record in each ledger.


def test_a_script_runs_once_in_every_schema_with_a_ledger(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    for _ in range(2):
        runner = tenants.run("all_tenants_command", "--no-public", "run_scripts")
        assert runner.code == 0, runner.err
    ran_in = ["t1"] if tenants.layout == "shared" else ["t1", "t2"]
    assert tenants.effects() == {f"fix in {schema}": 1 for schema in ran_in}
    for schema in LEDGERS[tenants.layout]:
        expected = [] if schema == "public" and tenants.layout == "both" else ["fix succeeded"]
        assert tenants.runs(schema) == expected
    checked = tenants.run("all_tenants_command", "--no-public", "check_scripts", "--check")
    assert checked.code == 0, checked.out


@PER_TENANT
def test_a_failure_in_one_schema_is_recorded_there_alone(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "assert connection.schema_name == 't1', connection.schema_name")
    assert tenants.run_in("t2", "run_scripts").code == 1
    assert tenants.run_in("t1", "run_scripts").code == 0
    assert (tenants.runs("t1"), tenants.runs("t2")) == (["fix succeeded"], ["fix failed"])
    assert tenants.run_in("t1", "check_scripts", "--check").code == 0
    assert tenants.run_in("t2", "check_scripts", "--check").code == 3


@ONLY_IN_TENANTS
def test_a_rehearsal_in_one_schema_leaves_nothing_in_any(tenants: TenantShop) -> None:
    other = "from django_tenants.utils import schema_context\n        with schema_context('t2'):\n            leave('other')"
    tenants.script("shop.a", f"leave('own'); {other}\n        raise ValueError")
    tenants.script("shop.b", f"assert connection.schema_name == 't1'; leave('own')\n        {other}")
    tenants.script(
        "shop.c",
        "cursor = connection.cursor(); cursor.execute('SELECT current_schema()')\n"
        "        assert cursor.fetchone()[0] == 't1'",
    )
    rehearsed = tenants.run_in("t1", "run_scripts", "--rehearse", "--continue-on-error")
    assert "2 done, 1 failed, 0 blocked, 0 skipped." in rehearsed.out, rehearsed.out + rehearsed.err
    assert "  effect: 2 inserted (" in rehearsed.out
    assert tenants.effects() == {}
    assert tenants.runs("t1") == ["a failed", "b succeeded", "c succeeded"]
    assert tenants.runs("t2") == []


@PER_TENANT
def test_a_mark_counts_for_one_schema(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    before = tenants.contents("t1")
    assert tenants.run_in("t1", "check_scripts", "--mark-applied", "fix").code == 0
    assert tenants.contents("t1") == before
    assert tenants.run_in("t1", "check_scripts", "--check").code == 0
    assert tenants.run_in("t2", "check_scripts", "--check").code == 1


@SHARED
@pytest.mark.parametrize("context", ["schema_context(name)", "tenant_context(Client(schema_name=name))"])
def test_a_script_over_all_tenants_is_recorded_once(tenants: TenantShop, context: str) -> None:
    imports = (
        "from customers.models import Client; from django_tenants.utils import schema_context, tenant_context"
    )
    loop = f"for name in ('t1', 't2'):\n            with {context}: leave('fix')"
    tenants.script("shop.fix", f"{imports}\n        {loop}")
    assert tenants.run("run_scripts").code == 0
    assert tenants.effects() == {"fix in t1": 1, "fix in t2": 1}
    assert tenants.runs() == ["fix succeeded"]
    assert tenants.run_in("t2", "check_scripts", "--check").code == 0


@SHARED
def test_a_script_that_fails_in_one_of_the_tenants_has_failed(tenants: TenantShop) -> None:
    loop = "for name in ('t1', 't2'):\n            with schema_context(name):\n                "
    fail = "if name == 't2': raise ValueError('no ' + name)"
    tenants.script("shop.fix", f"from django_tenants.utils import schema_context\n        {loop}{fail}")
    assert tenants.run("run_scripts").code == 1
    assert tenants.runs() == ["fix failed"]
    assert "no t2" in tenants.run("show_script", "fix").out


@pytest.mark.parametrize("layout", ["both"])
def test_a_script_of_the_public_schema_may_run_one_in_every_tenant(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    loop = "for name in ('t1', 't2'):\n            with schema_context(name): call_command('fix', stdout=self.stdout)"
    imports = (
        "from django.core.management import call_command; from django_tenants.utils import schema_context"
    )
    tenants.script("shop.fix_all", f"{imports}\n        {loop}")
    runner = tenants.run("run_scripts", "fix_all")
    assert runner.code == 0, runner.out
    ledgers = {schema: tenants.runs(schema) for schema in LEDGERS["both"]}
    assert ledgers == {
        "public": ["fix_all succeeded"],
        "t1": ["fix succeeded"],
        "t2": ["fix succeeded"],
    }


# What migrate_schemas says and runs.


def test_the_notice_names_what_is_new_in_each_schema_with_a_ledger(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    if tenants.layout != "shared":
        tenants.run_in("t1", "run_scripts")
    printed = tenants.run("migrate_schemas", "--no-color").out.splitlines()
    found = {
        line.partition("]")[0].rpartition(":")[2]: printed[number + 1].partition("]")[2].split()[2]
        for number, line in enumerate(printed)
        if NOTICE in line
    }
    ran = () if tenants.layout == "shared" else ("t1",)
    assert found == {schema: "0" if schema in ran else "1" for schema in LEDGERS[tenants.layout]}


EXECUTORS = [
    pytest.param(one, marks=MATRIX if one == "subprocess" else ())
    for one in ("standard", "multiprocessing", "subprocess")
]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_auto_run_runs_a_script_in_each_schema_with_a_ledger(tenants: TenantShop, executor: str) -> None:
    tenants.project.settings("SCRIPTS_TRACKER['auto_run'] = True")
    tenants.script("shop.fix", "leave('fix'); self.stdout.write('fixed')")
    for _ in range(2):
        migrated = tenants.run("migrate_schemas", "--no-color", "--executor", executor)
        assert migrated.code == 0, migrated.err
    ledgers = LEDGERS[tenants.layout]
    assert tenants.effects() == {f"fix in {schema}": 1 for schema in ledgers}
    assert {schema: tenants.runs(schema) for schema in ledgers} == {
        schema: ["fix succeeded"] for schema in ledgers
    }


@PER_TENANT
def test_for_a_new_tenant_every_script_is_new(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    tenants.run_in("t1", "run_scripts")
    made = tenants.project.python("from customers.models import Client; Client(schema_name='t3').save()")
    assert "You have 1 new and 0 modified management scripts to be applied." in made.out
    assert tenants.run_in("t3", "check_scripts", "--check").code == 1


GATE = """\
from django.db import migrations
from scripts_tracker.operations import RequireScripts

class Migration(migrations.Migration):
    dependencies = [("scripts_tracker", "0007_environments")]
    operations = [RequireScripts("shop.fix")]
"""
MODEL = """\
from django.db import models

class Order(models.Model):
    class Meta:
        db_table = "orders"
"""


def add_gate(tenants: TenantShop, app: str) -> None:
    """A migration that requires a script, in a project whose schemas are in use."""
    tenants.script("shop.fix", "leave('fix')")
    tenants.project.write(f"{app}/migrations/__init__.py", "")
    tenants.project.write(f"{app}/migrations/0001_initial.py", GATE)
    tenants.project.write("stock/models.py", MODEL.replace("orders", "stock_orders"))
    for schema in ("public", "t1", "t2"):
        tenants.project.execute(f"CREATE TABLE {schema}.stock_orders (id serial)")
        tenants.project.execute(f"INSERT INTO {schema}.stock_orders VALUES (1)")  # noqa: S608 - our own words


def test_a_gate_looks_at_the_ledger_and_the_rows_of_its_schema(tenants: TenantShop) -> None:
    add_gate(tenants, "shop")
    stopped = tenants.run("migrate_schemas")
    assert stopped.code == 1
    assert "shop.0001_initial was not applied: it requires shop.fix (new)." in stopped.err
    assert (
        "Run first: manage.py tenant_command run_scripts shop.fix --schema t1 (or, to skip the run:"
        in stopped.err
    )
    if tenants.layout == "shared":
        assert tenants.run_in("t1", "run_scripts").code == 0
    else:
        assert tenants.run_in("t2", "run_scripts").code == 0
        assert tenants.run("migrate_schemas").code == 1
        assert tenants.run_in("t1", "run_scripts").code == 0
    assert tenants.run("migrate_schemas").code == 0
    made = tenants.project.python("from customers.models import Client; Client(schema_name='t3').save()")
    assert "shop.0001_initial... OK" in made.out, "an empty schema passes"


# Where there is no ledger.

COMMANDS = {
    "check_scripts": ("check_scripts",),
    "run_scripts": ("run_scripts",),
    "the command": ("fix",),
    "a mark": ("check_scripts", "--mark-applied", "fix"),
    "show_script": ("show_script", "fix"),
    "prune_script_runs": ("prune_script_runs", "--keep", "1"),
}
NAME_A_TENANT = (
    "the tables of scripts_tracker do not exist in schema 'public' of database 'default', and a database router"
    " keeps them out of it; name a tenant: manage.py tenant_command COMMAND --schema NAME\n"
)


@ONLY_IN_TENANTS
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_without_a_ledger_in_the_public_schema_the_error_asks_for_a_tenant(
    tenants: TenantShop, command: tuple[str, ...]
) -> None:
    tenants.script("shop.fix", "leave('fix')")
    refused = tenants.run(*command)
    assert refused.code == (1 if command == ("fix",) else 2)
    assert refused.err.startswith("CommandError: ") is (
        command == ("fix",)
    )  # Django prints that of other commands
    assert refused.err.endswith(NAME_A_TENANT)
    assert not tenants.effects()


@ONLY_IN_TENANTS
def test_a_gate_in_the_public_schema_without_a_ledger_says_so(tenants: TenantShop) -> None:
    add_gate(tenants, "customers")
    stopped = tenants.run("migrate_schemas", "--shared")
    assert stopped.code == 1
    assert stopped.err.endswith(f"customers.0001_initial was not applied: {NAME_A_TENANT}")


@SHARED
def test_a_missing_column_of_the_shared_ledger_is_not_called_a_missing_table(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    tenants.project.execute("ALTER TABLE scripts_tracker_script RENAME COLUMN lease_expires TO later")
    refused = tenants.run_in("t1", "run_scripts")
    assert "lease_expires does not exist" in refused.err
    assert "(after an upgrade: manage.py migrate_schemas scripts_tracker)" in refused.err


@SHARED
def test_missing_tables_of_the_shared_ledger_are_created_by_migrating_all_schemas(
    tenants: TenantShop,
) -> None:
    tenants.script("shop.fix", "leave('fix')")
    assert tenants.run("migrate_schemas", "scripts_tracker", "zero").code == 0
    for refused in (tenants.run_in("t1", "run_scripts"), tenants.run("run_scripts")):
        assert refused.code == 2
        assert refused.err.endswith("with: manage.py migrate_schemas scripts_tracker\n")
    assert tenants.run("migrate_schemas", "scripts_tracker").code == 0
    assert tenants.run_in("t1", "run_scripts").code == 0


@PER_TENANT
def test_a_tenant_whose_ledger_is_not_migrated_does_not_use_the_one_of_the_public_schema(
    tenants: TenantShop,
) -> None:
    tenants.script("shop.fix", "leave('fix')")
    assert tenants.run("migrate_schemas", "scripts_tracker", "zero", "--schema", "t1").code == 0
    missing = "do not exist in schema 't1' of database 'default'; create them with: manage.py migrate_schemas scripts_tracker\n"
    for command in (("run_scripts",), ("fix",), ("check_scripts", "--check")):
        assert tenants.run_in("t1", *command).err.endswith(missing)
    assert not tenants.effects()
    assert tenants.run("migrate_schemas", "scripts_tracker", "--schema", "t1").code == 0
    assert tenants.run_in("t1", "run_scripts").code == 0
    assert tenants.effects() == {"fix in t1": 1}


# What to type next.


@PER_TENANT
def test_what_to_type_next_names_the_tenant(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    tenants.script("shop.later", "leave('later')", requires=("shop.fix",))
    shown = tenants.run_in("t1", "show_script", "fix")
    assert "run it: manage.py tenant_command run_scripts shop.fix --schema t1" in shown.out
    stopped = tenants.run_in("t1", "later")
    assert "Run first: manage.py tenant_command run_scripts shop.fix --schema t1\n" in stopped.err
    tenants.run_in("t1", "run_scripts")
    idle = tenants.run_in("t1", "run_scripts", "fix")
    assert "To run it anyway: manage.py tenant_command fix --schema t1\n" in idle.out


# Adoption, and the admin.


@ONLY_IN_TENANTS
def test_records_of_django_scripts_tracker_are_adopted_in_each_schema(tenants: TenantShop) -> None:
    tenants.script("shop.fix", "leave('fix')")
    old = "django_scripts_tracker_appliedmanagementscripts"
    columns = "id serial PRIMARY KEY, file_path text, file_hash text, applied_date timestamptz DEFAULT now()"
    tenants.project.execute(f"CREATE TABLE t1.{old} ({columns})")
    tenants.project.execute(f"CREATE TABLE t2.{old} ({columns})")
    tenants.project.execute(
        f"INSERT INTO t1.{old} (file_path, file_hash) VALUES ('shop/management/commands/fix.py', 'x')"  # noqa: S608 - our own words
    )
    assert tenants.run("all_tenants_command", "--no-public", "adopt_scripts_tracker").code == 0
    assert (len(tenants.runs("t1")), len(tenants.runs("t2"))) == (1, 0)


TENANT_ADMIN = """
TENANT_APPS += ["django.contrib.auth", "django.contrib.sessions", "django.contrib.admin", "django.contrib.messages"]
MIDDLEWARE = ["django_tenants.middleware.main.TenantMainMiddleware", *MIDDLEWARE]
INSTALLED_APPS = [*SHARED_APPS, *(app for app in [*TENANT_APPS, "django.contrib.staticfiles"] if app not in SHARED_APPS)]
"""
# The pages of both tenants, and a mark in one of them.
REQUESTS = """
import re
from django.contrib.auth.models import User
from django.test import Client
from django_tenants.utils import schema_context

def client(schema):
    with schema_context(schema):
        user = User.objects.create_superuser("ada of " + schema)
        client = Client(headers={"host": schema + ".localhost"})
        client.force_login(user)
    return client

one, two = client("t1"), client("t2")
path = "/admin/scripts_tracker/script/shop.fix/"
seen = re.search('name="seen" value="([^"]*)"', one.get(path + "mark/").content.decode())[1]
assert one.post(path + "mark/", {"seen": seen, "reason": "by hand"}).status_code == 302
words = {"script/": "shop.fix", "script/shop.fix/change/": "by hand", "scriptrun/": "shop.fix"}
for client in (one, two):
    for page, word in words.items():
        response = client.get("/admin/scripts_tracker/" + page)
        assert response.status_code == 200, page
        print(word in response.content.decode())
"""


@ONLY_IN_TENANTS
def test_the_admin_shows_and_changes_the_ledger_of_the_tenant_of_the_request(
    layouts: Layouts, layout: str, tmp_path: Path
) -> None:
    project = layouts.unmigrated(tmp_path / "a project", layout)
    try:
        project.settings(f"{ADMIN}{TENANT_ADMIN}")
        project.write("urls.py", URLS)
        project.command("shop.fix")
        project.manage("migrate_schemas", "--run-syncdb", "--verbosity", "0")
        project.python(ADD_TENANTS)
        printed = project.python(REQUESTS).out.split()
        assert printed == ["True"] * 3 + ["True", "False", "False"]
        rows = 'SELECT kind, "user" FROM {}.scripts_tracker_scriptrun'
        assert project.execute(rows.format("t1")) == [("mark", "ada of t1")]
        assert project.execute(rows.format("t2")) == []
    finally:
        project.kind.drop(project.database)
