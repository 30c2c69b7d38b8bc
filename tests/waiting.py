"""Waiting for another process or thread: as long as the slowest machine takes, and no longer than needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

PATIENCE: Final = 600
"""Seconds until a test gives up; what it waits for takes a hundredth of that on an idle machine."""


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Look until the condition holds; fail after ``PATIENCE`` seconds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.02)
