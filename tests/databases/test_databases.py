"""The product's main job on each kind of database, and what the tests' own machinery promises."""

from __future__ import annotations

import sys
import time

import pytest

from tests.conftest import Project
from tests.databases import servers
from tests.databases.clocks import off_by
from tests.databases.fixtures import WITH_PGBOUNCER, HostedProject
from tests.databases.kinds import MariaDB, PostgreSQL


@WITH_PGBOUNCER
def test_the_main_job_is_done(hosted: HostedProject) -> None:
    hosted.command("shop.works")
    hosted.command("shop.breaks", body="raise ValueError")
    hosted.command("stock.whole", decorators="@tracked_script(atomic=True)")
    assert set(hosted.states().values()) == {"new"}
    hosted.manage("works")
    hosted.manage("breaks", code=1)
    hosted.manage("whole")
    assert hosted.states() == {"shop.works": "applied", "shop.breaks": "failed", "stock.whole": "applied"}
    outcomes = hosted.execute("SELECT outcome FROM scripts_tracker_scriptrun ORDER BY id")
    assert outcomes == [("succeeded",), ("failed",), ("succeeded",)]


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_only_the_wall_clock_is_off(project: Project, seconds: int) -> None:
    code = (
        "import sqlite3, threading, time\n"
        "began = time.monotonic()\n"
        "threading.Event().wait(0.1); time.sleep(0.1)\n"
        "now = sqlite3.connect(':memory:').execute(\"SELECT strftime('%s')\").fetchone()[0]\n"
        "print(began, time.monotonic() - began, time.time(), now)"
    )
    wall, ticks = time.time(), time.monotonic()
    began, lasted, here, in_sqlite = map(
        float, project.run(sys.executable, "-c", code, **off_by(seconds)).out.split()
    )
    assert 0 <= began - ticks < 600
    assert 0.2 <= lasted < 600
    assert 0 <= here - wall - seconds < 600
    assert -1 <= in_sqlite - wall - seconds < 600


@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB])
@pytest.mark.parametrize("required", ["", "required"])
def test_an_absent_server_is_a_skip_and_in_ci_a_failure(
    kind: type[PostgreSQL | MariaDB], required: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTS_TRACKER_DATABASES", required)
    monkeypatch.setenv("NOWHERE", "any://somebody:p%40ss@127.0.0.1:1/x")
    nowhere = servers.server("NOWHERE", "any://root@127.0.0.1:2")
    assert nowhere == servers.Server("127.0.0.1", 1, "somebody", "p@ss", "x")
    expected = pytest.fail.Exception if required else pytest.skip.Exception
    with pytest.raises(expected, match="answers where SCRIPTS_TRACKER_"):
        kind(nowhere).need()
