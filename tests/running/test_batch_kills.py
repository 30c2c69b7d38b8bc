"""Workers of a batched script are killed and frozen at random moments: every row is processed exactly once."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import MATRIX
from tests.running.walks import HIT, Walks
from tests.switches import at_length
from tests.waiting import wait_for
from tests.warm.client import Process

# At full length, on each kind of database: 60,000 rows, 200 kills and 20 freezes among four workers.
ROWS, KILLS, FREEZES = at_length(60_000, sample=2_000), at_length(200, sample=5), at_length(20, sample=1)
WORKERS, BATCH, LEASE = 4, 10, 4
# However slow the machine is, the work must not be over before the last kill: a batch waits until it may be done.
PACE = f"{HIT}; wait_for_turn()"
PACING = """
import pathlib, time
from shop.models import Row

def wait_for_turn():
    limit = pathlib.Path(__file__).with_name("limit")
    while Row.objects.filter(hits__gt=0).count() > int(limit.read_text()):
        time.sleep(0.05)
    time.sleep(float(limit.with_name("pace").read_text()))
"""
TURNS = "from shop.pacing import wait_for_turn"
MOST = 0.8  # of the rows, until the last kill

# A cursor that is saved as by other tools: after the batch, in a transaction of its own.
APART = """
import time
from django.db import transaction
from scripts_tracker.ledger import walks

def save_apart(run, part, saved, save=walks.save_cursor):
    def later():
        time.sleep(0.1)
        save(run, part, saved._replace(mark=""))
    transaction.on_commit(later)
    outcome = "done" if saved.is_done else "open"
    return part._replace(record=part.record._replace(cursor=saved.cursor, outcome=outcome))

walks.save_cursor = save_apart
"""


class Herd:
    """Processes that each run the script as a worker; who is killed or ends early is replaced."""

    def __init__(self, walks: Walks, count: int, seed: int) -> None:
        self.walks = walks
        self.shop = walks.shop
        self.moments = random.Random(seed)  # noqa: S311 - to be had again
        self.alive: list[Process] = []
        self.takeovers = 0
        self._count = count

    def pace(self, share: float, seconds: float = 0.03) -> None:
        """Let a share of the rows go by, each batch in so many seconds."""
        for name, value in (("limit", int(share * ROWS)), ("pace", seconds)):
            file = self.shop.project.root / "shop" / name
            beside = file.with_name("new")
            beside.write_text(str(value))
            beside.replace(file)

    def fill_up(self) -> None:
        """Start a worker for each that is gone, all at once."""
        missing = self._count - len(self.alive)
        if not missing:
            return
        self.alive += self.shop.start(*[("run_scripts", "shop.walk", "--wait", "600")] * missing)

    def holders(self) -> dict[int, int]:
        """The workers that go through a range now: the keys of their runs by process."""
        rows = self.walks.execute(
            "SELECT u.pid, u.id FROM scripts_tracker_scriptrange r JOIN scripts_tracker_scriptrun u"
            " ON u.id = r.worker_id WHERE r.outcome = 'open' AND u.outcome = 'running'"
        )
        ours = {process.pid for process in self.alive}
        return {int(pid): int(run) for pid, run in rows if pid in ours}

    def victim(self) -> tuple[Process, int]:
        """One that is at work: who dies before proves nothing."""
        found: dict[int, int] = {}

        def someone() -> object:
            assert self.share() < 1, "the work is over before the last kill"
            found.update(self.holders())
            return found

        wait_for(someone, "a worker has a range")
        pid = self.moments.choice(sorted(found))
        return next(one for one in self.alive if one.pid == pid), found[pid]

    def kill(self) -> None:
        victim, _ = self.victim()
        time.sleep(self.moments.uniform(0, 0.1))  # the moment is what the test is about
        self._kill(victim)

    def _kill(self, victim: Process) -> None:
        victim.signal(signal.SIGKILL)
        victim.wait()
        self.alive.remove(victim)

    def freeze(self) -> None:
        """Stop one, let another have its range, and wake it up; it must not commit what it was at."""
        victim, run = self.victim()
        time.sleep(self.moments.uniform(0, 0.1))
        victim.signal(signal.SIGSTOP)
        self.alive.remove(victim)
        self.fill_up()
        while not self._is_taken_within(1.5 * LEASE, run):
            # Who is at a range of its own, and may not go on, does not look for another one; who is new does.
            at_work = self.holders()
            for one in [one for one in self.alive if one.pid in at_work]:
                self._kill(one)
            self.fill_up()
        victim.signal(signal.SIGCONT)
        assert victim.wait() in {0, 1}, victim.err
        assert "Traceback" not in victim.err, victim.err

    def _is_taken_within(self, seconds: float, run: int) -> bool:
        """Whether another worker takes over from a run in that time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.outcome(run) != "running":
                return True
            time.sleep(0.2)
        return False

    def outcome(self, run: int) -> str:
        rows: list[Any] = self.walks.execute("SELECT id, outcome FROM scripts_tracker_scriptrun")
        return str(dict(rows)[run])

    def share(self) -> float:
        """How much of the rows is done."""
        ((keys,),) = self.walks.execute("SELECT SUM(r.keys) FROM scripts_tracker_scriptrange r")
        return float(keys or 0) / ROWS

    def lost(self) -> int:
        """How often a worker has taken over what another one was at."""
        return self.shop.outcomes().count("lost")


