"""Where this process runs: inside somebody's tests or not."""

from __future__ import annotations

import sys


def is_under_test() -> bool:
    """Whether the test runner of Django or of pytest-django has prepared this process.

    ``setup_test_environment()`` leaves an outbox behind; a start without tests has not even imported the module.
    """
    return hasattr(sys.modules.get("django.core.mail"), "outbox")
