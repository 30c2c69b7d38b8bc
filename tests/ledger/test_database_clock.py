"""The clock that leases are measured by goes on evenly, whatever the local time does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.databases.fixtures import HostedProject

ASK = """
from django.db import connection
from scripts_tracker.ledger.clock import DatabaseEpoch
from scripts_tracker.models import Script
Script.objects.create(identity="shop.one", app_label="shop", name="one")
def now():
    return Script.objects.values_list(DatabaseEpoch(), flat=True).get()
"""

# Half of Europe put its clocks back at 01:00 UTC on 2026-10-25, and lives through an hour twice.
BACK = 1_792_890_000
MOMENTS = [BACK + minutes * 60 for minutes in (-90, -61, -59, -31, -1, 0, 1, 59, 61)]

# As mariadb-tzinfo-to-sql would write it.
MAKE = """
BEGIN NOT ATOMIC
  INSERT INTO time_zone (Use_leap_seconds) VALUES ('N');
  INSERT INTO time_zone_name VALUES ('{name}', LAST_INSERT_ID());
  INSERT INTO time_zone_transition_type VALUES
    (LAST_INSERT_ID(), 0, 7200, 1, 'CEST'), (LAST_INSERT_ID(), 1, 3600, 0, 'CET');
  INSERT INTO time_zone_transition VALUES (LAST_INSERT_ID(), 0, 0), (LAST_INSERT_ID(), {back}, 1);
END
"""
DROP = """
BEGIN NOT ATOMIC
  SELECT Time_zone_id INTO @zone FROM time_zone_name WHERE Name = '{name}';
  DELETE FROM time_zone_transition WHERE Time_zone_id = @zone;
  DELETE FROM time_zone_transition_type WHERE Time_zone_id = @zone;
  DELETE FROM time_zone_name WHERE Time_zone_id = @zone;
  DELETE FROM time_zone WHERE Time_zone_id = @zone;
END
"""


@pytest.fixture
def zone(hosted: HostedProject) -> Iterator[str]:
    """A time zone with that one change; few servers have loaded the named ones."""
    name = f"scripts_tracker_{uuid.uuid4().hex[:16]}"
    hosted.kind.execute("mysql", MAKE.format(name=name, back=BACK))
    yield name
    hosted.kind.execute("mysql", DROP.format(name=name))


@pytest.mark.parametrize("kind_name", ["mariadb"], indirect=True)
def test_mariadb_counts_on_in_the_hour_that_comes_twice(hosted: HostedProject, zone: str) -> None:
    said = hosted.python(
        f"{ASK}\nwith connection.cursor() as cursor:\n"
        f"    cursor.execute('SET time_zone = %s', [{zone!r}])\n"
        f"    for moment in {MOMENTS}:\n"
        "        cursor.execute('SET timestamp = %s', [moment])\n"
        "        print(round(now()) - moment)\n"
    )
    assert said.out.split() == ["0"] * len(MOMENTS)
