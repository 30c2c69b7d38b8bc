"""Runs in the admin: all of them as a list, one with its output and traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.views.main import ChangeList
from django.db import Error
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html

from scripts_tracker.admin import texts
from scripts_tracker.admin.reading import ReadOnlyAdmin, page_of
from scripts_tracker.core.values import ScriptId
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import rows
from scripts_tracker.ledger.database import unavailable_message

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.utils.safestring import SafeString

    from scripts_tracker.models import ScriptRun


class _ColumnFilter(SimpleListFilter):
    """A column with few values, which are known: nobody waits for a SELECT DISTINCT over a million runs."""

    choices_there_are: tuple[tuple[str, str], ...]

    def lookups(self, request: HttpRequest, model_admin: Any) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - Django's signature
        """The values."""
        return self.choices_there_are

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:  # noqa: ARG002 - as above
        """The runs with the value that is asked for."""
        value = self.value()
        return queryset if value is None else rows.with_value(queryset, str(self.parameter_name), value)


class OutcomeFilter(_ColumnFilter):
    """By how it ended."""

    title = "outcome"
    parameter_name = "outcome"
    # Of the last, only its lease tells whether it runs.
    choices_there_are = (
        *((one, one.capitalize()) for one in ("succeeded", "failed", "lost")),
        ("running", "No end recorded"),
    )


class KindFilter(_ColumnFilter):
    """By what it was."""

    title = "kind"
    parameter_name = "kind"
    choices_there_are = tuple((one, texts.kind(one)) for one in ("run", "rehearsal", "mark", "unmark"))


class RunList(ChangeList):
    """Without what no list shows."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """The rows of the list."""
        return rows.without_long_texts(super().get_queryset(request, exclude_parameters))


class ScriptRunAdmin(ReadOnlyAdmin):
    """The history: attempts and decisions."""

    list_display = ("how_it_ended", "of_script", "started", "what", "took", "user", "host")
    list_display_links = ("started",)
    list_filter = (OutcomeFilter, KindFilter)
    search_fields = ("script__app_label", "script__name")
    ordering = ("-pk",)
    list_per_page = 50
    # A count of all runs beside the count of those that were found would double the wait.
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    fields = readonly_fields = (
        "of_script", "what", "how_it_ended", "counts", "started", "ended", "took", "user", "host", "pid",
        "version_run", "git_revision", "given", "why", "printed", "trace",
    )  # fmt: skip

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RunList]:  # noqa: ARG002 - Django's signature
        """The list without long texts."""
        return RunList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Runs with what is said of their script and version, without its source."""
        return rows.runs_with_scripts(super().get_queryset(request))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; where there can be none, why."""
        return self._trouble(request) or super().changelist_view(request, extra_context)

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """One run; where it cannot be read, why."""
        return self._trouble(request) or super().change_view(request, *args, **kwargs)

    def _trouble(self, request: HttpRequest) -> HttpResponse | None:
        """Back to the start with a message where rows cannot be read; a page would find out when half of it is sent."""
        try:
            rows.check_readable(self.get_queryset(request))
        except (LedgerMissing, Error) as error:
            told = str(error) if isinstance(error, LedgerMissing) else unavailable_message(error)
            self.message_user(request, told, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:index", current_app=self.admin_site.name))
        return None

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """One run under a title that says which."""
        run = kwargs["obj"]
        context["original"] = f"{run.script} {texts.moment(run.started_at)}"
        context.update(title=f"{texts.kind(run.kind)} of {run.script}", subtitle=None)
        return super().render_change_form(request, context, *args, **kwargs)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """``app.name`` finds what ``app name`` does."""
        return super().get_search_results(request, queryset, search_term.replace(".", " "))

    @admin.display(description="started", ordering="pk")
    def started(self, run: ScriptRun) -> str:
        """When it began."""
        return texts.moment(run.started_at)

    @admin.display(description="script")
    def of_script(self, run: ScriptRun) -> SafeString:
        """Whose it is."""
        script_id = ScriptId(run.script.app_label, run.script.name)
        return format_html('<a href="{}">{}</a>', page_of(self.admin_site, script_id), script_id)

    @admin.display(description="kind")
    def what(self, run: ScriptRun) -> str:
        """An attempt, a rehearsal, or a decision."""
        return texts.kind(run.kind)

    @admin.display(description="outcome")
    def how_it_ended(self, run: ScriptRun) -> SafeString:
        """In colour and in words."""
        return texts.outcome_badge(rows.outcome_now(run))

    @admin.display(description="duration")
    def took(self, run: ScriptRun) -> str:
        """How long it took."""
        return texts.duration(run)

    @admin.display(description="ended")
    def ended(self, run: ScriptRun) -> str:
        """When it was over."""
        return texts.moment(run.ended_at)

    @admin.display(description="counts as applied", boolean=True)
    def counts(self, run: ScriptRun) -> bool:
        """Whether its version counts as applied by it."""
        return run.applies

    @admin.display(description="version")
    def version_run(self, run: ScriptRun) -> str:
        """The fingerprint of what was run."""
        return str(run.version or texts.NO_VALUE)

    @admin.display(description="arguments")
    def given(self, run: ScriptRun) -> SafeString:
        """The options it was run with, as JSON."""
        return texts.block("" if run.arguments == "{}" else run.arguments, "Arguments")

    @admin.display(description="reason")
    def why(self, run: ScriptRun) -> SafeString:
        """What a person gave for a decision, or what failed."""
        return texts.block(run.reason, "Reason")

    @admin.display(description="output")
    def printed(self, run: ScriptRun) -> SafeString:
        """The tail of what it printed."""
        return texts.block(run.output, "Output")

    @admin.display(description="traceback")
    def trace(self, run: ScriptRun) -> SafeString:
        """Where it failed."""
        return texts.block(run.traceback, "Traceback")
