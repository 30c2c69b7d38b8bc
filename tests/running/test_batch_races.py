"""Workers of a batched script that meet: deadlocks, ends at the same time, decisions, and a database that is restored."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess

import pytest

from tests.databases.fixtures import SERVERS
from tests.databases.kinds import PostgreSQL
from tests.running.walks import HIT, Walks
from tests.waiting import wait_for

WORK = ("run_scripts", "shop.walk", "--wait", "600")
POSTGRESQL = pytest.mark.parametrize("kind_name", ["postgresql"])

# Two processes wait for each other, once.
MEETING = """\
import os, pathlib, time
HERE = pathlib.Path(__file__).parent

def mark(name):
    return HERE / f"{name}.{os.getpid()}"

def meet(name):
    mark(name).touch()
    while len([*HERE.glob(f"{name}.*")]) < 2:
        time.sleep(0.01)
"""
MEET = "from shop.meeting import HERE, mark, meet"

# Two change the rows of another table: in their first batches, one begins with row 1 and the other with row 2.
CROSS = """\
from django.db import OperationalError
        rows, order = batch.update(hits=F("hits") + 1), [1, 2]
        if not mark("crossed").exists():
            try:
                (HERE / "first").mkdir()
            except FileExistsError:
                order.reverse()
        try:
            for number in order:
                with connection.cursor() as cursor:
                    cursor.execute("UPDATE shared SET hits = hits + %s WHERE id = %s", [rows, number])
                meet("crossed")
        except OperationalError as error:
            (HERE / "failed").write_text(str(error))
            raise"""


@pytest.fixture
def walks(walks: Walks) -> Walks:
    walks.shop.project.write("shop/meeting.py", MEETING)
    return walks


@SERVERS
def test_a_deadlock_between_two_workers_costs_one_try_and_halves_the_batch(walks: Walks) -> None:
    walks.execute("CREATE TABLE shared (id integer NOT NULL PRIMARY KEY, hits integer NOT NULL)")
    walks.execute("INSERT INTO shared (id, hits) VALUES (1, 0), (2, 0)")
    walks.rows(range(160))
    # A lock may be waited for as long as a batch takes: PostgreSQL looks for deadlocks after a second.
    walks.script(CROSS, before=MEET, size=11, attributes="batch_seconds = 60")
    both = walks.shop.start(WORK, WORK)
    assert [one.wait() for one in both] == [0, 0], [one.err for one in both]
    assert "eadlock" in (walks.shop.project.root / "shop/failed").read_text()
    assert walks.hits() == {1: 160}
    assert walks.execute("SELECT hits FROM shared") == [(160,), (160,)]
    sizes = [int(size) for (size,) in walks.execute("SELECT batches FROM scripts_tracker_scriptrange")]
    assert sorted(sizes) == [1] * 15 + [2], "all 10 rows of a range at once, but where the deadlock was"


# Both have seen that nothing is left and that nobody does the end before either tries to.
AT_ONCE = f"""\
{MEET}
from scripts_tracker.ledger import walks
def begin_finish(run, now, begin=walks.begin_finish):
    meet("end")
    return begin(run, now)
walks.begin_finish = begin_finish"""


@SERVERS
def test_of_two_that_end_the_last_ranges_at_once_one_does_the_end(walks: Walks) -> None:
    walks.rows([1, 2])
    walks.script(f"{HIT}; meet('batch')", finish='effect("finish")', before=AT_ONCE)
    both = walks.shop.start(WORK, WORK)
    assert [one.wait() for one in both] == [0, 0], [one.err for one in both]
    assert walks.shop.effects() == {"finish": 1}
    assert walks.hits() == {1: 2}
    assert walks.shop.outcomes() == ["succeeded", "succeeded"]
    assert len(walks.execute("SELECT id FROM scripts_tracker_scriptrun WHERE applies")) == 1
    assert len(walks.execute("SELECT DISTINCT worker_id FROM scripts_tracker_scriptrange")) == 2


@SERVERS
def test_another_worker_does_the_end_when_the_one_that_was_at_it_is_killed(walks: Walks) -> None:
    walks.rows([1, 2])
    walks.script(f"{HIT}; meet('batch')", finish='hold("finish"); effect("finish")', before=MEET)
    both = walks.shop.start(WORK, WORK)
    marks = walks.shop.project.root / "shop"
    wait_for(lambda: [*marks.glob("finish.*")], "one is at the end")
    (mark,) = marks.glob("finish.*")
    victim = next(one for one in both if mark.name == f"finish.{one.pid}")
    (other,) = (one for one in both if one is not victim)
    victim.signal(signal.SIGKILL)
    victim.wait()
    walks.expire(victim.pid)
    wait_for(lambda: len([*marks.glob("finish.*")]) == 2, "the other one is at the end")
    walks.shop.go("finish")
    assert other.wait() == 0, other.err
    assert walks.shop.effects() == {"finish": 1}
    assert walks.hits() == {1: 2}
    assert sorted(walks.shop.outcomes()) == ["lost", "succeeded"]
    assert len(walks.execute("SELECT id FROM scripts_tracker_scriptrun WHERE applies")) == 1
    assert walks.shop.states() == {"shop.walk": "applied"}


THROTTLE = """\
def throttle():
    return None if (BASE_DIR / "calm").exists() else "the replica is behind"
