"""Batched scripts in processes that are killed, frozen and cut off: every row is processed exactly once."""

from __future__ import annotations

import contextlib
import re
from types import SimpleNamespace
from typing import Any

import pytest

from scripts_tracker.running import batch
from tests.databases.fixtures import SERVERS, WITH_PGBOUNCER
from tests.running.shops import NOW
from tests.running.walks import HIT, Walks
from tests.waiting import wait_for

# Effect and cursor in transactions of their own, as other tools have it.
APART = """\
import contextlib
from scripts_tracker.ledger import sessions, walks
save = walks.save_cursor
walks.save_cursor = lambda run, part, saved: save(run, part, saved._replace(mark=""))
sessions.one_transaction = lambda *_: contextlib.nullcontext()"""
# The process dies when the effect is there and the cursor is not.
DIE = f"""\
{HIT}
        mark = pathlib.Path(__file__).with_name("died")
        if batch.filter(pk=57).exists() and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)"""


@pytest.mark.parametrize(("before", "twice"), [("", 0), (APART, 10)], ids=["as it is", "control"])
@WITH_PGBOUNCER
def test_a_batch_of_a_killed_process_is_as_if_it_had_never_been(
    walks: Walks, before: str, twice: int
) -> None:
    walks.rows(range(160))
    walks.script(DIE, before=before)
    assert walks.shop.run("walk").code == -9
    walks.expire()
    assert walks.shop.states() == {"shop.walk": "lost"}
    done = walks.shop.run("walk")
    assert (done.code, done.err) == (0, "")
    assert walks.hits() == ({1: 160} if not twice else {1: 150, 2: 10})
    assert walks.shop.outcomes() == ["lost", "succeeded"]


HOLD = f"""\
if batch.filter(pk=57).exists():
            hold("frozen")
        {HIT}"""


@SERVERS
def test_a_frozen_worker_is_fenced_when_another_has_taken_over(walks: Walks) -> None:
    walks.rows(range(160))
    walks.script(HOLD, finish='effect("finish")')
    frozen = walks.shop.hold("frozen", "walk")
    walks.expire()
    walks.execute("UPDATE scripts_tracker_scriptrun SET token = 'frozen'")  # as its heartbeat would go on
    (other,) = walks.shop.start(("walk",))
    wait_for(
        lambda: len(list((walks.shop.project.root / "shop").glob("frozen.*"))) == 2, "another takes over"
    )
    walks.shop.go("frozen")
    assert other.wait() == 0, other.err
    assert frozen.wait() == 1
    assert "another worker has taken over the range of this one; its last batch was rolled back" in frozen.err
    assert walks.hits() == {1: 160}
    assert walks.shop.effects() == {"finish": 1}
    assert walks.shop.outcomes() == ["lost", "succeeded"]


# The settings of a shop have leases of ten minutes.
@SERVERS
def test_a_check_says_when_a_worker_gave_its_last_sign_of_life(walks: Walks) -> None:
    walks.rows(range(160))
    walks.script(HOLD)
    frozen = walks.shop.hold("frozen", "walk")
    now = NOW[walks.shop.project.kind.engine]
    # Of another token: the worker renews it no more.
    walks.execute(f"UPDATE scripts_tracker_scriptrun SET token = 'frozen', lease_expires = {now} + 558")  # noqa: S608 - our own words
    said = walks.shop.run("check_scripts", "--all")
    assert re.search(r"process \d+; last sign of life 4[2-9] s ago", said.out), said.out
    assert "free in" not in said.out, "the others go on"
    walks.shop.go("frozen")
    frozen.wait()


@SERVERS
def test_two_workers_share_the_ranges_and_one_does_the_end(walks: Walks) -> None:
    walks.rows(range(320))
    slow = f"""\
{HIT}
        here = pathlib.Path(__file__)
        here.with_name(str(os.getpid())).touch()
        while len([one for one in here.parent.iterdir() if one.name.isdigit()]) < 2:
            time.sleep(0.01)"""
    walks.script(slow, finish='effect("finish")')
    both = walks.shop.start(("walk",), ("walk",))
    assert [one.wait() for one in both] == [0, 0], [one.err for one in both]
    assert walks.hits() == {1: 320}
    assert walks.shop.effects() == {"finish": 1}
    assert walks.shop.outcomes() == ["succeeded", "succeeded"]
    rows = walks.execute("SELECT applies, reason FROM scripts_tracker_scriptrun")
    assert sorted((bool(applies), reason[:17]) for applies, reason in rows) == [
        (False, "worked beside run"),
        (True, ""),
    ]
    assert len(walks.execute("SELECT DISTINCT worker_id FROM scripts_tracker_scriptrange")) == 2


