"""Shops on django-tenants: a schema for each tenant, and the ledger in every tenant's, in the shared one, or in all of them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import django
import pytest
from packaging.requirements import Requirement

from tests.conftest import MATRIX, Project, make_project
from tests.databases import kinds
from tests.databases.fixtures import HostedProject, Hosts
from tests.databases.servers import absent
from tests.running.shops import NOW, Shop
from tests.waiting import wait_for
from tests.warm.client import Process

LISTS = {"tenant": "TENANT_APPS,", "shared": "SHARED_APPS,", "both": "SHARED_APPS, TENANT_APPS"}
"""By layout, which lists of django-tenants hold the ledger."""

LEDGERS = {"tenant": ("t1", "t2"), "shared": ("public",), "both": ("public", "t1", "t2")}
"""By layout, which schemas have its tables."""

TABLES = ("script", "scriptversion", "scriptrun")

SETTINGS = """
DATABASES["default"]["ENGINE"] = "django_tenants.postgresql_backend"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_MODEL, TENANT_DOMAIN_MODEL = "customers.Client", "customers.Domain"
SHARED_APPS = ["django_tenants", "customers", "django.contrib.contenttypes"]
TENANT_APPS = ["django.contrib.contenttypes", "shop", "stock"]
for apps in ({lists}):
    apps.append("scripts_tracker")
INSTALLED_APPS = [*SHARED_APPS, *(app for app in TENANT_APPS if app not in SHARED_APPS)]
"""

MODELS = """\
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin

class Client(TenantMixin):
    pass

class Domain(DomainMixin):
    pass
"""

ADD_TENANTS = """\
from customers.models import Client, Domain
for name in ("public", "t1", "t2"):
    client = Client(schema_name=name)
    client.save(verbosity=0)
    Domain.objects.create(domain=name + ".localhost", tenant=client)