SCRIPTS_TRACKER["throttle"] = [throttle]"""


@POSTGRESQL
def test_a_pause_ends_workers_that_wait_for_a_throttle(walks: Walks) -> None:
    walks.rows(range(160))
    walks.script()
    walks.shop.project.settings(THROTTLE)
    both = walks.shop.start(WORK, WORK)
    waits = "SELECT waiting FROM scripts_tracker_scriptrun WHERE waiting <> '' AND outcome = 'running'"
    wait_for(lambda: walks.execute(waits) == [("the replica is behind",)] * 2, "both wait")
    assert walks.shop.run("pause_script", "shop.walk", "--reason", "the disk is full").code == 0
    for worker in both:
        assert worker.wait() == 75, worker.err
        assert "paused by " in worker.out
        assert "the disk is full" in worker.out
    assert walks.hits() == {0: 160}
    walks.shop.project.write("calm", "")
    assert walks.shop.run("resume_script", "shop.walk").code == 0
    done = walks.shop.run("run_scripts")
    assert done.code == 0, done.err
    assert walks.hits() == {1: 160}


@POSTGRESQL
def test_of_two_that_cancel_at_once_one_decides_and_the_other_is_told(walks: Walks) -> None:
    walks.rows(range(160))
    walks.script(f'{HIT}; hold("batch")')
    worker = walks.shop.hold("batch", "walk")
    kind, database = walks.shop.project.kind, walks.shop.project.database
    assert isinstance(kind, PostgreSQL)
    waits = (
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        " AND query LIKE 'UPDATE%scriptwalk%'"
    )
    with kind.connected(database) as connection, connection.transaction():
        connection.execute("SELECT id FROM scripts_tracker_scriptwalk FOR UPDATE")
        reasons = ("the disk is full", "the replica is behind")
        both = walks.shop.start(*[("cancel_script", "shop.walk", "--reason", why) for why in reasons])
        wait_for(lambda: len(walks.execute(waits)) == 2, "both are about to decide")
    assert sorted(one.wait() for one in both) == [0, 1], [one.err for one in both]
    first, second = sorted(both, key=lambda one: one.code or 0)
    reason = reasons[both.index(first)]
    assert "in the meantime it was cancelled by " in second.err
    assert f": {reason}" in second.err
    cancels = "SELECT reason FROM scripts_tracker_scriptrun WHERE kind = 'cancel'"
    assert walks.execute(cancels) == [(reason,)]
    walks.shop.go("batch")
    assert worker.wait() == 75
    assert f": {reason}" in worker.err


# The largest number of its column: one more is an error of the database.
FULL = 2**31 - 1


@POSTGRESQL
def test_a_bad_row_stops_its_range_and_no_other_worker(walks: Walks) -> None:
    walks.rows(range(160))
    walks.execute(f"UPDATE shop_row SET hits = {FULL} WHERE id = 57")  # noqa: S608 - a number
    walks.script(f"meet('batch'); {HIT}", finish='effect("finish")', before=MEET)
    both = walks.shop.start(WORK, WORK)
    for worker in both:
        assert worker.wait() == 1
        assert "shop.walk has stopped at 9" in worker.out + worker.err
        assert "row 57: django.db.utils.DataError: integer out of range" in worker.out + worker.err
    assert walks.hits() == {1: 157, 0: 2, FULL: 1}, "50 to 59 are one range"
    assert walks.execute("SELECT number FROM scripts_tracker_scriptrange WHERE outcome = 'parked'") == [(5,)]
    assert walks.shop.effects() == {}
    assert walks.shop.states() == {"shop.walk": "failed"}
    walks.execute("UPDATE shop_row SET hits = 0 WHERE id = 57")
    done = walks.shop.run("run_scripts")
    assert done.code == 0, done.err
    assert walks.hits() == {1: 160}
    assert walks.shop.effects() == {"finish": 1}


# The process dies before or after one of its statements, whose number is in a file.
DIE = """\
import os, pathlib
from django.db import connection
root = pathlib.Path(__file__).parents[2]
todo = [float((root / "die").read_text())] if (root / "die").exists() else []
def die(execute, sql, params, many, context):
    if not todo:
        return execute(sql, params, many, context)
    todo[0] -= 1
    if 0 < todo[0] < 1:
        os.kill(os.getpid(), 9)
    result = execute(sql, params, many, context)
    if todo[0] == 0:
        os.kill(os.getpid(), 9)
    return result
