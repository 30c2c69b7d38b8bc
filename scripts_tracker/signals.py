"""The signals of runs. The sender is the class of the command; exceptions of receivers are logged.

Every signal has the arguments ``script`` (a ScriptId; ``str()`` is "app.name") and ``run`` (the key of the ScriptRun row).

* ``script_started``: the attempt is recorded, and ``handle()`` comes next.
* ``script_succeeded`` and ``script_failed``: the outcome is recorded. They add ``seconds``, ``kind`` ("run", or "rehearsal"
  for a dry run: an option named in ``unless`` was set) and ``applies`` (whether the script is applied by this run; never
  after a failure, a dry run, or with uncommitted changes where CHECK_SCRIPT_GIT_STATUS is on). ``script_failed`` also adds
  ``error``, the exception.
* ``script_lost``: an attempt found that the one before never ended. ``run`` is the key of the lost one, and ``host``,
  ``pid`` and ``started_at`` are of that one.
"""

from __future__ import annotations

from django.dispatch import Signal

script_started = Signal()
script_succeeded = Signal()
script_failed = Signal()
script_lost = Signal()
