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


@pytest.mark.parametrize("offset", ["+1h", "-1h"])
def test_a_clock_is_off_and_time_still_passes(project: Project, offset: str) -> None:
    code = (
        "import time, threading\n"
        "start = time.time(); threading.Event().wait(0.2); lasted = time.time() - start\n"
        "print(start, time.monotonic(), lasted)"
    )
    before, ticks = time.time(), time.monotonic()
    done = project.run(sys.executable, "-c", code, **off_by(offset))
    started, monotonic, lasted = map(float, done.out.split())
    assert abs(started - before - (3600 if offset == "+1h" else -3600)) < 600
    assert 0 <= monotonic - ticks < 600
    assert lasted >= 0.1


@pytest.mark.parametrize("kind", [PostgreSQL, MariaDB])
@pytest.mark.parametrize("required", ["", "required"])
def test_an_absent_server_is_a_skip_and_in_ci_a_failure(
    kind: type[PostgreSQL | MariaDB], required: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRIPTS_TRACKER_DATABASES", required)
    monkeypatch.setenv("SCRIPTS_TRACKER_NOWHERE", "any://somebody:p%40ss@127.0.0.1:1/x")
    nowhere = servers.server("SCRIPTS_TRACKER_NOWHERE", "any://root@127.0.0.1:2")
    assert nowhere == servers.Server("127.0.0.1", 1, "somebody", "p@ss", "x")
    expected = pytest.fail.Exception if required else pytest.skip.Exception
    with pytest.raises(expected, match="answers where SCRIPTS_TRACKER_"):
        kind(nowhere).need()
