"""What the environment says about how much the tests do; tests/README.md has the table of all variables."""

from __future__ import annotations

import math
import os

WARM = os.environ.get("SCRIPTS_TRACKER_WARM") == "1"
"""manage.py processes are forked from one that has imported Django."""

_MATRIX = os.environ.get("SCRIPTS_TRACKER_MATRIX")

IN_MATRIX = _MATRIX in {"1", "turn"}
"""One of many environments: what only they show, without what is the same everywhere."""

IN_TURN = _MATRIX == "turn"
"""Each test on one kind of database in this environment, and on another in its neighbours."""


def turn(python: int, series: tuple[int, int]) -> int:
    """A number for a pair of Python 3 and Django that is another than its neighbours'; Django has three releases of each major number."""
    return python + 3 * series[0] + series[1]


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
