"""The Django app: connects the migrate hook, the system checks and the old import paths, and imports little else."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig, apps
from django.core.checks import register
from django.db.models.signals import post_migrate, pre_migrate

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

_OLD_NAME = "django_scripts_tracker"


class ScriptsTrackerConfig(AppConfig):
    """The configuration that Django finds by itself."""

    name = "scripts_tracker"
    verbose_name = "Scripts tracker"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect what Django calls."""
        pre_migrate.connect(_before_migrate, sender=self, dispatch_uid="scripts_tracker.running.requirements")
        post_migrate.connect(_after_migrate, sender=self, dispatch_uid="scripts_tracker.notify")
        register(_check_settings, self.label)
        register(_check_scripts, self.label, deploy=True)
        if not apps.is_installed(_OLD_NAME):
            _answer_to_the_old_name()
        if "".join(sys.argv[1:2]).startswith("runserver"):  # or runserver_plus
            _speak_of_scripts_beside_migrations()


def _before_migrate(*, using: str, plan: Any = (), **kwargs: Any) -> None:
    if plan and not any(backwards for _, backwards in plan):
        from scripts_tracker.running import requirements

        requirements.migrate_begins(using, kwargs["apps"])


def _after_migrate(**kwargs: Any) -> None:
    from scripts_tracker.hooks import notify_after_migrate

    requirements = sys.modules.get("scripts_tracker.running.requirements")
    was_empty = requirements is not None and requirements.migrate_ends(kwargs["using"])
    notify_after_migrate(was_empty=was_empty, **kwargs)


def _check_settings(**kwargs: Any) -> list[CheckMessage]:
    from scripts_tracker.checks import check_settings

    return check_settings(**kwargs)


def _check_scripts(**kwargs: Any) -> list[CheckMessage]:
    from scripts_tracker.checks import check_scripts

    return check_scripts(**kwargs)


def _speak_of_scripts_beside_migrations() -> None:
    """Let the development server say that scripts wait where it says so of migrations, which has no signal."""
    from django.core.management.base import BaseCommand

    check_migrations = BaseCommand.check_migrations
    if hasattr(check_migrations, "__wrapped__"):
        return

    @functools.wraps(check_migrations)
    def check(command: BaseCommand) -> None:
        check_migrations(command)
        from scripts_tracker.hooks import notify_of_waiting

        notify_of_waiting(command)

    BaseCommand.check_migrations = check  # type: ignore[assignment,method-assign]  # the server has many subclasses


def _answer_to_the_old_name() -> None:
    """Let commands written for django-scripts-tracker keep their imports.

    By aliases instead of a package of that name: the wheel installs nothing that it does not own, and a
    django-scripts-tracker that is still installed, and cannot be imported any more, is not needed.
    """
    import scripts_tracker
    from scripts_tracker import core_tracker, dependency_tracker

    sys.modules[_OLD_NAME] = scripts_tracker
    sys.modules[f"{_OLD_NAME}.core_tracker"] = core_tracker
    sys.modules[f"{_OLD_NAME}.dependency_tracker"] = dependency_tracker
