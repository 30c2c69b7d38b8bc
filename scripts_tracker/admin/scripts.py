"""Scripts in the admin: the list, the page of one, and the two decisions about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path

from scripts_tracker.admin import listing, texts
from scripts_tracker.admin.listing import AppFilter, ScriptList, StateFilter, TagFilter, status_of
from scripts_tracker.admin.reading import ReadOnlyAdmin, key_of, page_of, shows_runs
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import rows

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.urls import URLPattern
    from django.utils.safestring import SafeString

    from scripts_tracker.admin.deciding import Decision
    from scripts_tracker.admin.page import Subject
    from scripts_tracker.models import Script


class ScriptAdmin(ReadOnlyAdmin):
    """Every script, with a row or without."""

    # The state first: at 400 px the rest is to be scrolled to.
    list_display = ("state", "script", "tried", "app", "tags")
    list_display_links = ("script",)
    list_filter = (StateFilter, AppFilter, TagFilter)
    search_fields = ("app_label", "name")
    show_facets = admin.ShowFacets.ALWAYS
    list_per_page = 100

    @admin.display(description="script", ordering="script")
    def script(self, row: Script) -> str:
        """Who it is."""
        return str(row)

    @admin.display(description="state", ordering="state")
    def state(self, row: Script) -> SafeString:
        """Its state, in colour and in words."""
        return texts.state_badge(status_of(row).state)

    # Not last_run: Django would ask the row, which has a column of that name.
    @admin.display(description="last run", ordering="tried")
    def tried(self, row: Script) -> SafeString | str:
        """What was tried or decided last, when, and how it ended."""
        from scripts_tracker.ledger import queries  # as late as somebody looks

        record = status_of(row).record
        if record is None or record.last_run is None:
            return texts.NO_VALUE
        return texts.run_in_brief(record.last_run, queries.last_outcome(record))

    @admin.display(description="app", ordering="app")
    def app(self, row: Script) -> str:
        """Whose it is."""
        return listing.app_name(row.app_label)

    @admin.display(description="tags")
    def tags(self, row: Script) -> str:
        """Its tags."""
        return ", ".join(listing.tags_of(status_of(row))) or texts.NO_VALUE

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ScriptList]:  # noqa: ARG002 - Django's signature
        """The list over statuses."""
        return ScriptList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, with what is wrong with the files, or why there is no list."""
        context: dict[str, Any] = {"title": "Scripts", "findings": (), **(extra_context or {})}
        if self.has_view_permission(request):
            try:
                context["findings"] = listing.overview_of(request).findings
            except LedgerMissing as error:
                context["trouble"] = str(error)
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the pages of the two decisions."""

        def of(view: str) -> URLPattern:
            wrapped = self.admin_site.admin_view(getattr(self, f"{view}_view"))
            found: URLPattern = path(
                f"<path:object_id>/{view}/", wrapped, name=f"scripts_tracker_script_{view}"
            )
            return found

        return [of("mark"), of("forget"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of one script, by its name; by its key, as the admin's own history has it, too."""
        from scripts_tracker.admin import page  # as late as somebody looks

        del form_url
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = self._find(request, object_id)
        if str(found.id) != unquote(object_id):
            return HttpResponseRedirect(page_of(self.admin_site, found.id))
        context = {
            **self._context(request, str(found.id)),
            **page.context(found, request, self.admin_site, runs=shows_runs(self.admin_site, request)),
            "can_decide": self.has_decide_permission(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/scripts_tracker/script/page.html", context)

    def mark_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Mark as applied, with a reason."""
        from scripts_tracker.admin.deciding import MARK  # as late as somebody decides

        return self._decide(request, object_id, MARK)

    def forget_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Forget that it was applied, with a reason."""
        from scripts_tracker.admin.deciding import FORGET  # as above

        return self._decide(request, object_id, FORGET)

    def _decide(self, request: HttpRequest, object_id: str, decision: Decision) -> HttpResponse:
        from scripts_tracker.admin import deciding

        if not self.has_decide_permission(request):
            raise PermissionDenied
        found = self._find(request, object_id)
        if found.status is None:
            raise Http404(f"there is no tracked script {found.id}")
        context = self._context(request, decision.question.format(found.id))
        return deciding.view(self, request, decision, found, context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django's own history of decisions, which goes by the row's key."""
        row = rows.script_row(self._id_of(object_id))
        if row is None:
            raise Http404(f"nothing was decided about {object_id}")
        return super().history_view(request, str(row.pk), extra_context)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Whether this person may mark scripts as applied and forget them."""
        user: Any = request.user
        return self.has_view_permission(request) and user.has_perm("scripts_tracker.decide_script")

    def _find(self, request: HttpRequest, object_id: str) -> Subject:
        """The script that is meant, or a page that says there is none."""
        from scripts_tracker.admin import page

        script_id = self._id_of(object_id)
        try:
            found = page.find(script_id, listing.overview_of(request))
        except LedgerMissing as error:
            raise Http404(str(error)) from error
        if found is None:
            raise Http404(f"there is no tracked script {script_id}")
        return found

    def _id_of(self, object_id: str) -> ScriptId:
        """Who is meant: ``app.name``, or the key of a row."""
        text = unquote(object_id)
        key = key_of(text)
        if key is not None:
            script_id = rows.script_id(key)
            if script_id is None:
                raise Http404(f"there is no script with the key {text}")
            return script_id
        app_label, _, name = text.partition(".")
        return ScriptId(app_label, name)

    def _context(self, request: HttpRequest, title: str) -> dict[str, Any]:
        """What the templates of the admin ask of every page."""
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": title,
            # Django 6.1 has breadcrumbs as a list, and the tools of an object beside its title.
            "is_list_of_breadcrumbs": django.VERSION >= (6, 1),
        }
