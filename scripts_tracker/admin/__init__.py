"""The ledger in Django's admin: found by its autodiscovery, and imported by nothing else."""

from __future__ import annotations

from django.contrib import admin

from scripts_tracker.admin.runs import ScriptRunAdmin
from scripts_tracker.admin.scripts import ScriptAdmin
from scripts_tracker.models import Script, ScriptRun

__all__ = ["ScriptAdmin", "ScriptRunAdmin"]

admin.site.register(Script, ScriptAdmin)
admin.site.register(ScriptRun, ScriptRunAdmin)
