"""The ledger in Django's admin: the pages of scripts and runs.

Found by Django's autodiscovery and imported by nothing else. Asks the ledger for rows, and never queries the tables itself.
"""

from __future__ import annotations

from django.contrib import admin

from scripts_tracker.admin.runs import ScriptRunAdmin
from scripts_tracker.admin.scripts import ScriptAdmin
from scripts_tracker.models import Script, ScriptRun

__all__ = ["ScriptAdmin", "ScriptRunAdmin"]

admin.site.register(Script, ScriptAdmin)
admin.site.register(ScriptRun, ScriptRunAdmin)
