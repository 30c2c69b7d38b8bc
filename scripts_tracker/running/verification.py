"""The method that ``verify=`` names: whether the work of a script is done, asked after its run and whenever a person asks."""

from __future__ import annotations

import importlib
import inspect
from typing import TYPE_CHECKING, Final

from django.core.management.base import CommandError

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import error_line, error_text
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId


_SUCCESS: Final = (None, 0)
"""What ``exit()`` ends a process with that has succeeded."""


class Verdict(NamedTuple):
    """What the method of a script says now: ``trouble`` is empty if its work is done."""

    script_id: ScriptId
    method: str
    trouble: str


def verify(command: object, name: str) -> None:
    """Call the method, which raises where the work is not done.

    Args:
        command: the command object.
        name: of its method.

    Raises:
        CommandError: there is no such method, it returned False, or it checked nothing.
    """
    method = getattr(command, name, None)
    if not callable(method):
        raise CommandError(
            f'verify="{name}": the command has no method {name}(). Add it, or correct the name in @tracked_script.'
        )
    try:
        answer = method()
    except SystemExit as error:
        if error.code in _SUCCESS:
            raise CommandError(
                f"{name}() ended the process, so it is not known whether the work is done."
            ) from error
        raise
    if answer is False:
        raise CommandError(f"{name}() returned False: the work is not done.")
    if inspect.isawaitable(answer) or inspect.isgenerator(answer) or inspect.isasyncgen(answer):
        if inspect.iscoroutine(answer):
            answer.close()
        raise CommandError(
            f"{name}() is async or a generator, so it has checked nothing. Write def {name}(self)."
        )


def verify_again(statuses: Iterable[ScriptStatus]) -> tuple[Verdict, ...]:
    """Ask the methods of scripts whether their work is done; records nothing. Scripts without one are left out."""
    return tuple(
        Verdict(
            status.id, status.definition.options.verify, _trouble(status, status.definition.options.verify)
        )
        for status in statuses
        if status.definition is not None and status.definition.options.verify is not None
    )


def _trouble(status: ScriptStatus, name: str) -> str:
    try:
        command = importlib.import_module(scan.module_of(status.id, status.path)).Command()
        verify(command, name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises is its answer, and the next script is asked, too
        text = error_text(error) if isinstance(error, CommandError) else error_line(error)
        return escaped(" ".join(text.split()))
    return ""