TERM = f"""\
{HIT}
        mark = pathlib.Path(__file__).with_name("signalled")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), {{number}})
            effect("after the signal")"""


@pytest.mark.parametrize(("number", "code"), [(15, -15), (2, -2)])
def test_a_signal_ends_the_work_when_the_batch_is_committed(walks: Walks, number: int, code: int) -> None:
    walks.rows(range(160))
    walks.script(TERM.format(number=number))
    ended = walks.shop.run("walk")
    assert ended.code == code, ended.err
    assert walks.hits() == {0: 150, 1: 10}
    assert walks.shop.effects() == {"after the signal": 1}
    held = "SELECT COUNT(*) FROM scripts_tracker_scriptrange WHERE worker_id IS NOT NULL"
    assert walks.execute(held) == [(0,)]
    assert walks.shop.run("walk").code == 0
    assert walks.hits() == {1: 160}


CUT = f"""\
{HIT}
        mark = pathlib.Path(__file__).with_name("cut")
        if not mark.exists():
            mark.touch()
            kill = "SELECT pg_terminate_backend(pg_backend_pid())" if connection.vendor == "postgresql" else "KILL CONNECTION_ID()"
            connection.cursor().execute(kill)"""


@SERVERS
def test_a_lost_connection_costs_one_try(walks: Walks) -> None:
    walks.rows(range(160))
    walks.script(CUT)
    done = walks.shop.run("walk")
    assert done.code == 0, done.err
    assert walks.hits() == {1: 160}


LOCK = f"""\
import threading
        mark = pathlib.Path(__file__).with_name("locked")
        if not mark.exists():
            mark.touch()
            locked, key = threading.Event(), batch.order_by("pk").last().pk
            def lock():
                with transaction.atomic():
                    Row.objects.select_for_update().get(pk=key)
                    locked.set()
                    time.sleep(2.5)
                connection.close()
            threading.Thread(target=lock).start()
            locked.wait()
        {HIT}"""


@SERVERS
def test_a_batch_does_not_wait_long_for_a_lock_and_comes_back(walks: Walks) -> None:
    walks.rows(range(16))
    walks.script(LOCK)
    done = walks.shop.run("walk")
    assert done.code == 0, done.err
    assert walks.hits() == {1: 16}


SHORT = "from scripts_tracker.running import batch\nbatch._LEAST_STATEMENT_SECONDS = 1"
SLOW = f"""\
mark = pathlib.Path(__file__).with_name("slow")
        if not mark.exists():
            mark.touch()
            sleep = "pg_sleep(20) IS NULL" if connection.vendor == "postgresql" else "SLEEP(20) > 0"
            connection.cursor().execute(f"UPDATE shop_row SET hits = 7 WHERE id = 3 AND {{sleep}}")
            effect("it slept")
        {HIT}"""  # noqa: S608 - our own names


@SERVERS
def test_a_statement_that_takes_too_long_is_cancelled_whatever_it_is(walks: Walks) -> None:
    walks.rows(range(16))
    walks.script(SLOW, before=SHORT)
    done = walks.shop.run("walk")
    assert done.code == 0, done.err
    assert walks.hits() == {1: 16}
    assert walks.shop.effects() == {}


class Mysql:
    """A connection to MariaDB or MySQL, as Django has it; keeps the statements that it gets."""

    vendor = "mysql"

    def __init__(self, *, is_mariadb: bool) -> None:
        self.mysql_is_mariadb = is_mariadb
        self.connection = object()
        self.statements: list[str] = []

    def cursor(self) -> Any:
        def execute(statement: str, _params: object = None) -> None:
            self.statements.append(statement)

        cursor = SimpleNamespace(execute=execute, fetchone=lambda: (50, 0, 0))
        return contextlib.nullcontext(cursor)


