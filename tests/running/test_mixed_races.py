"""Runs, marks, unmarks, adoption, releases and pruning of the same scripts at once.

What is wrong, of the executions of a script by a process:

* doubled: two were alive at once, and neither was released (a release says that the process is dead).
* lost: one did its work, and neither a success is recorded nor its process was refused with a message.
* an error: a line that no page documents, above all a traceback.

After each round every run has ended, and every script points to its last run and to the run that applies.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import pytest

from scripts_tracker.adoption.legacy_sources import md5
from tests.adoption.old_tracker import TABLE
from tests.conftest import MATRIX
from tests.running.racer import ATOMIC, SCRIPTS
from tests.running.shops import Shop
from tests.switches import at_length
from tests.waiting import wait_for

RACERS, STEPS, ROUNDS = 6, 5, at_length(40, sample=2)

# What a script does: it is alone, or says with whom it was not.
ALONE = """\
import contextlib, os, pathlib, time
from django.db import connection

HERE = pathlib.Path(__file__).parent

@contextlib.contextmanager
def alone(name):
    mark = HERE / f"{name}.alive.{os.getpid()}"
    mark.touch()
    try:
        for other in HERE.glob(f"{name}.alive.*"):
            if other != mark:
                (HERE / f"{name}.doubled.{os.getpid()}.{other.suffix[1:]}").touch()
        yield
    finally:
        mark.unlink()

def work(name):
    with alone(name):
        time.sleep(0.005)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO effect (name) VALUES (%s)", [f"{name} {os.getpid()}"])
