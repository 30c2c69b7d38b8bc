"""Scripts in the admin: the list, the page of one, and the decisions about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import django
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ALL_VAR, ERROR_FLAG, PAGE_VAR
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html

from scripts_tracker.admin import html, listing
from scripts_tracker.admin.base import ReadOnlyAdmin, column, in_english, key_of, page_of, shows_runs, titled
from scripts_tracker.admin.listing import AppFilter, ScriptList, StateFilter, TagFilter, status_of
from scripts_tracker.core.states import State
from scripts_tracker.core.text import sign_of_life
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import rows
from scripts_tracker.ledger.database import alias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from django.http import HttpRequest
    from django.urls import URLPattern
    from django.utils.safestring import SafeString

    from scripts_tracker.admin.page import Subject
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.models import Script


# The names of ``decisions.DECISIONS``, which is imported when a page is shown.
_DECISIONS = ("pause", "resume", "accept", "restart", "cancel", "mark", "unmark", "release")
# Seconds until the page of a batched script that is at work is loaded again.
_REFRESH = 5


class ScriptAdmin(ReadOnlyAdmin):
    """Every script, with a row or without."""

    list_display = ("state", "script", "latest_run", "app")
    # The cell of the script has more than the link.
    list_display_links = None
    list_filter = (StateFilter, AppFilter, TagFilter)
    search_fields = ("app_label", "name")
    show_facets = admin.ShowFacets.ALWAYS
    list_per_page = 100

    state = column("state", lambda row: _state(status_of(row)), ordering="state")
    # Not last_run: that is a column of the model, which Django would show instead.
    latest_run = column(
        "last run", lambda row: _latest_run(status_of(row), listing.words_of(row)), ordering="latest_run"
    )
    app = column("app", lambda row: listing.app_name(row.app_label), ordering="app")

    @admin.display(description="script", ordering="script")
    def script(self, row: Script) -> SafeString:
        """The script with a link to its page, and its tags."""
        status = status_of(row)
        link = format_html('<a href="{}">{}</a>', page_of(self.admin_site, status.id), row)
        return html.with_more(link, ", ".join(status.tags))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ScriptList]:  # noqa: ARG002 - Django's signature
        """The list over statuses."""
        return ScriptList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list with the problems in the files, or why there is no list."""
        from scripts_tracker.reporting import report  # only when it is shown

        context: dict[str, Any] = {"title": titled("Scripts"), "findings": (), **(extra_context or {})}
        if self.has_view_permission(request):
            try:
                overview = listing.overview_of(request)
                context["findings"] = html.plain_findings(overview.findings)
                context["question"] = report.question(overview.statuses)
                context["next_step"] = html.plain(listing.next_step(overview))
                if self.has_decide_permission(request) and overview.statuses:
                    context["several_url"] = f"mark/?{_query(request)}".rstrip("?")
            except LedgerMissing as error:
                context["trouble"] = str(error)
        return super().changelist_view(request, context)

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the pages of the decisions."""

        def view(shown: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            # With ATOMIC_REQUESTS: a deadlock ends the whole transaction, and a decision is tried again.
            return transaction.non_atomic_requests(alias())(in_english(self.admin_site.admin_view(shown)))

        def page(name: str) -> URLPattern:
            found: URLPattern = path(
                f"<path:object_id>/{name}/",
                view(self.decide_view),
                {"name": name},
                name=f"scripts_tracker_script_{name}",
            )
            return found

        several = path("mark/", view(self.several_view), name="scripts_tracker_script_several")
        alone = path(
            "<path:object_id>/requirements.svg",
            in_english(self.admin_site.admin_view(self.picture_view)),
            name="scripts_tracker_script_picture",
        )
        return [several, alone, *map(page, _DECISIONS), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The page of one script, by its name; also by its key, which the admin's own history uses."""
        from scripts_tracker.admin import decisions, page  # only when it is shown

        del form_url
        if not self.has_view_permission(request):
            raise PermissionDenied
        subject = self._find(request, object_id)
        if subject.id.dotted != unquote(object_id):
            return HttpResponseRedirect(page_of(self.admin_site, subject.id))
        can_decide = self.has_decide_permission(request) and subject.status is not None
        walk = subject.status.walk if subject.status else None
        is_at_work = walk is not None and bool(walk.live)
        refreshes = is_at_work and "still" not in request.GET
        context = {
            **self._context(request, str(subject.id)),
            **page.context(subject, request, self.admin_site, runs=shows_runs(self.admin_site, request)),
            "tools": decisions.offered(subject.status, self.admin_site)
            if can_decide and subject.status
            else [],
            "is_at_work": is_at_work,
            "refreshes": refreshes,
            "pause": _REFRESH,
            **(extra_context or {}),
        }
        response = TemplateResponse(request, "admin/scripts_tracker/script/page.html", context)
        if refreshes:  # a header, as a page may allow no scripts
            response["Refresh"] = str(_REFRESH)
        return response

    def picture_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The picture of a script's requirements alone."""
        from scripts_tracker.admin import page  # as above

        if not self.has_view_permission(request):
            raise PermissionDenied
        subject = self._find(request, object_id)
        picture = page.svg_file(subject, self.admin_site)
        if not picture:
            raise Http404(f"{subject.id} requires no script, and no script requires it")
        response = HttpResponse(picture, content_type="image/svg+xml; charset=utf-8")
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def decide_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Decide about a script, with a reason."""
        from scripts_tracker.admin import decisions  # as above

        if not self.has_decide_permission(request):
            raise PermissionDenied
        subject = self._find(request, object_id)
        if subject.status is None:
            raise Http404(f"there is no tracked script {subject.id}")
        decision = decisions.DECISIONS[name]
        context = self._context(request, decision.question.format(subject.id))
        return decisions.view(self, request, decision, subject, context)

    def several_view(self, request: HttpRequest) -> HttpResponse:
        """Mark several scripts of the list as applied, with one reason; the query is that of the list."""
        from scripts_tracker.admin import several  # as above

        if not self.has_decide_permission(request):
            raise PermissionDenied
        is_all = "all" in request.GET
        query = _query(request)
        back = reverse("admin:scripts_tracker_script_changelist", current_app=self.admin_site.name)
        back = f"{back}?{query}".rstrip("?")
        request.GET = QueryDict(query)  # of the list, for which all others are wrong
        try:
            overview = listing.overview_of(request)
            listed = self.get_changelist_instance(request).queryset
        except (LedgerMissing, IncorrectLookupParameters):
            return HttpResponseRedirect(back)  # the list says why
        context = {
            **self._context(request, "Mark several scripts as applied"),
            "back": back,
            "crumb": "Mark several as applied",
            "query": query,
            "is_all": is_all,
        }
        return several.view(self, request, overview, cast("Sequence[ScriptStatus]", listed), context)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Django's own history of decisions, which uses the row's key."""
        row = rows.script_row(self._id_of(object_id))
        if row is None:
            raise Http404(f"there are no decisions about {object_id}")
        response = super().history_view(request, str(row.pk), extra_context)
        for entry in getattr(response, "context_data", {}).get("action_list", ()):
            entry.moment = html.moment(entry.action_time)
        return response

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Whether this user may decide about scripts: mark, unmark, release, pause, resume and cancel them."""
        user: Any = request.user
        return self.has_view_permission(request) and user.has_perm("scripts_tracker.decide_script")

    def _find(self, request: HttpRequest, object_id: str) -> Subject:
        """The script of an address; raises Http404 without one."""
        from scripts_tracker.admin import page  # as above

        script_id = self._id_of(object_id)
        try:
            found = page.find(script_id, listing.overview_of(request))
        except LedgerMissing as error:
            raise Http404(str(error)) from error
        if found is None:
            raise Http404(f"there is no tracked script {script_id}")
        return found

    def _id_of(self, object_id: str) -> ScriptId:
        """The script of ``app.name``, or of a row's key."""
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
        """What the admin's templates need on every page."""
        request.current_app = self.admin_site.name
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "media": self.media,
            "title": titled(title),
            # Django 6.1 has breadcrumbs as a list, and the tools of an object beside its title.
            "is_list_of_breadcrumbs": django.VERSION >= (6, 1),
        }


