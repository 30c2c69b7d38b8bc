"""What a project may connect to: each is sent with ``sender`` the command's class, and what its receivers raise is logged.

All give ``script`` (a ScriptId; ``str()`` is "app.name") and ``run`` (the key of the ScriptRun row). ``script_started``
is sent when the attempt is recorded, before ``handle()``; ``script_succeeded`` and ``script_failed`` when its end is
recorded, with ``seconds``, ``kind`` ("run", or "rehearsal" where an option of ``unless`` was set), ``applies`` (whether the
script counts as applied by it: no failure does, no rehearsal, and no run with uncommitted changes where those are checked)
and, of a failure, ``error`` (the exception); ``script_lost`` when an attempt that never ended is found by the next one, with
``host``, ``pid`` and ``started_at`` of the lost one, whose key is ``run``.
"""

from __future__ import annotations

from django.dispatch import Signal

script_started = Signal()
script_succeeded = Signal()
script_failed = Signal()
script_lost = Signal()
