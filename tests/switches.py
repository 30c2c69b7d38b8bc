"""What the environment says about how much the tests do; tests/README.md has the table of all variables."""

from __future__ import annotations

import math
import os

WARM = os.environ.get("SCRIPTS_TRACKER_WARM") == "1"
"""manage.py processes are forked from one that has imported Django."""

IN_MATRIX = os.environ.get("SCRIPTS_TRACKER_MATRIX") == "1"
"""One of many environments: what only they show, without what is the same everywhere."""

LENGTH = float(os.environ.get("SCRIPTS_TRACKER_FULL") or 0)
"""The share of the full length of long tests: 1, 0.1, or 0 for a sample."""

FULL = LENGTH > 0
"""Long tests run for longer than a sample, with every case that they have."""


def at_length(full: int, *, sample: int) -> int:
    """How many of something a long test does.

    Args:
        full: as many as at full length; a shorter run does its share of them.
        sample: as many as by default, and the least in any case.
    """
    return max(sample, math.ceil(round(full * LENGTH, 6)))
