"""For workers of Celery, which import the module ``tasks`` of each app to know its tasks; without a queue it is empty."""

from __future__ import annotations

import logging

from scripts_tracker import conf

if conf.queue_settings() is not None:
    from scripts_tracker.running.queue import QueueUnusable

    try:
        from scripts_tracker.running import jobs  # noqa: F401 - it registers the task
    except QueueUnusable as error:  # must not end a worker that has other tasks
        logging.getLogger("scripts_tracker").error(  # noqa: TRY400 - the line says it all
            "No scripts are run from the queue: %s", error
        )
