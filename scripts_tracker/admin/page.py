"""The page of one script: what the template shows."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from django.templatetags.static import static

from scripts_tracker.admin import durations, html, listing
from scripts_tracker.admin.base import key_of, page_of, page_of_run
from scripts_tracker.core import stops, text
from scripts_tracker.core.history import Past
from scripts_tracker.core.progress import progress_of
from scripts_tracker.core.states import State
from scripts_tracker.core.tuples import NamedTuple
from scripts_tracker.core.values import ScriptId
from scripts_tracker.ledger import queries
from scripts_tracker.ledger import rows as ledger_rows
from scripts_tracker.project import detail
from scripts_tracker.project.fingerprints import with_fingerprint
from scripts_tracker.reporting import graph, report

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from django.contrib.admin import AdminSite
    from django.http import HttpRequest

    from scripts_tracker.core.history import PastRun, PastVersion
    from scripts_tracker.core.progress import Key, RangeRecord, WalkRecord, WorkerRecord
    from scripts_tracker.core.states import ScriptRecord, ScriptStatus
    from scripts_tracker.core.values import ScriptDefinition
    from scripts_tracker.project.status import ProjectStatus
    from scripts_tracker.reporting.graph import Node, RequirementGraph

_RUNS = 25
# Ranges and parked ranges on the page: what is parked and at work comes first.
_RANGES, _PARKED = 50, 10
_ORDER = {"parked": -2, "at work": -1, "done": 1}
_RANGE_TONES = {"parked": "trouble", "at work": "busy", "done": "done"}
# The states in which the output of the last run says what to do.
_ODD = (State.FAILED, State.LOST, State.RUNNING)
# Pixels of the picture left of the script's own box and above it.
_BESIDE = 70
_DIFF_CLASSES = {"+": "st-added", "-": "st-removed", "@": "st-place"}


class Subject(NamedTuple):
    """A script in the files or the ledger; without a status if it is neither tracked nor applied."""

    id: ScriptId
    status: ScriptStatus | None
    record: ScriptRecord | None
    overview: ProjectStatus

    @property
    def definition(self) -> ScriptDefinition | None:
        """What its file says."""
        return self.status.definition if self.status else None

    @property
    def path(self) -> str:
        """Its file, or where that was."""
        if self.status:
            return self.status.path
        return self.record.path if self.record else ""


def find(script_id: ScriptId, overview: ProjectStatus) -> Subject | None:
    """A script by its name; None if there is none."""
    status = overview.by_id.get(script_id)
    status = status and with_fingerprint(status, overview.cache)
    record = status.record if status else queries.record_of(script_id)
    return Subject(script_id, status, record, overview) if status or record else None


def context(subject: Subject, request: HttpRequest, site: AdminSite, *, runs: bool) -> dict[str, Any]:
    """All variables of the template.

    Args:
        subject: the script.
        request: its query may have ``before``, the key of a run, and ``against``, the digest of a version.
        site: the admin site, for links.
        runs: whether to show the runs.
    """
    status, record = subject.status, subject.record
    found: dict[str, Any] = {
        "subject": subject,
        "badge": html.state_badge(status.state if status else None),
        "why": "its file has no tracked script, and it is not applied",
        "rows": [
            (words, html.plain(value) if type(value) is str else value)
            for words, value in _rows(subject)
            if value
        ],
        "help": html.plain(subject.definition.help) if subject.definition else "",
        "problems": html.plain_findings(
            one for one in subject.overview.findings if one.location.path == subject.path
        ),
    }
    if status:
        found["why"] = html.plain(report.why(status))
        found["question"] = report.question([status])
        found.update(_requirements(subject, site))
        if status.walk:
            found["walk"] = _walk(status, status.walk, site if runs else None)
    if record:
        found["history_url"] = page_of(site, subject.id, "history")
        found.update(_versions(subject, record, request))
    if status:
        found["steps"] = _steps(status, found.get("past_versions", ()))
    if record and runs:
        found["last_run"] = _last_run(subject, site)
        found["rows"] += _last_words(subject)
        page, older = queries.runs_before(record, key_of(request.GET.get("before")), most=_RUNS)
        found.update(runs=[_run(run, site) for run in page], older=older, newest="before" in request.GET)
        found["durations"] = durations.shown(page)
    return found


def _steps(status: ScriptStatus, versions: Sequence[PastVersion]) -> list[tuple[str, str]]:
    """What to type next, each with its purpose."""
    known = detail.ScriptDetail(status, {}, (), (), Past(versions=tuple(versions)))
    return [(words, f"python {command}") for words, command in detail.next_steps(known).items()]


def _last_words(subject: Subject) -> list[tuple[str, str]]:
    """The last line that the running script has printed, as a row; none if it is not running or has printed nothing."""
    status = subject.status
    pk = status.last_run.pk if status and status.state is State.RUNNING and status.last_run else 0
    return [
        ("Last words", html.plain(words)) for words in ledger_rows.last_words([pk] if pk else []).values()
    ]


def _last_run(subject: Subject, site: AdminSite) -> str:
    """The address of the run that a person should look at; empty if its end is not in question."""
    status, record = subject.status, subject.record
    is_odd = status is None or status.state in _ODD
    return page_of_run(site, record.last_run.pk) if is_odd and record and record.last_run else ""


def _rows(subject: Subject) -> Iterator[tuple[str, Any]]:
    """The facts in one line each."""
    definition, record = subject.definition, subject.record
    yield "File", subject.path
    yield "App", listing.app_name(subject.id.app_label)
    if record and record.applied_at:
        yield "Applied", html.moment(record.applied_at)
        yield "Inherited from", record.inherited_from
    if record and record.last_run:
        run = record.last_run
        where = text.by_whom(run.user, run.host) + (f" in {run.place}" if run.place else "")
        yield "Last run", html.run_line(run, queries.last_outcome(record), where)
        yield "Reason", text.plain_reason(run.reason)
    if definition:
        options = definition.options
        yield "Tags", ", ".join(options.tags)
        yield "Rerun", options.rerun
        yield "Atomic", "yes, in one transaction" if options.atomic else ""
        yield "Watches", ", ".join(options.watch)
        yield "Arguments", text.as_typed(options.arguments)
        yield "Dry run with", ", ".join(options.unless)
        yield "Fingerprint", str(definition.fingerprint or "")


def _walk(status: ScriptStatus, walk: WalkRecord, site: AdminSite | None) -> dict[str, Any]:
    """How far a batched script is, who works on it, and its ranges; with a site, links to the runs of its workers."""
    progress = progress_of(walk)
    urls = {one.run.pk: page_of_run(site, one.run.pk) for one in walk.workers} if site else {}
    ranges = sorted(walk.ranges, key=lambda one: (_ORDER.get(_range_state(one, walk), 0), one.number))
    return {
        "bar": html.bar(progress, f"Progress of {status.id}"),
        "words": html.plain(", ".join(stops.pieces(progress))),
        "table": walk.table,
        "keys": f"{progress.keys:,}",
        "rows": f"{progress.rows:,}",
        "batch_size": f"{progress.batch_size:,}" if progress.batch_size else html.NO_VALUE,
        "parked": [html.plain(stops.parked_words(one)) for one in stops.parked(walk)[:_PARKED]],
        "workers": [_worker(one, urls) for one in walk.live],
        "ranges": [_range(one, walk, urls) for one in ranges[:_RANGES]],
        "omitted": max(len(ranges) - _RANGES, 0),
    }


def _worker(worker: WorkerRecord, urls: Mapping[int, str]) -> dict[str, Any]:
    run = worker.run
    return {
        "number": run.pk,
        "url": urls.get(run.pk, ""),
        "by": text.who(run.user, run.host),
        "pid": run.pid,
        "since": html.moment(run.started_at),
        "doing": html.with_more(
            html.plain(f"waiting: {worker.waiting}" if worker.waiting else "working"),
            text.sign_of_life(worker.lease),
        ),
    }


def _range_state(one: RangeRecord, walk: WalkRecord) -> str:
    at_work = any(worker.run.pk == one.worker for worker in walk.live)
    return "at work" if one.outcome == "open" and at_work else one.outcome


def _range(one: RangeRecord, walk: WalkRecord, urls: Mapping[int, str]) -> dict[str, Any]:
    state = _range_state(one, walk)
    is_moving = state == "at work"
    return {
        "number": one.number,
        "state": html.badge(_RANGE_TONES.get(state, "odd"), state.capitalize()),
        "after": _key(one.lower, "the beginning"),
        "up_to": _key(one.upper, "the end"),
        "cursor": _key(one.cursor, html.NO_VALUE),
        "rows": f"{one.rows:,}",
        "speed": f"{one.rows_per_second:,.0f}" if is_moving else html.NO_VALUE,
        "worker": one.worker if is_moving else None,
        "url": urls.get(one.worker or 0, "") if is_moving else "",
        "reason": html.plain(one.reason).split("\n", 1)[0],
    }


def _key(key: Key | None, otherwise: str) -> str:
    return otherwise if key is None else html.plain(", ".join(key))


def _requirements(subject: Subject, site: AdminSite) -> dict[str, Any]:
    """The requirements as a picture and as lists."""
    around = graph.requirement_graph_of(subject.id, subject.overview.by_id)
    picture = _picture(around, subject, site)
    return {
        "around": around,
        "picture": html.trusted(picture.svg) if picture else "",
        "own": _sight(picture.subject) if picture and picture.subject else (),
        "requires": [_box(node, subject, site) for node in around.requires],
        "required_by": [_box(node, subject, site) for node in around.required_by],
        "cycles": [" → ".join(map(str, cycle)) for cycle in around.cycles],
    }


def _sight(place: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    """What of the picture is in sight at first: the script's box, and something of what leads to it."""
    left, top = max(round(place[0]) - _BESIDE, 0), max(round(place[1]) - _BESIDE, 0)
    return left, top, round(place[0] + place[2]) - left, round(place[1] + place[3]) - top


