"""The suite's own database after a test outside a transaction: a copy of what it was, in place of a flush that fills it again.

A flush takes as long as many a test, for permissions and content types that are the same every time.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import TransactionTestCase


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """As pytest-django makes the database; the copy is of the migrated one, before the first test."""
    with contextlib.closing(sqlite3.connect(":memory:")) as clean, pytest.MonkeyPatch.context() as patch:
        with django_db_blocker.unblock():
            connection.ensure_connection()
            connection.connection.backup(clean)
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: restore(clean))
        yield


def restore(clean: sqlite3.Connection) -> None:
    connection.ensure_connection()
    clean.backup(connection.connection)
