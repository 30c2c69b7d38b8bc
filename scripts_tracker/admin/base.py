"""What both lists share: nothing in them can be edited; and the addresses of the pages."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, ClassVar

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils import translation

from scripts_tracker import conf
from scripts_tracker.admin import html
from scripts_tracker.ledger import rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from django.contrib.admin import AdminSite
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from scripts_tracker.core.values import ScriptId

    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class ReadOnlyAdmin(_ModelAdmin):
    """A table of the ledger, to read."""

    actions = None

    class Media:
        """The style sheet."""

        css: ClassVar = {"all": ["scripts_tracker/admin.css"]}

    def get_urls(self) -> list[URLPattern]:
        """Django's, each of them in English."""
        urls: list[URLPattern] = super().get_urls()
        for one in urls:
            one.callback = in_english(one.callback)
        return urls

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows, from the ledger's database."""
        return rows.in_ledger(super().get_queryset(request))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 - Django's signature
        """Never: rows come from runs and decisions."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - as above
        """Never: the past does not change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002 - as above
        """Never: the history is kept; to unmark a script is a decision with a reason."""
        return False


def in_english(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The same view with Django's words in the language of ours, whatever the user has chosen: a page in two is neither."""

    @functools.wraps(view)
    def shown(*args: Any, **kwargs: Any) -> HttpResponse:
        with translation.override("en"):
            response = view(*args, **kwargs)
            # A template that is rendered later would be in the user's language.
            render = getattr(response, "render", None)
            response = render() if render is not None else response
            response.setdefault("Content-Language", "en")
            return response

    return shown


def titled(title: str) -> str:
    """The title of a page, with the name of the environment."""
    name = conf.tracker_settings().environment
    return f"{title} ({name})" if name else title


def column(label: str, show: Callable[[Any], Any], **options: Any) -> Callable[[Any, Any], Any]:
    """A column of a list, or a field of a page.

    Args:
        label: its heading.
        show: takes the row, returns HTML or text, in which control characters become visible.
        options: others of ``admin.display``.
    """

    def shown(_: Any, row: Any) -> Any:
        value = show(row)
        return (html.plain(value) or html.NO_VALUE) if type(value) is str else value

    return admin.display(shown, description=label, **options)


def key_of(text: str | None) -> int | None:
    """The key of a row, None if the text is none. Keys have 64 bits; databases refuse larger numbers."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004 - the digits of 64 bits


def page_of(site: AdminSite, script_id: ScriptId, view: str = "change") -> str:
    """The address of a script's page, or of a decision about it: by its name, as new scripts have no row."""
    name = f"admin:scripts_tracker_script_{view}"
    return reverse(name, args=[quote(script_id.dotted)], current_app=site.name)


def page_of_run(site: AdminSite, pk: int) -> str:
    """The address of a run's page."""
    return reverse("admin:scripts_tracker_scriptrun_change", args=[pk], current_app=site.name)


def shows_runs(site: AdminSite, request: HttpRequest) -> bool:
    """Whether this user may see runs here: fewer people may read a script's output than its state."""
    from scripts_tracker.models import ScriptRun

    return site.is_registered(ScriptRun) and site.get_model_admin(ScriptRun).has_view_permission(request)
