"""Projects in the situations that are measured, each built when it is first asked for."""

from __future__ import annotations

import glob
import os
import shutil
import sqlite3
from functools import cached_property
from typing import TYPE_CHECKING, Final

from benchmarks.measuring import BenchmarkError, Subject, run
from benchmarks.projects import Shape, edit, generate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.commands import Command
    from benchmarks.tools import Tool

LARGER: Final = 10
"""How many times as many commands the large project has."""
EDITED: Final = 3
CACHE: Final = ".scripts_tracker_cache"
_RUNS: Final = "scripts_tracker_scriptrun"
ADMIN: Final = "project.with_the_admin"
"""The settings of the project that has Django's admin."""
_ADMIN_SETTINGS: Final = """\
from project.with_scripts_tracker import *

INSTALLED_APPS = [*INSTALLED_APPS, "django.contrib.admin", "django.contrib.sessions", "django.contrib.messages"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
ROOT_URLCONF = "project.urls"
STATIC_URL = "static/"
ALLOWED_HOSTS = ["*"]
"""
_URLS: Final = """\
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""


class Sites:
    """The projects.

    Args:
        folder: where to put them.
        shape: what they are like.
        tools: for whom they are prepared; scripts_tracker is the first.
        runs: how many runs the short ledger and the long one hold.
    """

    def __init__(self, folder: str, shape: Shape, tools: Sequence[Tool], runs: tuple[int, int]) -> None:
        self._folder = folder
        self._tools = tools
        self.runs = runs
        self.shape = shape
        self.larger_shape = Shape(shape.commands * LARGER, shape.tracked, shape.seed)
        self._planned: list[Command] = []

    @cached_property
    def unseen(self) -> str:
        """Migrated, and not one script is known."""
        root = self._place("unseen")
        self._planned = generate(root, self.shape)
        for tool in self._tools:
            run(tool.manage(root, "migrate"))
        return root

    @cached_property
    def applied(self) -> str:
        """Every tracked script is marked as applied."""
        root = self._copy(self.unseen, "applied")
        for tool in self._tools:
            _mark_all(tool, root)
        return root

    @cached_property
    def edited(self) -> str:
        """The same, checked, and then some scripts were edited."""
        root = self._copy(self.applied, "edited")
        run(self._tools[0].manage(root, "check_scripts"))
        if os.path.isdir(os.path.join(root, CACHE)):
            shutil.copytree(os.path.join(root, CACHE), self._place("cache-before-the-edit"))
        edit(root, self._planned, EDITED)
        return root

    def restore_cache(self) -> None:
        """Let the cache of ``edited`` be as it was before the edit."""
        forget_cache(self.edited)
        if os.path.isdir(self._place("cache-before-the-edit")):
            shutil.copytree(self._place("cache-before-the-edit"), os.path.join(self.edited, CACHE))

    @cached_property
    def large(self) -> str:
        """Many more commands, all applied."""
        root = self._place("large")
        generate(root, self.larger_shape)
        run(self._tools[0].manage(root, "migrate"))
        _mark_all(self._tools[0], root)
        return root

    @cached_property
    def short_ledger(self) -> str:
        """All applied, with a short history."""
        return self._with_runs("short-ledger", self.runs[0])

    @cached_property
    def long_ledger(self) -> str:
        """All applied, with a very long history."""
        return self._with_runs("long-ledger", self.runs[1])

    @cached_property
    def admin(self) -> str:
        """Every command is tracked and applied, with a very long history, and a project that has the admin."""
        root, tool = self._place("admin"), self._tools[0]
        generate(root, Shape(self.shape.commands, 1.0, self.shape.seed))
        for name, text in (("with_the_admin", _ADMIN_SETTINGS), ("urls", _URLS)):
            with open(os.path.join(root, "project", f"{name}.py"), "w", encoding="utf-8") as stream:
                stream.write(text)
        run(Subject([tool.python, "manage.py", "migrate"], root, tool.env(DJANGO_SETTINGS_MODULE=ADMIN)))
        _mark_all(tool, root)
        fill(os.path.join(root, "scripts_tracker.sqlite3"), self.runs[1])
        return root

    def _place(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _copy(self, root: str, name: str) -> str:
        return shutil.copytree(root, self._place(name))

    def _with_runs(self, name: str, count: int) -> str:
        root = self._copy(self.applied, name)
        fill(os.path.join(root, "scripts_tracker.sqlite3"), count)
        return root


def forget_cache(root: str) -> None:
    """Delete what earlier checks have left in a project."""
    shutil.rmtree(os.path.join(root, CACHE), ignore_errors=True)


def forget_bytecode(root: str) -> None:
    """Delete the bytecode of a project's commands."""
    for folder in glob.glob(os.path.join(root, "*", "management", "commands", "__pycache__")):
        shutil.rmtree(folder)


def _mark_all(tool: Tool, root: str) -> None:
    run(tool.manage(root, "check_scripts", "--mark-all-applied"))


def fill(database: str, count: int) -> None:
    """Give the ledger a history of that many runs: each script was run again and again before it was marked."""
    connection = sqlite3.connect(database, isolation_level=None)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({_RUNS})") if row[1] != "id"]
        values_of = {
            "kind": "'run'",
            "started_at": "datetime('2020-01-01', '+' || (n.i * 60) || ' seconds')",
            "ended_at": "datetime('2020-01-01', '+' || (n.i * 60 + 30) || ' seconds')",
            "output": "'went through ' || n.i || ' rows'",
        }
        values = ", ".join(values_of.get(column, f"model.{column}") for column in columns)
        connection.execute(f"CREATE TEMP TABLE model AS SELECT * FROM {_RUNS}")
        (models,) = connection.execute("SELECT COUNT(*) FROM model").fetchone()
        if not models:
            raise BenchmarkError("there is no run to take as a model for others")
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count - models})"
            f" INSERT INTO {_RUNS} ({', '.join(columns)})"
            f" SELECT {values} FROM n JOIN model ON model.rowid = n.i % {models} + 1"
        )
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
    finally:
        connection.close()
