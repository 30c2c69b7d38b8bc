"""A process that has imported Django and libcst, and forks a child for each manage.py that it is asked to run.

Orders and answers are lines of JSON. Nothing is set up in the parent: a child goes through the project's manage.py as a
fresh process does, and ends as one. The parent opens no connection and no thread that a child could inherit.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import sys
import threading
from typing import Any, TextIO

from django.core.exceptions import ImproperlyConfigured

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
    "scripts_tracker.analysis.linking.linker",
    "scripts_tracker.analysis.linking.scanning",
    "scripts_tracker.analysis.store.compiling",
    "scripts_tracker.apps",
    "scripts_tracker.checks",
    "scripts_tracker.conf",
    "scripts_tracker.core.history",
    "scripts_tracker.core.planning",
    "scripts_tracker.core.redaction",
    "scripts_tracker.core.renames",
    "scripts_tracker.core_tracker",
    "scripts_tracker.decorators",
    "scripts_tracker.dependency_tracker",
    "scripts_tracker.ledger.processes",
    "scripts_tracker.project.git",
    "scripts_tracker.project.scan",
    "scripts_tracker.reporting.formats",
    "scripts_tracker.reporting.progress",
    "scripts_tracker.reporting.report",
    "scripts_tracker.reporting.terminal",
    "scripts_tracker.reporting.text",
    "scripts_tracker.running.output",
    "scripts_tracker.running.process_state",
    "scripts_tracker.signals",
)
POSTGRESQL = ("django.db.backends.postgresql.base",)
MARIADB = ("tests.databases.mysql_driver", "django.db.backends.mysql.base", "encodings.idna")


def import_all() -> None:
    for name in IMPORTS:
        importlib.import_module(name)
    for names in (POSTGRESQL, MARIADB):
        with contextlib.suppress(ImportError, ImproperlyConfigured):
            for name in names:
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


def leave(code: int) -> None:
    """End as Python does, but leave the memory as it is: to take down what was imported is half of a child's time.

    Comes back where a stream cannot be written, for Python itself to say so.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # what Python calls first
    atexit._run_exitfuncs()  # what Python calls next
    gc.collect()  # says what was not closed
    try:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    except (OSError, ValueError, AttributeError):
        return
    os._exit(code)


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
        try:
            run()
        except SystemExit as end:
            if isinstance(end.code, int):
                leave(end.code & 0xFF)
            raise
        leave(0)
