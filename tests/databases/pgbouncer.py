"""PgBouncer in transaction mode before the PostgreSQL of the tests: two statements may meet two sessions."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.databases.kinds import PostgreSQL
from tests.databases.servers import program
from tests.waiting import PATIENCE

# pool_size is small on purpose: more processes than sessions is what a pooler is for.
CONFIGURATION = """\
[databases]
* = host={at.host} port={at.port} user={at.user}{password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
max_client_conn = 200
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


@dataclass
class PgBouncer(PostgreSQL):
    """Django goes through the pooler, the tests' own questions go around it."""

    port: int

    def settings(self, name: str) -> str:
        return self.settings_at("127.0.0.1", self.port, name, DISABLE_SERVER_SIDE_CURSORS=True)


def _start(folder: Path, configuration: str) -> subprocess.Popen[bytes]:
    """It refuses to run as root."""
    file = folder / "pgbouncer.ini"
    file.write_text(configuration)
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
    if account:
        for path in (folder, file):
            os.chown(path, account.pw_uid, account.pw_gid)
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [program("pgbouncer", "pgbouncer"), file],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
        )


def _wait_until_it_answers(process: subprocess.Popen[bytes], kind: PgBouncer, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with psycopg.connect(
                host="127.0.0.1",
                port=kind.port,
                user=kind.server.user,
                dbname=kind.server.database or "postgres",
                connect_timeout=10,
            ):
                return
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"PgBouncer does not serve:\n{log.read_text()}") from error
            time.sleep(0.05)


@contextlib.contextmanager
def running(server: PostgreSQL) -> Iterator[PgBouncer]:
    kind = PgBouncer(server.server, free_port())
    folder = Path(tempfile.mkdtemp(prefix="pgbouncer-"))
    password = f" password='{kind.server.password}'" if kind.server.password else ""
    process = _start(folder, CONFIGURATION.format(at=kind.server, password=password, port=kind.port))
    try:
        _wait_until_it_answers(process, kind, folder / "log")
        yield kind
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder)
