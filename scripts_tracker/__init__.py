"""A ledger for Django management commands that must run once in every environment.

Hands out the two decorators of command files. Imports the standard library only until a tracked command is called.
"""

from __future__ import annotations

from scripts_tracker.decorators import required_preceding_script, tracked_script

__all__ = ["required_preceding_script", "tracked_script"]
