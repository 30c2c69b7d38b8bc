"""The import path of ``required_preceding_script`` in django-scripts-tracker."""

from __future__ import annotations

from scripts_tracker.decorators import UserAbortingExecution, required_preceding_script

__all__ = ["UserAbortingExecution", "required_preceding_script"]
