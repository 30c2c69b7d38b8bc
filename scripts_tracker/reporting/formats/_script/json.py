"""``show_script --format json``: version 1, with a script, a finding as ``check_scripts --format json`` has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.text import finding
from scripts_tracker.reporting.formats.json import script
from scripts_tracker.reporting.report import why

if TYPE_CHECKING:
    from scripts_tracker.core.values import PastRun, PastVersion, ScriptDefinition
    from scripts_tracker.project.detail import Comparison, Dossier
    from scripts_tracker.reporting.report import Canvas


def _options(definition: ScriptDefinition | None) -> dict[str, Any] | None:
    """Those of ``@tracked_script``, the defaults too; None where no file says any."""
    if definition is None:
        return None
    options = definition.options
    return {
        "rerun": options.rerun,
        "atomic": options.atomic,
        "tags": list(options.tags),
        "unless": list(options.unless),
        "watch": list(options.watch),
    }


def _version(dossier: Dossier, version: PastVersion) -> dict[str, Any]:
    return {
        "fingerprint": str(version.fingerprint),
        "content_digest": version.content_digest,
        "runs": version.runs,
        "applied": version.applied,
        "first_run_at": version.first_at.isoformat(),
        "last_run_at": version.last_at.isoformat(),
        "has_source": version.has_source,
        "is_applied": dossier.is_applied(version),
        "is_file": dossier.is_now(version),
    }


def _run(run: PastRun) -> dict[str, Any]:
    record = run.record
    return {
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


def render(dossier: Dossier, canvas: Canvas) -> str:
    """The dossier as one JSON document; ``diff`` is there where it was asked for."""
    past = dossier.past
    document = {
        "version": 1,
        "script": script(dossier.status),
        "why": why(dossier.status),
        "options": _options(dossier.status.definition),
        "required_by": [str(other.id) for other in dossier.required_by],
        "problems": [finding(found) for found in dossier.findings],
        "versions": [_version(dossier, version) for version in past.versions],
        "runs_total": past.total,
        "runs": [_run(run) for run in past.runs],
        "output": past.output,
        "traceback": past.traceback,
    }
    if dossier.comparison is not None:
        document["diff"] = _comparison(dossier.comparison)
    return json.dumps(document, indent=2, ensure_ascii=not canvas.unicode)
