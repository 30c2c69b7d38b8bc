"""The list of scripts: Django's change list over the statuses of a check, not over rows.

New scripts have no row, and states are not stored, so filters, search and order work in memory.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import InvalidPage
from django.db import Error

from scripts_tracker.admin import html
from scripts_tracker.admin.base import page_of, shows_runs
from scripts_tracker.core.states import State
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import database, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from django.http import HttpRequest

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.models import Script
    from scripts_tracker.project.status import ProjectStatus

_ATTRIBUTE = "_scripts_tracker_overview"
_ORDER = {state: place for place, state in enumerate(State)}


def overview_of(request: HttpRequest) -> ProjectStatus:
    """The status of every script, from one check per request; raises LedgerMissing if the ledger cannot be used."""
    if not hasattr(request, _ATTRIBUTE):
        from scripts_tracker.project import status  # only when a page is shown

        try:
            setattr(request, _ATTRIBUTE, status.load_status())
        except Error as error:
            raise LedgerMissing(database.unavailable_message(error)) from error
    return cast("ProjectStatus", getattr(request, _ATTRIBUTE))


def statuses_of(request: HttpRequest) -> tuple[ScriptStatus, ...]:
    """The statuses of all scripts; none if the ledger cannot be used, which the page says."""
    try:
        return overview_of(request).statuses
    except LedgerMissing:
        return ()


def next_step(overview: ProjectStatus) -> str:
    """How many scripts need action, and what to type; empty where none does."""
    from scripts_tracker.adoption import first_step  # only when the list is shown
    from scripts_tracker.reporting import report, text

    made = report.Report(overview.statuses, overview.by_id, overview.findings)
    waiting = text.waiting(made)
    return f"{waiting} {first_step(overview) or report.next_step(made)}" if waiting else ""


def status_of(row: Script) -> ScriptStatus:
    """The status behind a row of the list."""
    return cast("ScriptStatus", getattr(row, "status"))  # noqa: B009 - the model does not have it


def words_of(row: Script) -> str:
    """The last words of what runs, as far as this user may read them."""
    return cast("str", getattr(row, "words", ""))


def _row(status: ScriptStatus) -> Script:
    """A row that Django's change list can show; it is never saved."""
    row = rows.unsaved_row(status.id, status.path)
    setattr(row, "status", status)  # noqa: B010 - as above
    return row


def _running(status: ScriptStatus) -> int:
    """The key of the run that is at it; 0 if none is."""
    return status.last_run.pk if status.state is State.RUNNING and status.last_run else 0


