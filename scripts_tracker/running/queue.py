"""The project's task queue: django.tasks, or the package django-tasks on Django 5.2. Imports neither until a job is put."""

from __future__ import annotations

import datetime as dt
import importlib
import importlib.util
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.utils import timezone

from scripts_tracker import conf
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import ScriptsTrackerError

if TYPE_CHECKING:
    from types import ModuleType

_LIBRARIES: Final = ("django.tasks", "django_tasks")
_SETTING: Final = 'SCRIPTS_TRACKER["queue"]'
_IMMEDIATE: Final = {"default": {"BACKEND": "ImmediateBackend"}}


class QueueUnusable(ScriptsTrackerError):
    """There is no queue to put a job on."""


class NotEnqueued(ScriptsTrackerError):
    """The queue did not take a job."""


class Job(NamedTuple):
    """What a job on the queue carries: names, and where the history stood.

    Attributes:
        script: ``app.name`` of the script that it works on.
        wanted: the names that were asked for; none for every script that needs action.
        tags: only scripts with one of these; none for all.
        retries: whether to run failed and lost scripts again.
        workers: how many jobs may work on a batched script at once.
        since: the key of the newest run when the jobs were asked for: what is newer was done since.
        tries: how often in a row the job had to make room without having worked.
        environment: the name of the place where it was enqueued, as ``core.environments`` knows places.
        database: the identity of the database there.
    """

    script: str
    wanted: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    retries: bool = True
    workers: int = 1
    since: int = 0
    tries: int = 0
    environment: str = ""
    database: str = ""

    @classmethod
    def parse(cls, given: dict[str, Any]) -> Job:
        """A job as it comes from the queue; a key of another version of scripts_tracker is left out."""
        known = {name: value for name, value in given.items() if name in cls._fields}
        job = cls(**known)
        return job._replace(wanted=tuple(job.wanted), tags=tuple(job.tags))


def problem() -> conf.Problem | None:
    """Why the queue of the settings cannot be used, without importing it; None where nothing is known to be wrong."""
    wanted = conf.queue_settings()
    if wanted is None:
        example = '"queue": {"backend": "default"}'
        return conf.Problem(_SETTING, f"{_SETTING} is not set.", f"Write {example} into SCRIPTS_TRACKER.")
    if _library_name() is None:
        return conf.Problem(
            _SETTING,
            f"{_SETTING} needs django.tasks, which this Django does not have.",
            'Install django-tasks and add "django_tasks" to INSTALLED_APPS, or use Django 6.0.',
        )
    backends = getattr(settings, "TASKS", None) or _IMMEDIATE
    if wanted.backend not in backends:
        return conf.Problem(
            _SETTING,
            f"{_SETTING} names the backend {wanted.backend!r}, which TASKS does not have.",
            f"Write one of: {', '.join(map(repr, sorted(backends)))}.",
        )
    queues = backends[wanted.backend].get("QUEUES", ["default"])
    if queues and wanted.queue_name not in queues:
        return conf.Problem(
            _SETTING,
            f"{_SETTING} names the queue {wanted.queue_name!r}, which TASKS[{wanted.backend!r}] does not have.",
            f'Add it to "QUEUES" there, or write one of: {", ".join(map(repr, sorted(queues)))}.',
        )
    return None


@lru_cache(maxsize=1)
def _library_name() -> str | None:
    """Which library there is; Django's own comes first, as the backends prefer it."""
    return next((name for name in _LIBRARIES if importlib.util.find_spec(name)), None)


def library() -> ModuleType:
    """The library of tasks.

    Raises:
        QueueUnusable: the settings or the packages do not allow it; the message says what to do.
    """
    wrong = problem()
    if wrong is not None:
        raise QueueUnusable(f"{wrong.message} {wrong.hint}")
    return importlib.import_module(str(_library_name()))


def backend() -> Any:
    """The backend of the settings.

    Raises:
        QueueUnusable: it cannot be made: a package that it needs is missing, say.
    """
    wanted = settings_now()
    try:
        return library().task_backends[wanted.backend]
    except QueueUnusable:
        raise
    except Exception as error:
        raise QueueUnusable(f"TASKS[{wanted.backend!r}] cannot be used: {_described(error)}") from error


def runs_at_once() -> bool:
    """Whether the backend runs a task inside of the call that enqueues it."""
    return "Immediate" in type(backend()).__name__


def task_of(function: Any) -> Any:
    """The task that a function is for the backend of the settings."""
    wanted = settings_now()
    backend()
    try:
        return library().task(backend=wanted.backend, queue_name=wanted.queue_name)(function)
    except QueueUnusable:
        raise
    except Exception as error:
        raise QueueUnusable(f"TASKS[{wanted.backend!r}] cannot be used: {_described(error)}") from error


def put(task: Any, job: Job, *, in_seconds: float = 0) -> Any:
    """Put a job on the queue.

    Args:
        task: what ``task_of`` returned.
        job: the job.
        in_seconds: when to run it at the earliest; only for a backend that supports it.

    Returns:
        The result as the backend knows it: finished, where it runs tasks at once.

    Raises:
        NotEnqueued: the queue did not take it: its broker is down, say.
    """
    wanted = settings_now()
    moment = timezone.now() + dt.timedelta(seconds=in_seconds) if in_seconds else None
    try:
        prepared = task.using(backend=wanted.backend, queue_name=wanted.queue_name, run_after=moment)
        return prepared.enqueue(**job._asdict())
    except Exception as error:
        raise NotEnqueued(f"{job.script} was not enqueued: {_described(error)}") from error


def queued(task: Any) -> Counter[str] | None:
    """How many jobs wait on the queue, by script; None where the backend cannot say.

    Django has no call for it. django-tasks-db keeps its jobs in a table.
    """
    made = backend()
    if not type(made).__module__.startswith("django_tasks_db."):
        return None
    models = importlib.import_module("django_tasks_db.models")
    rows = models.DBTaskResult.objects.filter(
        status="READY", task_path=task.module_path, backend_name=made.alias
    )
    return Counter(row["kwargs"].get("script", "") for row in rows.values_list("args_kwargs", flat=True))


def settings_now() -> conf.QueueSettings:
    """The settings of the queue as they are now."""
    return conf.queue_settings() or conf.QueueSettings()


def _described(error: BaseException) -> str:
    from scripts_tracker.core.text import error_text  # seldom needed

    return f"{type(error).__name__}: {' '.join(error_text(error).split())}".rstrip(": ")
