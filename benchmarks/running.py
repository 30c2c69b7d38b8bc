"""What it costs that a command is tracked, on SQLite."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from typing import TYPE_CHECKING, Final

from benchmarks.measuring import side_by_side
from benchmarks.rows import Row

if TYPE_CHECKING:
    from benchmarks.groups import Bench

GROUP: Final = "run"
_SECONDS: Final = 0.015
_COMMAND: Final = """\
from django.core.management.base import BaseCommand
from scripts_tracker import tracked_script


class Command(BaseCommand):
    {decorator}
    def handle(self, *args, **options):
        pass
"""


def one_command(bench: Bench) -> list[Row]:
    """A command that does nothing, tracked against untracked; its version is known, so libcst is not needed."""
    root = os.path.join(os.path.dirname(bench.sites.applied), "run")
    shutil.copytree(bench.sites.applied, root)
    folder = next(
        path for path, _, _ in sorted(os.walk(root)) if path.endswith(os.path.join("management", "commands"))
    )
    for name, decorator in (("tracked_noop", "@tracked_script"), ("untracked_noop", "")):
        with open(os.path.join(folder, f"{name}.py"), "w", encoding="utf-8") as file:
            file.write(_COMMAND.format(decorator=decorator))
    subjects = {
        name: bench.tracker.manage(root, name, "--skip-checks") for name in ("tracked_noop", "untracked_noop")
    }
    series = side_by_side(subjects, max(bench.rounds, 15))
    tracked, untracked = series["tracked_noop"], series["untracked_noop"]
    more, cpu = tracked.wall - untracked.wall, tracked.cpu - untracked.cpu
    commit = _commit(os.path.join(root, "commits.sqlite3"))
    what = "a tracked command that does nothing, above an untracked one"
    return [
        Row(GROUP, what, "15 ms", more, _SECONDS, 1),
        Row(GROUP, f"{what}: CPU time", "15 ms", cpu, _SECONDS),
        Row(
            GROUP, what, "two commits of a row by SQLite alone, which is what it must write", more, 2 * commit
        ),
    ]


def _commit(path: str) -> float:
    """What one row costs in a transaction of its own: the disk's share."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE one (row TEXT)")
    costs = []
    for number in range(30):
        started = time.perf_counter()
        connection.execute("INSERT INTO one VALUES (?)", (str(number),))
        costs.append(time.perf_counter() - started)
    connection.close()
    return min(costs)
