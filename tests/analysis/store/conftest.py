from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts_tracker.analysis.source import reading
from tests.analysis.store.shops import INHERITED, TRACKED

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    commands = tmp_path / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    for package in (tmp_path / "shop", commands.parent, commands):
        (package / "__init__.py").touch()
    (tmp_path / "shop" / "base.py").write_text(TRACKED.format(name="Base"))
    (commands / "own.py").write_text(TRACKED.format(name="Command"))
    (commands / "inherits.py").write_text(INHERITED)
    (commands / "other.py").write_text("from shop.plain import Base\nclass Command(Base): pass\n")
    return tmp_path


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written a moment ago counts as old enough to be trusted."""
    monkeypatch.setattr(reading, "SETTLED_NS", 0)
    real = reading.now
    monkeypatch.setattr(reading, "now", lambda: real() + 60_000_000_000)
