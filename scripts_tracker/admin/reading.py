"""What both lists have in common: they are read, never edited; and where a script's own pages are."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse

from scripts_tracker.ledger import rows

if TYPE_CHECKING:
    from typing import Any

    from django.contrib.admin import AdminSite
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from scripts_tracker.core.values import ScriptId

    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(_ModelAdmin):
    """A model that is shown as it is in the ledger's database, to those who may view it."""

    actions = None

    class Media:
        """What the pages look like beyond Django's own style."""

        css: ClassVar = {"all": ["scripts_tracker/admin.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows, wherever the ledger is."""
        return rows.in_ledger(super().get_queryset(request))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Rows come from what happens."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - as above
        """What happened does not change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - as above
        """The history is kept; to forget that a script was applied is a decision, with a reason."""
        return False


def key_of(text: str | None) -> int | None:
    """The key of a row; None where the text is none. Keys are 64 bits wide, and databases refuse more."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 - the digits of 64 bits


def page_of(site: AdminSite, script_id: ScriptId, view: str = "change") -> str:
    """Where a script's page is, or the page of a decision about it: by its name, as new scripts have no row."""
    name = f"admin:scripts_tracker_script_{view}"
    return reverse(name, args=[quote(str(script_id))], current_app=site.name)


def page_of_run(site: AdminSite, pk: int) -> str:
    """Where one run is shown."""
    return reverse("admin:scripts_tracker_scriptrun_change", args=[pk], current_app=site.name)


def shows_runs(site: AdminSite, request: HttpRequest) -> bool:
    """Whether this person may see runs here: what a script printed may be for fewer eyes than its state."""
    from scripts_tracker.models import ScriptRun

    return site.is_registered(ScriptRun) and site.get_model_admin(ScriptRun).has_view_permission(request)
