"""The import path of ``tracked_script`` in django-scripts-tracker."""

from __future__ import annotations

from scripts_tracker.decorators import tracked_script

__all__ = ["tracked_script"]
