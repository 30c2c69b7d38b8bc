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
from scripts_tracker.ledger.database import NEWEST_MIGRATION
from tests.builders import script_id
from tests.databases.fixtures import HostedProject
from tests.ledger.earlier_ledgers import PASTS, TIMES, name_of

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


AFTER_COMMIT = "from django.db import transaction; transaction.on_commit(lambda: 1 / 0)"


def every_state(hosted: HostedProject) -> None:
    """Scripts in every state that a ledger can hold, and one that was applied, unmarked and applied again."""
    hosted.write("shop/prices.py", "RATE = 1\n")
    for name in ("applied", "modified", "reverted", "unmarked", "again", "gone"):
        hosted.command(f"shop.{name}", body="self.stdout.write('first')")
    for name in ("watching", "watched_change"):
        module = "shop.prices" if name == "watching" else "shop.rates"
        hosted.command(f"shop.{name}", decorators=f"@tracked_script(watch=({module!r},))")
    hosted.write("shop/rates.py", "RATE = 1\n")
    hosted.command("shop.after_commit", decorators="@tracked_script(atomic=True)", body=AFTER_COMMIT)
    hosted.command("shop.fails", body="raise ValueError('broken')")
    hosted.manage("run_scripts", "--continue-on-error", code=1)
    hosted.command("shop.marked")
    hosted.manage("check_scripts", "--mark-applied", "marked", "--reason", "ran before")
    hosted.manage("check_scripts", "--unmark", "unmarked", "again", "--reason", "was wrong")
    hosted.manage("again")
    first = hosted.path("shop.reverted").read_text()
    for name in ("reverted", "modified"):
        hosted.command(f"shop.{name}", body="self.stdout.write('second')")
    hosted.manage("reverted")
    hosted.write("shop/management/commands/reverted.py", first)
    hosted.write("shop/rates.py", "RATE = 2\n")
    hosted.path("shop.gone").unlink()
    hosted.command("shop.lost")
    hosted.manage("lost")
    lost = "(SELECT id FROM scripts_tracker_script WHERE name = 'lost')"
    begun = "outcome = 'running', applies = (1 = 0)"
    hosted.execute(f"UPDATE scripts_tracker_scriptrun SET {begun} WHERE script_id = {lost}")  # noqa: S608 - our own words
    hosted.execute("UPDATE scripts_tracker_scriptrun SET pid = 4194305, host = 'elsewhere', process = ''")
    hosted.execute("UPDATE scripts_tracker_script SET lease_expires = 1 WHERE name = 'lost'")


STATES = {
    "shop.after_commit": "applied",
    "shop.again": "applied",
    "shop.applied": "applied",
    "shop.fails": "failed",
    "shop.gone": "missing",
    "shop.lost": "lost",
    "shop.marked": "applied",
    "shop.modified": "modified",
    "shop.reverted": "reverted",
    "shop.unmarked": "new",
    "shop.watched_change": "modified",
    "shop.watching": "applied",
}


def scripts_of(hosted: HostedProject) -> list[dict[str, Any]]:
    """What a check says of every script, without the times of leases, which pass."""
    found: list[dict[str, Any]] = hosted.check("--all")["scripts"]
    return [{**one, "lease": None} for one in found]


OLD_COLUMNS = """SELECT s.name, v.algorithm, v.digest, s.lease_token <> '', s.lease_expires
FROM scripts_tracker_script s LEFT JOIN scripts_tracker_scriptrun r ON r.id = s.applied_run_id
LEFT JOIN scripts_tracker_scriptversion v ON v.id = r.version_id AND v.applied_at IS NOT NULL"""


APPLYING = "SELECT DISTINCT version_id FROM scripts_tracker_scriptrun WHERE applies ORDER BY version_id"
EVER_APPLIED = "SELECT id FROM scripts_tracker_scriptversion WHERE applied_at IS NOT NULL ORDER BY id"


def test_the_way_back_and_forth_loses_nothing_that_was_applied(hosted: HostedProject) -> None:
    every_state(hosted)
    before = scripts_of(hosted)
    assert {one["script"]: one["state"] for one in before} == STATES
    history = "SELECT id, applies, watched, arguments FROM scripts_tracker_scriptrun ORDER BY id"
    runs, ever = hosted.execute(history), hosted.execute(APPLYING)
    hosted.python(f"from tests.ledger.earlier_ledgers import back_and_forth; back_and_forth({len(before)})")
    assert scripts_of(hosted) == before
    hosted.migrate(APP, "0001")
    rows = {name: rest for name, *rest in hosted.execute(OLD_COLUMNS)}
    for one in before:
        algorithm, digest, is_held, expires = rows[one["script"].removeprefix("shop.")]
        assert one["applied_fingerprint"] == (f"{algorithm}:{digest}" if digest else None), one
        assert bool(is_held) is (one["state"] == "lost"), one
        assert expires == is_held, one
    assert hosted.execute(EVER_APPLIED) == ever
    hosted.migrate(APP)
    assert scripts_of(hosted) == before
    assert hosted.execute(history) == runs
    hosted.migrate(APP, "zero")
    hosted.migrate(APP)
    assert {one["state"] for one in scripts_of(hosted)} == {"new"}


def test_what_each_earlier_version_of_the_code_has_written_means_the_same_after_the_upgrade(
    hosted: HostedProject,
) -> None:
    times = (*TIMES, "late")
    for past, what in PASTS.items():
        for time in times if what.has_file else ():
            hosted.command(f"shop.{name_of(past, time)}")
    hosted.python("from tests.ledger.earlier_ledgers import live; live()")
    assert hosted.states() == {
        f"shop.{name_of(past, time)}": what.state for past, what in PASTS.items() for time in times
    }


def test_every_migration_is_a_time_of_the_earlier_ledgers() -> None:
    assert max(TIMES) == NEWEST_MIGRATION[:4], "add it to TIMES in tests/ledger/earlier_ledgers.py"


def test_the_models_need_no_further_migration(db: None) -> None:
    call_command("makemigrations", APP, check=True, dry_run=True, verbosity=0)
