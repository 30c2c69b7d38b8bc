"""The method that ``verify=`` names: whether the work of a script is done, asked after its run and whenever a person asks."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from django.core.management.base import CommandError

from scripts_tracker.core.escaping import escaped
from scripts_tracker.core.text import error_line, error_text
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.project import scan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId


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
        CommandError: there is no such method, or it returned False.
    """
    method = getattr(command, name, None)
    if not callable(method):
        raise CommandError(
            f'verify="{name}": the command has no method {name}(). Add it, or correct the name in @tracked_script.'
        )
    if method() is False:
        raise CommandError(f"{name}() returned False: the work is not done.")


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
    except Exception as error:  # noqa: BLE001 - whatever it raises is its answer, and the next script is asked, too
        text = error_text(error) if isinstance(error, CommandError) else error_line(error)
        return escaped(" ".join(text.split()))
    return ""