VARIABLES = {
    True: ["innodb_lock_wait_timeout", "max_statement_time", "idle_transaction_timeout"],
    False: ["innodb_lock_wait_timeout", "max_execution_time", "wait_timeout"],
}


@pytest.mark.parametrize(("is_mariadb", "names"), VARIABLES.items(), ids=["mariadb", "mysql"])
def test_mysql_and_mariadb_get_the_timeouts_that_each_knows(
    monkeypatch: pytest.MonkeyPatch, *, is_mariadb: bool, names: list[str]
) -> None:
    server = Mysql(is_mariadb=is_mariadb)
    monkeypatch.setattr(batch, "connections", {"default": server})
    timeouts = batch.Timeouts("default", 1.0, 60.0)
    timeouts.apply()
    timeouts.apply()
    read = f"SELECT {', '.join(f'@@SESSION.{name}' for name in names)}"
    write = f"SET {', '.join(f'SESSION {name} = %s' for name in names)}"
    assert server.statements == [read, write], "once for each connection"
    timeouts.restore()
    assert server.statements == [read, write, write]


@pytest.mark.parametrize("kind_name", ["sqlite"])
def test_rows_in_another_database_are_said_to_be_processed_at_least_once(walks: Walks) -> None:
    walks.rows(range(160))
    root = walks.shop.project.root
    walks.shop.project.settings(
        "DATABASES['ledger'] = {**DATABASES['default'], 'NAME': str(BASE_DIR / 'ledger.sqlite3')}\n"
        "SCRIPTS_TRACKER['database'] = 'ledger'"
    )
    assert walks.shop.run("migrate", "--database", "ledger").code == 0
    assert (root / "ledger.sqlite3").exists()
    walks.script()
    done = walks.shop.run("walk")
    assert done.code == 0, done.err
    assert "may be processed twice after a crash" in done.err
    assert walks.hits() == {1: 160}


BROKEN = {
    "COMMIT": ("connection.cursor().execute('COMMIT')", "ended the transaction of its batch"),
    "COMMIT and more": (
        "connection.cursor().execute('COMMIT'); Row.objects.count()",
        "ended the transaction of its batch",
    ),
    "a block that is not left": ("transaction.atomic().__enter__()", "left a transaction open"),
    "the connection is closed": ("connection.close()", "undid the transaction of its batch"),
}


@pytest.mark.parametrize(("process", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_batch_that_breaks_its_transaction_is_named_and_not_repeated(
    walks: Walks, process: str, message: str
) -> None:
    walks.rows([1])
    walks.script(f"effect('tried'); {process}", options="(unless=())")
    failed = walks.shop.run("walk")
    assert failed.code == 1
    assert message in failed.err
    assert walks.shop.effects()["tried"] <= 1
    assert walks.hits() == {0: 1}


ISOLATION = {"postgresql": "4", "mariadb": "'serializable'"}


@SERVERS
def test_workers_share_a_walk_in_serializable_transactions(walks: Walks, kind_name: str) -> None:
    walks.shop.project.settings(
        f"DATABASES['default'].setdefault('OPTIONS', {{}})['isolation_level'] = {ISOLATION[kind_name]}"
    )
    walks.rows(range(160))
    walks.script(finish='effect("finish")')
    workers = walks.shop.start(("walk",), ("walk",), ("walk",))
    assert [one.wait() for one in workers] == [0, 0, 0], [one.err for one in workers]
    assert len(walks.hits()) == 1  # one that starts after the end begins again
    assert walks.shop.states() == {"shop.walk": "applied"}


@SERVERS
def test_a_table_without_transactions_is_named_at_the_start(walks: Walks) -> None:
    if walks.shop.project.kind.engine != "mariadb":
        pytest.skip("others have no such tables")
    walks.execute("ALTER TABLE shop_row ENGINE=MyISAM")
    walks.rows(range(1, 4))
    walks.script()
    done = walks.shop.run("run_scripts")
    assert done.code == 0
    assert done.err == (
        "Warning: shop.walk: table shop_row has no transactions, so rows may be processed twice where a batch fails or is"
        " killed (exactly once needs an engine such as InnoDB).\n"
    )
