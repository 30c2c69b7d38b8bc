"""What is read by SQL is what Django's models would read, on every kind of database."""

from __future__ import annotations

import pytest

from tests.databases.fixtures import HostedProject


@pytest.mark.parametrize(
    "settings",
    ["", "USE_TZ = False", "TIME_ZONE = 'Asia/Tokyo'", "DATABASES['default']['TIME_ZONE'] = 'Asia/Tokyo'"],
)
def test_a_record_has_the_dates_that_the_models_have(hosted: HostedProject, settings: str) -> None:
    if settings.startswith("DATABASES") and hosted.kind.engine == "postgresql":
        pytest.skip("PostgreSQL has time zones itself")
    hosted.settings(settings)
    hosted.command("shop.first")
    hosted.manage("first")
    said = hosted.python(
        "from scripts_tracker.ledger import queries\n"
        "from scripts_tracker.models import ScriptRun\n"
        "record, run = *queries.records().values(), ScriptRun.objects.get()\n"
        "found = [record.applied_at, record.last_run.started_at, record.last_run.ended_at, record.last_run.applies]\n"
        "wanted = [run.ended_at, run.started_at, run.ended_at, run.applies]\n"
        "print(found == wanted, *map(repr, found), *map(repr, wanted))"
    )
    assert said.out.startswith("True"), said.out
