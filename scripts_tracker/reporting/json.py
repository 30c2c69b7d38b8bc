"""The JSON documents of ``check_scripts``, ``show_script`` and ``run_scripts --plan``: version 1 of the contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts_tracker.core import forecast
from scripts_tracker.core.escaping import escaped_json
from scripts_tracker.core.text import finding_to_json
from scripts_tracker.ledger import queries
from scripts_tracker.reporting.report import question, why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scripts_tracker.core.forecast import Figure, Success
    from scripts_tracker.core.history import PastRun, PastVersion, RunText, StoredRehearsal
    from scripts_tracker.core.planning import Choice, Plan
    from scripts_tracker.core.states import ScriptRecord, ScriptStatus
    from scripts_tracker.core.values import Lease, Queued, ScriptId
    from scripts_tracker.project.detail import Comparison, ScriptDetail
    from scripts_tracker.reporting.report import Report
    from scripts_tracker.reporting.terminal import Output


def document_text(document: object, output: Output) -> str:
    """A document as text that is harmless for a terminal or a log."""
    return escaped_json(json.dumps(document, indent=2, ensure_ascii=not output.unicode))


def check(report: Report, output: Output) -> str:
    """The report as one JSON document."""
    document = {
        "version": 1,
        "counts": {state.value: count for state, count in report.counts.items()},
        "needs_action": any(status.needs_action for status in report.statuses),
        "scripts": [
            _status(status, report.queued, report.successes.get(status.id)) for status in report.listed
        ],
        "environment": report.environment or None,
        "environment_is_undecided": bool(question(report.by_id.values())),
        "taken_at": report.taken_at.isoformat() if report.taken_at else None,
        "revision": report.revision or None,
        "problems": [finding_to_json(found) for found in report.findings],
    }
    return document_text(document, output)


def script(detail: ScriptDetail, output: Output) -> str:
    """One script as one JSON document; it has a ``diff`` if that was asked for."""
    past, definition = detail.past, detail.status.definition
    document = {
        "version": 1,
        "environment": detail.environment or None,
        "script": _status(detail.status, detail.queued, detail.success),
        "why": why(detail.status),
        "options": definition.options._asdict() if definition else None,
        "required_by": [other.id.dotted for other in detail.required_by],
        "problems": [finding_to_json(found) for found in detail.findings],
        "versions": [_version(detail, version) for version in past.versions],
        "runs_total": past.total,
        "runs": [_run(run) for run in past.runs],
        "output": past.output,
        "traceback": past.traceback,
        "rehearsal": _rehearsal(past.rehearsal) if past.rehearsal else None,
    }
    if detail.comparison is not None:
        document["diff"] = _comparison(detail.comparison)
    return document_text(document, output)


def run(found: tuple[ScriptStatus, RunText], output: Output) -> str:
    """One run with all of its output as one JSON document."""
    status, text = found
    shown = {**_run(text.run), "output": text.output, "traceback": text.traceback}
    return document_text({"version": 1, "script": status.id.dotted, "run": shown}, output)


def _status(status: ScriptStatus, queued: Queued, success: Success | None) -> dict[str, Any]:
    """One script, with nulls where it has no file or no record."""
    definition, record = status.definition, status.record
    applied_at = record.applied_at if record else None
    return {
        "script": status.id.dotted,
        "state": status.state.value,
        "needs_action": status.needs_action,
        "path": status.path,
        "help": definition.help if definition else "",
        "fingerprint": str(definition.fingerprint) if definition and definition.fingerprint else None,
        "requires": [
            required.target.dotted if required.target else required.text for required in status.requires
        ],
        "applied_at": applied_at.isoformat() if applied_at else None,
        "applied_fingerprint": str(record.applied) if record and record.applied else None,
        "inherited_from": (record.inherited_from or None) if record else None,
        "tags": list(status.tags),
        "last_run": _last_run(record),
        "last_success": _success(success),
        "watches": [one.module for one in status.watches],
        "changed_modules": list(status.changed_modules),
        "lease": _lease(record.lease) if record and record.lease else None,
        "progress": progress._asdict() if (progress := status.progress) else None,
        "queued_jobs": queued.of(status.id.dotted),
    }


def _last_run(record: ScriptRecord | None) -> dict[str, Any] | None:
    """The last attempt or decision; ``seconds`` is null while it runs, and where its end is not recorded."""
    if record is None or (run := record.last_run) is None:
        return None
    return {
        "outcome": queries.last_outcome(record),
        "kind": run.kind,
        "started_at": run.started_at.isoformat(),
        "seconds": round((run.ended_at - run.started_at).total_seconds(), 3) if run.ended_at else None,
        "host": run.host,
    }


def _success(success: Success | None) -> dict[str, Any] | None:
    """The last run that succeeded, as ``run_scripts --plan --from`` reads it elsewhere."""
    if success is None:
        return None
    worker_seconds = success.worker_seconds
    return {
        "started_at": success.started_at.isoformat(),
        "seconds": round(success.seconds, 3),
        "fingerprint": success.fingerprint or None,
        "environment": success.environment or None,
        "worker_seconds": None if worker_seconds is None else round(worker_seconds, 3),
        "keys": success.keys,
        "rows": success.rows,
        "table": success.table or None,
        "key_span": success.key_span,
    }


def plan(
    made: Plan,
    choice: Choice,
    output: Output,
    workers: int = 1,
    figures: Mapping[ScriptId, Sequence[Figure]] | None = None,
) -> str:
    """A plan as one JSON document.

    Args:
        made: the plan.
        choice: what it was made of.
        output: where the text goes.
        workers: how many processes share a batched script.
        figures: how long each step may take; None if nothing was read that says it.
    """
    sums = None if figures is None else forecast.total(figures)
    left = (
        *choice.up_to_date,
        *choice.moved,
        *choice.cancelled,
        *choice.batched,
        *choice.skipped_by_no_retry,
    )
    reasons = choice.excluded
    after, before = made.after, made.before
    document = {
        "version": 1,
        "steps": [
            {
                **_step(status, choice),
                "workers": workers if status.is_batched else 1,
                "after": [one.dotted for one in after[status.id]],
                "required_by": [one.dotted for one in before[status.id]],
                "forecast": None if figures is None else [_figure(one) for one in figures[status.id]],
            }
            for status in made.steps
        ],
        "blocked": [
            {"script": status.id.dotted, "state": status.state.value, "reasons": list(why_not)}
            for status, why_not in made.blocked
        ],
        "not_run": [
            {
                "script": status.id.dotted,
                "state": status.state.value,
                "reason": reasons.get(status.id) or why(status),
            }
            for status in left
            if status.id not in {one.id for one, _ in made.blocked}
        ],
        "forecast": None if sums is None else sums._asdict(),
    }
    return document_text(document, output)


def _step(status: ScriptStatus, choice: Choice) -> dict[str, Any]:
    definition = status.definition
    return {
        "script": status.id.dotted,
        "state": status.state.value,
        "path": status.path,
        "help": definition.help if definition else "",
        "tags": list(status.tags),
        "arguments": list(definition.options.arguments) if definition else [],
        "batched": status.is_batched,
        "chosen": any(one.id == status.id for one in choice.chosen),
        "reason": why(status),
    }


def _figure(one: Figure) -> dict[str, Any]:
    return {
        "environment": one.place,
        "seconds": None if one.seconds is None else round(one.seconds, 3),
        "same_version": one.is_same_version,
        "basis": ", ".join(one.basis),
    }


def _lease(lease: Lease) -> dict[str, float | None]:
    """How a run without a recorded end holds its script: in seconds, rounded."""
    seconds = {"last_sign_of_life": lease.ago, "free_in": lease.left}
    return {name: None if value is None else round(value, 1) for name, value in seconds.items()}


def _version(detail: ScriptDetail, version: PastVersion) -> dict[str, Any]:
    return {
        "fingerprint": str(version.fingerprint),
        "content_digest": version.content_digest,
        "runs": version.runs,
        "applied": version.applied,
        "first_run_at": version.first_at.isoformat(),
        "last_run_at": version.last_at.isoformat(),
        "has_source": version.has_source,
        "is_applied": detail.is_applied(version),
        "is_file": detail.is_now(version),
    }


def _run(run: PastRun) -> dict[str, Any]:
    record = run.record
    return {
        "id": record.pk,
        "kind": record.kind,
        "outcome": run.outcome,
        "applies": record.applies,
        "reason": record.reason,
        "started_at": record.started_at.isoformat(),
        "ended_at": record.ended_at.isoformat() if record.ended_at else None,
        "seconds": run.seconds,
        "user": record.user,
        "host": record.host,
        "pid": record.pid,
        "git_revision": run.git_revision,
        "fingerprint": str(record.version) if record.version else None,
        "arguments": run.given,
        "inherited_from": record.place or None,
    }


def _rehearsal(found: StoredRehearsal) -> dict[str, Any]:
    return {
        "outcome": found.outcome,
        "started_at": found.started_at.isoformat(),
        "reason": found.reason,
        **found.report.to_json(),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "old": comparison.old,
        "new": comparison.new,
        "is_raw": comparison.is_raw,
        "note": " ".join(comparison.notes),
        "changed_modules": list(comparison.changed_modules),
        "text": "\n".join(comparison.lines),
    }
