"""Whether an algorithm's time grows in proportion to its input: no matter how fast the machine is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LARGER: Final = 8
"""How many times larger the large input is: in proportion it takes 8 times as long, were it quadratic 64 times."""
_TRIES: Final = 20
"""Other processes disturb a measurement now and then; one that they do not disturb is enough."""


def grows_in_proportion(work: Callable[[], object], larger: Callable[[], object]) -> bool:
    """Whether ``larger``, the same work with an input ``LARGER`` times as large, takes less than 3 times its share."""
    return any(_seconds(larger) < 3 * LARGER * _seconds(work) for _ in range(_TRIES))


def grows_less_than_half(work: Callable[[], object], larger: Callable[[], object]) -> bool:
    """Whether ``larger``, with an input ``LARGER`` times as large, takes less than half its share: a part is bounded."""
    return any(_seconds(larger) < LARGER / 2 * _seconds(work) for _ in range(_TRIES))


def _seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
