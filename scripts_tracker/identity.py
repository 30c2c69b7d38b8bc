"""Which script a running command is: the command that was called, never the module that defines its class."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

from django.core.management import BaseCommand, call_command

from scripts_tracker import scan

if TYPE_CHECKING:
    from types import FrameType, ModuleType

    from scripts_tracker.datatypes import ScriptId


class Identity(NamedTuple):
    """A running script: who it is, its file as reports show it, and the file itself."""

    id: ScriptId
    path: str
    file: str


def _is_command_module(name: str) -> bool:
    return ".management.commands." in f".{name}"


def _offering(command_class: type) -> list[ModuleType]:
    """The loaded command modules whose ``Command`` is this very class, the defining one first."""
    found = [
        module
        for name, module in list(sys.modules.items())
        if _is_command_module(name) and getattr(module, "Command", None) is command_class
    ]
    return sorted(found, key=lambda module: module.__name__ != command_class.__module__)


def _called_name() -> str | None:
    """The command name that the nearest caller in Django was given; None for a direct call of handle()."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - Django hands the name to nobody below
    while frame is not None:
        if frame.f_code is BaseCommand.run_from_argv.__code__:
            return str(frame.f_locals["argv"][1])
        if frame.f_code is call_command.__code__:
            given = frame.f_locals.get("command_name")
            return given if isinstance(given, str) else None
        frame = frame.f_back
    return None


def _module_of(command: object) -> ModuleType:
    own = sys.modules[type(command).__module__]
    offering = _offering(type(command))
    if len(offering) > 1:
        called = _called_name()
        for module in offering:
            if module.__name__.rpartition(".")[2] == called:
                return module
    return offering[0] if offering else own


def identify(command: object) -> Identity:
    """Who the script behind a command object is.

    Two command files may offer one class (``from shop.base import Command``); then the name under
    which Django was asked for the command decides.
    """
    module = _module_of(command)
    file = os.path.abspath(module.__file__ or "")
    return Identity(scan.script_of_module(module.__name__), scan.shown_path(file), file)
