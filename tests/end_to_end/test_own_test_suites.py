"""Projects test their commands: fixtures/own_suite is such a project, run by its own test runners on every database.

Its suite calls each tracked command beside a twin without decorators, and says the same of both.
"""

from __future__ import annotations

import re
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MATRIX, ROOT, Project
from tests.databases.fixtures import Hosts

SUITE = ROOT / "fixtures" / "own_suite"
COMMANDS = "shop/management/commands"

DJANGO = ("-W", "error", "manage.py", "test", "--no-color")
PYTEST = ("-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cov")

NO_TABLES = """
class NoLedger:
    def allow_migrate(self, db, app_label, **hints):
        return False if app_label == "scripts_tracker" else None

DATABASE_ROUTERS = [NoLedger()]
TRACKED = False
"""
ELSEWHERE = """
LEDGER = "ledger"
DATABASES["ledger"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "ledger.sqlite3"}
SCRIPTS_TRACKER = {"database": LEDGER}
"""
VARIANTS = {
    "without our migrations": "MIGRATION_MODULES = {'scripts_tracker': None}",
    "without our tables": NO_TABLES,
    "with the ledger elsewhere": ELSEWHERE,
    "with the tracker off": 'SCRIPTS_TRACKER = {"enabled": False}\nTRACKED = False',
}


def without_decorators(source: str) -> str:
    return re.sub(r"^(    @|from scripts_tracker).*\n", "", source, flags=re.MULTILINE)


@pytest.fixture
def suite(tmp_path: Path, hosts: Hosts, kind_name: str) -> Iterator[Project]:
    """The project, on a database of its own of each kind in turn."""
    root = tmp_path / "own suite"
    shutil.copytree(SUITE, root, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (root / COMMANDS).glob("[!_]*.py"):
        file.with_name(f"plain_{file.name}").write_text(without_decorators(file.read_text()))
    project = Project(root, {"PYTHONPATH": str(ROOT)})
    kind, name = hosts.kind(kind_name), f"own_{uuid.uuid4().hex[:16]}"
    if kind_name != "sqlite":
        project.settings(kind.settings(name))
    yield project
    if kind_name != "sqlite":
        for copy in ("", "_1", "_2", "_gw0", "_gw1"):
            kind.drop(f"test_{name}{copy}")


def passes(project: Project, *arguments: str) -> None:
    result = project.run(sys.executable, *arguments)
    assert result.code == 0, result.text
    assert re.search(r"^(OK|\d+ passed)", result.text, re.MULTILINE), result.text


def test_under_djangos_runner(suite: Project) -> None:
    passes(suite, *DJANGO)


@pytest.mark.parametrize(
    "kind_name", ["sqlite", *(pytest.param(name, marks=MATRIX) for name in ("postgresql", "mariadb"))]
)
def test_under_pytest(suite: Project) -> None:
    passes(suite, *PYTEST)


# Each way with each kind of database and with each runner, not all three at once.
RUNNERS = {"sqlite": DJANGO, "postgresql": PYTEST, "mariadb": DJANGO}


@MATRIX
@pytest.mark.parametrize("settings", VARIANTS.values(), ids=VARIANTS)
def test_with_other_settings(suite: Project, kind_name: str, settings: str) -> None:
    suite.settings(settings)
    passes(suite, *RUNNERS[kind_name])


@MATRIX
def test_in_a_database_that_is_kept(suite: Project) -> None:
    passes(suite, *DJANGO, "--keepdb")
    # What migrations wrote was kept no longer than the first time, as Django documents.
    passes(suite, *DJANGO, "--keepdb", "--exclude-tag", "serialized")
    passes(suite, *PYTEST, "--reuse-db", "-k", "not Serialized and not migrations")


@MATRIX
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_in_parallel(suite: Project, start_method: str) -> None:
    suite.env["START_METHOD"] = start_method
    suite.settings("DATABASES['default'].setdefault('TEST', {})['SERIALIZE'] = True")
    passes(suite, *DJANGO, "--parallel", "2")


@MATRIX
def test_in_parallel_under_pytest(suite: Project) -> None:
    passes(suite, *(word for word in PYTEST if word != "no:xdist"), "-p", "xdist", "-n", "2")


@MATRIX
@pytest.mark.parametrize("kind_name", ["sqlite"])
def test_in_a_file(suite: Project) -> None:
    suite.settings("DATABASES['default']['TEST'] = {'NAME': BASE_DIR / 'test.sqlite3'}")
    passes(suite, *DJANGO)
    passes(suite, *DJANGO, "--parallel", "2")
