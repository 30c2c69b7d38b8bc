"""The kinds of database that the ledger is tested on: how each makes, copies, drops and asks a database."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import psycopg
import pymysql
from psycopg import sql as psql

from tests.databases.servers import MARIADB, POSTGRESQL, Server, absent, server

Rows = list[tuple[Any, ...]]


class Kind(Protocol):
    """One kind of database; a database's name is a path on SQLite.

    Attributes:
        engine: what kinds that can copy each other's databases share.
    """

    engine: ClassVar[str]

    def need(self) -> None:
        """Skip or fail the test where no server answers."""

    def create(self, name: str) -> None: ...

    def copy(self, source: str, name: str) -> None: ...

    def drop(self, name: str) -> None: ...

    def settings(self, name: str) -> str:
        """Lines for a project's settings.py."""

    def execute(self, name: str, statement: str) -> Rows:
        """What one statement answers, asked from this process and committed."""


def databases(**default: object) -> str:
    return f"DATABASES = {{'default': {default!r}}}\n"


class SQLite:
    """A file."""

    engine: ClassVar[str] = "sqlite"

    def need(self) -> None:
        """A part of Python."""

    def create(self, name: str) -> None:
        """The first connection does."""

    def copy(self, source: str, name: str) -> None:
        shutil.copy(source, name)

    def drop(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.remove(name)

    def settings(self, name: str) -> str:
        return databases(ENGINE="django.db.backends.sqlite3", NAME=name)

    def execute(self, name: str, statement: str) -> Rows:
        with contextlib.closing(sqlite3.connect(name, timeout=30)) as connection, connection:
            return connection.execute(statement).fetchall()


@dataclass
class PostgreSQL:
    """A database of its own on the server; PostgreSQL copies databases by itself."""

    engine: ClassVar[str] = "postgresql"
    server: Server

    @contextlib.contextmanager
    def connected(self, name: str) -> Iterator[psycopg.Connection]:
        at = self.server
        with psycopg.connect(
            host=at.host,
            port=at.port,
            user=at.user,
            password=at.password,
            dbname=name,
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            yield connection

    def _order(self, order: str, *names: str, since_15: str = "") -> None:
        with self.connected(self.server.database or "postgres") as connection:
            words = order + since_15 if connection.info.server_version >= 150000 else order
            connection.execute(psql.SQL(words).format(*map(psql.Identifier, names)))

    def need(self) -> None:
        try:
            self._order("SELECT 1")
        except psycopg.OperationalError as error:
            absent(f"no PostgreSQL answers where {POSTGRESQL[0]} or its default says: {error}")

    def create(self, name: str) -> None:
        self._order("CREATE DATABASE {}", name)

    def copy(self, source: str, name: str) -> None:
        # Otherwise every page is written to the log too, which takes half as long again.
        self._order("CREATE DATABASE {} TEMPLATE {}", name, source, since_15=" STRATEGY FILE_COPY")

    def drop(self, name: str) -> None:
        self._order("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def settings(self, name: str) -> str:
        return self.settings_at(self.server.host, self.server.port, name)

    def settings_at(self, host: str, port: int, name: str, **more: object) -> str:
        account = {"USER": self.server.user, "PASSWORD": self.server.password}
        return databases(
            ENGINE="django.db.backends.postgresql", HOST=host, PORT=port, NAME=name, **account, **more
        )

    def execute(self, name: str, statement: str) -> Rows:
        with self.connected(name) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


MYSQL_DRIVER = "import tests.databases.mysql_driver\n"


@dataclass
class MariaDB:
    """A database of its own on the server, copied table by table."""

    engine: ClassVar[str] = "mariadb"
    server: Server

    def _answers(self, name: str | None, *statements: str) -> Rows:
        at = self.server
        with (
            contextlib.closing(
                pymysql.connect(
                    host=at.host,
                    port=at.port,
                    user=at.user,
                    password=at.password,
                    database=name,
                    autocommit=True,
                    ssl_disabled=True,  # it would read all certificates of the system
                )
            ) as connection,
            connection.cursor() as cursor,
        ):
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def need(self) -> None:
        try:
            self._answers(None, "SELECT 1")
        except pymysql.err.OperationalError as error:
            absent(f"no MariaDB answers where {MARIADB[0]} or its default says: {error}")

    def create(self, name: str) -> None:
        self._answers(None, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")

    def copy(self, source: str, name: str) -> None:
        self.create(name)
        tables = [row[0] for row in self._answers(source, "SHOW TABLES")]
        made = [self._answers(source, f"SHOW CREATE TABLE `{table}`")[0][1] for table in tables]
        filled = [f"INSERT INTO `{table}` SELECT * FROM `{source}`.`{table}`" for table in tables]  # noqa: S608 - our own names
        self._answers(name, "SET foreign_key_checks = 0", *made, *filled)

    def drop(self, name: str) -> None:
        self._answers(None, f"DROP DATABASE IF EXISTS `{name}`")

    def settings(self, name: str) -> str:
        return self.settings_at(self.server.host, self.server.port, name)

    def settings_at(self, host: str, port: int, name: str) -> str:
        account = {"USER": self.server.user, "PASSWORD": self.server.password}
        return MYSQL_DRIVER + databases(
            ENGINE="django.db.backends.mysql", HOST=host, PORT=port, NAME=name, **account
        )

    def execute(self, name: str, statement: str) -> Rows:
        return self._answers(name, statement)


def postgresql() -> PostgreSQL:
    return PostgreSQL(server(*POSTGRESQL))


def mariadb() -> MariaDB:
    return MariaDB(server(*MARIADB))