"""

POSTGRESQL = (
    "import psycopg\nDATABASES['default']['OPTIONS'] = {{'isolation_level': psycopg.IsolationLevel.{}}}"
)
MARIADB = "DATABASES['default']['OPTIONS'] = {{'isolation_level': '{}'}}"
SQLITE = "DATABASES['default']['OPTIONS'] = {}"
# SQLite has no levels; what it has is how a transaction begins, and how writers and readers get along.
LEVELS = {
    "read committed": {
        "postgresql": POSTGRESQL.format("READ_COMMITTED"),
        "mariadb": MARIADB.format("read committed"),
        "sqlite": SQLITE.format("{}"),
    },
    "repeatable read": {
        "postgresql": POSTGRESQL.format("REPEATABLE_READ"),
        "mariadb": MARIADB.format("repeatable read"),
        "sqlite": SQLITE.format("{'init_command': 'PRAGMA journal_mode=wal'}"),
    },
    "serializable": {
        "postgresql": POSTGRESQL.format("SERIALIZABLE"),
        "mariadb": MARIADB.format("serializable"),
        "sqlite": SQLITE.format("{'transaction_mode': 'IMMEDIATE'}"),
    },
}

NAME = r"(?:shop|stock)\.s\d"
REFUSALS = (
    # Of a script that is held, by hand; of all scripts, while some wait for their adoption.
    rf"CommandError: {NAME} was not run: (running since .*|locked by another transaction)\. Wait until that ends\..*",
    r"Nothing was run: django-scripts-tracker ran scripts here before\. .*",
    # What a person released while it ran, or before its work began.
    rf".*{NAME} (finished|was not run|is still running)\b.* its run was released by .*",
    r"Some scripts did not run: \d+ (failed|held)(, \d+ (held|skipped))*\.",
    rf"Run 'python manage\.py show_script {NAME}( --watch)?' to .*",
    # Decisions.
    rf"{NAME} skipped: already applied",
    rf"{NAME} skipped: it is running; wait until it ends",
    rf"{NAME} skipped: another process ran or marked it in the meantime; look again: manage\.py check_scripts",
    rf"{NAME} skipped: it is not applied, so there is nothing to unmark",
    rf"{NAME} skipped: it is not running \(state: \w+\)",
    rf"{NAME} skipped: it has ended in the meantime",
)
OLD_TABLE = {
    "sqlite": "integer NOT NULL PRIMARY KEY AUTOINCREMENT",
    "postgresql": "serial PRIMARY KEY",
    "mariadb": "integer NOT NULL PRIMARY KEY AUTO_INCREMENT",
}
STAMP = {"sqlite": "datetime", "postgresql": "timestamp with time zone", "mariadb": "datetime(6)"}


def prepare(shop: Shop, level: str) -> None:
    """Four scripts, and the table of django-scripts-tracker."""
    project, engine = shop.project, shop.project.kind.engine
    project.settings(LEVELS[level][engine])
    project.write("shop/alone.py", ALONE)
    project.execute(
        f"CREATE TABLE {TABLE} (id {OLD_TABLE[engine]}, file_path varchar(500) NOT NULL,"
        f" file_hash varchar(100) NOT NULL, applied_date {STAMP[engine]} NOT NULL)"
    )
    for script in SCRIPTS:
        options = "atomic=True" if script in ATOMIC else ""
        project.command(
            script,
            decorators=f"@tracked_script({options})",
            body=f"from shop.alone import work; work({script!r})",
        )


def remember_the_old_tracker(shop: Shop) -> None:
    """What django-scripts-tracker has recorded of each script."""
    for script in SCRIPTS:
        file = shop.project.path(script)
        path, digest = file.relative_to(shop.project.root).as_posix(), md5(file.read_bytes())
        values = f"'{path}', '{digest}', '2019-03-04 10:22:33'"
        shop.project.execute(f"INSERT INTO {TABLE} (file_path, file_hash, applied_date) VALUES ({values})")  # noqa: S608 - our own words


def race(shop: Shop, number: int, *, prunes: bool) -> list[dict[str, Any]]:
    """What the racers of one round did."""
    folder = shop.project.root / f"round{number}"
    folder.mkdir()
    code = (
        "import os, django; os.environ['DJANGO_SETTINGS_MODULE'] = 'settings'; django.setup()\n"
        f"from tests.running.racer import main; main({{}}, {STEPS}, {str(folder)!r}, prunes={prunes})"
    )
    racers = shop.start(*[("-c", code.format(number * RACERS + each)) for each in range(RACERS)])
    wait_for(lambda: len(list(folder.glob("ready.*"))) == RACERS, "all are ready")
    (folder / "go").touch()
    for racer in racers:
        assert racer.wait() == 0, racer.err
        assert racer.err == ""
    return [json.loads(racer.out) for racer in racers]


def wrong_lines(racers: list[dict[str, Any]]) -> list[str]:
    """The commands with a line that should not be there, or without a line that says why they failed."""
    found = []
    for command, code, out, err in (each for racer in racers for each in racer["commands"]):
        lines = [line for line in err.splitlines() if line.strip()]
        if command[0] == "run_scripts" and code == 1:
            lines += [line for line in out.splitlines() if ": failed after" in line]
        wrong = [line for line in lines if not any(re.fullmatch(one, line) for one in REFUSALS)]
        waits = code == 2 and "To adopt its records" in err
        if wrong or not (code in {0, 1} or waits) or (code and not lines):
            found.append(f"{' '.join(command)}: {code}\n{out}{err}")
    return found


Runs = list[tuple[int, str, str, str, bool, int, str]]


def runs_of(shop: Shop) -> Runs:
    rows = shop.project.execute(
        "SELECT r.id, s.app_label, s.name, r.kind, r.outcome, r.applies, r.pid, r.reason"
        " FROM scripts_tracker_scriptrun r JOIN scripts_tracker_script s ON s.id = r.script_id ORDER BY r.id"
    )
    return [(pk, f"{app}.{name}", *rest) for pk, app, name, *rest in rows]


def assert_no_work_is_lost(shop: Shop, racers: list[dict[str, Any]], runs: Runs, *, prunes: bool) -> None:
    """Whatever did its work has its success recorded, or was released; a transaction was rolled back with it."""
    ends = Counter((script, racer["pid"], end) for racer in racers for script, end in racer["ends"])
    effects = {tuple(name.split()): count for name, count in shop.effects().items()}
    recorded = Counter(
        (name, pid) for _, name, kind, outcome, _, pid, _ in runs if (kind, outcome) == ("run", "succeeded")
    )
    released = Counter((name, pid) for _, name, _, outcome, _, pid, _ in runs if outcome == "lost")
    for script in SCRIPTS:
        for pid in [racer["pid"] for racer in racers]:
            done, succeeded = effects.get((script, str(pid)), 0), ends[script, pid, "succeeded"]
            refused = ends[script, pid, "failed"]
            assert refused == released[script, pid], (script, pid)
            # A run that was released before its work began did none.
            assert succeeded <= done <= succeeded + (0 if script in ATOMIC else refused), (script, pid)
            assert prunes or recorded[script, pid] == succeeded, (script, pid)


def assert_none_is_doubled(shop: Shop, runs: Runs) -> None:
    released = {(name, str(pid)) for _, name, _, outcome, _, pid, _ in runs if outcome == "lost"}
    for mark in (shop.project.root / "shop").glob("*.doubled.*"):
        app, name, _, *pids = mark.name.split(".")
        assert released & {(f"{app}.{name}", pid) for pid in pids}, mark.name
        mark.unlink()


def assert_every_script_points_to_its_runs(shop: Shop, runs: Runs) -> None:
    assert {outcome for _, _, _, outcome, _, _, _ in runs} <= {"succeeded", "failed", "lost"}
    rows = shop.project.execute(
        "SELECT app_label, name, last_run_id, applied_run_id FROM scripts_tracker_script"
    )
    for app, name, last, applied_before in rows:
        own = [run for run in runs if run[1] == f"{app}.{name}" and run[2] in {"run", "mark", "unmark"}]
        applying = [pk for pk, _, _, _, applies, _, _ in own if applies]
        assert last == max((run[0] for run in own), default=None), (app, name)
        newest = max(applying, default=None)
        assert newest in {last, applied_before}, (app, name)
        assert newest or applied_before is None, (app, name)


@pytest.mark.parametrize(
    "level", [pytest.param(one, marks=() if one == "read committed" else MATRIX) for one in LEVELS]
)
def test_nothing_is_lost_or_doubled_and_no_error_is_shown(shop: Shop, level: str) -> None:
    prepare(shop, level)
    for number in range(ROUNDS):
        prunes, adopts = number % 2 == 1, number % 4 in {0, 3}
        shop.project.execute(f"DELETE FROM {TABLE}")  # noqa: S608 - our own words
        if adopts:
            remember_the_old_tracker(shop)
        racers = race(shop, number, prunes=prunes)
        runs = runs_of(shop)
        assert not (wrong := wrong_lines(racers)), "\n\n".join(wrong)
        assert_none_is_doubled(shop, runs)
        assert_no_work_is_lost(shop, racers, runs, prunes=prunes)
        assert_every_script_points_to_its_runs(shop, runs)
        last = shop.run("run_scripts", "--wait", "600")
        assert last.code == 0, last.out + last.err
        assert set(shop.states().values()) == {"applied"}
        shop.forget_everything()
