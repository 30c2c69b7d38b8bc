"""``check_scripts --format json``: version 1 of the contract."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scripts_tracker.core.text import finding, path_of

if TYPE_CHECKING:
    from scripts_tracker.core.states import ScriptStatus
    from scripts_tracker.reporting.report import Canvas, Report


def script(status: ScriptStatus) -> dict[str, Any]:
    """One script, with nulls where its file or its record is not there."""
    definition, record = status.definition, status.record
    applied_at = record.applied_at if record else None
    requires = definition.requires if definition else ()
    return {
        "script": str(status.id),
        "state": status.state.value,
        "needs_action": status.state.needs_action,
        "path": path_of(status),
        "help": definition.help if definition else "",
        "fingerprint": str(definition.fingerprint) if definition and definition.fingerprint else None,
        "requires": [str(required.target or required.text) for required in requires],
        "applied_at": applied_at.isoformat() if applied_at else None,
        "applied_fingerprint": str(record.applied) if record and record.applied else None,
        "tags": list(definition.options.tags) if definition else [],
        "watches": [one.module for one in definition.watches] if definition else [],
        "changed_modules": list(status.changed_modules),
    }


def render(report: Report, canvas: Canvas) -> str:
    """The report as one JSON document."""
    document = {
        "version": 1,
        "counts": {state.value: count for state, count in report.counts.items()},
        "needs_action": any(status.state.needs_action for status in report.statuses),
        "scripts": [script(status) for status in report.listed],
        "problems": [finding(found) for found in report.findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=not canvas.unicode)