connection.execute_wrappers.append(die)"""


@pytest.mark.parametrize("kind_name", ["sqlite"])
def test_a_worker_on_sqlite_that_is_killed_at_any_statement_leaves_no_row_out_and_none_twice(
    walks: Walks,
) -> None:
    moments = random.Random(7)  # noqa: S311 - to be had again
    walks.rows(range(160))
    walks.script(before=DIE, finish='effect("finish")')
    for _ in range(6):
        walks.shop.project.write("shop/die", str(moments.randint(10, 40) + moments.choice([0, 0.5])))
        died = walks.shop.run("walk")
        assert died.code == -9, died.err
        walks.expire()  # on SQLite it lasts from the start of a run
    assert set(walks.hits()) == {0, 1}, "some are done, and some are not"
    (walks.shop.project.root / "shop" / "die").unlink()
    done = walks.shop.run("walk")
    assert (done.code, done.err) == (0, "")
    assert walks.hits() == {1: 160}
    assert walks.shop.effects() == {"finish": 1}


@pytest.mark.parametrize("kind_name", ["sqlite"])
def test_on_sqlite_a_second_worker_is_told_that_the_script_is_held(walks: Walks) -> None:
    walks.rows(range(160))
    walks.script()
    walks.shop.project.settings(THROTTLE)  # between two batches nothing is locked
    (worker,) = walks.shop.start(("walk",))
    waits = "SELECT id FROM scripts_tracker_scriptrun WHERE waiting <> ''"
    wait_for(lambda: walks.execute(waits), "it waits")
    second = walks.shop.run("walk")
    assert second.code == 1
    assert "shop.walk was not run: " in second.err
    assert f"process {worker.pid}" in second.err
    walks.shop.project.write("calm", "")
    assert worker.wait() == 0, worker.err
    assert walks.hits() == {1: 160}


HALFWAY = f"""\
if batch.filter(pk=57).exists():
            hold("halfway")
        {HIT}"""


def test_a_restored_database_is_gone_on_with_when_its_leases_are_over(walks: Walks) -> None:
    walks.rows(range(160))
    walks.script(HALFWAY)
    worker = walks.shop.hold("halfway", "walk")
    project = walks.shop.project
    original, restored = project.database, f"{project.database}_restored"
    try:
        restore(walks, restored)
        at(walks, restored)
        walks.execute("UPDATE scripts_tracker_scriptrun SET host = 'elsewhere', process = 'elsewhere'")
        assert walks.shop.states() == {"shop.walk": "running"}
        walks.expire()
        assert walks.shop.states() == {"shop.walk": "lost"}
        (other,) = walks.shop.start(("walk",))
        marks = project.root / "shop"
        wait_for(lambda: len([*marks.glob("halfway.*")]) == 2, "it goes on from where the cursors are")
        assert walks.hits() == {1: 50, 0: 110}
        walks.shop.go("halfway")
        assert [other.wait(), worker.wait()] == [0, 0], [other.err, worker.err]
        assert walks.hits() == {1: 160}
        assert walks.shop.outcomes() == ["lost", "succeeded"]
    finally:
        at(walks, original)
        project.kind.drop(restored)
    assert walks.hits() == {1: 160}
    assert walks.shop.outcomes() == ["succeeded"]


def at(walks: Walks, database: str) -> None:
    """Use another database from here on; processes that run have read the settings."""
    project = walks.shop.project
    project.database = database
    text = (project.root / "settings.py").read_text()
    project.write("settings.py", f"{text}\n{project.kind.settings(database)}")


def restore(walks: Walks, name: str) -> None:
    """Make a copy of the database while it is in use, as from a backup."""
    kind, source = walks.shop.project.kind, walks.shop.project.database
    if not isinstance(kind, PostgreSQL):
        kind.copy(source, name)
        return
    if not (shutil.which("pg_dump") and shutil.which("psql")):
        pytest.skip("pg_dump and psql are not installed")
    kind.create(name)
    server = f"host={kind.server.host} port={kind.server.port} user={kind.server.user}"
    password = f" password={kind.server.password}" if kind.server.password else ""
    to = ["-d", f"{server}{password} dbname="]
    dump = subprocess.run(["pg_dump", to[0], to[1] + source], check=True, capture_output=True).stdout
    fill = ["psql", "-q", "-v", "ON_ERROR_STOP=1", to[0], to[1] + name]
    subprocess.run(fill, input=dump, check=True, capture_output=True)


SLOW = f"""\
{HIT}
        if batch.count() > 5:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(600)")"""
SHORT = "from scripts_tracker.running import batch; batch._LEAST_STATEMENT_SECONDS = 0.5"


@POSTGRESQL
def test_a_batch_whose_statement_takes_too_long_is_cut_off_and_halved(walks: Walks) -> None:
    walks.rows([*range(1, 11), 10_000])
    walks.script(SLOW, size=11, before=SHORT)
    done = walks.shop.run("walk")
    assert done.code == 0, done.err
    assert walks.hits() == {1: 11}
    batches = "SELECT keys, batches FROM scripts_tracker_scriptrange WHERE number = 0"
    assert walks.execute(batches) == [(10, 2)], "not all at once"
