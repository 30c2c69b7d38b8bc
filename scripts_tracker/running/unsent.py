"""Mail that is not sent, and jobs that are not put on a queue, while a script is rehearsed."""

from __future__ import annotations

import contextlib
import importlib
import sys
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings

from scripts_tracker.running.recording_sql import patched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Where Django finds the class of a backend by its name: since 6.1 also for MAILERS.
_MAIL_MODULES: Final = ("django.core.mail", "django.core.mail.handler")
_SMTP: Final = "django.core.mail.backends.smtp"
_TASKS: Final = ("django.tasks", "django_tasks")


class Unsent:
    """What was not sent so far."""

    def __init__(self) -> None:
        self.mails = 0
        self.backends: list[Any] = []

    @property
    def jobs(self) -> int:
        """How many jobs were not put on a queue."""
        return sum(len(one.results) for one in self.backends)


@contextlib.contextmanager
def unsent() -> Iterator[Unsent]:
    """Send no mail and put no job on a queue of django.tasks while the block runs; gives how many there were."""
    count = Unsent()
    with contextlib.ExitStack() as stack:
        stack.enter_context(_no_mail(count))
        for name in _TASKS if _queues() else ():
            with contextlib.suppress(ImportError):
                stack.enter_context(_no_jobs(importlib.import_module(name), count))
        yield count


@contextlib.contextmanager
def _no_mail(count: Unsent) -> Iterator[None]:
    def send(_backend: object, messages: Iterable[Any]) -> int:
        number = len([*messages])
        count.mails += number
        return number

    class Backend:
        """Takes whatever a backend is made with, and sends nothing."""

        def __init__(self, *_args: Any, **_options: Any) -> None:
            self.fail_silently = False

        def open(self) -> bool:
            return True

        def close(self) -> None:
            pass

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_error: object) -> None:
            pass

        send_messages = send

    with contextlib.ExitStack() as stack:
        for name in _MAIL_MODULES:
            with contextlib.suppress(ImportError):
                module = importlib.import_module(name)
                stack.callback(patched(module, {"import_string": lambda _path: Backend}))
        smtp: Any = importlib.import_module(_SMTP)  # a script may have made its backend before
        stack.callback(patched(smtp.EmailBackend, {"send_messages": send}))
        yield


def _queues() -> list[str]:
    """The backends of the settings that do not run a job at once: what those do is a part of the script."""
    configured = getattr(settings, "TASKS", None) or {}
    return [alias for alias, one in configured.items() if "Immediate" not in str(one.get("BACKEND", ""))]


@contextlib.contextmanager
def _no_jobs(library: Any, count: Unsent) -> Iterator[None]:
    """In place of each queue, what only keeps the jobs that it gets."""
    handler = library.task_backends
    dummy = importlib.import_module(f"{library.__name__}.backends.dummy").DummyBackend
    before: dict[str, Any] = {}
    for alias in _queues():
        with contextlib.suppress(Exception):  # a backend that cannot be made takes no jobs
            before[alias] = handler[alias]
            params = {**handler.settings[alias], "OPTIONS": {}, "ENQUEUE_ON_COMMIT": False}
            count.backends.append(dummy(alias, params))
            handler[alias] = count.backends[-1]
    try:
        yield
    finally:
        for alias, backend in before.items():
            handler[alias] = backend


def has_celery() -> bool:
    """Whether the project uses Celery, whose jobs nothing here can stop."""
    return "celery" in sys.modules or any(one.startswith("django_celery") for one in settings.INSTALLED_APPS)
