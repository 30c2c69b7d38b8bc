"""The words of the contract that both halves of the product share; cheap to import, as every start does."""

from __future__ import annotations

from typing import Literal, NamedTuple

Rerun = Literal["on-change", "once", "always"]
RERUN_VALUES: tuple[Rerun, ...] = ("on-change", "once", "always")


class Required(NamedTuple):
    """One argument of ``@required_preceding_script``; ``is_module`` where it was a module object."""

    name: str
    is_module: bool
