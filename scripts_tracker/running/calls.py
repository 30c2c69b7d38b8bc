"""A call of a ``handle()``, and the plan behind it: what the runner and the attempt say to each other."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any

from django.core.management.base import CommandError

from scripts_tracker.core.tuples import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts_tracker.core.events import WorkOptions
    from scripts_tracker.core.values import ScriptId, ScriptOptions
    from scripts_tracker.project.scan import Identity

    Rehearse = Callable[["HandleCall", "ScriptOptions", Callable[[], str]], Any]
    """Makes a call whose effect is rolled back; gets the options of the script, and what gives its output so far."""
    AskToAbort = Callable[[str, str], bool | None]
    """Shows a warning and asks a question; None where there is no one to ask."""

# What a function returns whose body has not been executed.
_NOT_RUN = (CoroutineType, GeneratorType, AsyncGeneratorType)


class HandleCall(NamedTuple):
    """The function behind the decorators, the command object, what Django passed to it."""

    function: Callable[..., Any]
    command: object
    args: tuple[Any, ...]
    options: Mapping[str, Any]

    def __call__(self) -> Any:
        """Make the call."""
        result = self.function(self.command, *self.args, **self.options)
        if isinstance(result, _NOT_RUN):
            if not isinstance(result, AsyncGeneratorType):
                result.close()  # or else Python warns of it when it is collected, whatever runs then
            raise CommandError(
                f"handle() returned a {type(result).__name__.replace('_', ' ')}, which Django does not run."
            )
        return result


def call_of(function: Callable[..., Any], args: tuple[Any, ...], options: Mapping[str, Any]) -> HandleCall:
    """The call of a decorated function.

    Raises:
        CommandError: the function is no ``handle()``, so that its runs would be recorded without a script to show.
    """
    if not args:  # django-typer passes the command by name
        args, options = (options.get("self"),), {key: options[key] for key in options if key != "self"}
    command = args[0]
    # A TyperCommand calls its subcommands past handle().
    is_part = getattr(function, "__name__", "handle") != "handle" and hasattr(type(command), "typer_app")
    if is_part or not hasattr(command, "handle"):
        where = f"{function.__module__}.{getattr(function, '__qualname__', function)}()"
        raise CommandError(
            f"@tracked_script is on {where}, which is not the handle() of a Command class."
            " Call the function from the handle() of one, and put the decorator there."
        )
    return HandleCall(function, command, args[1:], options)


class PlainError(CommandError):
    """An error that Django prints as one of its own: it puts the name of the class before the message."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.__name__ = CommandError.__name__


class Refused(PlainError):
    """A batched script that may not be worked on now."""


class TakenOver(PlainError):
    """A worker that gave no sign of life for too long: another one has what it was at, and it may begin anew."""


class Stopped(Refused):
    """A batched script is not finished, and nothing has failed: run it again later.

    Attributes:
        reason: why, as a clause.
    """

    def __init__(self, script_id: ScriptId, reason: str) -> None:
        from scripts_tracker.core.events import EXIT_STOPPED  # a plain script does not need it

        self.reason = reason
        super().__init__(f"{script_id} is not finished: {reason}.", returncode=EXIT_STOPPED)


def _nothing() -> None:
    pass


class PlannedRun:
    """One planned run of a command object; the attempt calls ``on_start`` and ``on_end`` and sets what follows.

    Attributes:
        command: the object that will run; None until it is made.
        identity: which script that is.
        last_run: key and outcome of the script's last run when it was planned. Where either has changed, another
            process was faster, or has ended what was running.
        on_start: called when the attempt is recorded, before ``handle()``.
        on_end: called when ``handle()`` has ended, before the outcome is recorded.
        run: the key of the attempt's row; None where ``handle()`` was not reached.
        kind: run or rehearsal.
        reason: why a success does not count as applied; empty where it does.
        is_recorded: whether its success is recorded; an error after that does not undo it.
        failure: what the script has failed by.
        work: how to work on a batched script; None where nobody says.
        rehearse: makes the call instead; None for a run that counts.
    """

    def __init__(
        self, identity: Identity, last_run: tuple[int, str] | None, on_start: Callable[[], None]
    ) -> None:
        self.command: object = None
        self.identity = identity
        self.last_run = last_run
        self.on_start = on_start
        self.on_end: Callable[[], None] = _nothing
        self.run: int | None = None
        self.kind = ""
        self.reason = ""
        self.is_recorded = False
        self.failure: BaseException | None = None
        self.work: WorkOptions | None = None
        self.rehearse: Rehearse | None = None


# The scripts that were rehearsed so far, by the rehearsal that is going on; None outside of one.
_rehearsed: ContextVar[frozenset[ScriptId] | None] = ContextVar("_rehearsed", default=None)


@contextlib.contextmanager
def rehearsing(rehearsed: frozenset[ScriptId]) -> Iterator[None]:
    """Let what is called in the block know that it is a rehearsal, and which scripts came before."""
    token = _rehearsed.set(rehearsed)
    try:
        yield
    finally:
        _rehearsed.reset(token)


def rehearsed() -> frozenset[ScriptId] | None:
    """The scripts whose effect this call sees and nothing else ever will; None outside of a rehearsal."""
    return _rehearsed.get()


_planned: ContextVar[PlannedRun | None] = ContextVar("_planned", default=None)


@contextlib.contextmanager
def running_as_planned(planned: PlannedRun) -> Iterator[None]:
    """Let the attempt of the command find its plan while the block runs."""
    token = _planned.set(planned)
    try:
        yield
    finally:
        _planned.reset(token)


def planned_run_of(command: object) -> PlannedRun | None:
    """The plan for the run of a command object; None where there is none."""
    planned = _planned.get()
    return planned if planned is not None and planned.command is command else None
