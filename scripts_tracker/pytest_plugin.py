"""The plugin that pytest loads wherever scripts-tracker is installed, so it imports no Django."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def row_report() -> Callable[..., dict[str, dict[str, int | None]]]:
    """Run a script, and give the rows that it changes by table: ``scripts_tracker.testing.row_report``."""
    from scripts_tracker import testing

    return testing.row_report


@pytest.fixture
def assert_idempotent() -> Callable[..., None]:
    """Run a script twice, and fail if the second run changes rows: ``scripts_tracker.testing.assert_idempotent``."""
    from scripts_tracker import testing

    return testing.assert_idempotent
