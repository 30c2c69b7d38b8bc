"""The fixture ``at``: takes the ledger of the test's own process to another place, as a restored dump would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scripts_tracker.ledger import statements

Move = Callable[..., None]

P, Q = "postgresql:7:1", "postgresql:7:2"


@pytest.fixture
def at(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Move:
    def move(name: str = "", identity: str = P) -> None:
        known = getattr(settings, "SCRIPTS_TRACKER", {})
        settings.SCRIPTS_TRACKER = {**known, "environment": name, "lease_seconds": 600}
        monkeypatch.setattr(statements, "database_identity", lambda: ("%s", (identity,)))

    move()
    return move
