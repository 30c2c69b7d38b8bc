"""The list of scripts: Django's own change list, over what a check finds instead of over rows.

New scripts have no row, and a state is derived; so filters, search and order work on the statuses in memory.
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

from scripts_tracker.admin.reading import page_of
from scripts_tracker.core.states import State
from scripts_tracker.core.text import path_of
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
    """Where every script stands: one check a request, whoever asks; raises LedgerMissing where it cannot be used."""
    if not hasattr(request, _ATTRIBUTE):
        from scripts_tracker.project.status import (
            load_status,  # not with every start of a project that has an admin
        )

        try:
            setattr(request, _ATTRIBUTE, load_status())
        except Error as error:
            raise LedgerMissing(database.unavailable_message(error)) from error
    return cast("ProjectStatus", getattr(request, _ATTRIBUTE))


def statuses_of(request: HttpRequest) -> tuple[ScriptStatus, ...]:
    """The statuses of all scripts; none where the ledger has no tables, which the page says."""
    try:
        return overview_of(request).statuses
    except LedgerMissing:
        return ()


def status_of(row: Script) -> ScriptStatus:
    """The status that a row of the list stands for."""
    return cast("ScriptStatus", getattr(row, "status"))  # noqa: B009 - no attribute that the model knows of


def _row(status: ScriptStatus) -> Script:
    """A row for Django's change list to show; it is never saved."""
    row = rows.unsaved_row(status.id, path_of(status))
    setattr(row, "status", status)  # noqa: B010 - as above
    return row


def tags_of(status: ScriptStatus) -> tuple[str, ...]:
    """The tags of a script; none where its file is gone."""
    return status.definition.options.tags if status.definition else ()


class StatusFilter(SimpleListFilter):
    """A filter over statuses: what values each has, and in which words they are shown."""

    def values(self, status: ScriptStatus) -> Iterable[str]:
        """What a script is found by."""
        raise NotImplementedError

    def words(self, value: str) -> str:
        """How a value is shown."""
        return value

    def order(self, value: str) -> Any:
        """Where a value stands among the others."""
        return value

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002 - Django's signature
        """The values that there are, and the one that is asked for."""
        found = {value for status in statuses_of(request) for value in self.values(status)}
        found.update(self.used_parameters.values())
        return [(value, self.words(value)) for value in sorted(found, key=self.order)]

    def has_output(self) -> bool:
        """Whether there is anything to choose."""
        return bool(self.lookup_choices)

    def chosen(self, statuses: Iterable[ScriptStatus]) -> list[ScriptStatus]:
        """Those that have the value that is asked for."""
        value = self.value()
        return [status for status in statuses if value is None or value in self.values(status)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002 - as above
        """Django asks every filter; the list of scripts asks ``chosen``."""
        return queryset

    def get_facet_queryset(self, changelist: Any) -> dict[str, int]:
        """How many scripts each choice would leave, in the form that Django asks for."""
        counts: Counter[str] = Counter()
        for status in changelist.chosen(apart_from=self):
            counts.update(set(self.values(status)))
        return {f"{place}__c": counts[value] for place, (value, _) in enumerate(self.lookup_choices)}


class StateFilter(StatusFilter):
    """By state, or by whether somebody has to act."""

    title = "state"
    parameter_name = "state"
    _ACTION = "needs-action"

    def values(self, status: ScriptStatus) -> Iterable[str]:
        """The state, and that it needs action."""
        return (status.state.value, self._ACTION) if status.state.needs_action else (status.state.value,)

    def words(self, value: str) -> str:
        """The label of the state."""
        if value == self._ACTION:
            return "Needs action"
        return next((state.label for state in State if state.value == value), value)

    def order(self, value: str) -> Any:
        """What needs action first, then as reports have it."""
        return next((place for state, place in _ORDER.items() if state.value == value), -1)


class AppFilter(StatusFilter):
    """By the app that owns the script."""

    title = "app"
    parameter_name = "app"

    def values(self, status: ScriptStatus) -> Iterable[str]:
        """Its label."""
        return (status.id.app_label,)

    def words(self, value: str) -> str:
        """The app as the admin calls it."""
        return app_name(value)


class TagFilter(StatusFilter):
    """By tag."""

    title = "tag"
    parameter_name = "tag"

    def values(self, status: ScriptStatus) -> Iterable[str]:
        """All of them."""
        return tags_of(status)


def app_name(label: str) -> str:
    """What the admin calls an app; its label where there is no such app."""
    app = apps.app_configs.get(label)
    return str(app.verbose_name) if app else label


def _found_by(status: ScriptStatus) -> str:
    """The text that a search looks into."""
    text = status.definition.help if status.definition else ""
    return "\n".join((str(status.id), path_of(status), text, *tags_of(status))).casefold()


def _last_run(status: ScriptStatus) -> Any:
    run = status.record.last_run if status.record else None
    return run.started_at if run else None


# By what the columns of the list are sorted; None stands at the end, whichever way.
_KEYS: dict[str, Callable[[ScriptStatus], Any]] = {
    "script": lambda status: status.id,
    "state": lambda status: _ORDER[status.state],
    "tried": _last_run,
    "app": lambda status: app_name(status.id.app_label),
}


def _sorted(statuses: list[ScriptStatus], column: str, *, backwards: bool) -> list[ScriptStatus]:
    key = _KEYS[column]
    known = [status for status in statuses if key(status) is not None]
    known.sort(key=key, reverse=backwards)
    return known + [status for status in statuses if key(status) is None]


class ScriptList(ChangeList):
    """Django's change list over statuses: what needs action comes first, unless a column is asked for."""

    def chosen(self, apart_from: StatusFilter | None = None) -> list[ScriptStatus]:
        """What the filters and the search leave.

        Args:
            apart_from: a filter that is not to count.
        """
        statuses = list(self._statuses)
        for spec in self.filter_specs:
            if spec is not apart_from:
                statuses = cast("StatusFilter", spec).chosen(statuses)
        words = self.query.casefold().split()
        return (
            [one for one in statuses if all(word in _found_by(one) for word in words)] if words else statuses
        )

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> Any:  # noqa: ARG002 - Django's signature
        """The statuses to show, in order."""
        self._statuses = statuses_of(request)
        self.filter_specs, self.has_filters, rest, _, self.has_active_filters = self.get_filters(request)
        if rest:
            raise IncorrectLookupParameters
        self.clear_all_filters_qs = self.get_query_string(remove=list(self.get_filters_params()))
        statuses = _sorted(self.chosen(), "state", backwards=False)
        if ORDER_VAR in self.params:
            for column, direction in reversed(self.get_ordering_field_columns().items()):
                key = self._key_of(int(column))
                statuses = _sorted(statuses, key, backwards=direction == "desc") if key else statuses
        return statuses

    def _key_of(self, column: int) -> str | None:
        name = self.list_display[column] if 0 <= column < len(self.list_display) else ""
        return name if isinstance(name, str) and name in _KEYS else None

    def get_results(self, request: HttpRequest) -> None:
        """The page that is asked for, as rows that Django's templates know how to show."""
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

    def url_for_result(self, result: Any) -> str:
        """The page of a script, by its name."""
        return page_of(self.model_admin.admin_site, status_of(result).id)
