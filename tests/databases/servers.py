"""Where the database servers are, and what happens where a server or a program is not there."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote, urlsplit

import pytest

# Name of the environment variable, and the server that is tried without it.
POSTGRESQL = ("SCRIPTS_TRACKER_POSTGRESQL", "postgresql://root@127.0.0.1:5432/postgres")
MARIADB = ("SCRIPTS_TRACKER_MARIADB", "mysql://root@127.0.0.1:3306")


@dataclass(frozen=True)
class Server:
    """The address of a server, and an account that may create databases there."""

    host: str
    port: int
    user: str
    password: str
    database: str


def server(variable: str, default: str) -> Server:
    """The server that an environment variable names as a URL."""
    parts = urlsplit(os.environ.get(variable) or default)
    return Server(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or urlsplit(default).port or 0,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=parts.path.strip("/"),
    )


def is_required() -> bool:
    return os.environ.get("SCRIPTS_TRACKER_DATABASES") == "required"


def absent(reason: str) -> NoReturn:
    """Skip the test, visibly; fail it where CI says that nothing may be skipped."""
    if is_required():
        pytest.fail(f"{reason} (SCRIPTS_TRACKER_DATABASES=required)", pytrace=False)
    pytest.skip(reason)


def program(name: str, package: str) -> str:
    """The path of a program that the test needs; Debian keeps daemons out of a user's PATH."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    return found or absent(f"no program {name}: install the Debian package {package}")
