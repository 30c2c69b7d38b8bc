"""How a worker of a batched script goes on after trouble: with smaller batches, later, or when others are done."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from scripts_tracker.running import batch

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds between two looks at the ranges of other workers: at random below a limit that grows.
_FIRST_LIMIT, _LAST_LIMIT = 0.5, 10.0
_SLICE: Final = 0.2
# How often a batch is tried before it is halved, and how long others may be in its way.
_TRIES: Final = 3
_PATIENCE: Final = 300.0


class Trouble:
    """What has gone wrong in a range lately, and the size of its next batch."""

    def __init__(self, size: int) -> None:
        self.size = max(size, 1)
        self.pause = 0.0
        self._tries = 0
        self._in_the_way_since: float | None = None
        # How many keys are left of a batch that has failed: one of them is the cause.
        self._suspects = 0

    def passed(self, next_size: int, keys: int) -> None:
        """A batch of so many keys is committed."""
        self._tries, self._in_the_way_since = 0, None
        self._suspects = max(self._suspects - keys, 0)
        self.size = max(1, self._suspects // 2) if self._suspects else next_size

    def tries_again(self, keys: int, *, is_in_the_way: bool) -> bool:
        """Whether to try the batch again, and with which size; False if its one row is the cause."""
        self._tries += 1
        self.pause = batch.pause(self._tries)
        if is_in_the_way:
            now = time.monotonic()
            self._in_the_way_since = self._in_the_way_since or now
            self.size = max(1, self.size // 2)
            return now - self._in_the_way_since < _PATIENCE
        if self._tries < (1 if self._suspects else _TRIES):
            return True
        if keys <= 1:
            return False
        self._suspects, self._tries = keys, 0
        self.size = keys // 2
        return True


class Waiting:
    """Waits for other workers: a little longer each time, and not for ever."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._limit = _FIRST_LIMIT

    def goes_on(self, listen: Callable[[], None]) -> bool:
        """Wait a moment, without a query; False if the time is over."""
        until = time.monotonic() + random.uniform(self._limit / 2, self._limit)  # noqa: S311 - no secret
        self._limit = min(self._limit * 2, _LAST_LIMIT)
        while (left := until - time.monotonic()) > 0:
            listen()
            time.sleep(min(left, _SLICE))
        return time.monotonic() < self._until
