"""Batched scripts in the test's own process; their rows are groups, whose names say how often each was processed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import connection

from tests.jobs import Jobs

SCRIPT = """\
from django.core.management.base import CommandError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Value
from django.db.models.functions import Concat
from django.contrib.auth.models import Group
from scripts_tracker import required_preceding_script, tracked_script
from scripts_tracker.batches import BatchedCommand
from tests.running.batches import DATA, LOG

class Command(BatchedCommand):
    help = "Counts"
    batch_size = {size}
    batch_seconds = 0
    {attributes}

    def batches(self):
        return {rows}

    {decorators}
    def process(self, batch):
        {process}

    def finish(self):
        {finish}
"""
HIT = 'return batch.update(name=Concat("name", Value("x")))'
LOG: list[object] = []
"""What the scripts of a test say."""
DATA: set[object] = set()
"""What the scripts of a test ask: which rows are bad, say."""


def script(
    jobs: Jobs,
    process: str = HIT,
    *,
    name: str = "walk",
    size: int = 3,
    rows: str = "Group.objects.all()",
    finish: str = "LOG.append('finish')",
    decorators: str = "@tracked_script",
    attributes: str = "",
) -> None:
    LOG.clear()
    DATA.clear()
    facts = {"process": process, "size": size, "rows": rows, "finish": finish, "decorators": decorators}
    jobs.write(name, SCRIPT.format(**facts, attributes=attributes))


def add_rows(keys: Iterable[int]) -> None:
    Group.objects.bulk_create(Group(pk=key, name=f"row {key} ") for key in keys)
    # SQLite counts on from the highest key that there ever was, and the tests after this one use the same database.
    with connection.cursor() as cursor:
        cursor.execute("UPDATE sqlite_sequence SET seq = 0 WHERE name = 'auth_group'")


def hits() -> Counter[int]:
    """How many rows were processed how often."""
    return Counter(name.count("x") for name in Group.objects.values_list("name", flat=True))


def untouched() -> list[int]:
    return [
        int(re.findall(r"\d+", name)[0])
        for name in sorted(Group.objects.values_list("name", flat=True))
        if "x" not in name
    ]