"""

# What scripts leave: where they are, by the database's own word.
DOING = """
def leave(name):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effect VALUES (%s || ' in ' || current_schema())", [name])
"""


def need_django_tenants() -> None:
    """Skip the test, visibly, where django-tenants is not installed or does not allow this Django."""
    try:
        required = list(map(Requirement, metadata.requires("django-tenants") or ()))
    except metadata.PackageNotFoundError:
        absent("django-tenants is not installed: pip install --group test")
    for one in required:
        if one.name.lower() == "django" and not one.specifier.contains(django.__version__, prereleases=True):
            pytest.skip(f"django-tenants {metadata.version('django-tenants')} wants django{one.specifier}")


def add_tenants(project: Project, layout: str) -> None:
    """Make it a project of django-tenants; nothing is migrated yet."""
    project.settings(SETTINGS.format(lists=LISTS[layout]))
    project.write("customers/__init__.py", "")
    project.write("customers/models.py", MODELS)


class Layouts:
    """A migrated database of each layout, made when a test first asks for it."""

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self._hosts, self._folder = hosts, folder
        self._templates: dict[str, str] = {}

    def make(self, root: Path, layout: str) -> HostedProject:
        """A migrated project with the tenants ``t1`` and ``t2``; drop its database."""
        if layout not in self._templates:
            made = self.unmigrated(self._folder / layout, layout)
            self._hosts.at_the_end.callback(made.kind.drop, made.database)
            made.manage("migrate_schemas", "--run-syncdb", "--verbosity", "0")
            made.python(ADD_TENANTS)
            self._templates[layout] = made.database
        return self.unmigrated(root, layout, copy_of=self._templates[layout])

    def unmigrated(self, root: Path, layout: str, copy_of: str = "") -> HostedProject:
        """A project with an empty database."""
        need_django_tenants()
        kind = self._hosts.kind("postgresql")
        plain = make_project(root, {})
        name = self._hosts.new_name(kind, root)
        if copy_of:
            kind.copy(copy_of, name)
        else:
            kind.create(name)
        plain.settings(kind.settings(name))
        add_tenants(plain, layout)
        return HostedProject(plain.root, plain.env, kind, name)


class TenantShop(Shop):
    """A shop with the tenants t1 and t2, whose scripts run in t1 unless another schema is named."""

    def __init__(self, project: HostedProject, processes: contextlib.ExitStack, layout: str) -> None:
        super().__init__(project, processes)
        self.layout = layout
        self.ledger = "public" if layout == "shared" else "t1"
        with (project.root / "shop" / "doing.py").open("a") as stream:
            stream.write(DOING)

    def script(self, name: str, body: str, *, options: str = "", requires: tuple[str, ...] = ()) -> None:
        more = "from django.db import connection, transaction\n        from shop.doing import leave"
        super().script(name, f"{more}\n        {body}", options=options, requires=requires)

    def start_in(self, schema: str, *command: str) -> Process:
        (process,) = self.start(("tenant_command", *command, "-s", schema))
        return process

    def run_in(self, schema: str, *command: str) -> Process:
        process = self.start_in(schema, *command)
        process.wait()
        return process

    def hold_in(self, schema: str, name: str, *command: str) -> Process:
        """Start what is going to hold a script in a schema, and wait until it does."""
        process = self.start_in(schema, *(command or (name,)))
        mark = self.project.root / "shop" / f"{name}.{process.pid}"
        wait_for(mark.exists, f"{name} holds")
        return process

    def runs(self, schema: str = "") -> list[str]:
        """Every run of a ledger, oldest first, as "name outcome"."""
        at = schema or self.ledger
        rows = self.project.execute(
            f"SELECT s.name, r.outcome FROM {at}.scripts_tracker_scriptrun r"  # noqa: S608 - our own words
            f" JOIN {at}.scripts_tracker_script s ON s.id = r.script_id ORDER BY r.id"
        )
        return [" ".join(row) for row in rows]

    def contents(self, *but: str) -> dict[str, kinds.Rows]:
        """Every row of every ledger, but for those of some schemas."""
        return {
            f"{schema}.{table}": self.project.execute(
                f"SELECT t::text FROM {schema}.scripts_tracker_{table} t ORDER BY id"  # noqa: S608 - our own words
            )
            for schema in LEDGERS[self.layout]
            if schema not in but
            for table in TABLES
        }

    def time_passes(self, schema: str, seconds: float) -> None:
        """As if so many seconds had passed since the last renewal."""
        at = self.ledger if schema == "t1" else schema
        table = f"{at}.scripts_tracker_script"
        self.project.execute(f"UPDATE {table} SET lease_expires = lease_expires - {seconds}")  # noqa: S608 - our own words

    def lease_ends_at(self) -> float:
        """When the lease of the script that runs in t1 ends, by the database's clock."""
        table = f"{self.ledger}.scripts_tracker_script"
        ((ends,),) = self.project.execute(f"SELECT MAX(lease_expires) FROM {table}")  # noqa: S608 - our own words
        return float(ends)

    def lease_left(self) -> float:
        """For how many seconds it is still valid; below 0 if it has expired."""
        ((now,),) = self.project.execute(f"SELECT {NOW['postgresql']}")
        return self.lease_ends_at() - float(now)


@pytest.fixture(scope="session")
def layouts(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Layouts:
    return Layouts(hosts, tmp_path_factory.mktemp("tenants"))


@pytest.fixture(params=[pytest.param(one, marks=MATRIX if one != "tenant" else ()) for one in LEDGERS])
def layout(request: pytest.FixtureRequest) -> str:
    """In which lists of django-tenants the ledger is."""
    name: str = request.param
    return name


@pytest.fixture
def tenants(layouts: Layouts, layout: str, tmp_path: Path) -> Iterator[TenantShop]:
    """A shop with the tenants t1 and t2; its processes end before its database goes."""
    project = layouts.make(tmp_path / "a project", layout)
    with contextlib.ExitStack() as processes:
        processes.callback(project.kind.drop, project.database)
        yield TenantShop(project, processes, layout)