def seasons(herd: Herd) -> list[Callable[[], None]]:
    each = [herd.kill] * KILLS + [herd.freeze] * FREEZES
    herd.moments.shuffle(each)
    return each


@pytest.fixture
def herd(walks: Walks) -> Herd:
    walks.rows(range(1, ROWS + 1))
    walks.script(PACE, size=BATCH, finish='effect("finish")', before=TURNS)
    walks.shop.project.write("shop/pacing.py", PACING)
    walks.shop.lease(LEASE)
    made = Herd(walks, WORKERS, seed=ROWS)
    made.pace(0)
    return made


@pytest.mark.parametrize(
    "kind_name",
    ["postgresql", pytest.param("mariadb", marks=MATRIX), pytest.param("pgbouncer", marks=MATRIX)],
)
def test_whoever_is_killed_or_frozen_every_row_is_processed_exactly_once(herd: Herd) -> None:
    herd.fill_up()
    todo = seasons(herd)
    for number, strike in enumerate(todo):
        herd.pace(MOST * (number + 1) / len(todo))
        strike()
        herd.fill_up()
    herd.pace(1, seconds=0)
    for worker in herd.alive:
        assert worker.wait() == 0, worker.err
    assert herd.walks.hits() == {1: ROWS}
    assert herd.shop.effects() == {"finish": 1}
    assert herd.shop.states() == {"shop.walk": "applied"}
    assert herd.lost() > (KILLS + FREEZES) / 4, "who dies without a range proves nothing"
    ends = herd.walks.execute("SELECT id FROM scripts_tracker_scriptrun WHERE applies")
    assert len(ends) == 1


@MATRIX
@pytest.mark.parametrize("kind_name", ["postgresql"])
def test_a_cursor_in_a_transaction_of_its_own_would_not_survive_this(herd: Herd) -> None:
    """The control: if this passed with such a cursor, the test above would prove nothing."""
    herd.walks.script(
        PACE, size=BATCH, finish='effect("finish")', attributes="import shop.apart", before=TURNS
    )
    herd.shop.project.write("shop/apart.py", APART)
    herd.fill_up()
    for number in range(30):
        herd.pace(MOST * (number + 1) / 30)
        herd.kill()
        herd.fill_up()
        if set(herd.walks.hits()) - {0, 1}:
            return
    pytest.fail("no row was processed twice")