def _query(request: HttpRequest) -> str:
    """The filters, the search and the order of the list, without the page."""
    query = request.GET.copy()
    for name in (PAGE_VAR, ALL_VAR, ERROR_FLAG, "all"):
        query.pop(name, None)
    return query.urlencode()


def _state(status: ScriptStatus) -> SafeString:
    """The state, and how far a batched script is that has begun."""
    badge, progress = html.state_badge(status.state), status.progress
    if progress is None:
        return badge
    from scripts_tracker.core import stops  # few scripts are batched

    return html.with_more(badge, stops.percent(progress))


def _latest_run(status: ScriptStatus, words: str) -> str:
    """The last run; of one that goes on, its last words and its last sign of life."""
    from scripts_tracker.ledger import queries  # only when a page is shown

    record = status.record
    if record is None or record.last_run is None:
        return html.NO_VALUE
    if status.state is not State.RUNNING:
        return html.run_lines(record.last_run, queries.last_outcome(record))
    from scripts_tracker.core import stops  # few scripts are running

    waiting = status.progress.waiting if status.progress else None
    sign = stops.latest_sign(status.walk) if status.walk else sign_of_life(record.lease)
    words = html.in_short(f"waiting: {waiting}" if waiting else words)
    return html.run_lines(record.last_run, queries.last_outcome(record), words, sign)
