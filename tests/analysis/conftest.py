from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.analysis.hostile.limited import Limited


@pytest.fixture(scope="session")
def limited() -> Iterator[Limited]:
    """Does jobs under limits of time and memory."""
    worker = Limited()
    yield worker
    worker.close()
