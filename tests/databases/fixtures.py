"""The fixture ``hosted``: a migrated project whose ledger is on each kind of database in turn."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.conftest import Project, make_project
from tests.databases import kinds, pgbouncer
from tests.databases.kinds import Kind, Rows

KINDS = ("sqlite", "postgresql", "mariadb")

# For tests that are to go through PgBouncer too: @WITH_PGBOUNCER
WITH_PGBOUNCER = pytest.mark.parametrize("kind_name", [*KINDS, "pgbouncer"])


def shared_out(shards: int) -> pytest.MarkDecorator:
    """For long tests: each kind of database that many times, PgBouncer a quarter of it."""
    each = [(kind, shard) for kind in KINDS for shard in range(shards)]
    each += [("pgbouncer", shard) for shard in range(-(-shards // 4))]
    return pytest.mark.parametrize(("kind_name", "shard"), each)


# For tests of what only a server does.
SERVERS = pytest.mark.parametrize("kind_name", KINDS[1:])


@dataclass
class HostedProject(Project):
    """A project whose default database is a fresh one of some kind."""

    kind: Kind = field(default_factory=kinds.SQLite)
    database: str = ""

    def execute(self, statement: str) -> Rows:
        """Ask or change the database from this process."""
        return self.kind.execute(self.database, statement)


class Hosts:
    """The kinds of database, each with one migrated database to copy; made when a test first asks."""

    def __init__(self, folder: Path, sqlite: Path) -> None:
        self._folder = folder
        self._kinds: dict[str, Kind] = {}
        self._templates = {"sqlite": str(sqlite)}
        self.at_the_end = contextlib.ExitStack()

    def kind(self, name: str) -> Kind:
        if name not in self._kinds:
            self._kinds[name] = self._make_kind(name)
        return self._kinds[name]

    def _make_kind(self, name: str) -> Kind:
        if name == "pgbouncer":
            server = kinds.postgresql()
            server.need()
            return self.at_the_end.enter_context(pgbouncer.running(server))
        makers: dict[str, Callable[[], Kind]] = {
            "sqlite": kinds.SQLite,
            "postgresql": kinds.postgresql,
            "mariadb": kinds.mariadb,
        }
        kind = makers[name]()
        kind.need()
        return kind

    def template(self, kind: Kind) -> str:
        """The name of a migrated database of this kind."""
        if kind.engine not in self._templates:
            self._templates[kind.engine] = self._migrate(kind)
        return self._templates[kind.engine]

    def _migrate(self, kind: Kind) -> str:
        made = make_project(self._folder / kind.engine, {})
        name = self.new_name(kind, made.root)
        kind.create(name)
        self.at_the_end.callback(kind.drop, name)
        # Not through a pooler: it would hold a session of the template, which keeps it from being copied.
        direct = self.kind(kind.engine)
        made.settings(direct.settings(name))
        made.migrate()
        return name

    def new_name(self, kind: Kind, root: Path) -> str:
        """No other process's, whoever shares the server."""
        if kind.engine == "sqlite":
            return str(root / "db.sqlite3")
        return f"scripts_tracker_{uuid.uuid4().hex[:16]}"


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Hosts]:
    made = Hosts(tmp_path_factory.mktemp("hosts"), migrated_database)
    with made.at_the_end:
        yield made


@pytest.fixture(params=KINDS)
def kind_name(request: pytest.FixtureRequest) -> str:
    """Which kind of database the test is run on; parametrize it to choose others."""
    name: str = request.param
    return name


@pytest.fixture
def hosted(tmp_path: Path, hosts: Hosts, kind_name: str) -> Iterator[HostedProject]:
    """A migrated project with the apps ``shop`` and ``stock``, on each kind of database in turn."""
    kind = hosts.kind(kind_name)
    plain = make_project(tmp_path / "a project", {})
    name = hosts.new_name(kind, plain.root)
    kind.copy(hosts.template(kind), name)
    plain.settings(kind.settings(name))
    yield HostedProject(plain.root, plain.env, kind, name)
    kind.drop(name)
