"""A call of ``handle()`` that is yet to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Call(NamedTuple):
    """The function behind the decorators, the command object, what Django gave to it."""

    function: Callable[..., Any]
    command: object
    args: tuple[Any, ...]
    options: Mapping[str, Any]

    def __call__(self) -> Any:
        """Make the call."""
        return self.function(self.command, *self.args, **self.options)
