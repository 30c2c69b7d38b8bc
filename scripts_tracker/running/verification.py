"""The method that ``verify=`` names: whether the work of a script is done, asked after its run and whenever a person asks."""

from __future__ import annotations

from django.core.management.base import CommandError


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
