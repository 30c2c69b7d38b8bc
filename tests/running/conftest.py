from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.databases.fixtures import HostedProject
from tests.running.shops import Shop


@pytest.fixture
def shop(hosted: HostedProject) -> Iterator[Shop]:
    """A shop on each kind of database in turn; its processes end before its database goes."""
    with contextlib.ExitStack() as processes:
        yield Shop(hosted, processes)
