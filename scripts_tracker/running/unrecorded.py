"""A walk of a batched script that nobody records: the tracker is off, a test has no ledger, a dry run."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction

from scripts_tracker.running.keys import KeySpace, Sizes


def walk(command: Any) -> None:
    """Process all batches of a command, from the first key to the last, then its ``finish()``."""
    space = KeySpace(command.batches())
    sizes = Sizes.of(command)
    after, size, is_last = None, sizes.first, False
    while not is_last:
        began = time.monotonic()
        with transaction.atomic(using=space.database):
            step = space.step(after, None, size)
            if step.keys:
                command.process(space.batch(after, step.end))
        size = sizes.after(size, step.keys, time.monotonic() - began)
        after, is_last = step.end, step.is_last
    command.finish()
