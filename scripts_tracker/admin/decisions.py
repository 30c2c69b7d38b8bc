"""The decisions in the admin: a page asks for the reason, then the ledger and the admin's history record it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.db import Error
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from scripts_tracker.admin import html
from scripts_tracker.admin.base import page_of
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.exceptions import LedgerMissing
from scripts_tracker.ledger import rows
from scripts_tracker.ledger.database import unavailable_message
from scripts_tracker.ledger.writing import in_its_characters
from scripts_tracker.project import holds, marks, releases
from scripts_tracker.project.marks import MarkResult
from scripts_tracker.reporting import report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from django.contrib.admin import AdminSite, ModelAdmin
    from django.http import HttpRequest

    from scripts_tracker.admin.page import Subject
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.core.values import ScriptId
    from scripts_tracker.ledger.marking import Also
    from scripts_tracker.models import Script
    from scripts_tracker.project.status import ProjectStatus

_RUN = "To run it, type run_scripts, or wait for the next deploy."
_CHANGED = "The script has changed since you opened this page. Check it again, then decide."


class Decision(NamedTuple):
    """A decision about a script.

    Attributes:
        question: the title of the page; {} is the script.
        consequence: what it changes.
        button: the label of the button.
        done: the message afterwards; {} is the script.
        logged: the entry in the admin's history, before the reason.
        why_not: returns why it cannot be done, as half a sentence; empty if it can.
        carry_out: does it, with a reason, a user, and what else belongs to the same transaction.
    """

    question: str
    consequence: str
    button: str
    done: str
    logged: str
    why_not: Callable[[ScriptStatus], str]
    carry_out: Callable[[ProjectStatus, ScriptStatus, str, str, Also], MarkResult]


# By the name of their view, in the order of their buttons.
DECISIONS = {
    "pause": Decision(
        "Pause {}",
        "Its workers stop after the batch that they are at. Until it is resumed, it does not run, and what requires it"
        " waits.",
        "Pause",
        "Paused {}.",
        "Paused",
        holds.why_not_to_pause,
        lambda _, status, reason, user, also: holds.pause([status], reason, user=user, also=also),
    ),
    "resume": Decision(
        "Resume {}",
        f"The next run goes on from where it is. {_RUN}",
        "Resume",
        f"Resumed {{}}. {_RUN}",
        "Resumed",
        holds.why_not_to_resume,
        lambda _, status, reason, user, also: holds.resume([status], reason, user=user, also=also),
    ),
    "accept": Decision(
        "Resume {} with the code of now",
        "It was begun with other code than its file has now. The next run goes on from where it is with the code of"
        f" now: what is done was done by the code of before. {_RUN}",
        "Accept the code",
        f"Resumed {{}} with the code of now. {_RUN}",
        "Resumed with other code",
        holds.why_not_to_accept,
        lambda overview, status, reason, user, also: holds.accept_code(
            [status], reason, overview.cache, user=user, also=also
        ),
    ),
    "restart": Decision(
        "Begin {} anew",
        f"How far it has come is dropped, and the next run begins anew. What is done is not undone. {_RUN}",
        "Begin anew",
        f"Restarted {{}}: its next run begins anew. {_RUN}",
        "Begun anew",
        holds.why_not_to_restart,
        lambda _, status, reason, user, also: holds.restart([status], reason, user=user, also=also),
    ),
    "cancel": Decision(
        "Cancel {}",
        "Its workers stop after the batch that they are at, and a run of all scripts leaves it alone. What is done is"
        " not undone. It can be resumed.",
        "Cancel script",
        "Cancelled {}.",
        "Cancelled",
        holds.why_not_to_cancel,
        lambda _, status, reason, user, also: holds.cancel([status], reason, user=user, also=also),
    ),
    "mark": Decision(
        "Mark {} as applied",
        "The current version of the file will be marked as applied here. It will not be run.",
        "Mark as applied",
        "Marked {} as applied.",
        "Marked as applied",
        marks.why_not_to_mark,
        lambda overview, status, reason, user, also: marks.mark_applied(
            [status], reason, overview.cache, user=user, also=also
        ),
    ),
    "unmark": Decision(
        "Unmark {}",
        "The script will no longer be applied here. If it has a file, it becomes new and will run again."
        " The history keeps every run.",
        "Unmark",
        "Unmarked {}: it is no longer applied.",
        "Unmarked",
        marks.why_not_to_unmark,
        lambda _, status, reason, user, also: marks.unmark([status], reason, user=user, also=also),
    ),
    "release": Decision(
        "Release {}",
        "The run will be recorded as lost, and its lease ends at once: the script can be run again. "
        f"{releases.WARNING}",
        "Release",
        f"Released {{}}: its last run is lost. {releases.WARNING}",
        "Released",
        releases.why_not_to_release,
        lambda _, status, reason, user, also: releases.release([status], reason, user=user, also=also),
    ),
}


class ReasonForm(forms.Form):
    """A reason."""

    reason = forms.CharField(
        max_length=1_000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "vLargeTextField"}),
        help_text="Stored in the ledger and in the admin's history, with your name.",
    )


class DecisionForm(ReasonForm):
    """A reason, and the script as it was when the page was opened."""

    seen = forms.CharField(widget=forms.HiddenInput)


def seen(status: ScriptStatus) -> str:
    """What a decision is about, as a form remembers it: if it differs later, the script has changed."""
    contents: tuple[str | None, ...] = ()
    if status.definition:
        watched = (module.content_digest for module in status.definition.watches)
        contents = (status.definition.content_digest, *watched)
    run = status.record.last_run.pk if status.record and status.record.last_run else 0
    walk = status.record.walk if status.record else None
    decided = f"{walk.pk}-{walk.hold.pk if walk.hold else 0} " if walk else ""
    return f"{status.state.value} {run} {decided}{' '.join(map(str, contents))}".rstrip()


def offered(status: ScriptStatus, site: AdminSite) -> list[tuple[str, str]]:
    """The decisions that are possible now: the address and the label of each button."""
    return [
        (page_of(site, status.id, name), decision.button)
        for name, decision in DECISIONS.items()
        if not decision.why_not(status)
    ]


def view(
    admin: ModelAdmin[Script],
    request: HttpRequest,
    decision: Decision,
    subject: Subject,
    context: dict[str, Any],
) -> HttpResponse:
    """Ask for the reason, or decide; if that is impossible, say why on the script's own page."""
    status = subject.status
    assert status is not None  # noqa: S101 - for mypy: scripts.py offers no other
    back = page_of(admin.admin_site, subject.id)
    refusal = decision.why_not(status)
    if refusal:
        messages.error(request, f"The script {subject.id} was not changed: {html.plain(refusal)}.")
        return HttpResponseRedirect(back)
    form = DecisionForm(request.POST if request.method == "POST" else None, initial={"seen": seen(status)})
    if form.is_valid() and form.cleaned_data["seen"] != seen(status):
        form.add_error(None, _CHANGED)
        form.data = form.data.copy()  # type: ignore[attr-defined]  # a QueryDict, which is shared
        form.data["seen"] = seen(status)  # type: ignore[index]  # as above
    if form.is_valid():
        _carry_out(admin, request, decision, subject, form.cleaned_data["reason"])
        return HttpResponseRedirect(back)
    return TemplateResponse(
        request,
        "admin/scripts_tracker/script/decide.html",
        {
            **context,
            "form": form,
            "decision": decision,
            "subject": subject,
            "badge": html.state_badge(status.state),
            "why": html.plain(report.why(status)),
            "back": back,
        },
    )


