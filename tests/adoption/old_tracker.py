"""The table of django-scripts-tracker 0.2, as the real one creates it, with the runs that a test adds."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from scripts_tracker.adoption.legacy_sources import md5
from tests.conftest import Project
from tests.databases.kinds import Rows, SQLite

TABLE = "django_scripts_tracker_appliedmanagementscripts"
COPY = "scripts_tracker_appliedmanagementscripts"
SCHEMA = (
    'CREATE TABLE "{table}" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "file_path" varchar(500) NOT NULL,'
    ' "file_hash" varchar(100) NOT NULL, "applied_date" datetime NOT NULL)'
)
OLD_IMPORT, NEW_IMPORT = "from django_scripts_tracker.core_tracker import", "from scripts_tracker import"

SOURCE = """\
from django.core.management.base import BaseCommand
from django_scripts_tracker.core_tracker import tracked_script

class Command(BaseCommand):
    help = 'Does {name}'

    @tracked_script
    def handle(self, *args, **options):
        self.stdout.write('{name} done')
"""


@dataclass
class OldTracker:
    """A project whose scripts django-scripts-tracker has run."""

    project: Project
    table: str = TABLE
    database: str = "db.sqlite3"

    def execute(self, statement: str) -> Rows:
        return SQLite().execute(str(self.project.root / self.database), statement)

    def create(self) -> None:
        self.execute(SCHEMA.format(table=self.table))

    def write(self, name: str, source: str = "") -> bytes:
        """A command of ``shop`` as it is in the project."""
        text = (source or SOURCE.format(name=name)).encode()
        self.project.write(f"shop/management/commands/{name}.py", text)
        return text

    def ran(self, path: str, source: bytes, at: str = "2019-03-04 10:22:33.123456") -> None:
        """It has run a file that had these bytes; a short path is that of a command of ``shop``."""
        path = path if "." in path else f"shop/management/commands/{path}.py"
        values = f"'{path}', '{md5(source)}', '{at}'"
        self.execute(f"INSERT INTO {self.table} (file_path, file_hash, applied_date) VALUES ({values})")  # noqa: S608 - a test's own values


def everything(project: Project, table: str) -> Rows:
    """All rows of a table of the project's SQLite database."""
    return SQLite().execute(str(project.root / "db.sqlite3"), f"SELECT * FROM {table}")  # noqa: S608 - a test's own name


def commit(root: Path, message: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for words in (("init", "-q"), ("add", "-A", "--", "*.py"), ("commit", "-q", "-m", message)):
        subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)
