from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases.fixtures import HostedProject, Hosts
from tests.running.shops import Shop
from tests.running.tenants import LEDGERS, Layouts, TenantShop


@pytest.fixture
def shop(hosted: HostedProject) -> Iterator[Shop]:
    """A shop on each kind of database in turn; its processes end before its database goes."""
    with contextlib.ExitStack() as processes:
        yield Shop(hosted, processes)


@pytest.fixture(scope="session")
def layouts(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Layouts:
    return Layouts(hosts, tmp_path_factory.mktemp("tenants"))


@pytest.fixture(params=LEDGERS)
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
