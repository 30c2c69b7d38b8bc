"""The import path of ``required_preceding_script`` in django-scripts-tracker."""

from __future__ import annotations

from scripts_tracker.decorators import required_preceding_script
from scripts_tracker.exceptions import UserAbortingExecution

__all__ = ["UserAbortingExecution", "required_preceding_script"]
