from __future__ import annotations

from django.core import mail
from django.test.utils import setup_test_environment, teardown_test_environment

from scripts_tracker.conf import is_under_test


def test_a_test_environment_is_known_as_long_as_it_lasts() -> None:
    assert is_under_test()
    teardown_test_environment()
    try:
        assert not is_under_test()
        mail.outbox = []  # as the locmem backend makes one anywhere
        assert not is_under_test()
        del mail.outbox
    finally:
        setup_test_environment()
    assert is_under_test()
