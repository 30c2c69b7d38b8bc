"""Where this process runs: inside somebody's tests or not."""

from __future__ import annotations

import sys


def is_under_test() -> bool:
    """Whether the test runner of Django or of pytest-django has prepared this process.

    ``setup_test_environment()`` leaves word behind; a start without tests has not even imported the module. The outbox
    that it makes is no sign: a project that mails by the locmem backend has one, too.
    """
    return hasattr(getattr(sys.modules.get("django.test.utils"), "_TestState", None), "saved_data")