class StatusFilter(SimpleListFilter):
    """A filter over statuses: the values of each, their labels and order."""

    def values(self, status: ScriptStatus) -> Iterable[str]:
        """The values of one script."""
        raise NotImplementedError

    def label(self, value: str) -> str:
        """The label of a value."""
        return html.plain(value)

    def order(self, value: str) -> Any:
        """What values are sorted by."""
        return value

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        """The existing values, and the selected one."""
        found = {value for status in statuses_of(request) for value in self.values(status)}
        found.update(self.used_parameters.values())
        return [(value, self.label(value)) for value in sorted(found, key=self.order)]

    def has_output(self) -> bool:
        """Whether there is a choice."""
        return bool(self.lookup_choices)

    def matching(self, statuses: Iterable[ScriptStatus]) -> list[ScriptStatus]:
        """Those with the selected value."""
        value = self.value()
        return [status for status in statuses if value is None or value in self.values(status)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002 - as above
        """Django calls this; the list of scripts calls ``matching``."""
        return queryset

    def get_facet_queryset(self, changelist: Any) -> dict[str, int]:
        """How many scripts each choice would leave, as Django wants it."""
        counts: Counter[str] = Counter()
        for status in changelist.matching(apart_from=self):
            counts.update(set(self.values(status)))
        return {f"{place}__c": counts[value] for place, (value, _) in enumerate(self.lookup_choices)}


class StateFilter(StatusFilter):
    """By state, or by whether it needs action."""

    title = "state"
    parameter_name = "state"
    _ACTION = "needs-action"

    def values(self, status: ScriptStatus) -> Iterable[str]:
        """The state, and whether it needs action."""
        return (status.state.value, self._ACTION) if status.needs_action else (status.state.value,)

    def label(self, value: str) -> str:
        """The label of the state."""
        if value == self._ACTION:
            return "Needs action"
        return next((state.label for state in State if state.value == value), value)

    def order(self, value: str) -> Any:
        """What needs action first, then as in reports."""
        return next((place for state, place in _ORDER.items() if state.value == value), -1)


class AppFilter(StatusFilter):
    """By app."""

    title = "app"
    parameter_name = "app"

    def values(self, status: ScriptStatus) -> Iterable[str]:
        """The label of the app."""
        return (status.id.app_label,)

    def label(self, value: str) -> str:
        """The name of the app in the admin."""
        return app_name(value)


class TagFilter(StatusFilter):
    """By tag."""

    title = "tag"
    parameter_name = "tag"

    def values(self, status: ScriptStatus) -> Iterable[str]:
        """All tags."""
        return status.tags


def app_name(label: str) -> str:
    """The name of an app in the admin; its label if there is no such app."""
    app = apps.app_configs.get(label)
    return str(app.verbose_name) if app else html.plain(label)


def _search_text(status: ScriptStatus) -> str:
    """The text that a search looks at."""
    text = status.definition.help if status.definition else ""
    return "\n".join((str(status.id), status.path, text, *status.tags)).casefold()


def _last_run(status: ScriptStatus) -> Any:
    run = status.last_run
    return run.started_at if run else None


# What the columns of the list are sorted by; None comes last in both directions.
_KEYS: dict[str, Callable[[ScriptStatus], Any]] = {
    "script": lambda status: status.id,
    "state": lambda status: _ORDER[status.state],
    "latest_run": _last_run,
    "app": lambda status: app_name(status.id.app_label),
}


def _sorted(statuses: list[ScriptStatus], column: str, *, backwards: bool) -> list[ScriptStatus]:
    key = _KEYS[column]
    known = [status for status in statuses if key(status) is not None]
    known.sort(key=key, reverse=backwards)
    return known + [status for status in statuses if key(status) is None]


class ScriptList(ChangeList):
    """Django's change list over statuses: what needs action comes first, unless a column is selected."""

    def matching(self, apart_from: StatusFilter | None = None) -> list[ScriptStatus]:
        """The scripts that match the filters and the search.

        Args:
            apart_from: a filter to ignore.
        """
        statuses = list(self._statuses)
        for spec in self.filter_specs:
            if spec is not apart_from:
                statuses = cast("StatusFilter", spec).matching(statuses)
        words = self.query.casefold().split()
        return (
            [one for one in statuses if all(word in _search_text(one) for word in words)]
            if words
            else statuses
        )

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        """The statuses to show, in order."""
        self._statuses = statuses_of(request)
        self.filter_specs, self.has_filters, rest, _, self.has_active_filters = self.get_filters(request)
        if rest:
            raise IncorrectLookupParameters
        self.clear_all_filters_qs = self.get_query_string(remove=list(self.get_filters_params()))
        statuses = _sorted(self.matching(), "state", backwards=False)
        if ORDER_VAR in self.params:
            for column, direction in reversed(self.get_ordering_field_columns().items()):
                key = self._key_of(int(column))
                statuses = _sorted(statuses, key, backwards=direction == "desc") if key else statuses
        return statuses

    def _key_of(self, column: int) -> str | None:
        name = self.list_display[column] if 0 <= column < len(self.list_display) else ""
        return name if isinstance(name, str) and name in _KEYS else None

    def get_results(self, request: HttpRequest) -> None:
        """The selected page, as rows that Django's templates can show."""
        statuses = cast("Sequence[ScriptStatus]", self.queryset)
        paginator = self.model_admin.get_paginator(request, cast("Any", statuses), self.list_per_page)
        self.result_count = len(statuses)
        self.full_result_count = len(self._statuses)
        self.show_full_result_count = True
        self.show_admin_actions = False
        self.can_show_all = self.result_count <= self.list_max_show_all
        self.multi_page = self.result_count > self.list_per_page
        self.paginator = paginator
        if self.multi_page and not (self.show_all and self.can_show_all):
            try:
                statuses = cast("Sequence[ScriptStatus]", paginator.page(self.page_num).object_list)
            except InvalidPage as error:
                raise IncorrectLookupParameters from error
        self.result_list = cast("Any", [_row(status) for status in statuses])
        if shows_runs(self.model_admin.admin_site, request):
            running = {pk: row for row in self.result_list if (pk := _running(status_of(row)))}
            for pk, words in rows.last_words(running).items():
                setattr(running[pk], "words", words)  # noqa: B010 - the model does not have it

    def url_for_result(self, result: Any) -> str:
        """The page of a script, by its name."""
        return page_of(self.model_admin.admin_site, status_of(result).id)
