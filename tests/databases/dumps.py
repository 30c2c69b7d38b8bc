"""Real dumps of each kind of database, restored beside the original as an operator would."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from pathlib import Path

from tests.databases.kinds import Kind, MariaDB, PostgreSQL
from tests.databases.servers import Server, program


def restore(kind: Kind, source: str, name: str, file: Path) -> None:
    """Dump a database into a file, and restore it under another name."""
    if isinstance(kind, PostgreSQL):
        server = kind.server
        at = [f"--host={server.host}", f"--port={server.port}", f"--username={server.user}"]
        _call(
            kind.server,
            ("pg_dump", "postgresql-client"),
            *at,
            "--format",
            "custom",
            "--file",
            str(file),
            source,
        )
        kind.create(name)
        _call(
            kind.server,
            ("pg_restore", "postgresql-client"),
            *at,
            "--exit-on-error",
            "--dbname",
            name,
            str(file),
        )
    elif isinstance(kind, MariaDB):
        server = kind.server
        at = [f"--host={server.host}", f"--port={server.port}", f"--user={server.user}", "--protocol=TCP"]
        _call(
            kind.server,
            ("mariadb-dump", "mariadb-client"),
            *at,
            "--single-transaction",
            f"--result-file={file}",
            source,
        )
        kind.create(name)
        _call(server, ("mariadb", "mariadb-client"), *at, name, given=file)
    else:
        with (
            contextlib.closing(sqlite3.connect(source)) as original,
            contextlib.closing(sqlite3.connect(name)) as copy,
        ):
            original.backup(copy)


def _call(server: Server, tool: tuple[str, str], *arguments: str, given: Path = Path(os.devnull)) -> None:
    """Run a program of a Debian package."""
    passwords = {"PGPASSWORD": server.password, "MYSQL_PWD": server.password} if server.password else {}
    with given.open() as stream:
        done = subprocess.run(
            (program(*tool), *arguments),
            env={**os.environ, **passwords},
            stdin=stream,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
