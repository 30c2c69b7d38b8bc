"""Real workers of real queues: django-tasks-db on PostgreSQL, and Celery with Redis."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import ENVIRONMENT, PLAIN
from tests.databases.servers import absent
from tests.running.shops import Shop
from tests.running.walks import HIT, Walks
from tests.waiting import wait_for

REDIS = os.environ.get("SCRIPTS_TRACKER_REDIS") or "redis://127.0.0.1:6379"
HAS_DJANGO_TASKS = importlib.util.find_spec("django.tasks") is not None

pytestmark = pytest.mark.parametrize("kind_name", ["postgresql"])


class Queue:
    """A queue of a shop, and its workers."""

    settings = ""
    command: tuple[str, ...] = ()

    def __init__(self, shop: Shop, processes: contextlib.ExitStack) -> None:
        self._shop, self._processes = shop, processes
        shop.project.settings(f'{self.settings}\nSCRIPTS_TRACKER["queue"] = {{"slice_seconds": 600}}')
        assert shop.run("migrate").code == 0

    def enqueue(self, *arguments: str) -> str:
        done = self._shop.run("run_scripts", "--enqueue", *arguments)
        assert done.code == 0, done.err
        return done.out

    def worker(self) -> subprocess.Popen[bytes]:
        """In a session of its own, so that its children can be killed with it."""
        process = subprocess.Popen(
            (sys.executable, *self.command),
            cwd=self._shop.project.root,
            env={**ENVIRONMENT, **PLAIN, "DJANGO_SETTINGS_MODULE": "settings"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._processes.callback(self.kill, process)
        return process

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def flush(self) -> None:
        raise NotImplementedError


class InDatabase(Queue):
    settings = """
INSTALLED_APPS += ["django_tasks_db"]
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
"""
    command = ("manage.py", "db_worker", "--no-startup-delay", "--interval", "0.2", "--no-reload")

    def flush(self) -> None:
        self._shop.project.execute("DELETE FROM django_tasks_database_dbtaskresult")


class Celery(Queue):
    command = ("-m", "celery", "-A", "shop_celery", "worker", "--concurrency", "1", "--without-mingle")

    def __init__(self, shop: Shop, processes: contextlib.ExitStack) -> None:
        if not HAS_DJANGO_TASKS or importlib.util.find_spec("django_tasks_celery") is None:
            pytest.skip("no backend for Celery on Django 5.2: django-tasks-celery needs django.tasks")
        self._redis, self._prefix = self._connect(), f"scripts_tracker_{uuid.uuid4().hex}_"
        processes.callback(self.flush)
        self.settings = f"""
TASKS = {{"default": {{"BACKEND": "django_tasks_celery.CeleryBackend"}}}}
CELERY_BROKER_URL = {REDIS!r}
CELERY_BROKER_TRANSPORT_OPTIONS = {{"global_keyprefix": {self._prefix!r}}}
CELERY_TASK_IGNORE_RESULT = True
"""
        shop.project.write(
            "shop_celery.py",
            "from celery import Celery\n"
            'app = Celery("shop")\n'
            'app.config_from_object("django.conf:settings", namespace="CELERY")\n'
            "app.autodiscover_tasks()\n",
        )
        shop.project.write("shop/__init__.py", "from shop_celery import app as celery_app\n")
        super().__init__(shop, processes)

    @staticmethod
    def _connect() -> Any:
        import redis

        made = redis.Redis.from_url(REDIS)
        try:
            made.ping()
        except redis.ConnectionError:
            absent(f"no Redis at {REDIS}")
        return made

    def flush(self) -> None:
        for key in self._redis.scan_iter(f"{self._prefix}*"):
            self._redis.delete(key)


@pytest.fixture(params=[InDatabase, Celery])
def queue(request: pytest.FixtureRequest, shop: Shop) -> Iterator[Queue]:
    with contextlib.ExitStack() as processes:
        yield request.param(shop, processes)


def applied(shop: Shop) -> bool:
    return set(shop.states().values()) == {"applied"}


def test_several_workers_run_every_script_once_and_in_order(queue: Queue, shop: Shop) -> None:
    names = [f"shop.s{number}" for number in range(4)]
    for name, requires in zip(names, [(), *((one,) for one in names)], strict=False):
        shop.script(name, f"effect({name!r})", requires=requires)
    shop.script("stock.other", "effect('stock.other')")
    queue.enqueue()
    queue.worker(), queue.worker()
    wait_for(lambda: applied(shop), "all scripts are applied")
    found = [name for (name,) in shop.project.execute("SELECT name FROM effect")]
    found.remove("stock.other")
    assert found == names


def test_a_job_that_died_with_its_worker_or_with_the_queue_is_enqueued_again(
    queue: Queue, shop: Shop
) -> None:
    shop.lease(1)
    shop.project.settings('SCRIPTS_TRACKER["queue"] = {}')
    shop.script("shop.long", "hold('long'); effect('long')")
    shop.script("shop.next", "effect('next')", requires=("shop.long",))
    queue.enqueue()
    worker = queue.worker()
    wait_for(lambda: [*(shop.project.root / "shop").glob("long.*")], "the script is at work")
    queue.kill(worker)
    wait_for(lambda: shop.states()["shop.long"] == "lost", "the lease is over")
    queue.flush()
    shop.go("long")
    queue.worker()
    assert "shop.long: 1 job" in queue.enqueue()
    wait_for(lambda: applied(shop), "all scripts are applied")
    assert shop.effects() == {"long": 1, "next": 1}


def test_a_worker_that_shuts_down_in_a_slice_gives_its_range_back(queue: Queue, walks: Walks) -> None:
    shop = walks.shop
    walks.rows(range(1, 2001))
    walks.script(
        f"{HIT}\n        if batch.filter(pk=100).exists(): hold('walk')\n        time.sleep(0.02)", size=50
    )
    queue.enqueue("shop.walk")
    queue.worker()
    wait_for(lambda: [*(shop.project.root / "shop").glob("walk.*")], "a batch is at work")
    ((pid,),) = shop.project.execute("SELECT pid FROM scripts_tracker_scriptrun ORDER BY id DESC LIMIT 1")
    os.kill(int(pid), signal.SIGTERM)  # the worker, or the child of Celery's that does the job
    shop.go("walk")
    wait_for(lambda: shop.outcomes()[0] != "running", "the slice has ended")
    queue.worker()  # that of django-tasks-db has ended
    wait_for(lambda: applied(shop), "the walk is over")
    assert walks.hits() == {1: 2000}
    assert len(shop.outcomes()) > 1
