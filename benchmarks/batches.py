"""Batched scripts on PostgreSQL: what a batch costs, against django-maintenance-tasks, by several workers, on a large table."""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

from benchmarks.measuring import BenchmarkError, Subject, run
from benchmarks.rows import Row
from benchmarks.tools import Tool, UnavailableError, maintenance_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.groups import Bench

GROUP: Final = "batches"
_INSIDE: Final = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside_batches.py")
_ROOT: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_BATCH_SECONDS: Final = 1.0
_WAITING, _SECONDS = 20, 30

_SETTINGS: Final = """\
import importlib.util
SECRET_KEY = "only for benchmarks"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "scripts_tracker", "shop"]
if importlib.util.find_spec("maintenance_tasks"):
    INSTALLED_APPS.append("maintenance_tasks")
DATABASES = {{"default": {{"ENGINE": "django.db.backends.postgresql", **{database!r}}}}}
TASKS = {{"default": {{"BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}}}}
MAINTENANCE_TASKS = {{"MAX_RUNTIME": 100_000}}
"""
_MANAGE: Final = """\
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
from django.core.management import execute_from_command_line
execute_from_command_line(sys.argv)
"""
_MODELS: Final = """\
from django.db import models

class Row(models.Model):
    hits = models.IntegerField(default=0)
"""
_SCRIPT: Final = """\
from django.db import connection
from django.db.models import F
from scripts_tracker import tracked_script
from scripts_tracker.batches import BatchedCommand
from shop.models import Row

class Command(BatchedCommand):
    help = "Count"
    batch_size = {size}
    batch_seconds = {seconds}

    def batches(self):
        return Row.objects.all()

    @tracked_script(rerun="always")
    def process(self, batch):
{body}
"""
_SET_BASED: Final = '        batch.update(hits=F("hits") + 1)\n'
_ROW_BY_ROW: Final = """\
        for row in batch:
            row.hits += 1
            row.save(update_fields=["hits"])
"""
_SAVED_TOGETHER: Final = """\
        rows = list(batch)
        for row in rows:
            row.hits += 1
        Row.objects.bulk_update(rows, ["hits"])
"""
_SLEEP: Final = (
    '        with connection.cursor() as cursor:\n            cursor.execute("SELECT pg_sleep({})")\n'
)
_SCRIPTS: Final = {
    "set_based": (1_000, 0, _SET_BASED),
    "row_by_row": (500, 0, _ROW_BY_ROW),
    "saved_together": (500, 0, _SAVED_TOGETHER),
    "waits": (100, 0, _SLEEP.format(0.05) + _SET_BASED),
    "blocked": (
        100,
        0,
        "        for _ in range(600):\n    " + _SLEEP.format(1).replace("\n ", "\n     ") + _SET_BASED,
    ),
    "adapted": (1_000, _BATCH_SECONDS, _SET_BASED),
}
_THEIRS: Final = """\
from maintenance_tasks import MaintenanceTask
from shop.models import Row

class Count(MaintenanceTask):
    batch_size = 500

    def collection(self):
        return Row.objects.all()

    def process(self, row):
        row.hits += 1
        row.save(update_fields=["hits"])
"""


