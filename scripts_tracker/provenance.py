"""Who does something to a script, where, and from which checkout."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

from scripts_tracker import arguments, conf, git, processes
from scripts_tracker.ledger import RunFacts

if TYPE_CHECKING:
    from scripts_tracker.ledger import Kind


def who_and_where(kind: Kind, *, given: str = "{}", reason: str = "", user: str = "") -> RunFacts:
    """One row's worth of it.

    Args:
        kind: run, rehearsal, mark or unmark.
        given: the arguments of a run, as JSON text.
        reason: why somebody decided something without a run.
        user: who it is, where somebody else than the process's own user decided it.
    """
    return RunFacts(
        kind=kind,
        host=processes.host(),
        pid=os.getpid(),
        process=processes.own(),
        user=(user or _user_of_the_process())[:255],
        arguments=given,
        git_revision=git.head_revision(conf.base_dir()),
        reason=arguments.bounded(reason),
    )


def _user_of_the_process() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such uid in this container, or no pwd module
        return str(os.getuid()) if hasattr(os, "getuid") else ""
