"""The codes of all findings, each with its meaning."""

from __future__ import annotations

from typing import Final

UNREADABLE: Final = "ST000"
"""A file or folder cannot be read or analysed."""
MISPLACED_DECORATOR: Final = "ST001"
"""``@tracked_script`` stands on nothing that is the ``handle()`` of a Command class."""
EMPTY_REQUIREMENT: Final = "ST002"
"""``@required_preceding_script`` names no script: no arguments, or no call."""
UNKNOWN_REQUIREMENT: Final = "ST003"
"""The required script does not exist."""
UNTRACKED_REQUIREMENT: Final = "ST004"
"""The required command exists, but is not tracked or is ignored."""
SELF_REQUIREMENT: Final = "ST005"
"""A script requires itself."""
REQUIREMENT_CYCLE: Final = "ST006"
"""Scripts require each other in a circle."""
NOT_STATIC: Final = "ST007"
"""Something that has to be known without running the code is computed."""
WRONG_OPTION: Final = "ST008"
"""An unknown option, or an option with a value it does not take."""
SHADOWED: Final = "ST009"
"""Another command of the same name hides this one."""
UNSEEN: Final = "ST010"
"""A tracked file stands where the tracker never looks."""