def svg_file(subject: Subject, site: AdminSite) -> bytes:
    """The picture of the requirements as a file of its own; empty where there is none to draw."""
    picture = _picture(graph.requirement_graph_of(subject.id, subject.overview.by_id), subject, site)
    if picture is None:
        return b""
    style = escape(static("scripts_tracker/admin.css"))
    return f'<?xml version="1.0"?>\n<?xml-stylesheet href="{style}"?>\n{picture.svg}\n'.encode()


def _picture(around: RequirementGraph, subject: Subject, site: AdminSite) -> graph.Picture | None:
    """The picture of the requirements; None if the script is alone."""
    boxes = {node: _box(node, subject, site) for node in around.nodes}
    if len(boxes) <= 1:
        return None
    number = {node: place for place, node in enumerate(boxes)}
    edges = [(number[one], number[to]) for one, to in around.edges]
    label = f"The requirements of {subject.id}, and the scripts that require it"
    return graph.draw([*boxes.values()], edges, label)


def _box(node: Node, subject: Subject, site: AdminSite) -> graph.Box:
    status = subject.overview.by_id.get(node) if isinstance(node, ScriptId) else None
    if status is None:
        return graph.Box(html.plain(str(node)), "does not exist", "trouble")
    state, link = status.state, page_of(site, status.id)
    return graph.Box(
        str(node), state.label.lower(), report.tone(state), link, is_subject=status.id == subject.id
    )


