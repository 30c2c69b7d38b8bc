"""What the page of one script shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scripts_tracker import diffing, drawing, history, marks, neighbourhood, report, scan, snapshots, versions
from scripts_tracker.admin import listing, texts
from scripts_tracker.admin.reading import page_of, page_of_run
from scripts_tracker.datatypes import ScriptId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.contrib.admin import AdminSite
    from django.http import HttpRequest

    from scripts_tracker.datatypes import RunRecord, ScriptRecord
    from scripts_tracker.neighbourhood import Node
    from scripts_tracker.overview import Overview
    from scripts_tracker.states import ScriptStatus

_NOT_KEPT = "The ledger does not keep the source of that version, so there is nothing to compare with."
_DIFF_CLASSES = {"+": "st-added", "-": "st-removed", "@": "st-place"}


@dataclass(frozen=True, slots=True)
class Subject:
    """A script that files or ledger know; without a status where it is neither tracked nor applied."""

    id: ScriptId
    status: ScriptStatus | None
    record: ScriptRecord | None
    overview: Overview


def find(script_id: ScriptId, overview: Overview) -> Subject | None:
    """A script by its name; None where nobody knows it."""
    status = overview.by_id.get(script_id)
    record = status.record if status else snapshots.record_of(script_id)
    return Subject(script_id, status, record, overview) if status or record else None


def context(subject: Subject, request: HttpRequest, site: AdminSite, *, runs: bool) -> dict[str, Any]:
    """Everything that the template asks for.

    Args:
        subject: the script.
        request: its query may say ``before`` which run, and ``against`` which version.
        site: the admin site, for links.
        runs: whether to show the history of runs.
    """
    status, record = subject.status, subject.record
    found = {
        "subject": subject,
        "badge": texts.state_badge(status.state if status else None),
        "why": texts.plain(report.why(status))
        if status
        else "no tracked script is in its file, and it is not applied",
        "rows": [(words, value) for words, value in _rows(subject) if value],
        "problems": [one for one in subject.overview.findings if one.location.path == _path(subject)],
        "mark_url": page_of(site, subject.id, "mark") if status and not marks.why_not_to_mark(status) else "",
        "forget_url": page_of(site, subject.id, "forget")
        if status and not marks.why_not_to_forget(status)
        else "",
        "history_url": page_of(site, subject.id, "history") if record else "",
        **_requirements(subject, site),
    }
    if record:
        found.update(_versions(subject, record, request.GET.get("against", "")))
    if record and runs:
        page = history.runs_of(record.pk, before=_number(request.GET.get("before")))
        found.update(
            runs=[_run(run, site) for run in page.runs], older=page.older, newest="before" in request.GET
        )
    return found


def _number(text: str | None) -> int | None:
    # Keys are 64 bits wide, and databases refuse more.
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None  # noqa: PLR2004


def _path(subject: Subject) -> str:
    if subject.status:
        return report.path_of(subject.status)
    return subject.record.path if subject.record else ""


def _rows(subject: Subject) -> Iterator[tuple[str, Any]]:
    """What there is to know in a line each."""
    definition, record = subject.status.definition if subject.status else None, subject.record
    yield "File", _path(subject)
    yield "App", listing.app_name(subject.id.app_label)
    if record and record.applied_at:
        yield "Applied", texts.moment(record.applied_at)
    if record and record.last_run:
        run = record.last_run
        who = f" by {run.user}" if run.user else ""
        yield "Last run", texts.run_in_brief(run, f"{who} on {run.host}" if run.host else who)
        yield "Reason", texts.plain(run.reason)
    if definition:
        options = definition.options
        yield "Tags", ", ".join(options.tags)
        yield "Rerun", options.rerun
        yield "Atomic", "yes, in one transaction" if options.atomic else ""
        yield "Rehearsal with", ", ".join(options.unless)
        yield "Fingerprint", str(definition.fingerprint or "")


def _node(node: Node, subject: Subject, site: AdminSite) -> dict[str, Any]:
    status = subject.overview.by_id.get(node) if isinstance(node, ScriptId) else None
    if status is None:
        return {"name": str(node), "badge": texts.badge("trouble", "does not exist")}
    return {"name": str(node), "badge": texts.state_badge(status.state), "url": page_of(site, status.id)}


def _requirements(subject: Subject, site: AdminSite) -> dict[str, Any]:
    """The picture, and the same in lists."""
    if not subject.status:
        return {}
    around = neighbourhood.around(subject.id, subject.overview.by_id)
    return {
        "around": around,
        "picture": _picture(around.nodes, around.edges, subject, site) if len(around.nodes) > 1 else "",
        "requires": [_node(node, subject, site) for node in around.requires],
        "required_by": [_node(node, subject, site) for node in around.required_by],
        "cycles": [" → ".join(map(str, cycle)) for cycle in around.cycles],
    }


def _picture(
    nodes: tuple[Node, ...], edges: tuple[tuple[Node, Node], ...], subject: Subject, site: AdminSite
) -> str:
    number = {node: place for place, node in enumerate(nodes)}
    drawn = [(number[one], number[to]) for one, to in edges]
    label = f"What {subject.id} requires, and what requires it"
    return texts.trusted(drawing.picture([_box(node, subject, site) for node in nodes], drawn, label))


def _box(node: Node, subject: Subject, site: AdminSite) -> drawing.Box:
    status = subject.overview.by_id.get(node) if isinstance(node, ScriptId) else None
    if status is None:
        return drawing.Box(texts.plain(str(node)), "does not exist", drawing.tone(None))
    words = status.state.label.lower()
    return drawing.Box(
        str(node),
        words,
        drawing.tone(status.state),
        page_of(site, status.id),
        is_subject=status.id == subject.id,
    )


def _versions(subject: Subject, record: ScriptRecord, against: str) -> dict[str, Any]:
    """The versions that the ledger knows, and how the file differs from one of them: from what was applied last."""
    definition = subject.status.definition if subject.status else None
    kept = history.versions_of(record.pk)
    other = next((one for one in kept if str(one.pk) == against), None)
    digest = other.content_digest if other else record.applied_content
    return {
        "versions": [
            {
                "version": one,
                "is_applied": one.content_digest == record.applied_content,
                "is_file": definition is not None and one.content_digest == definition.content_digest,
                "is_compared": one.content_digest == digest,
            }
            for one in kept
        ],
        "compared": (other.fingerprint if other else record.applied) if digest else None,
        "compares_applied": digest == record.applied_content,
        "diff": _diff(record, digest, _path(subject)) if digest and definition else None,
    }


def _diff(record: ScriptRecord, content_digest: str, path: str) -> dict[str, Any]:
    """The lines that differ, each with its class; or why they cannot be shown."""
    source, now = versions.read_source(scan.absolute_path(path))
    if now == content_digest:
        return {"note": "The file is what it was then, to the byte."}
    kept = history.source_of(record.pk, content_digest)
    if kept is None:
        return {"note": _NOT_KEPT}
    try:
        text = texts.plain(diffing.unified(kept, source))
    except diffing.TooLong as error:
        return {"note": f"Not shown: {error}."}
    lines = [(_DIFF_CLASSES.get(line[:1], ""), line) for line in text.split("\n")]
    return {"lines": lines} if text else {"note": "Only the ends of lines differ."}


def _run(run: RunRecord, site: AdminSite) -> dict[str, Any]:
    return {
        "url": page_of_run(site, run.pk),
        "when": texts.moment(run.started_at),
        "kind": texts.kind(run.kind),
        "outcome": texts.outcome_badge(run.outcome),
        "duration": texts.duration(run),
        "by": " on ".join(part for part in (run.user, run.host) if part),
        "version": run.version,
        "reason": texts.plain(run.reason).split("\n", 1)[0],
    }
