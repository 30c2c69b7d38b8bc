"""Where this process runs: inside somebody's tests or not."""

from __future__ import annotations

import sys
import threading


def is_under_test() -> bool:
    """Whether the test runner of Django or of pytest-django has prepared this process.

    ``setup_test_environment()`` keeps there what it is to restore; a start without tests has not even imported the
    module. (The outbox that it makes would not do: the mail backend "locmem" makes one wherever it is used.)
    """
    state = getattr(sys.modules.get("django.test.utils"), "_TestState", None)
    return hasattr(state, "saved_data")


def is_beside_a_test() -> bool:
    """Whether this is a thread that a test has started: no connection of it is closed before the database is dropped."""
    return is_under_test() and threading.current_thread() is not threading.main_thread()