def _carry_out(
    admin: ModelAdmin[Script], request: HttpRequest, decision: Decision, subject: Subject, reason: str
) -> None:
    """Decide, and report it in a message."""
    assert subject.status is not None  # noqa: S101 - as above
    result = carry_out(admin, request, decision, subject.overview, subject.status, reason=reason)
    report_refused(request, result)
    for script_id in result.done:
        messages.success(request, decision.done.format(script_id))


def carry_out(
    admin: ModelAdmin[Script],
    request: HttpRequest,
    decision: Decision,
    overview: ProjectStatus,
    status: ScriptStatus,
    *,
    reason: str,
) -> MarkResult:
    """Decide. The admin's history has it too, or neither, if one database has both. An error is a refusal."""
    user: Any = request.user
    entry = f"{decision.logged}: {html.plain(reason)}"

    def log(refused: Mapping[ScriptId, str]) -> None:
        row = rows.script_row(status.id)
        if row is not None and status.id not in refused:
            in_its_characters(lambda escape: admin.log_change(request, row, escape(entry)), entry)

    try:
        return decision.carry_out(overview, status, reason, user.get_username(), log)
    except (Error, LedgerMissing) as error:
        why = str(error) if isinstance(error, LedgerMissing) else unavailable_message(error)
        return MarkResult((), ((status.id, why),))


def report_refused(request: HttpRequest, result: MarkResult) -> None:
    """A message for each script that was not changed, with the reason."""
    for script_id, why in result.refused:
        messages.error(
            request, f"The script {html.plain(str(script_id))} was not changed: {html.plain(why)}."
        )
