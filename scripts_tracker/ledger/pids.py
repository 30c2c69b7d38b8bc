"""Whether a process has a number: for /proc and for systems without it, neither of which imports the other at its start."""

from __future__ import annotations

import os


def exists(pid: int) -> bool:
    """Whether a process with this number exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
