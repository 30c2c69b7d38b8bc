"""Marking several scripts as applied at once: a page asks which of those in the list, and for one reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from scripts_tracker.admin import decisions, html
from scripts_tracker.core.values import ScriptId
from scripts_tracker.project import marks
from scripts_tracker.project.marks import MarkResult
from scripts_tracker.reporting import report

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from django.contrib.admin import ModelAdmin
    from django.http import HttpRequest

    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.models import Script
    from scripts_tracker.project.status import ProjectStatus

# Django refuses forms of more than 1,000 fields.
_MOST = 500
_NAMED = 10
_NONE_CHOSEN = "Choose at least one script."
_CHANGED = "it has changed since you opened the page; check it again, then decide"
_GONE = "there is no tracked script of this name"


def markable(statuses: Iterable[ScriptStatus]) -> list[ScriptStatus]:
    """Those that can be marked as applied now."""
    return [one for one in statuses if not marks.why_not_to_mark(one)]


def view(
    admin: ModelAdmin[Script],
    request: HttpRequest,
    overview: ProjectStatus,
    listed: Sequence[ScriptStatus],
    context: dict[str, Any],
) -> HttpResponse:
    """Ask which scripts and why, or mark those that are as they were when the page was opened.

    Args:
        admin: for the admin's history.
        request: with ``all`` in its query, all scripts are chosen to begin with.
        overview: every script.
        listed: those to choose from, before those that cannot be marked are left out.
        context: what every page needs, and ``back``, the address of the list.
    """
    offered = markable(listed)
    is_sent = request.method == "POST"
    form = decisions.ReasonForm(request.POST if is_sent else None)
    chosen = _chosen(request.POST.getlist("script"))
    if is_sent and not chosen:
        form.add_error(None, _NONE_CHOSEN)
    if form.is_valid():
        _mark(admin, request, overview, chosen, form.cleaned_data["reason"])
        return HttpResponseRedirect(context["back"])
    every = not is_sent and context["is_all"]
    more = {
        "form": form,
        "boxes": [_box(one, chosen, every=every) for one in offered[:_MOST]],
        "omitted": len(offered[_MOST:]),
        "most": _MOST,
    }
    return TemplateResponse(request, "admin/scripts_tracker/script/several.html", {**context, **more})


def _chosen(values: Iterable[str]) -> dict[ScriptId, str]:
    """The chosen scripts as they were when the page was opened, from the values of the boxes."""
    found = {}
    for value in values:
        name, _, seen = value.partition(" ")
        app_label, _, name = unquote(name).partition(".")
        found[ScriptId(app_label, name)] = seen
    return found


def _box(status: ScriptStatus, chosen: Mapping[ScriptId, str], *, every: bool) -> dict[str, Any]:
    # Whoever has chosen it has seen it then, not when the form was shown again.
    seen = chosen.get(status.id) or decisions.seen(status)
    return {
        "value": f"{quote(status.id.dotted)} {seen}",
        "name": html.plain(str(status.id)),
        "badge": html.state_badge(status.state),
        "why": html.plain(report.why(status)),
        "is_chosen": every or status.id in chosen,
    }


def _mark(
    admin: ModelAdmin[Script],
    request: HttpRequest,
    overview: ProjectStatus,
    chosen: Mapping[ScriptId, str],
    reason: str,
) -> None:
    """Mark each in a transaction of its own: a script that is refused holds up no other."""
    done: list[ScriptId] = []
    for script_id, seen in chosen.items():
        status = overview.by_id.get(script_id)
        why = _why_not(status, seen)
        if status is None or why:
            result = MarkResult((), ((script_id, why),))
        else:
            decision = decisions.DECISIONS["mark"]
            result = decisions.carry_out(admin, request, decision, overview, status, reason=reason)
        decisions.report_refused(request, result)
        done += result.done
    if done:
        messages.success(request, _done(done))


def _why_not(status: ScriptStatus | None, seen: str) -> str:
    if status is None:
        return _GONE
    return marks.why_not_to_mark(status) or (_CHANGED if decisions.seen(status) != seen else "")


def _done(done: Sequence[ScriptId]) -> str:
    names = ", ".join(html.plain(str(one)) for one in done[:_NAMED])
    more = f" and {len(done) - _NAMED} more" if len(done) > _NAMED else ""
    return f"Marked {len(done)} script{'s' if len(done) > 1 else ''} as applied: {names}{more}."
