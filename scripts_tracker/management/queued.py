"""What ``check_scripts`` and ``show_script`` say of the queue: how many jobs wait for which script."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import Error

from scripts_tracker import conf
from scripts_tracker.core.states import State
from scripts_tracker.core.values import Queued

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scripts_tracker.core.states import ScriptStatus


def queued_for(statuses: Iterable[ScriptStatus]) -> Queued:
    """The jobs that wait for some scripts: at most one query, and none without a queue or a script that may have a job."""
    if conf.queue_settings() is None or not any(map(_may_have_a_job, statuses)):
        return Queued()
    from scripts_tracker.running.queue import QueueUnusable  # only with the setting: it leads to django.tasks

    try:
        from scripts_tracker.running import jobs

        return Queued(is_asked=True, jobs=jobs.queued())
    except (QueueUnusable, Error):  # its table is not there, say; run_scripts --enqueue says more
        return Queued(is_asked=True)


def _may_have_a_job(status: ScriptStatus) -> bool:
    """Whether the script waits for its end, or runs at each deploy."""
    return status.definition is not None and (not status.state.satisfies or status.state is State.RECURRING)
