"""System checks of the settings: the message is a fact, the hint what to type."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.conf import global_settings, settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning

from scripts_tracker import conf
from scripts_tracker.core.escaping import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator

_SLIP = 2  # letters
_STARTS = frozenset(name[:3] for name in conf.TOP_LEVEL_NAMES)
_ENDS = frozenset(name[-3:] for name in conf.TOP_LEVEL_NAMES)


def check_settings(**_: Any) -> list[CheckMessage]:
    """Everything wrong with the project's settings for scripts_tracker."""
    found = [*_wrong_values(), *_rare_heartbeat(), *_missing_folders(), *_misspelt(), *_uncommitted()]
    return [*map(_harmless, [*found, *_wrong_throttles(), *_unusable_queue()])]


def check_scripts(**_: Any) -> list[CheckMessage]:
    """The findings of the lint, for ``manage.py check --deploy``."""
    from scripts_tracker.lint.config import WrongUseError
    from scripts_tracker.project import scan

    try:
        found = scan.lint()
    except WrongUseError as error:
        return [_harmless(Error(str(error), hint="Correct pyproject.toml.", id="scripts_tracker.E002"))]
    return [
        _harmless(
            CheckWarning(f"{one.location}: {one.message}", hint=one.hint, id=f"scripts_tracker.{one.code}")
        )
        for one in found
    ]


def _harmless(message: CheckMessage) -> CheckMessage:
    """The message in a form that a terminal can show: it names what stands in settings and files."""
    message.msg, message.hint = escaped(message.msg), message.hint and escaped(message.hint)
    return message


def _wrong_values() -> Iterator[CheckMessage]:
    for problem in conf.problems():
        yield Error(problem.message, hint=problem.hint, id="scripts_tracker.E001")


def _rare_heartbeat() -> Iterator[CheckMessage]:
    """A lease is renewed twice at least, whatever the setting says: one renewal may fail."""
    lease, heartbeat = conf.tracker_settings().lease_seconds, conf.tracker_settings().heartbeat_seconds
    if heartbeat is not None and heartbeat > lease / 2:
        yield CheckWarning(
            f'SCRIPTS_TRACKER["heartbeat_seconds"] is {heartbeat:.15g}, but a lease of {lease:.15g} s'
            f" is renewed every {lease / 2:.15g} s at least.",
            hint=f'Write "heartbeat_seconds": {lease / 4:.15g}, or a longer "lease_seconds".',
            id="scripts_tracker.W004",
        )


def _missing_folders() -> Iterator[CheckMessage]:
    folders = conf.commands_dirs()
    if folders == ():
        yield CheckWarning(
            "COMMANDS_DIRS is empty, so no script is tracked.",
            hint="List folders in it, or delete the setting to track the apps of the project.",
            id="scripts_tracker.W003",
        )
    for path in folders or ():
        if not os.path.isdir(path):
            yield CheckWarning(
                f"COMMANDS_DIRS lists a folder that does not exist: {path}",
                hint="Correct the entry; a relative path starts at BASE_DIR, then at the working directory.",
                id="scripts_tracker.W001",
            )


def _misspelt() -> Iterator[CheckMessage]:
    """Settings that are a slip away from one of ours; only a warning, as another app may own the name."""
    for name in dir(settings):
        # Most names look like none of ours at both ends, and this runs at every start of manage.py.
        if (name[:3] in _STARTS or name[-3:] in _ENDS) and (like := _meant_by(name)):
            yield CheckWarning(
                f"The setting {name} is not one of scripts_tracker's.",
                hint=f"Did you mean {like}?",
                id="scripts_tracker.W002",
            )


def _uncommitted() -> Iterator[CheckMessage]:
    """Databases in which Django commits nothing, neither a script's work nor its record."""
    for name, database in settings.DATABASES.items():
        if database.get("AUTOCOMMIT", True) is False:
            yield CheckWarning(
                f'DATABASES["{name}"] has AUTOCOMMIT switched off: a run there would keep neither rows nor records.',
                hint='Delete "AUTOCOMMIT", and use transaction.atomic() where a transaction is needed.',
                id="scripts_tracker.W005",
            )


def _wrong_throttles() -> Iterator[CheckMessage]:
    """Throttles that lead nowhere: every batched script would wait for ever."""
    given = conf.tracker_settings().throttle
    if not given:
        return
    from scripts_tracker.running import throttling  # only for a project with throttles

    for throttle in given:
        try:
            problem = str(getattr(throttling.load(throttle), "problem", ""))
        except throttling.UnknownThrottle as error:
            problem = str(error)
        if problem:
            yield Error(
                f'SCRIPTS_TRACKER["throttle"]: {problem}.',
                hint="Correct the entry; until then every batched script waits.",
                id="scripts_tracker.E003",
            )


def _unusable_queue() -> Iterator[CheckMessage]:
    if conf.queue_settings() is None:
        return
    from scripts_tracker.running import queue  # only for a project with a queue

    problem = queue.problem()
    if problem is not None:
        yield Error(problem.message, hint=problem.hint, id="scripts_tracker.E004")


def _meant_by(name: str) -> str:
    """The setting of ours that a name is one or two letters away from; empty if there is none."""
    if name in conf.TOP_LEVEL_NAMES or hasattr(global_settings, name):
        return ""
    from scripts_tracker.core.names import letters_between  # only for what looks like one

    for like in conf.TOP_LEVEL_NAMES:
        if abs(len(name) - len(like)) <= _SLIP and letters_between(name, like) <= _SLIP:
            return like
    return ""
