"""Shops with a table of rows, and batched scripts that count on each row how often it was processed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from tests.running.shops import NOW, Shop

MODELS = """\
from django.db import models

class Row(models.Model):
    id = models.{key}(primary_key=True)
    hits = models.IntegerField(default=0)
    class Meta:
        managed = False
        db_table = "shop_row"
"""

SCRIPT = """\
{before}
import os, pathlib, time
from django.db import connection, transaction
from django.db.models import F
from scripts_tracker import required_preceding_script, tracked_script
from scripts_tracker.batches import BatchedCommand
from shop.doing import effect, hold
from shop.models import Row

class Command(BatchedCommand):
    help = "Counts"
    batch_size = {size}
    batch_seconds = 0
    {attributes}

    def batches(self):
        return {rows}

    @tracked_script{options}
    def process(self, batch):
        {process}

    def finish(self):
        {finish}
"""
HIT = 'batch.update(hits=F("hits") + 1)'


class Walks:
    """A shop whose table ``shop_row`` has rows with a counter."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.execute = shop.project.execute
        self.execute("CREATE TABLE shop_row (id bigint NOT NULL PRIMARY KEY, hits integer NOT NULL)")
        shop.project.write("shop/models.py", MODELS.format(key="BigAutoField"))

    def rows(self, keys: Sequence[int]) -> None:
        values = ", ".join(f"({key}, 0)" for key in keys)
        self.execute(f"INSERT INTO shop_row (id, hits) VALUES {values}")  # noqa: S608 - numbers

    def script(
        self,
        process: str = HIT,
        *,
        name: str = "walk",
        size: int = 10,
        rows: str = "Row.objects.all()",
        finish: str = "pass",
        options: str = "",
        attributes: str = "",
        before: str = "",
    ) -> None:
        text = SCRIPT.format(
            before=before,
            size=size,
            rows=rows,
            process=process,
            finish=finish,
            options=options,
            attributes=attributes,
        )
        self.shop.project.write(f"shop/management/commands/{name}.py", text)

    def expire(self, pid: int | None = None) -> None:
        """As if the time of every lease had passed, also of the workers'; or only that of one worker."""
        now = NOW[self.shop.project.kind.engine]
        which = f" WHERE pid = {pid}" if pid else ""
        self.execute(f"UPDATE scripts_tracker_scriptrun SET lease_expires = {now} - 0.001{which}")  # noqa: S608 - our own words
        if not pid:
            self.shop.expire()

    def hits(self) -> Counter[int]:
        """How many rows were processed how often."""
        return Counter(hits for (hits,) in self.execute("SELECT hits FROM shop_row"))


@pytest.fixture
def walks(shop: Shop) -> Walks:
    return Walks(shop)