def _versions(subject: Subject, record: ScriptRecord, request: HttpRequest) -> dict[str, Any]:
    """The versions that ran here, and the changes since one of them, by default since the one applied last."""
    versions = queries.versions_of(record.pk)
    against, raw = request.GET.get("against", ""), "raw" in request.GET
    against = against if any(one.content_digest == against for one in versions) else ""
    compared = detail.compare(subject.status, raw=raw, against=against) if subject.status else None
    return {
        "past_versions": versions,
        "versions": [_version(one, subject.definition, record) for one in versions],
        "against": against,
        "is_raw": raw,
        "diff": compared,
        "about_modules": html.plain(compared.about_modules) if compared else "",
        "note": _note(compared.note) if compared else "",
        "lines": _lines(compared.lines) if compared else [],
    }


def _note(note: str) -> str:
    """The note of a diff without the sentence about an option; the page has a link for that."""
    sentences = re.split(r"(?<=\.) ", html.plain(note))
    return " ".join(one for one in sentences if "--raw" not in one)


def _lines(lines: Sequence[str]) -> list[tuple[str, str]]:
    """The lines of a diff with their classes; the first two name what is compared."""
    classes = [*["st-head"] * len(lines[:2]), *(_DIFF_CLASSES.get(line[:1], "") for line in lines[2:])]
    return [(css, html.plain(line)) for css, line in zip(classes, lines, strict=True)]


def _version(
    version: PastVersion, definition: ScriptDefinition | None, record: ScriptRecord
) -> dict[str, Any]:
    is_other = definition is not None and version.content_digest != definition.content_digest
    return {
        "version": version,
        "words": ", ".join(report.version_notes(version, definition, record)) or html.NO_VALUE,
        "last": html.moment(version.last_at),
        "can_compare": version.has_source and is_other,
    }


def _run(run: PastRun, site: AdminSite) -> dict[str, Any]:
    record = run.record
    return {
        "url": page_of_run(site, record.pk),
        "when": html.moment(record.started_at),
        "kind": html.kind(record.kind, is_rehearsal=run.is_rehearsal),
        "outcome": html.outcome_badge(run.outcome),
        "duration": html.NO_VALUE if run.seconds is None else text.duration(run.seconds),
        "by": text.who(record.user, record.host)
        + (f" in {html.plain(record.place)}" if record.place else ""),
        "reason": html.plain(text.reason_line(record.reason)),
    }
