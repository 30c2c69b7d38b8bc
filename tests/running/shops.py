"""Shops whose scripts leave effects to count, and the processes that run them."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ENVIRONMENT, PLAIN, warm_parent
from tests.databases.clocks import off_by
from tests.databases.fixtures import HostedProject
from tests.waiting import wait_for
from tests.warm.client import Process, Warm

# What the scripts do: leave a row, or wait for the test.
DOING = """\
import os, pathlib, time
from django.db import connection, connections

HERE = pathlib.Path(__file__).parent

def effect(name):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effect (name) VALUES (%s)", [name])

def effect_in(alias, name):
    with connections[alias].cursor() as cursor:
        cursor.execute("INSERT INTO effect (name) VALUES (%s)", [name])

def hold(name):
    (HERE / f"{name}.{os.getpid()}").touch()
    while not (HERE / f"{name}.go").exists():
        time.sleep(0.01)
"""

NOW = {
    "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
    "postgresql": "EXTRACT(EPOCH FROM clock_timestamp())",
    "mariadb": "(TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)) / 1e6)",
}


@functools.cache
def _host(clock: int) -> Warm:
    """One for this process of pytest, ended with it."""
    made = Warm({**ENVIRONMENT, **PLAIN, **off_by(clock)})
    atexit.register(made.end)
    return made


class Shop:
    """A project on one kind of database, with a lease that a live process never loses, however busy the machine is."""

    def __init__(self, project: HostedProject, processes: contextlib.ExitStack) -> None:
        self.project = project
        self._processes = processes
        project.execute("CREATE TABLE effect (name varchar(100) NOT NULL)")
        project.write("shop/doing.py", DOING)
        self.lease(600, sign_of_life=0.5)

    def lease(self, seconds: float, *, sign_of_life: float = 0) -> None:
        """How long a lease lasts, and how often it is renewed: four times as often by default."""
        self.project.settings(
            f"SCRIPTS_TRACKER = {{'lease_seconds': {seconds}, 'heartbeat_seconds': {sign_of_life or seconds / 4}}}"
        )

    def script(self, name: str, body: str, *, options: str = "", requires: tuple[str, ...] = ()) -> None:
        required = "".join(f'\n    @required_preceding_script("{one}")' for one in requires)
        self.project.command(
            name,
            decorators=f"@tracked_script({options}){required}",
            body=f"from shop.doing import effect, hold\n        {body}",
        )

    def start(self, *commands: tuple[str, ...], warm: Warm | None = None) -> list[Process]:
        """Start manage.py processes, all at once; what is left of them ends with the test."""
        started = (warm or warm_parent()).start(self.project.root, *commands)
        for process in started:
            self._processes.enter_context(process)
        return started

    def run(self, *command: str, warm: Warm | None = None) -> Process:
        (process,) = self.start(command, warm=warm)
        process.wait()
        return process

    def host(self, clock: int) -> Warm:
        """The warm parent of processes on a host whose clock is off by so many seconds."""
        return _host(clock)

    def hold(self, name: str, *command: str, warm: Warm | None = None) -> Process:
        """Start what is going to hold a script, and wait until it does."""
        (process,) = self.start(command, warm=warm)
        mark = self.project.root / "shop" / f"{name}.{process.pid}"
        wait_for(mark.exists, f"{name} holds")
        return process

    def go(self, name: str) -> Path:
        """Let what holds come to its end."""
        return self.project.write(f"shop/{name}.go", "")

    def states(self) -> dict[str, str]:
        process = self.run("check_scripts", "--all", "--format", "json")
        assert process.code == 0, process.err
        return {one["script"]: one["state"] for one in json.loads(process.out)["scripts"]}

    def effects(self) -> Counter[str]:
        return Counter(name for (name,) in self.project.execute("SELECT name FROM effect"))

    def outcomes(self) -> list[str]:
        rows = self.project.execute("SELECT outcome FROM scripts_tracker_scriptrun ORDER BY id")
        return [outcome for (outcome,) in rows]

    def lease_ends(self) -> float:
        """When the last lease runs out, in seconds from now by the database's clock; below 0 if all have."""
        now = NOW[self.project.kind.engine]
        ((ends,),) = self.project.execute(f"SELECT MAX(lease_expires - {now}) FROM scripts_tracker_script")  # noqa: S608 - our own words
        return float(ends or -1)

    def expire(self) -> None:
        """As if the time of every lease had passed."""
        now = NOW[self.project.kind.engine]
        self.project.execute(f"UPDATE scripts_tracker_script SET lease_expires = {now} - 0.001")  # noqa: S608 - our own words

    def forget_everything(self) -> None:
        self.project.execute("UPDATE scripts_tracker_script SET applied_run_id = NULL, last_run_id = NULL")
        for table in (
            "scripts_tracker_scriptrun",
            "scripts_tracker_scriptversion",
            "scripts_tracker_script",
            "effect",
        ):
            self.project.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words


@pytest.fixture
def shop(hosted: HostedProject) -> Iterator[Shop]:
    """A shop on each kind of database in turn; its processes end before its database goes."""
    with contextlib.ExitStack() as processes:
        yield Shop(hosted, processes)
