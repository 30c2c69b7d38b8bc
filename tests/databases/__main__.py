"""Show which servers and programs the tests will find; exits with 1 where one is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.databases import kinds
from tests.databases.clocks import off_by
from tests.databases.servers import program

NEEDS: dict[str, Callable[[], object]] = {
    "PostgreSQL": lambda: kinds.postgresql().need(),
    "MariaDB": lambda: kinds.mariadb().need(),
    "PgBouncer": lambda: program("pgbouncer", "pgbouncer"),
    "a C compiler": lambda: off_by(0),
}


def trouble(need: Callable[[], object]) -> str:
    try:
        need()
    except (pytest.skip.Exception, pytest.fail.Exception) as error:
        return str(error).strip()
    return ""


def main() -> int:
    found = {name: trouble(need) for name, need in NEEDS.items()}
    sys.stdout.writelines(f"{name}: {words or 'there'}\n" for name, words in found.items())
    return int(any(found.values()))


if __name__ == "__main__":
    raise SystemExit(main())
