"""Runs in the admin: the list of all, and one with its output and traceback."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import Error
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html

from scripts_tracker import conf
from scripts_tracker.admin import html
from scripts_tracker.admin.base import ReadOnlyAdmin, column, in_english, key_of, page_of, page_of_run, titled
from scripts_tracker.core.text import describe_lease, plain_reason, sign_of_life, who
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import rows
from scripts_tracker.ledger.database import unavailable_message

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet
    from django.http import HttpRequest
    from django.urls import URLPattern
    from django.utils.safestring import SafeString

    from scripts_tracker.models import ScriptRun


# Seconds until the page of a running run is loaded again.
_REFRESH = 5
# The long texts of a run, by their columns, and how many letters of a script's name their files have.
_TEXTS = ("output", "traceback")
_STEM = 100
# Where a run of the list has its walk and its last words.
_RUNNING = "_scripts_tracker_running"


def _sign(run: ScriptRun) -> str:
    """The last sign of life of a run that has no recorded end."""
    return describe_lease(rows.lease_now(run))


def _result(run: ScriptRun) -> SafeString:
    """The outcome, and what it is the outcome of, unless that is a run like most; of what runs, how far it is."""
    kind, outcome = html.kind_of(run), rows.outcome_now(run)
    shown = "" if kind == html.KINDS["run"] else kind
    return html.with_more(html.outcome_badge(outcome), shown, *(_far(run) if outcome == "running" else ()))


def _far(run: ScriptRun) -> Iterator[str]:
    """Its progress, its last words and its last sign of life, as far as they are known; of the list, which has read them."""
    from scripts_tracker.core import stops  # few runs are running
    from scripts_tracker.core.progress import progress_of

    walk, words = getattr(run, _RUNNING, (None, ""))
    yield stops.percent(progress_of(walk)) if walk else ""
    yield html.in_short(f"waiting: {run.waiting}" if run.waiting else words)
    yield sign_of_life(rows.lease_now(run))


def _rehearsed(run: ScriptRun) -> str:
    """What a rehearsal has found, as text; empty while it goes on."""
    from django.core.management.color import no_style  # few runs are rehearsals

    from scripts_tracker.core import reports
    from scripts_tracker.reporting import rehearsals, terminal

    found = reports.from_text(run.report) if run.ended_at else None
    return "\n".join(rehearsals.report(found, terminal.Output(no_style()), "")) if found else ""


def _text(run: ScriptRun, name: str) -> SafeString:
    """The output or the traceback from its end, where the reason of a failure is, and a link to the whole as a file."""
    text = getattr(run, name)
    shown = html.block(text, name.capitalize(), at_end=True)
    if not text:
        return shown
    # Relative: the same on every admin site.
    return format_html('{}<a class="st-download" href="../{}.txt">Download the {}</a>', shown, name, name)


class _ColumnFilter(SimpleListFilter):
    """A column with a few known values: no SELECT DISTINCT over a million runs."""

    known: tuple[tuple[str, str], ...]

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - Django's signature
        """The values with their labels."""
        return self.known

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - as above
        """The runs with the selected value."""
        value = self.value()
        return queryset if value is None else rows.with_value(queryset, str(self.parameter_name), value)


class OutcomeFilter(_ColumnFilter):
    """By outcome."""

    title = "outcome"
    parameter_name = "outcome"
    # Whether an unfinished run still runs depends on its lease.
    known = (
        *((one, one.capitalize()) for one in ("succeeded", "failed", "lost")),
        ("running", "No end recorded"),
    )


class KindFilter(_ColumnFilter):
    """By kind."""

    title = "kind"
    parameter_name = "kind"
    known = tuple(
        (one, "Dry run or rehearsal" if one == "rehearsal" else html.kind(one)) for one in html.KINDS
    )


class EnvironmentFilter(SimpleListFilter):
    """By the place where a run was recorded, where the ledger knows several."""

    title = "environment"
    parameter_name = "environment"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        """The places with their names; none if there is only one."""
        try:
            found = [(str(pk), html.plain(name)) for pk, name in rows.environments()]
        except (LedgerMissing, Error):
            return []  # the page says why it shows no runs
        return found if len(found) > 1 else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - as above
        """The runs of the selected place."""
        value = self.value()
        if value is None:
            return queryset
        pk = key_of(value)
        return queryset.none() if pk is None else rows.with_value(queryset, "environment", pk)


class RunList(ChangeList):
    """The list of runs, without the long texts."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """The rows of the list."""
        return rows.without_long_texts(super().get_queryset(request, exclude_parameters))

    def get_results(self, request: HttpRequest) -> None:
        """The rows of a page, with what they need to know whether they still run."""
        super().get_results(request)
        rows.attach_places(self.result_list)
        running = [run for run in self.result_list if rows.outcome_now(run) == "running"]
        words, walks = rows.last_words([run.pk for run in running]), rows.walks_of(running)
        for run in running:
            setattr(run, _RUNNING, (walks.get(run.walk_id), words.get(run.pk, "")))


class ScriptRunAdmin(ReadOnlyAdmin):
    """The history: runs and decisions. Methods are not named like columns, which Django would show instead."""

    list_display = ("result", "of_script", "begun", "by_whom")
    # The cell of the start has more than the link.
    list_display_links = None
    list_filter = (OutcomeFilter, KindFilter, ("started_at", admin.DateFieldListFilter), EnvironmentFilter)
    search_fields = ("script__app_label", "script__name", "user", "host", "reason")
    # Not by key: rows that were adopted, or that a clock has set back, are older than their keys.
    ordering = ("-started_at", "-pk")
    list_per_page = 50
    # To count all runs beside the matching ones would double the time.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fields = readonly_fields = (
        "of_script", "what", "how_it_ended", "sign", "is_applied", "started", "ended", "took", "by", "where", "pid", "recorded_in",
        "fingerprint", "commit", "given", "why", "rehearsed", "printed", "trace",
    )  # fmt: skip

    def get_urls(self) -> list[URLPattern]:
        """Django's, and the long texts of a run as files."""

        def file(name: str) -> URLPattern:
            view = in_english(self.admin_site.admin_view(self.text_view))
            found: URLPattern = path(
                f"<path:object_id>/{name}.txt", view, {"name": name}, name=f"scripts_tracker_scriptrun_{name}"
            )
            return found

        return [*map(file, _TEXTS), *super().get_urls()]

    def text_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """The output or the traceback of a run, as a file to keep; 404 if there is none."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        refusal = self._unreadable(request)
        if refusal:
            return refusal
        key = key_of(object_id)
        run = self.get_object(request, str(key)) if key is not None else None
        text = getattr(run, name) if run else ""
        if not run or not text:
            raise Http404(f"there is no {name} of a run {html.plain(object_id)}")
        # What controls a terminal is visible in the file, too: people print files there.
        response = HttpResponse(html.plain(text), content_type="text/plain; charset=utf-8")
        stem = re.sub(r"[^A-Za-z0-9._-]", "_", str(rows.id_of(run.script)))[:_STEM].strip(".")
        response["Content-Disposition"] = f'attachment; filename="{stem}-{run.pk}-{name}.txt"'
        response["X-Content-Type-Options"] = "nosniff"
        return response

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RunList]:  # noqa: ARG002 - Django's signature
        """The list without long texts."""
        return RunList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Runs with their script and version, without its source."""
        return rows.runs_with_scripts(super().get_queryset(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Without the sign of life and the report of a rehearsal where there is none."""
        fields = super().get_fields(request, obj)
        if obj is None:
            return fields
        omitted = {name for name, value in (("sign", _sign(obj)), ("rehearsed", obj.report)) if not value}
        return [one for one in fields if one not in omitted]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, or why there is none."""
        if conf.tracker_settings().environment:
            extra_context = {"title": titled("Runs"), **(extra_context or {})}
        return self._unreadable(request) or super().changelist_view(request, extra_context)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """One run, or why it cannot be read."""
        return self._unreadable(request) or super().change_view(request, *args, **kwargs)

    def _unreadable(self, request: HttpRequest) -> HttpResponse | None:
        """A redirect with a message if rows cannot be read; the page itself would fail after half of it was sent."""
        try:
            rows.check_readable(self.get_queryset(request))
        except (LedgerMissing, Error) as error:
            message = str(error) if isinstance(error, LedgerMissing) else unavailable_message(error)
            self.message_user(request, message, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:index", current_app=self.admin_site.name))
        return None

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """One run, with its script in the title."""
        run = kwargs["obj"]
        context["original"] = f"{run.script} {html.moment(run.started_at)}"
        is_running = rows.outcome_now(run) == "running"
        refreshes = is_running and "still" not in request.GET
        context.update(title=titled(f"{html.kind_of(run)}: {run.script}"), subtitle=None)
        context.update(is_running=is_running, refreshes=refreshes, pause=_REFRESH)
        response = super().render_change_form(request, context, *args, **kwargs)
        if refreshes:  # a header, as a page may allow no scripts
            response["Refresh"] = str(_REFRESH)
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """``app.name`` finds the same as ``app name``."""
        return super().get_search_results(request, queryset, search_term.replace(".", " "))

    started = column("started", lambda run: html.moment(run.started_at), ordering="started_at")
    what = column("kind", html.kind_of)
    how_it_ended = column("outcome", lambda run: html.outcome_badge(rows.outcome_now(run)))
    result = column("outcome", _result)
    took = column("duration", html.duration)
    ended = column("ended", lambda run: html.moment(run.ended_at))
    by = column("user", lambda run: run.user, ordering="user")
    by_whom = column("by", lambda run: who(run.user, run.host) or html.NO_VALUE, ordering="user")
    where = column("host", lambda run: run.host, ordering="host")
    recorded_in = column("environment", lambda run: rows.place_of(run) or html.NO_VALUE)
    commit = column("git revision", lambda run: run.git_revision)
    is_applied = column("marked as applied", lambda run: run.applies, boolean=True)
    fingerprint = column("version", lambda run: str(run.version or html.NO_VALUE))
    given = column(
        "arguments", lambda run: html.block("" if run.arguments == "{}" else run.arguments, "Arguments")
    )
    why = column("reason", lambda run: html.block(plain_reason(run.reason), "Reason", wraps=True))
    rehearsed = column("rehearsal", lambda run: html.block(_rehearsed(run), "Rehearsal"))
    sign = column("lease", _sign)
    printed = column("output", lambda run: _text(run, "output"))
    trace = column("traceback", lambda run: _text(run, "traceback"))

    @admin.display(description="started", ordering="started_at")
    def begun(self, run: ScriptRun) -> SafeString:
        """When it started with a link to its page, and how long it took."""
        took = html.duration(run)
        url = page_of_run(self.admin_site, run.pk)
        link = format_html('<a class="st-moment" href="{}">{}</a>', url, html.moment(run.started_at))
        return html.with_more(link, "" if took == html.NO_VALUE else f"took {took}")

    @admin.display(description="script")
    def of_script(self, run: ScriptRun) -> SafeString:
        """The script, with a link to its page."""
        script_id = rows.id_of(run.script)
        return format_html('<a href="{}">{}</a>', page_of(self.admin_site, script_id), script_id)
