"""A process that has imported Django and libcst, and forks a child for each manage.py that it is asked to run.

Orders and answers are lines of JSON. Nothing is set up in the parent: a child goes through the project's manage.py as a
fresh process does, and ends as one. The parent opens no connection and no thread that a child could inherit.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import sys
from typing import Any, TextIO

# What most manage.py processes import, one of these after another, in half a second.
IMPORTS = (
    "django.core.management.commands.migrate",
    "django.core.management.commands.check",
    "django.db.backends.sqlite3.base",
    "django.db.models",
    "django.core.cache.backends.locmem",
    "django.core.management.commands.makemigrations",
    "django.core.serializers.json",
    "django.template.defaultfilters",
    "django.template.defaulttags",
    "django.utils.formats",
    "django.utils.log",
    "django.views.csrf",
    "django.views.debug",
    "django.views.generic",
    "logging.config",
    "logging.handlers",
    "scripts_tracker.analysis.facts.extraction",
    "scripts_tracker.analysis.linking.scanning",
    "scripts_tracker.conf",
    "scripts_tracker.reporting.formats",
    "scripts_tracker.reporting.report",
    "scripts_tracker.reporting.terminal",
    "scripts_tracker.reporting.text",
)
DRIVERS = ("django.db.backends.postgresql.base", "MySQLdb", "pymysql")


def import_all() -> None:
    for name in IMPORTS:
        importlib.import_module(name)
    for name in DRIVERS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    # A child's collector would touch, and so copy, all of that memory: three quarters of its time.
    gc.collect()
    gc.freeze()


def become(job: dict[str, Any]) -> None:
    """Be the process that the job describes, from its folder to its argv."""
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    for number, path in ((1, job["out"]), (2, job["err"])):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.path[0] = job["cwd"]
    sys.argv = ["manage.py", *job["arguments"]]


def fork_all(jobs: list[dict[str, Any]], control: tuple[TextIO, TextIO]) -> list[int]:
    """The children's numbers; all of them start at once, when the last is there. A child returns an empty list."""
    waiting, go = os.pipe()
    pids: list[int] = []
    for job in jobs:
        pid = os.fork()
        if not pid:
            os.close(go)
            for stream in control:
                stream.close()
            become(job)
            os.read(waiting, 1)
            os.close(waiting)
            return []
        pids.append(pid)
    os.close(waiting)
    os.close(go)
    return pids


def serve() -> bool:
    """Obey until the orders end; True in a child, which is to run manage.py then."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for line in iter(orders.readline, ""):
        order = json.loads(line)
        if "start" in order:
            answer: object = fork_all(order["start"], (orders, answers))
            if not answer:
                return True
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(order["wait"], 0)[1])
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    orders.close()
    answers.close()
    return False


def run() -> None:
    """manage.py with its arguments, or as ``python -c`` a piece of code."""
    match sys.argv:
        case [_, "-c", code]:
            sys.argv, sys.path[0] = ["-c"], ""
            exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the tests' own
        case _:
            runpy.run_path("manage.py", run_name="__main__")


if __name__ == "__main__":
    import_all()
    if serve():
        run()