class Project:
    """A project with a table of rows in a database of its own, which ends with it."""

    def __init__(self, folder: str, tool: Tool) -> None:
        self.root, self._tool = os.path.join(folder, "batches"), tool
        self._name = f"scripts_tracker_{uuid.uuid4().hex[:12]}"
        for path, text in self._files():
            os.makedirs(os.path.dirname(os.path.join(self.root, path)), exist_ok=True)
            with open(os.path.join(self.root, path), "w", encoding="utf-8") as stream:
                stream.write(text)

    def _files(self) -> Iterator[tuple[str, str]]:
        yield "manage.py", _MANAGE
        yield "settings.py", _SETTINGS.format(database=self._database(self._name))
        for package in ("shop", "shop/management", "shop/management/commands"):
            yield f"{package}/__init__.py", ""
        yield "shop/models.py", _MODELS
        yield "shop/maintenance_tasks.py", _THEIRS
        for name, (size, seconds, body) in _SCRIPTS.items():
            text = _SCRIPT.format(size=size, seconds=seconds, body=body)
            yield f"shop/management/commands/{name}.py", text

    @staticmethod
    def _database(name: str) -> dict[str, object]:
        from urllib.parse import unquote, urlsplit

        url = urlsplit(
            os.environ.get("SCRIPTS_TRACKER_POSTGRESQL", "postgresql://root@127.0.0.1:5432/postgres")
        )
        found: dict[str, object] = {
            "NAME": name,
            "HOST": url.hostname,
            "PORT": url.port or 5432,
            "USER": unquote(url.username or ""),
        }
        return found | ({"PASSWORD": unquote(url.password)} if url.password else {})

    @property
    def python(self) -> str:
        """Its interpreter."""
        return self._tool.python

    @property
    def env(self) -> dict[str, str]:
        """The environment of its processes."""
        path = os.pathsep.join(filter(None, (_ROOT, self._tool.path)))
        return self._tool.env(DJANGO_SETTINGS_MODULE="settings", PYTHONPATH=path)

    def administer(self, statement: str) -> None:
        """Create or drop the database."""
        database = self._database("postgres")
        code = (
            "import psycopg, sys; d = eval(sys.argv[1]); psycopg.connect(host=d['HOST'], port=d['PORT'],"
            " user=d['USER'], password=d.get('PASSWORD'), dbname='postgres', autocommit=True).execute(sys.argv[2])"
        )
        run(
            Subject(
                [self._tool.python, "-c", code, repr(database), statement.format(self._name)],
                self.root,
                self.env,
            )
        )

    def __enter__(self) -> Project:  # noqa: PYI034 - typing has Self since 3.11
        self.administer("CREATE DATABASE {}")
        run(
            Subject(
                [self._tool.python, "manage.py", "migrate", "--run-syncdb", "-v", "0"], self.root, self.env
            )
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.administer("DROP DATABASE {} WITH (FORCE)")

    def inside(self, what: str, *arguments: object) -> dict[str, Any]:
        """Measure something in a process of the project."""
        command = [self._tool.python, _INSIDE, what, *map(str, arguments)]
        _, text = run(Subject(command, self.root, self.env))
        found: dict[str, Any] = json.loads(text.splitlines()[-1])
        return found

    def run_scripts(self, *arguments: str) -> float:
        """The seconds of a whole command."""
        sample, _ = run(
            Subject([self._tool.python, "manage.py", "run_scripts", *arguments], self.root, self.env)
        )
        return sample.wall


def batches(bench: Bench) -> list[Row]:
    """All rows, in one database."""
    tool, why = bench.tracker, ""
    try:
        tool = maintenance_tasks(bench.folder)
    except UnavailableError as error:
        why = str(error)
    with Project(bench.folder, tool) as project:
        return [
            *_cost(project),
            *_against_maintenance_tasks(project, why),
            *_workers(project),
            *_large(project, bench.table_rows),
            *_queries(project),
        ]


def _cost(project: Project) -> list[Row]:
    found = project.inside("cost", 16_000, 160_000)
    wall, cpu = found["wall"] - found["bare_wall"], found["cpu"] - found["bare_cpu"]
    what = "a batch of 1,000 rows above its bare statement in a transaction"
    return [
        Row(GROUP, what, "3 ms", wall, 0.003, 1),
        Row(GROUP, f"{what}: CPU time of the worker", "3 ms", cpu, 0.003, 1),
        Row(GROUP, "a second with that on top", "the second alone", 1 + wall, 1, 1.02),
    ]


def _against_maintenance_tasks(project: Project, why: str) -> list[Row]:
    found = project.inside("rows", 20_000)
    theirs = found["theirs"] or None
    against = f"django-maintenance-tasks, row by row{f': {why}' if why else ''}"
    return [
        Row(GROUP, "20,000 rows, row by row", against, found["ours"], theirs, 1 / 5),
        Row(GROUP, "20,000 rows, row by row, saved together", against, found["together"], theirs, 1 / 5),
        Row(GROUP, "20,000 rows, set-based", against, found["set_based"], theirs),
    ]


def _workers(project: Project) -> list[Row]:
    project.inside("fill", 40_000)
    seconds = {count: project.run_scripts("shop.waits", "--workers", str(count)) for count in (1, 2, 4)}
    what = "whole run_scripts, 400 batches that wait 50 ms"
    return [
        Row(GROUP, f"{what}, {count} workers", "1 worker", seconds[count], seconds[1], limit)
        for count, limit in ((2, None), (4, 1 / 2.5))
    ]


def _large(project: Project, rows: int) -> list[Row]:
    project.inside("fill", rows)
    found = project.inside("large")
    named = f"{rows:,} rows"
    return [
        Row(GROUP, f"longest transaction, {named}", "batch_seconds", found["longest"], _BATCH_SECONDS, 2),
        Row(GROUP, f"memory at the end, {named}", "after the first tenth", found["memory"], found["memory_before"], 1.1, unit="MiB"),
        Row(GROUP, f"whole script, {named}", "one UPDATE", found["seconds"], found["bare"]),
    ]  # fmt: skip


def _queries(project: Project) -> list[Row]:
    found = project.inside("report")
    each = _queries_a_second(project)
    what = f"queries a second of 200 waiting workers, reckoned from {_WAITING}"
    return [
        Row(GROUP, "queries of a progress report", "one", found["queries"], 1, 1, unit="queries"),
        Row(GROUP, what, "200", each * 200, 200, 1, unit="queries"),
    ]


def _queries_a_second(project: Project) -> float:
    """What a worker asks that waits for another one, as the server counts transactions; one of them is at work."""
    project.inside("fill", 1)
    command = [project.python, "manage.py", "run_scripts", "shop.blocked"]
    processes = [
        subprocess.Popen(command, cwd=project.root, env=project.env, stdout=subprocess.DEVNULL)
        for _ in range(_WAITING + 1)
    ]
    try:
        time.sleep(40)  # until they have begun, and ask as seldom as they ever do
        before = project.inside("transactions")["count"]
        time.sleep(_SECONDS)
        after = project.inside("transactions")["count"]
        if any(process.poll() is not None for process in processes):
            raise BenchmarkError("a worker that was to wait has ended")
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return float(after - before) / _SECONDS / _WAITING
