"""The addresses of the test suite itself: Django's admin, and a site that a project made for itself."""

from __future__ import annotations

from django.contrib import admin
from django.urls import path

from scripts_tracker.admin import ScriptAdmin, ScriptRunAdmin
from scripts_tracker.models import Script, ScriptRun

operations = admin.AdminSite(name="operations")
operations.register(Script, ScriptAdmin)
operations.register(ScriptRun, ScriptRunAdmin)

urlpatterns = [path("admin/", admin.site.urls), path("operations/", operations.urls)]
