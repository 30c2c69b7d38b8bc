"""The words of the contract that both halves of the product share; cheap to import, as every start does."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Rerun = Literal["on-change", "once", "always"]
RERUN_VALUES: tuple[Rerun, ...] = ("on-change", "once", "always")

ALGORITHM: Final = "st1"
"""What fingerprints are made by now. It stands here, as the ledger asks for it where libcst is not to be imported."""

NEWEST_MIGRATION: Final = "0004_watched"
"""What a migration of a project depends on that calls a tracked command or asks whether one has run."""

INTERRUPTED: Final = "interrupted"
"""How the reason of an attempt begins that Ctrl-C or SIGTERM ended: whoever waited for it may try again at once."""


INSTALLED: Final = ("site-packages", "dist-packages")
"""Folders of what is installed beside the project; nothing in them is the project's own."""


class Required(NamedTuple):
    """One argument of ``@required_preceding_script``; ``is_module`` where it was a module object."""

    name: str
    is_module: bool
