from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import TransactionTestCase


@pytest.mark.usefixtures("transactional_db")
def test_after_a_test_outside_a_transaction_the_database_is_as_it_was() -> None:
    permissions = Permission.objects.count()
    Group.objects.create(name="left behind")
    Permission.objects.all().delete()
    TransactionTestCase()._fixture_teardown()  # type: ignore[attr-defined]  # what Django calls after each test
    assert (Group.objects.count(), Permission.objects.count()) == (0, permissions)
    assert permissions > 0
