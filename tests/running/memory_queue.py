"""A backend of django.tasks that keeps its jobs in a list, for tests that play the worker themselves."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

from asgiref.local import Local

from scripts_tracker.running import queue

LIBRARY = importlib.import_module(str(queue._library_name()))
_base: Any = importlib.import_module(f"{LIBRARY.__name__}.backends.base")
IMMEDIATE = f"{LIBRARY.__name__}.backends.immediate.ImmediateBackend"
DUMMY = f"{LIBRARY.__name__}.backends.dummy.DummyBackend"


@dataclass
class Put:
    """A job as it lies on the queue."""

    script: str
    given: dict[str, Any]
    run_after: Any = None
    errors: list[Any] = field(default_factory=list)
    is_finished: bool = False


class Memory(_base.BaseTaskBackend):  # type: ignore[misc]  # the library is known at run time
    """``OPTIONS["down"]``: how many jobs the broker takes before it is down."""

    @property
    def supports_defer(self) -> bool:
        return bool(self.options.get("defers"))

    def enqueue(self, task: Any, args: Any, kwargs: Any) -> Put:
        assert not args
        if len(PUT) >= self.options.get("down", 1000):
            raise ConnectionError("Connection refused")
        PUT.append(Put(kwargs["script"], dict(kwargs), task.run_after))
        return PUT[-1]


PUT: list[Put] = []


def use(settings: Any, backend: str = f"{__name__}.Memory", **options: Any) -> None:
    """Let the project have this queue."""
    settings.TASKS = {"default": {"BACKEND": backend, "OPTIONS": options}}
    settings.SCRIPTS_TRACKER = {**getattr(settings, "SCRIPTS_TRACKER", {}), "queue": {}}
    handler = LIBRARY.task_backends
    handler.__dict__.pop("settings", None)
    handler._settings, handler._connections = None, Local(handler.thread_critical)
    PUT.clear()


def deliver(*, keep: bool = False) -> str:
    """Do the first job, as a worker would."""
    from scripts_tracker.running.jobs import run_slice

    job = PUT[0] if keep else PUT.pop(0)
    answer: str = run_slice.call(**job.given)
    return answer


def deliver_all() -> list[str]:
    answers = []
    while PUT:
        answers.append(deliver())
    return answers


def scripts() -> list[str]:
    return [job.script for job in PUT]
