"""What the runner tells an attempt that it planned, and what it is told in return."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from scripts_tracker.project.scan import Identity

# Of an error that is no failure of the script any more.
AFTER_SUCCESS: Final = "its work is committed and recorded; after that"

_planned: ContextVar[Ticket | None] = ContextVar("_planned", default=None)


class Ticket:
    """One planned run of a command object; the attempt calls ``on_start`` and fills in the last four.

    Attributes:
        command: the very object that is going to run; None until it is made.
        identity: which script that is.
        last_run: key and outcome of the script's last run when it was planned: where either is another, somebody
            else was quicker, or has ended what was seen running.
        on_start: called when the attempt is recorded, before ``handle()``.
        run: the key of the attempt's row; None where ``handle()`` was not reached.
        kind: run or rehearsal.
        reason: why a success does not count as applied; empty where it does.
        is_recorded: whether its success is: whatever is raised then, the script has run.
    """

    def __init__(
        self, identity: Identity, last_run: tuple[int, str] | None, on_start: Callable[[], None]
    ) -> None:
        self.command: object = None
        self.identity = identity
        self.last_run = last_run
        self.on_start = on_start
        self.run: int | None = None
        self.kind = ""
        self.reason = ""
        self.is_recorded = False


@contextlib.contextmanager
def planned(ticket: Ticket) -> Iterator[None]:
    """While the block runs, the attempt of the ticket's command finds it."""
    token = _planned.set(ticket)
    try:
        yield
    finally:
        _planned.reset(token)


def ticket_of(command: object) -> Ticket | None:
    """The ticket of a command object, None where nobody planned its run."""
    ticket = _planned.get()
    return ticket if ticket is not None and ticket.command is command else None


class Call(NamedTuple):
    """The function behind the decorators, the command object, what Django gave to it."""

    function: Callable[..., Any]
    command: object
    args: tuple[Any, ...]
    options: Mapping[str, Any]

    def __call__(self) -> Any:
        """Make the call."""
        return self.function(self.command, *self.args, **self.options)
