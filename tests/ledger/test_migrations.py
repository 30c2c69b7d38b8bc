"""What an upgrade makes of a ledger that was filled before it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from scripts_tracker.ledger import queries, statements
from tests.builders import script_id

APP = "scripts_tracker"


@pytest.fixture
def old(transactional_db: None) -> Iterator[Any]:
    """The apps as 0001 has them; everything is brought up to date after the test."""
    executor = MigrationExecutor(connection)
    yield executor.migrate([(APP, "0001_initial")]).apps
    migrate()


def migrate() -> None:
    call_command("migrate", APP, verbosity=0)


class Old:
    """A script of a ledger of 0001."""

    def __init__(self, apps: Any, name: str) -> None:
        self.model = apps.get_model
        script = script_id(f"shop.{name}")
        self.script = self.model(APP, "Script").objects.create(
            identity=statements.identity_of(script), app_label="shop", name=name
        )

    def version(self, letter: str, *, applied: bool) -> Any:
        return self.model(APP, "ScriptVersion").objects.create(
            script=self.script,
            algorithm="st1",
            digest=letter * 64,
            content_digest=letter * 64,
            applied_at=timezone.now() if applied else None,
        )

    def run(self, version: Any, outcome: str = "succeeded", kind: str = "run", **facts: Any) -> Any:
        now = timezone.now()
        run = self.model(APP, "ScriptRun").objects.create(
            script=self.script,
            version=version,
            kind=kind,
            outcome=outcome,
            started_at=now,
            ended_at=now,
            **facts,
        )
        self.script.last_run = run
        if outcome == "succeeded" and kind in {"run", "mark"} and not (kind == "run" and facts.get("reason")):
            self.script.applied_run = run
        self.script.save()
        return run


def applied_ran(old: Old) -> None:
    old.run(old.version("a", applied=True))


def applied_marked(old: Old) -> None:
    old.run(old.version("a", applied=True), kind="mark", reason="ran before")


def applied_then_failed(old: Old) -> None:
    old.run(old.version("a", applied=True))
    old.run(old.version("b", applied=False), "failed")


def applied_then_failed_at_the_same_version(old: Old) -> None:
    version = old.version("a", applied=True)
    old.run(version)
    old.run(version, "failed")


def applied_then_rehearsed(old: Old) -> None:
    version = old.version("a", applied=True)
    old.run(version)
    old.model(APP, "ScriptRun").objects.create(
        script=old.script, version=version, kind="rehearsal", outcome="succeeded", started_at=timezone.now()
    )


def not_counted(old: Old) -> None:
    old.run(old.version("a", applied=False), reason="uncommitted changes")


def not_counted_then_applied(old: Old) -> None:
    version = old.version("a", applied=True)
    old.run(version, reason="uncommitted changes")
    old.run(version)


def unmarked(old: Old) -> None:
    old.run(old.version("a", applied=False))
    old.run(None, kind="unmark")
    old.script.applied_run = None
    old.script.save()


def only_failed(old: Old) -> None:
    old.run(old.version("a", applied=False), "failed")


CARRIED = {
    "one that ran": (applied_ran, "a", [True]),
    "one that was marked": (applied_marked, "a", [True]),
    "one that failed at another version since": (applied_then_failed, "a", [True, False]),
    "one that failed at the same version since": (
        applied_then_failed_at_the_same_version,
        "a",
        [True, False],
    ),
    "one that was rehearsed since": (applied_then_rehearsed, "a", [True, False]),
    "one whose run did not count": (not_counted, None, [False]),
    "one whose second run counted": (not_counted_then_applied, "a", [False, True]),
    "one that was unmarked": (unmarked, None, [False, False]),
    "one that only failed": (only_failed, None, [False]),
}


@pytest.mark.parametrize(("make", "applied", "applies"), CARRIED.values(), ids=CARRIED)
def test_what_was_applied_is_applied_after_the_upgrade(
    old: Any, make: Any, applied: str | None, applies: list[bool]
) -> None:
    make(Old(old, "fix"))
    migrate()
    from scripts_tracker.models import ScriptRun

    assert [run.applies for run in ScriptRun.objects.order_by("pk")] == applies
    record = queries.records()[script_id("shop.fix")]
    assert (record.applied.digest[0] if record.applied else None) == applied
    formerly = {one.fingerprint.digest[0] for one in queries.formerly_applied([record.pk])}
    assert formerly == ({applied} if applied else set())


def test_the_models_need_no_further_migration(db: None) -> None:
    call_command("makemigrations", APP, check=True, dry_run=True, verbosity=0)
