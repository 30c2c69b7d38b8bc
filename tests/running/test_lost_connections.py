"""The connection is lost in the middle of a script: a failed run, recorded when the database is back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pymysql
import pytest

from tests.databases.fixtures import SERVERS, HostedProject
from tests.databases.kinds import MariaDB, PostgreSQL
from tests.databases.proxy import Proxy, proxy_to
from tests.running.shops import Shop
from tests.waiting import wait_for

SESSIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND pid <> pg_backend_pid()",
    "mariadb": "SELECT id FROM information_schema.processlist WHERE db = '{}' AND id <> connection_id()",
}
END = {"postgresql": "SELECT pg_terminate_backend({})", "mariadb": "KILL {}"}

EVERY_WAY = pytest.mark.parametrize("options", ["", "atomic=True"], ids=["plain", "atomic"])


def sessions(project: HostedProject) -> list[int]:
    """Every session of the project's processes."""
    return [key for (key,) in project.execute(SESSIONS[project.kind.engine].format(project.database))]


def end_sessions(project: HostedProject) -> None:
    """As an administrator would; one may have ended by itself by then."""
    found = sessions(project)
    assert found
    for session in found:
        with contextlib.suppress(pymysql.err.OperationalError):
            project.execute(END[project.kind.engine].format(session))


def assert_it_failed_and_runs_again(shop: Shop) -> None:
    assert shop.outcomes() == ["failed"]
    ((reason, ended),) = shop.project.execute("SELECT reason, ended_at FROM scripts_tracker_scriptrun")
    assert reason.startswith("django.db.utils.OperationalError")
    assert ended is not None
    assert shop.states() == {"shop.long": "failed"}
    again = shop.run("run_scripts")
    assert again.code == 0, again.err
    assert shop.states() == {"shop.long": "applied"}
    assert shop.effects()["after"] == 1


@SERVERS
@EVERY_WAY
def test_a_session_that_the_server_ends_is_a_failed_run(shop: Shop, options: str) -> None:
    shop.script("shop.long", "effect('before'); hold('long'); effect('after')", options=options)
    runner = shop.hold("long", "run_scripts")
    end_sessions(shop.project)
    shop.go("long")
    assert runner.wait() == 1
    assert_it_failed_and_runs_again(shop)


@pytest.fixture
def way(shop: Shop) -> Iterator[Proxy]:
    """Between the shop and its server."""
    kind = shop.project.kind
    assert isinstance(kind, PostgreSQL | MariaDB)
    with proxy_to(kind.server.host, kind.server.port) as made:
        shop.project.settings(kind.settings_at("127.0.0.1", made.port, shop.project.database))
        yield made


@SERVERS
@EVERY_WAY
def test_a_short_network_failure_is_a_failed_run(shop: Shop, way: Proxy, options: str) -> None:
    shop.script("shop.long", "effect('before'); hold('long'); effect('after')", options=options)
    runner = shop.hold("long", "run_scripts")
    way.cut()
    shop.go("long")
    refused = way.refused
    wait_for(lambda: way.refused >= refused + 3, "the ledger is looked for")
    way.repair()
    assert runner.wait() == 1
    assert_it_failed_and_runs_again(shop)


@SERVERS
def test_work_that_was_done_is_recorded_when_the_network_is_back(shop: Shop, way: Proxy) -> None:
    shop.script("shop.long", "effect('before'); hold('long')")
    runner = shop.hold("long", "run_scripts")
    way.cut()
    shop.go("long")
    refused = way.refused
    wait_for(lambda: way.refused >= refused + 3, "the ledger is looked for")
    way.repair()
    assert runner.wait() == 0, runner.err
    assert shop.outcomes() == ["succeeded"]
    assert shop.states() == {"shop.long": "applied"}


@SERVERS
def test_a_runner_that_waits_for_another_goes_on_waiting(shop: Shop) -> None:
    shop.script("shop.long", "effect('before'); hold('long')")
    holder = shop.hold("long", "run_scripts")
    (waiter,) = shop.start(("run_scripts", "--wait", "600"))
    wait_for(lambda: waiter.files[0].exists() and "waiting" in waiter.out, "the other waits")
    for _ in range(3):
        end_sessions(shop.project)
        wait_for(lambda: bool(sessions(shop.project)), "a session is there again")
    shop.go("long")
    assert (holder.wait(), waiter.wait()) == (0, 0), waiter.err
    assert "done on " in waiter.out
    assert shop.outcomes() == ["succeeded"]
    assert shop.effects() == {"before": 1}
