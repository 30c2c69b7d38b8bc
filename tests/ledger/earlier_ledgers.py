"""A ledger that has lived through every migration: at each of them, rows are written as the code of that time wrote them.

It runs inside a project, in one process: ``python("from tests.ledger.earlier_ledgers import live; live()")``.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

APP: Final = "scripts_tracker"
TIMES: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")


class Past(NamedTuple):
    """What happened to a script.

    Attributes:
        runs: kind, outcome, and whether at the version that the file has now.
        state: what a check says about it since.
        has_file: whether the file is still there.
    """

    runs: tuple[tuple[str, str, bool], ...]
    state: str
    has_file: bool = True


PASTS: Final = {
    "ran": Past((("run", "succeeded", True),), "applied"),
    "marked": Past((("mark", "succeeded", True),), "applied"),
    "changed": Past((("run", "succeeded", False),), "modified"),
    "rolled_back": Past((("run", "succeeded", True), ("run", "succeeded", False)), "reverted"),
    "failed": Past((("run", "failed", True),), "failed"),
    "failed_at_first": Past((("run", "failed", True), ("run", "succeeded", True)), "applied"),
    "failed_since": Past((("run", "succeeded", True), ("run", "failed", True)), "failed"),
    "rehearsed": Past((("rehearsal", "succeeded", True),), "new"),
    "rehearsed_since": Past((("run", "succeeded", True), ("rehearsal", "succeeded", True)), "applied"),
    "unmarked": Past((("run", "succeeded", True), ("unmark", "succeeded", True)), "new"),
    "killed": Past((("run", "running", True),), "lost"),
    "removed": Past((("run", "succeeded", True),), "missing", has_file=False),
}


def name_of(past: str, time: str) -> str:
    return f"{past}_{time}"


def live() -> None:
    """Go back to the first migration, write, migrate, and so on; at last, code of 0005 writes into the newest tables."""
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.loader import MigrationLoader

    loader: Any = MigrationLoader(connection)
    names = {key[1][:4]: key for key in loader.disk_migrations if key[0] == APP}
    for time in TIMES:
        call_command("migrate", APP, time, verbosity=0)
        _write(loader.project_state(names[time]).apps, time, time)
    call_command("migrate", APP, verbosity=0)
    _write(loader.project_state(names["0005"]).apps, "0005", "late")


def back_and_forth(scripts: int) -> None:
    """Go back to each migration and from there to the newest one, with the rows that are there.

    Args:
        scripts: how many there are all the time.
    """
    from django.core.management import call_command
    from django.db import connection

    for time in reversed(TIMES[:-1]):
        call_command("migrate", APP, time, verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute("SELECT COUNT(*) FROM scripts_tracker_script")
            assert cursor.fetchone() == (scripts,)
        call_command("migrate", APP, verbosity=0)


def _write(apps: Any, time: str, suffix: str) -> None:
    for past, what in PASTS.items():
        _write_script(apps, time, name_of(past, suffix), what)


def _write_script(apps: Any, time: str, name: str, past: Past) -> None:
    from django.utils import timezone

    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger import statements

    def model(label: str) -> Any:
        return apps.get_model(APP, label).objects

    is_first = time == TIMES[0]
    identity = statements.identity_of(ScriptId("shop", name))
    script = model("Script").create(identity=identity, app_label="shop", name=name)
    for number, (kind, outcome, is_now) in enumerate(past.runs):
        now = timezone.now()
        applies = outcome == "succeeded" and kind in {"run", "mark"}
        version, _ = model("ScriptVersion").get_or_create(
            script=script, **_version(name, past, number, is_now)
        )
        if is_first and applies:
            version.applied_at = now
            version.save()
        ended_at = None if outcome == "running" else now
        facts = {"script": script, "kind": kind, "outcome": outcome, "started_at": now, "ended_at": ended_at}
        run = model("ScriptRun").create(
            version=version, **facts, **({} if is_first else {"applies": applies})
        )
        if kind != "rehearsal":
            _make_last(script, run, kind, is_first=is_first, applies=applies)


def _version(name: str, past: Past, number: int, is_now: bool) -> dict[str, str]:  # noqa: FBT001 - of a table
    """The columns of a version: of the file as it is, or of one that only the ledger knows."""
    from pathlib import Path

    from django.conf import settings

    from scripts_tracker.analysis.fingerprint import fingerprint

    if not (is_now and past.has_file):
        return {"algorithm": "st1", "digest": f"{number + 1}" * 64, "content_digest": f"{number + 1}" * 64}
    source = Path(settings.BASE_DIR, "shop", "management", "commands", f"{name}.py").read_bytes()
    found = fingerprint(source)
    return {
        "algorithm": found.algorithm,
        "digest": found.digest,
        "content_digest": hashlib.sha256(source).hexdigest(),
    }


def _make_last(script: Any, run: Any, kind: str, *, is_first: bool, applies: bool) -> None:
    before = script.last_run
    script.last_run = run
    if kind == "unmark":
        script.applied_run = None
    elif is_first:
        # At first, the run that applied a script was named, even where it was the last one.
        script.applied_run = run if applies else script.applied_run
    elif before is not None and before.applies:
        script.applied_run = before
    if run.outcome == "running":
        script.lease_expires = 1
        if is_first:
            script.lease_token = "x" * 32
    script.save()
